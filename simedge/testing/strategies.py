"""Random worlds that make sense: strategies for scenarios and their parts.

All are built from whole numbers of which the least is the harmless one, and faults are a list of
which any can go: what breaks a law shrinks to one or two devices, one or two faults, round times.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from simedge.run.scenario import Scenario
from simedge.testing.plans import KINDS, Setting, fault

__all__ = [
    "fault_schedules",
    "learners",
    "links",
    "protocols",
    "scenarios",
    "topologies",
    "traces",
]

Plain = dict[str, Any]

_DEVICES_MAX: Final = 3
_SPAN_MS: Final = 2_000
_BASE: Final[Mapping[str, Any]] = {
    "simedge": 1,
    "name": "drawn",
    "sensors": {
        "kind": "poisson",
        "size": 8,
        "rate": "8 Hz",
        "proxy": {"blocks": 2, "rows": 2},
    },
    "evaluate": {"every": "1 min", "items": 10},
}
_ELAL: Final = {
    "kind": "elal",
    "interval": 2,
    "prior_period": "300 ms",
    "report_period": "500 ms",
    "have_period": "700 ms",
    "policy": {"kind": "fixed"},
}
_PROTOCOLS: Final[Mapping[str, Plain]] = {
    "elal": _ELAL,
    "isolated": {"kind": "isolated", "interval": 2},
    "fd": {"kind": "fd", "interval": 2},
    "gossip": {"kind": "gossip", "interval": 2},
    "fedasync": {"kind": "fedasync"},
}
_PEERS: Final = frozenset({"gossip", "aedfl", "draco"})


class _Lots:
    """Lots drawn by Hypothesis."""

    def __init__(self, draw: DrawFn) -> None:
        self._draw = draw

    def below(self, count: int) -> int:
        return self._draw(st.integers(0, count - 1))


@st.composite
def _faults(draw: DrawFn, kind: str, setting: Setting) -> Plain:
    return fault(kind, _Lots(draw), setting)


def fault_schedules(
    *,
    kinds: Sequence[str] | None = None,
    names: Sequence[str] = ("box-1",),
    max_size: int = 3,
    span_ms: int = _SPAN_MS,
) -> SearchStrategy[list[Plain]]:
    """Return lists of faults, at most one of a kind, as they stand in a scenario.

    Parameters
    ----------
    kinds
        Which; all that `simedge.testing.plans.KINDS` has a recipe for.
    names
        Devices that they may name.
    max_size
        How many at most.
    span_ms
        They begin before this.
    """
    setting = Setting(names, span_ms)
    chosen = tuple(KINDS) if kinds is None else tuple(kinds)
    unknown = sorted(set(chosen) - set(KINDS))
    if unknown:
        raise ValueError(f"no recipe for the fault {unknown[0]!r} (known: {', '.join(KINDS)})")
    one = st.sampled_from(chosen).flatmap(lambda kind: _faults(kind, setting))
    # The two kinds of a family of token faults share a default name, and names are unique.
    return st.lists(one, max_size=max_size, unique_by=lambda each: each["kind"].split("-")[0])


def links() -> SearchStrategy[Plain]:
    """Return `links.default` blocks: a profile, or figures of one's own in whole ms and percent."""
    loss = st.one_of(
        st.just({"kind": "none"}),
        st.integers(0, 100).map(lambda share: {"kind": "bernoulli", "mean": f"{share}%"}),
        st.tuples(st.integers(0, 90), st.integers(1, 1_000)).map(
            lambda pair: {
                "kind": "gilbert-elliott",
                "mean": f"{pair[0]}%",
                "burst": f"{pair[1]} ms",
            }
        ),
    )
    extras: Mapping[str, SearchStrategy[Any]] = {
        "delay": st.integers(0, 500).map(lambda value: f"{value} ms"),
        "loss": loss,
        "duplicate": st.integers(0, 100).map(lambda share: f"{share}%"),
        "queue": st.integers(0, 8).map(lambda count: {"datagrams": 8 - count}),
        "order": st.sampled_from(["fifo", "free"]),
    }
    profile = st.sampled_from(["ethernet", "wifi-air", "lte"])
    return st.fixed_dictionaries({"profile": profile}, optional=extras)


def topologies(*, devices: int = 1, peers: bool = False) -> SearchStrategy[Plain]:
    """Return `topology` blocks for so many devices; with `peers`, devices have links."""
    kinds: list[Plain] = [] if peers else [{"kind": "star"}]
    kinds += [{"kind": "ring"}, {"kind": "complete"}]
    if devices > 2:
        kinds.append({"kind": "small-world", "neighbours": 2, "rewire": "10%"})
    return st.sampled_from(kinds)


def learners(*, kinds: Sequence[str] = ("surrogate",)) -> SearchStrategy[Plain]:
    """Return `learner` blocks: by default a recorded learning curve, which computes nothing."""
    return st.sampled_from([{"kind": kind} for kind in kinds])


def protocols(*, kinds: Sequence[str] = ("elal",)) -> SearchStrategy[Plain]:
    """Return `protocol` blocks with short periods, so that much is said in a second."""
    return st.sampled_from([dict(_PROTOCOLS.get(kind, {"kind": kind})) for kind in kinds])


def traces(*, rows: int = 8) -> SearchStrategy[str]:
    """Return recorded networks as CSV text: times in whole s, rates in whole Mbit/s.

    Write one to a `.csv` file and name that in `links.default.trace.file`.
    """
    figures = st.lists(
        st.tuples(st.integers(1, 10), st.integers(0, 50)), min_size=2, max_size=max(2, rows)
    )
    return figures.map(_csv)


def _csv(figures: Sequence[tuple[int, int]]) -> str:
    lines, at = ["t_s,up_bps,down_bps"], 0
    for step, rate in figures:
        lines.append(f"{at},{rate * 1_000_000},{rate * 1_000_000}")
        at += step
    return "\n".join(lines) + "\n"


@st.composite
def scenarios(  # noqa: PLR0913 -- all by name, one a block of the scenario
    draw: DrawFn,
    *,
    devices: SearchStrategy[int] | None = None,
    faults: SearchStrategy[list[Plain]] | None = None,
    link: SearchStrategy[Plain] | None = None,
    topology: SearchStrategy[Plain] | None = None,
    learner: SearchStrategy[Plain] | None = None,
    protocol: SearchStrategy[Plain] | None = None,
    seconds: SearchStrategy[int] | None = None,
) -> Scenario:
    """Draw a small scenario that runs in some hundredths of a second.

    Parameters
    ----------
    devices
        How many, `box-1` and on; 1 to 3.
    faults
        As `fault_schedules` draws them; none.
    link, topology, learner, protocol
        Blocks of the scenario; a clean or lossy link, a topology that the protocol can do with, a
        surrogate learner, `elal`.
    seconds
        Virtual time; 1 to 3.
    """
    count = draw(st.integers(1, _DEVICES_MAX) if devices is None else devices)
    said = draw(protocols() if protocol is None else protocol)
    peers = said["kind"] in _PEERS
    shape = topologies(devices=count, peers=peers) if topology is None else topology
    data = {
        **_BASE,
        "seed": draw(st.integers(1, 1_000)),
        "duration": f"{draw(st.integers(1, 3) if seconds is None else seconds)} s",
        "devices": [{"id": "box", "count": count, "compute": "cpu-large", "memory": "2 GiB"}],
        "topology": draw(shape),
        "links": {"default": draw(links() if link is None else link)},
        "learner": draw(learners() if learner is None else learner),
        "protocol": said,
        "faults": draw(st.just([]) if faults is None else faults),
    }
    return Scenario.model_validate(data)
