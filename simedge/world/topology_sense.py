"""Does the topology of a scenario make sense: enough devices, known names.

Each finding is (path below ``topology``, sentence).
"""

import difflib
from collections.abc import Iterator, Sequence

from simedge.world.settings import DeviceSettings
from simedge.world.topology_settings import (
    CompleteSettings,
    FileSettings,
    SmallWorldSettings,
    TiersSettings,
    TopologySettings,
    UplinkedSettings,
)

__all__ = ["topology_problems"]

_COMPLETE_MAX = 1_000

Finding = tuple[tuple[str | int, ...], str]


def topology_problems(
    topology: TopologySettings, devices: Sequence[DeviceSettings]
) -> Iterator[Finding]:
    """Yield what is wrong with a topology for these devices."""
    count = sum(group.count for group in devices)
    if isinstance(topology, SmallWorldSettings) and count <= topology.neighbours:
        yield ("neighbours",), f"{topology.neighbours} neighbours need more than {count} devices"
    elif (
        isinstance(topology, UplinkedSettings)
        and topology.uplinks != "all"
        and topology.uplinks > count
    ):
        yield ("uplinks",), f"{topology.uplinks} uplinks for {count} devices"
    if isinstance(topology, CompleteSettings) and count > _COMPLETE_MAX:
        yield ("kind",), f"complete is for at most {_COMPLETE_MAX} devices, there are {count}"
    if isinstance(topology, TiersSettings):
        yield from _of_tiers(topology, devices)
    if isinstance(topology, FileSettings):
        yield from _of_file(topology, devices)


def _of_tiers(topology: TiersSettings, devices: Sequence[DeviceSettings]) -> Iterator[Finding]:
    counts = {group.id: group.count for group in devices}
    for i, name in enumerate(topology.gateways):
        if name not in counts:
            yield ("gateways", i), f"no group {name!r}{_hint(name, list(counts))}"
    gateways = sum(counts.get(name, 0) for name in set(topology.gateways))
    if topology.homes > gateways > 0:
        yield ("homes",), f"{topology.homes} homes need as many gateways, there are {gateways}"


def _of_file(topology: FileSettings, devices: Sequence[DeviceSettings]) -> Iterator[Finding]:
    known = ["server", *(f"{g.id}-{i}" for g in devices for i in range(1, g.count + 1))]
    known_set = frozenset(known)
    named = sorted({name for edge in topology.edges or () for name in edge})
    for name in named:
        if name not in known_set:
            hint = _hint(name, known) or " (nodes are named like devices, or server)"
            yield ("path",), f"{topology.path}: there is no device {name!r}{hint}"
            return


def _hint(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
