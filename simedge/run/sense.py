"""Does the scenario make sense: what no single setting can tell.

Each finding is (path, kind, sentence), as validation's own.
"""

import math
from collections import Counter
from collections.abc import Iterator

from simedge.core.errors import SimedgeError
from simedge.learning.eligible_settings import EligibleSettings
from simedge.learning.layered_settings import LayeredSettings
from simedge.learning.own_settings import OwnLearnerSettings
from simedge.learning.reference_settings import DeepSettings, SurrogateSettings
from simedge.learning.settings import (
    CircuitSettings,
    CountReadoutSettings,
    FieldInputs,
    HebbianStdpSettings,
    SpikingSettings,
)
from simedge.neurons.homeostasis import Homeostasis
from simedge.protocol.errors import ProtocolError
from simedge.protocol.server_settings import CentralSettings
from simedge.protocol.settings import ElalSettings, FixedSettings, IsolatedSettings
from simedge.run.extent import extent_of
from simedge.run.findings import Finding
from simedge.run.needs import needs_of
from simedge.run.problems import Path, did_you_mean
from simedge.run.settings import ScenarioSettings
from simedge.run.sight import Sight, sight_of
from simedge.world.fault_sense import (
    fault_problems,
    idle_faults,
    late_faults,
    link_problems,
    names_links,
    restless_faults,
)
from simedge.world.topology_sense import topology_problems
from simedge.world.topology_settings import FileSettings, StarSettings, UplinkedSettings

_EVALUATIONS_MAX = 100_000

__all__ = ["device_names", "notes", "sense"]

_USABLE_PERCENT = 70
_FRAME_BYTES = 256  # more than the events of one pixel take in a frame that waits
_MODELS = 5
_WAITING = ("raw", "device")
_SET_ASIDE = 16  # frames, as the driver has it: to ask there would take numpy


def sense(scenario: ScenarioSettings) -> list[Finding]:
    """Return what is wrong between the parts of a scenario."""
    try:
        sight = sight_of(scenario)
    except SimedgeError as error:
        return [(("sensors",), "sense", str(error))]
    found = [
        *_ids(scenario),
        *_evaluations(scenario),
        *_faults(scenario),
        *_references(scenario),
        *_datagrams(scenario, sight.classes),
        *_shares(scenario),
        *_sources(scenario),
        *_circuits(scenario, sight),
        *_parameters(scenario),
        *_peers(scenario),
        *_memory(scenario, sight),
        *_raster(scenario),
    ]
    return found or [*_reach(scenario)] or [*_links_named(scenario)]


def notes(scenario: ScenarioSettings) -> list[tuple[Path, str]]:
    """Return what is allowed but hardly meant."""
    found = list(late_faults(scenario.faults, scenario.duration))
    if isinstance(scenario.protocol, IsolatedSettings):
        found += idle_faults(scenario.faults)
    return [*found, *_rare_models(scenario)]


def _rare_models(scenario: ScenarioSettings) -> Iterator[tuple[Path, str]]:
    """Devices that wait for the server's model are of no use until it has come a few times."""
    protocol = scenario.protocol
    if not isinstance(protocol, CentralSettings) or (protocol.mode, protocol.serve) != _WAITING:
        return
    steps = int(scenario.duration * scenario.sensors.rate / 10**9)
    if steps < _MODELS * protocol.serve_every:
        times = steps // protocol.serve_every
        text = f"{steps:,} steps at most in this run, so the model comes down {times} times"
        yield ("protocol", "serve_every"), text


def device_names(scenario: ScenarioSettings) -> list[str]:
    """Return the names of all devices, ``<id>-<i>``, in the order of their numbers."""
    return [f"{group.id}-{i}" for group in scenario.devices for i in range(1, group.count + 1)]


def _evaluations(scenario: ScenarioSettings) -> Iterator[Finding]:
    """More evaluations than anyone can look at are a slip of the unit."""
    count = scenario.duration // scenario.evaluate.every
    if count > _EVALUATIONS_MAX:
        text = f"{count:,} evaluations in one run, at most {_EVALUATIONS_MAX:,}"
        yield ("evaluate", "every"), "sense", text


def _ids(scenario: ScenarioSettings) -> Iterator[Finding]:
    counts = Counter(group.id for group in scenario.devices)
    names = frozenset(device_names(scenario))
    for index, group in enumerate(scenario.devices):
        if counts[group.id] > 1:
            yield ("devices", index, "id"), "sense", f"the id {group.id!r} is used twice"
        if group.id in names:
            yield ("devices", index, "id"), "sense", f"a device is called {group.id!r} already"


def _faults(scenario: ScenarioSettings) -> Iterator[Finding]:
    """See that faults hit what there is."""
    hits = fault_problems(scenario.faults, scenario.devices)
    for path, text in (*hits, *restless_faults(scenario.faults, scenario.duration)):
        yield path, "sense", text


def _references(scenario: ScenarioSettings) -> Iterator[Finding]:
    """See that every device named in an override exists."""
    known = [group.id for group in scenario.devices] + device_names(scenario)
    named: list[tuple[Path, tuple[str, ...]]] = [
        (("links", "overrides", i, "devices"), override.devices)
        for i, override in enumerate(scenario.links.overrides)
    ]
    known_set = frozenset(known)
    for path, names in named:
        for i, name in enumerate(names):
            if name not in known_set:
                groups = [group.id for group in scenario.devices]
                hint = did_you_mean(name, known) or f" (known: {', '.join(groups)})"
                yield (*path, i), "sense", f"no device or group {name!r}{hint}"


def _datagrams(scenario: ScenarioSettings, classes: int) -> Iterator[Finding]:
    """See that a token fits one datagram."""
    protocol = scenario.protocol
    if isinstance(protocol, ElalSettings):
        by_class = protocol.x_mode == "class"
        path: Path = ("protocol", "part_level") if by_class else ("sensors", "proxy", "rows")
        try:
            blocks, rows = extent_of(scenario, classes)
            protocol.shape(classes=classes, blocks=blocks, rows=rows)
        except ProtocolError as error:
            yield path, "sense", str(error)


def _shares(scenario: ScenarioSettings) -> Iterator[Finding]:
    """See that a list of Hebbian shares has one for each hidden layer."""
    policy, learner = scenario.protocol.policy, scenario.learner
    layers = len(learner.layers) if isinstance(learner, SpikingSettings) else 0
    if isinstance(learner, EligibleSettings) and learner.rule.shares == "post-gain":
        layers = len(learner.hidden)
    given = policy.lambda_ if isinstance(policy, FixedSettings) else None
    if isinstance(given, tuple) and len(given) != layers:
        text = f"{len(given)} shares for {layers} hidden layers"
        yield ("protocol", "policy", "lambda"), "sense", text
    rule = learner.rule if isinstance(learner, SpikingSettings) else None
    own = rule.hebbian_share if isinstance(rule, HebbianStdpSettings) else None
    if isinstance(own, tuple) and len(own) != layers:
        text = f"{len(own)} shares for {layers} hidden layers"
        yield ("learner", "rule", "lambda"), "sense", text


def _sources(scenario: ScenarioSettings) -> Iterator[Finding]:
    """See that the readout is given sources that there are."""
    learner = scenario.learner
    if not isinstance(learner, SpikingSettings):
        return
    layers = range(1, len(learner.layers) + 1)
    known = ["input", "hidden", *(f"hidden-{n}" for n in layers)]
    for place, name in enumerate(learner.readout.sources):
        if name not in known:
            text = f"there is no source {name!r}{did_you_mean(name, known)}"
            yield ("learner", "readout", "from", place), "sense", text


def _circuits(scenario: ScenarioSettings, sight: Sight) -> Iterator[Finding]:
    """See that a broadcast and receptive fields fit what is shown."""
    learner = scenario.learner
    if not isinstance(learner, CircuitSettings):
        return
    width = learner.rule.width
    if width is not None and width >= sight.classes:
        text = f"{width} numbers for {sight.classes} classes: at most {sight.classes - 1} differ"
        yield ("learner", "rule", "width"), "sense", text
    for place, layer in enumerate(learner.layers):
        law, gamma = layer.homeostasis, math.exp(-learner.tick / layer.leak)
        try:
            Homeostasis(
                initial=layer.threshold,
                low=law.min,
                high=law.max,
                rate=law.rate,
                target=law.target,
                gamma=gamma,
            )
        except SimedgeError as error:
            yield ("learner", "layers", place, "homeostasis"), "sense", str(error)
    inputs, side = learner.layers[0].inputs, min(sight.width, sight.height)
    if isinstance(inputs, FieldInputs) and inputs.size > side:
        text = f"a field of {inputs.size} pixels on {sight.width} x {sight.height} pixels"
        yield ("learner", "layers", 0, "inputs", "size"), "sense", text


def _raster(scenario: ScenarioSettings) -> Iterator[Finding]:
    """See that there are circuits to be drawn, and when."""
    raster = scenario.record.raster
    if raster is None:
        return
    path: Path = ("record", "raster")
    known = device_names(scenario)
    for place, name in enumerate(raster.devices):
        if name in raster.devices[:place]:
            yield (*path, "devices", place), "sense", f"the device {name!r} is named twice"
        if name not in known:
            yield (
                (*path, "devices", place),
                "sense",
                f"no device {name!r}{did_you_mean(name, known)}",
            )
    if not isinstance(scenario.learner, CircuitSettings):
        text = "only recurrent circuits have one: learner.rule.kind three-factor"
        yield path, "sense", text
    if raster.at >= scenario.duration:
        yield (*path, "at"), "sense", "the run is over by then"


def _parameters(scenario: ScenarioSettings) -> Iterator[Finding]:
    """See that what learners learn can be exchanged, if it is to be."""
    needs, learner = needs_of(scenario.protocol), scenario.learner
    kind = scenario.protocol.kind
    if needs.parameters and not getattr(learner, "shared_start", True):
        text = f"{kind} exchanges readouts: all devices must begin with the same hidden weights"
        yield ("learner", "shared_start"), "sense", text


def _peers(scenario: ScenarioSettings) -> Iterator[Finding]:
    """See that peers have links to each other."""
    if needs_of(scenario.protocol).peers and isinstance(scenario.topology, StarSettings):
        text = f"{scenario.protocol.kind} needs links between devices, a star has none"
        yield ("topology", "kind"), "sense", text


def _memory(scenario: ScenarioSettings, sight: Sight) -> Iterator[Finding]:
    """See that what a device must hold fits; only if that is in doubt the learner is built."""
    most = _most_bytes(scenario, sight)
    limits = [(group.memory * _USABLE_PERCENT // 100) - group.runtime for group in scenario.devices]
    if most is not None and most <= min(limits):
        return
    # Building takes numpy and numba, which checking most scenarios does without.
    from simedge.run.fit import check_fit  # noqa: PLC0415

    try:
        for index, text in check_fit(scenario, sight):
            yield ("devices", index, "memory"), "sense", text
    except SimedgeError as error:
        yield ("learner",), "sense", str(error)


def _most_bytes(scenario: ScenarioSettings, sight: Sight) -> int | None:
    """Return more than a device's learner, buffers and queues take, or None if unknown."""
    learner, proxy = scenario.learner, scenario.sensors.proxy
    unknown = DeepSettings | SurrogateSettings | EligibleSettings | LayeredSettings
    if isinstance(learner, unknown | OwnLearnerSettings):
        return None
    classes, width, height = sight
    pixels, rows = width * height, proxy.blocks * proxy.rows
    needs = needs_of(scenario.protocol)
    frames = max(group.queue for group in scenario.devices) + 1 + _SET_ASIDE * needs.sets_aside
    queue = frames * _FRAME_BYTES * pixels
    if isinstance(learner, CircuitSettings):
        return 8 * _circuit_numbers(learner, sight, rows, copies=needs.copies) + queue
    channels, weights, neurons = 2, 0, 0
    for layer in learner.layers if isinstance(learner, SpikingSettings) else ():
        width, height = (
            (side + 2 * layer.padding - layer.kernel) // layer.stride + 1
            for side in (width, height)
        )
        if min(width, height) < 1:
            return None
        weights += layer.maps * channels * layer.kernel**2
        neurons += layer.maps * width * height
        channels = layer.maps
    bins = learner.readout.bins if isinstance(learner, SpikingSettings) else 0
    inputs = channels * pixels
    features = bins * neurons + learner.readout.input_bins * 2 * pixels
    numbers = weights + 8 * (neurons + inputs) + features * (rows + 3 * classes + 1)
    numbers += needs.copies * (features + 1) * (classes + 1)
    numbers += 2 * rows * classes
    return 8 * numbers + queue


def _circuit_numbers(learner: CircuitSettings, sight: Sight, rows: int, *, copies: int) -> int:
    """Return more than the numbers that a structured learner holds, with so many proxy rows."""
    below, synapses, neurons = 2 * sight.width * sight.height, 0, 0
    for layer in learner.layers:
        synapses += layer.neurons * (below + layer.neighbours)
        below, neurons = layer.neurons, neurons + layer.neurons
    bins = learner.readout.bins if isinstance(learner.readout, CountReadoutSettings) else 1
    kept = bins * neurons + sight.classes
    models = copies * kept * sight.classes
    return 2 * synapses + kept * (rows + sight.classes) + neurons * (12 + sight.classes) + models


def _reach(scenario: ScenarioSettings) -> Iterator[Finding]:
    """See that the topology can be, and that every device has a path to the server."""
    topology = scenario.topology
    found = list(topology_problems(topology, scenario.devices))
    yield from ((("topology", *path), "sense", text) for path, text in found)
    if needs_of(scenario.protocol).peers:
        return
    some = isinstance(topology, UplinkedSettings) and topology.uplinks != "all"
    if not found and (some or (isinstance(topology, FileSettings) and topology.edges)):
        yield from _cut_off(scenario)


def _links_named(scenario: ScenarioSettings) -> Iterator[Finding]:
    """See that every link named in a fault exists; only then the topology is drawn."""
    unread = isinstance(scenario.topology, FileSettings) and scenario.topology.edges is None
    if unread or not names_links(scenario.faults):
        return
    from simedge.core.streams import Streams  # noqa: PLC0415
    from simedge.world.topology import edges, roster  # noqa: PLC0415

    members = roster(scenario.devices)
    pairs = edges(scenario.topology, members, Streams(scenario.seed))
    ends = [pair for u, v in pairs for pair in ((u, v), (v, u))]
    links = [f"{members[u].name}.{members[v].name}" for u, v in ends]
    for path, text in link_problems(scenario.faults, links):
        yield path, "sense", text


def _cut_off(scenario: ScenarioSettings) -> Iterator[Finding]:
    # The draws need numpy, which checking most scenarios does without.
    from simedge.core.streams import Streams  # noqa: PLC0415
    from simedge.world.topology import edges, roster  # noqa: PLC0415

    members = roster(scenario.devices)
    near: dict[int, list[int]] = {member.number: [] for member in members}
    for u, v in edges(scenario.topology, members, Streams(scenario.seed)):
        near[u].append(v)
        near[v].append(u)
    reached, front = {0}, [0]
    while front:
        front = [v for u in front for v in near[u] if v not in reached]
        reached.update(front)
    lost = [member.name for member in members if member.number not in reached]
    if lost:
        text = f"no path from {', '.join(lost[:5])} to the server"
        key = "path" if isinstance(scenario.topology, FileSettings) else "uplinks"
        yield ("topology", key), "sense", f"{text} ({len(lost)} unreachable)"
