"""Replaying recorded networks: a scenario whose links follow trace files, and its synthetic twin.

Three modes, none of which brings the recorded network back:

``time``
    Capacity, delay and loss as functions of time. How this traffic would have changed the
    recorded network (its queues, schedulers, other users) is not in the file, nor is the fate of
    any single message.
``fitted``
    The mean rates, a Gilbert-Elliott loss and a table of delays. Outages, fading, the order in
    time and heavy tails are gone.
``uid``
    The fate and the delay of each recorded message, told by its name. Rates, queues and retries
    do not act, and what was not recorded has no fate: such a message ends the run with an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from simedge.run.scenario import Scenario
from simedge.world.capacity import Repeat
from simedge.world.traces.figures import Figures, measure
from simedge.world.traces.fit import fit
from simedge.world.traces.rows import Direction, TraceError
from simedge.world.traces.source import Source, bundled, open_trace

__all__ = ["CANNOT", "Driven", "Mode", "differences", "drive"]

Mode = Literal["time", "fitted", "uid"]
CANNOT: Final[Mapping[Mode, str]] = MappingProxyType(
    {
        "time": (
            "not reproduced: what this traffic would have done to the recorded network "
            "(queues, schedulers, other users), and the fate of any single message"
        ),
        "fitted": (
            "not reproduced: outages, fading, the order in time, the correlation of rate, delay "
            "and loss; the tails of real bursts are heavier than those of the fit"
        ),
        "uid": (
            "not reproduced: anything that was not recorded; rates, queues and retries do not act, "
            "and a message that the recording does not know ends the run"
        ),
    }
)
_SUFFIXES: Final[Mapping[str, Direction]] = MappingProxyType({".up": "up", ".down": "down"})
_TRACES_MAX: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """A scenario whose links follow traces, and what is to be said of it.

    Parameters
    ----------
    takes
        What the links take from which file, a line a direction, and how they follow it.
    cannot
        What this mode does not reproduce.
    """

    scenario: Scenario
    mode: Mode
    takes: tuple[str, ...]
    cannot: str


def drive(
    scenario: Scenario,
    traces: Sequence[str | Path],
    *,
    links: Sequence[str] = (),
    mode: Mode | None = None,
    repeat: Repeat = "wrap",
    phase: str = "random",
) -> Driven:
    """Return the scenario with the links of some devices driven by traces.

    Parameters
    ----------
    traces
        One file, or two: up and down. Files that end in ``.up`` or ``.down`` say it themselves.
    links
        Groups or devices whose links follow; by default all.
    mode
        By default ``uid`` for recorded messages, else ``time``.
    repeat
        What follows the end of a trace.
    phase
        Where in the trace each device begins: ``random``, or a duration for all.

    Raises
    ------
    TraceError
        If a file cannot be read, or the mode does not fit it.
    ScenarioError
        If the links named are none.
    """
    files = _by_direction([open_trace(trace) for trace in traces])
    recorded = all(source.kind == "messages" for source in files.values())
    mode = mode or ("uid" if recorded else "time")
    if mode == "uid" and not recorded:
        raise TraceError("mode uid replays recorded messages; these are no recordings of messages")
    figures = {way: measure(source, way) for way, source in files.items()}
    figures = {way: found for way, found in figures.items() if _says(found)}
    if not figures:
        raise TraceError(f"{traces[0]}: no rate, delay or loss")
    files = {way: files[way] for way in figures}
    settings = {"repeat": repeat, "phase": phase, "mode": "uid" if mode == "uid" else "time"}
    if mode == "fitted":
        block: dict[str, object] = _fitted(figures)
    else:
        block = _followed(files, figures, settings)
    groups = list(links) or [group.id for group in scenario.devices]
    written = scenario.model_dump(mode="json", by_alias=True, exclude_unset=True)
    overrides = [*written.get("links", {}).get("overrides", ()), {"devices": groups, **block}]
    return Driven(
        scenario=scenario.vary({"links.overrides": overrides}),
        mode=mode,
        takes=_takes(files, figures, settings, mode=mode),
        cannot=CANNOT[mode],
    )


def _by_direction(sources: list[Source]) -> dict[Direction, Source]:
    """Return which file drives which direction; a single one without a suffix drives both."""
    if not 1 <= len(sources) <= _TRACES_MAX:
        raise TraceError(f"one trace, or two: up and down; these are {len(sources)}")
    named = {_SUFFIXES[s.path.suffix]: s for s in sources if s.path.suffix in _SUFFIXES}
    if len(named) == len(sources):
        return named
    up, down = sources[0], sources[-1]
    return {"down": up, "up": down} if named.get("down") is up else {"up": up, "down": down}


def _fitted(figures: Mapping[Direction, Figures]) -> dict[str, object]:
    up, down = figures.get("up"), figures.get("down")
    link = fit(up or _one(down), down or _one(up)).link
    # A direction that no file speaks of keeps its own rate.
    return {name: value for name, value in link.items() if name not in {"up", "down"} - {*figures}}


def _says(figures: Figures) -> bool:
    return any(part is not None for part in (figures.rate, figures.delay_ns, figures.loss))


def _one(figures: Figures | None) -> Figures:
    assert figures is not None
    return figures


def _followed(
    files: Mapping[Direction, Source],
    figures: Mapping[Direction, Figures],
    settings: Mapping[str, str],
) -> dict[str, object]:
    names = {path: name for name, path in bundled().items()}
    paths = {
        way: names.get(source.path, str(source.path.resolve())) for way, source in files.items()
    }
    way = "both" if len(paths) > 1 else next(iter(paths))
    trace: dict[str, object] = {"file": paths.get("up", paths.get("down")), **settings}
    trace["direction"] = way
    if way == "both" and paths["down"] != paths["up"]:
        trace["down"] = paths["down"]
    block: dict[str, object] = {"trace": trace}
    if settings["mode"] == "uid":
        return block
    if any(figure.loss is not None for figure in figures.values()):
        block["loss"] = {"kind": "trace"}
        block["arq"] = {"retries": 0}  # what was recorded was lost after all retries
    if any(figure.delay_ns is not None for figure in figures.values()):
        block["jitter"] = {"kind": "none"}  # it is in the recorded delays
    return block


def _takes(
    files: Mapping[Direction, Source],
    figures: Mapping[Direction, Figures],
    settings: Mapping[str, str],
    *,
    mode: Mode,
) -> tuple[str, ...]:
    both: tuple[Direction, ...] = ("up", "down")
    said = [
        _take(f"{way}: ", files[way].path, figures[way], mode=mode)
        if way in files
        else f"{way}: all of the scenario, no trace says anything of this direction"
        for way in both
    ]
    if mode == "time":
        phase = settings["phase"]
        begin = "each device at a place of its own" if phase == "random" else f"all at {phase}"
        said.append(f"begins: {begin}; after its end: {_ENDS[settings['repeat']]}")
    return tuple(said)


def _take(way: str, path: Path, figures: Figures, *, mode: Mode) -> str:
    parts = {
        "rate": figures.rate is not None and mode != "uid",
        "delay": figures.delay_ns is not None,
        "loss": figures.loss is not None,
    }
    taken = ", ".join(name for name, there in parts.items() if there) or "nothing"
    kept = ", ".join(name for name, there in parts.items() if not there)
    rest = f"; {kept} of the scenario" if kept and mode != "uid" else ""
    like = f" ({_like(figures)})" if figures.rate is not None and mode != "uid" else ""
    return f"{way}{taken} of {path.name}{like}{rest}"


def _like(figures: Figures) -> str:
    """Say what capacity a trace has, and whether it fails."""
    assert figures.rate is not None
    text = f"mean {figures.rate.mean / 1e6:.3g} Mbit/s"
    if figures.outages:
        longest = f"{figures.outage_ns_max / 1e9:.3g} s"
        text += f", outages of 1 s or more: {figures.outages}, the longest {longest}"
    return text


_ENDS: Final[Mapping[str, str]] = MappingProxyType(
    {"wrap": "from the start again", "hold": "the last row for ever", "stop": "nothing passes"}
)
_FIGURES: Final[tuple[tuple[str, str, str], ...]] = (
    ("accuracy, final", "accuracy.final", "share"),
    ("accuracy, before the shift", "accuracy.before_shift", "share"),
    ("traffic up", "communication.bits_up", "bits"),
    ("traffic down", "communication.bits_down", "bits"),
    ("datagrams sent", "communication.datagrams.sent", "count"),
    ("datagrams lost", "communication.datagrams.lost", "count"),
    ("under way at the end", "communication.datagrams.in_flight", "count"),
    ("tokens sent", "counts.tokens_sent", "count"),
    ("tokens accepted", "counts.tokens_accepted", "count"),
    ("priors applied", "counts.priors_applied", "count"),
    ("token latency p50", "latency_ms.token.p50", "ms"),
    ("token latency p95", "latency_ms.token.p95", "ms"),
    ("token latency p99", "latency_ms.token.p99", "ms"),
    ("age of priors, mean", "information_age_s.mean", "s"),
    ("age of priors, p99", "information_age_s.p99", "s"),
    ("frames learned", "counts.frames_learned", "count"),
    ("devices up at the end", "robustness.devices_up_final", "count"),
)


def differences(
    synthetic: Mapping[str, Any], replayed: Mapping[str, Any]
) -> list[tuple[str, str, float | None, float | None]]:
    """Return (name, unit, synthetic, replayed) of what two summaries are compared by."""
    rows = [
        (name, unit, _value(synthetic, path), _value(replayed, path))
        for name, path, unit in _FIGURES
    ]
    loss = (_lost(synthetic), _lost(replayed))
    place = next(i for i, row in enumerate(rows) if row[0] == "datagrams lost") + 1
    return [*rows[:place], ("share lost", "share", *loss), *rows[place:]]


def _value(summary: Mapping[str, Any], path: str) -> float | None:
    value: Any = summary
    for key in path.split("."):
        value = value[key]
    return None if value is None else float(value)


def _lost(summary: Mapping[str, Any]) -> float | None:
    datagrams = summary["communication"]["datagrams"]
    return datagrams["lost"] / datagrams["sent"] if datagrams["sent"] else None
