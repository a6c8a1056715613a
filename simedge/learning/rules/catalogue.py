"""What is known of every learning rule here: one row a rule, the source of all tables of rules.

n neurons, S synapses, T device ticks of a window, C classes, d inputs; orders a layer. A rule is
local in time if what it needs of the past is held now, local in space if it needs nothing of other
layers. `silence` says what an empty device tick does:

- free: nothing, and it costs nothing;
- closed form: it does teach, but a gap is summed at its end, exactly;
- every tick: it has to be executed;
- as the host: the rule goes round another one's updates;
- no time: frames.
"""

import importlib
import importlib.resources
import json
from statistics import fmean, stdev
from typing import Any, Final, Literal, NamedTuple

from simedge.learning.rules.costs import (
    Cost,
    backprop,
    bptt,
    dense,
    e_prop,
    frames,
    lls,
    lls_words,
    s_tllr,
    s_tllr_direct,
    tess,
    tess_learning,
)

__all__ = [
    "RULES",
    "TICKS",
    "WIDTHS",
    "Gap",
    "Kept",
    "Rule",
    "against",
    "beside",
    "cost",
    "kept",
    "measured",
    "resolve",
]

Silence = Literal["free", "closed form", "every tick", "as the host", "no time"]

_ROOM: Final = "simedge.learning"
WIDTHS: Final = (64, 64, 64, 10)
"""Lines, neurons and classes of the dense net whose costs are told: the one that was measured."""
TICKS: Final = 10
"""Its device ticks a window; those that learn from frames see one."""

_TASKS: Final = ("digits", "N-MNIST", "sign digits")
"""What was measured, in the order of telling."""


class Rule(NamedTuple):
    """One row."""

    name: str
    title: str
    source: str
    time: str
    """Local in time?"""
    space: str
    """Local in space?"""
    memory: str
    """Order of memory beyond weights."""
    compute: str
    """Order of work a device tick."""
    silence: Silence
    torch: str
    """What needs torch."""
    code: tuple[str, ...]
    """Where it is implemented, `module:name`."""
    run: str | None = None
    """How a run gets it: a setting, or a learner `module:name`; None if it is a library's."""

    @property
    def where(self) -> str:
        """Say where it runs."""
        return "library" if self.run is None else "in a run"


def _code(*places: str) -> tuple[str, ...]:
    return tuple(f"{_ROOM}.{place}" for place in places)


_FRAMES: Final[dict[str, Any]] = {"time": "frames", "silence": "no time"}
_LLS: Final[dict[str, Any]] = _FRAMES | {
    "source": "arXiv 2405.15868",
    "space": "yes",
    "memory": "one block",
    "compute": "O(C·m) signal",
    "torch": "deep nets",
    "code": (*_code("rules.lls:LocalNet"), "simedge.learning.layered.local_loss:LocalLoss"),
}
_S_TLLR: Final[dict[str, Any]] = {
    "source": "arXiv 2306.15220",
    "time": "yes",
    "memory": "O(n)",
    "torch": "deep nets",
}
_DIRECT: Final[dict[str, Any]] = _S_TLLR | {
    "space": "C error numbers",
    "compute": "O(n²), O(C·n) signal",
    "silence": "closed form",
    "code": _code("rules.s_tllr:s_tllr", "rules.s_tllr:lazy_s_tllr"),
    "run": "learner.rule.kind: s-tllr",
}
_AROUND: Final[dict[str, Any]] = {
    "time": "wrapper",
    "silence": "as the host",
    "torch": "no",
}

RULES: Final = (
    Rule(
        name="hebbian-stdp",
        title="pair STDP with Hebb",
        source="Morrison et al. 2008; Oja 1982",
        time="yes",
        space="yes",
        memory="O(n)",
        compute="spikes x fan-out",
        silence="free",
        torch="no",
        code=_code("rules.hebbian_stdp:HebbianStdp", "rules.convolution:at_post"),
        run="learner.rule.kind: hebbian-stdp",
    ),
    Rule(
        name="three-factor",
        title="structured recurrent, broadcast",
        source="this project",
        time="yes",
        space="yes, + d numbers",
        memory="O(S)",
        compute="spikes x fan-out",
        silence="free",
        torch="no",
        code=_code("circuits.teaching:teach"),
        run="learner.rule.kind: three-factor",
    ),
    Rule(
        name="s-tllr",
        title="S-TLLR by the weights",
        space="no: Wᵀ, same tick",
        compute="O(n²)",
        silence="every tick",
        code=_code("rules.s_tllr:s_tllr"),
        **_S_TLLR,
    ),
    Rule(name="s-tllr-dfa", title="S-TLLR by direct feedback", **_DIRECT),
    Rule(name="s-tllr-sdfa", title="S-TLLR by signs of the error", **_DIRECT),
    Rule(
        name="tess",
        title="TESS",
        source="arXiv 2502.01837",
        time="yes",
        space="yes",
        memory="O(n)",
        compute="O(n²), O(C·n) signal",
        silence="closed form",
        torch="deep nets",
        code=_code("rules.tess:tess", "rules.tess:lazy_tess"),
        run="learner.rule.kind: tess",
    ),
    Rule(
        name="e-prop",
        title="e-prop",
        source="arXiv 1901.09049",
        time="yes",
        space="C error numbers",
        memory="O(S)",
        compute="O(S)",
        silence="every tick",
        torch="deep nets",
        code=_code("rules.e_prop:EProp"),
    ),
    Rule(name="lls", title="LLS", run="learner.rule.kind: lls", **_LLS),
    Rule(name="lls-m", title="LLS-M", run="learner.rule.kind: lls-m", **_LLS),
    Rule(name="lls-mxm", title="LLS-MxM", run="learner.rule.kind: lls-mxm", **_LLS),
    Rule(
        name="code-cl",
        title="CODE-CL: tasks in turn",
        source="arXiv 2411.15235",
        space="a layer",
        memory="O(d²)",
        compute="O(n·d²) a commit",
        code=_code("continual.code_cl:CodeLayer"),
        run="learner.continual.kind: code-cl",
        **_AROUND,
    ),
    Rule(
        name="lance",
        title="LANCE: small subspaces",
        source="arXiv 2509.21617",
        space="a layer",
        memory="Π r + Σ n·r",
        compute="O(n·d·r) a commit",
        code=_code("continual.subspaces:LanceLayer", "continual.lance:calibrated"),
        run="learner.continual.kind: lance",
        **_AROUND,
    ),
    Rule(
        name="dfa",
        title="direct feedback alignment",
        source="arXiv 1609.01596",
        space="C error numbers",
        memory="O(n)",
        compute="O(C·n) signal",
        torch="deep nets",
        code=_code("rules.backprop:TwoLayers"),
        **_FRAMES,
    ),
    Rule(
        name="bp",
        title="back-propagation",
        source="Rumelhart et al. 1986",
        space="no",
        memory="O(n)",
        compute="O(n²)",
        torch="deep nets",
        code=_code("rules.backprop:TwoLayers"),
        run="learner.kind: deep",
        **_FRAMES,
    ),
    Rule(
        name="bptt",
        title="back-propagation through time",
        source="arXiv 1901.09948",
        time="no",
        space="no",
        memory="O(T·n)",
        compute="O(n²), twice",
        silence="every tick",
        torch="deep nets",
        code=_code("rules.bptt:Bptt"),
    ),
)
"""Every rule."""


def resolve(place: str) -> object:
    """Return what stands at `module:name`."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def cost(name: str) -> Cost | None:
    """Return MACs of learning and words of one window of the dense net `WIDTHS`.

    None where they depend on spikes, or on what tasks show. Words leave out weights, accumulators
    and slots of optimisers; MACs are signal and products, without the pass forward.
    """
    net, classes = dense(WIDTHS), WIDTHS[-1]
    hidden = WIDTHS[1:-1]
    if name in {"s-tllr-dfa", "s-tllr-sdfa"}:
        return s_tllr_direct(net, TICKS)
    blocks = {"lls": "plain", "lls-m": "scaled", "lls-mxm": "mixed"}
    if name in blocks:
        kind: Any = blocks[name]
        return frames(net, lls(hidden, classes, kind), lls_words(net))
    found = {
        "s-tllr": s_tllr(net, TICKS),
        "tess": tess_learning(net, tess(hidden, classes, TICKS), TICKS),
        "e-prop": e_prop(sum(net.macs), sum(WIDTHS[:-1]), TICKS),
        "dfa": frames(net, classes * sum(hidden), backprop(net).words),
        "bp": frames(net, *backprop(net)),
        "bptt": bptt(net, TICKS),
    }
    return found.get(name)


class Gap(NamedTuple):
    """Shares of right answers, and points beside another rule's, paired by seed."""

    mean: float
    spread: float
    """Standard deviation over seeds."""
    points: float | None
    """Mean difference to the other rule, in points; None for the rule itself."""
    own_circuit: bool
    """Whether it learned pixel events in a circuit of its own, not in the net of the others."""


class Kept(NamedTuple):
    """What is right after tasks in turn, and how much of it was lost; shares, means over seeds."""

    accuracy: float
    forgetting: float
    of_plain: float
    """Forgetting over that of plain training."""


def measured() -> dict[str, Any]:
    """Return what `benchmarks/references.py` wrote: settings, commit, accuracies by task."""
    file = importlib.resources.files("simedge.learning.rules").joinpath("measured.json")
    held: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    held["tasks"] = {task: held["tasks"][task] for task in _TASKS if task in held["tasks"]}
    return held


def beside(held: dict[str, Any], task: str) -> str:
    """Return whom others are held against on a task: bptt, or bp where there are frames alone."""
    return "bptt" if "bptt" in held["tasks"][task]["rules"] else "bp"


def against(held: dict[str, Any], task: str, name: str) -> Gap | None:
    """Return what a rule reached on a task; None if it was not measured."""
    rules, other = held["tasks"][task]["rules"], beside(held, task)
    if name not in rules:
        return None
    mine, theirs = rules[name]["accuracies"], rules[other]["accuracies"]
    pairs = zip(mine, theirs, strict=True)
    points = None if name == other else 100 * fmean(a - b for a, b in pairs)
    return Gap(fmean(mine), stdev(mine), points, "untrained" in rules[name])


def kept(held: dict[str, Any], stream: str, name: str) -> Kept | None:
    """Return what a wrapper, or `plain`, keeps of five tasks; None if it was not measured."""
    arms = held["five_tasks"]["streams"][stream]
    if name not in arms:
        return None
    plain, lost = (fmean(arms[arm]["forgetting"]) for arm in ("plain", name))
    return Kept(fmean(arms[name]["accuracy"]), lost, lost / plain)
