"""The tables of a report: rows of plain text, the same in every form."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from simedge.run.needs import reported_name
from simedge.study.report.links import LinkFacts
from simedge.study.report.runs import Run
from simedge.study.report.written import NONE, figure

__all__ = [
    "HEADLINES",
    "Headline",
    "Table",
    "comparison",
    "devices",
    "every_figure",
    "headline",
    "link_table",
    "settings_that_differ",
]

_PER_DEVICE = "per_device"
_CURVE = "curve"
_WALL = "wall_s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as text; `left` columns are words, the others figures."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1
    omitted: int = 0
    """Rows that were left out since there are too many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A figure that people ask for: its words, its place in the summary, its unit."""

    label: str
    path: str
    unit: str = ""


HEADLINES = tuple(
    Headline(label=label, path=path, unit=unit)
    for label, path, unit in (
        ("accuracy, mean of the last three", "accuracy.final", "%"),
        ("accuracy before the shift", "accuracy.before_shift", "%"),
        ("accuracy by chance", "accuracy.chance", "%"),
        ("time to nine tenths of it", "convergence.t90_s", "s"),
        ("recovery after the shift", "convergence.recovery_s", "s"),
        ("sent up", "communication.bits_up", "bit"),
        ("sent down", "communication.bits_down", "bit"),
        ("of it sent again", "communication.bits_retransmitted", "bit"),
        ("of it preinstalled", "communication.bits_preinstalled", "bit"),
        ("sent until the target held", "communication.bits_to_target", "bit"),
        ("datagrams sent", "communication.datagrams.sent", ""),
        ("datagrams lost", "communication.datagrams.lost", ""),
        ("frame to update, p50", "latency_ms.update.p50", "ms"),
        ("frame to update, p99", "latency_ms.update.p99", "ms"),
        ("onset to decision, p50", "latency_ms.decision.p50", "ms"),
        ("onset to decision, p95", "latency_ms.decision.p95", "ms"),
        ("onset to decision, p99", "latency_ms.decision.p99", "ms"),
        ("token to merging, p50", "latency_ms.token.p50", "ms"),
        ("token to merging, p99", "latency_ms.token.p99", "ms"),
        ("age of priors, mean", "information_age_s.mean", "s"),
        ("age of priors, p99", "information_age_s.p99", "s"),
        ("versions behind, mean", "staleness.mean", ""),
        ("energy of the boards", "energy_j.total", "J"),
        ("of it compute", "energy_j.compute", "J"),
        ("of it radio", "energy_j.radio", "J"),
        ("of it idle", "energy_j.idle", "J"),
        ("energy by operations", "energy_ops_j", "J"),
        ("frames learned", "counts.frames_learned", ""),
        ("frames dropped", "counts.frames_dropped", ""),
        ("devices up at the end", "robustness.devices_up_final", ""),
        ("crashes", "robustness.crashes", ""),
        ("invariants checked", "invariants.checked", ""),
    )
)


def _at(summary: dict[str, Any], path: str) -> Any:  # noqa: ANN401
    value: Any = summary
    for key in path.split("."):
        value = value[key]
    return value


def headline(run: Run) -> Table:
    """Return what people ask for first."""
    rows = tuple(
        (one.label, one.path, figure(_at(run.summary, one.path), one.unit)) for one in HEADLINES
    )
    return Table(head=("what", "in summary.json", "figure"), rows=rows, left=2)


def every_figure(run: Run) -> Table:
    """Return every number of the summary as it stands there, but for lists and maps of devices.

    How long the run took to compute is left to the provenance: equal runs have equal tables.
    """
    rows = tuple((path, json.dumps(value, ensure_ascii=False)) for path, value in _leaves(run))
    return Table(head=("in summary.json", "value"), rows=rows)


def _leaves(run: Run) -> Iterator[tuple[str, Any]]:
    left: list[tuple[str, Any]] = [(key, run.summary[key]) for key in run.summary if key != _WALL]
    while left:
        path, value = left.pop(0)
        last = path.rpartition(".")[2]
        if isinstance(value, dict) and not last.endswith(_PER_DEVICE):
            left[:0] = [(f"{path}.{key}", inner) for key, inner in value.items()]
        elif not isinstance(value, dict) and last != _CURVE:
            yield path, value


def devices(run: Run, *, most: int) -> Table:
    """Return a row a device: what it is, what it reached and what it spent."""
    s, rows = run.summary, []
    for group in run.scenario.devices:
        kind = group.compute if isinstance(group.compute, str) else f"{group.compute.base}*"
        for number in range(1, group.count + 1):
            name = f"{group.id}-{number}"
            accuracy = s["accuracy"][_PER_DEVICE].get(name)
            peak = s["memory_bytes"]["peak_per_device"].get(name)
            rows.append(
                (
                    name,
                    kind,
                    figure(accuracy, "%"),
                    figure(s["energy_j"][_PER_DEVICE].get(name), "J"),
                    figure(peak, "B"),
                    figure(group.memory, "B"),
                )
            )
    head = ("device", "board", "accuracy", "energy", "most memory", "memory")
    return _cut(Table(head=head, rows=tuple(rows), left=2), most)


def link_table(links: Sequence[LinkFacts], *, most: int) -> Table:
    """Return a row a direction of a link: as set, and as counted."""
    rows = tuple(
        (
            link.name,
            link.profile,
            figure(link.rate_bps, "bit/s"),
            figure(link.delay_ns / 1e6, "ms"),
            figure(link.loss, "%"),
            figure(link.sent),
            figure(link.lost_share, "%"),
            figure(link.wire_bits, "bit"),
        )
        for link in links
    )
    head = ("link", "profile", "rate", "delay", "loss as set", "datagrams", "lost", "carried")
    return _cut(Table(head=head, rows=rows, left=2), most)


def _cut(table: Table, most: int) -> Table:
    return Table(
        head=table.head,
        rows=table.rows[:most],
        left=table.left,
        omitted=max(0, len(table.rows) - most),
    )


def comparison(runs: Sequence[Run], *, most: int) -> Table:
    """Return a row a run with the figures that people ask for."""
    head = ("run", "protocol", "rule", "seed", *(one.label for one in HEADLINES))
    rows = tuple(
        (
            run.name,
            reported_name(run.summary["protocol"]),
            str(run.summary["rule"] or NONE),
            str(run.summary["seed"]),
            *(figure(_at(run.summary, one.path), one.unit) for one in HEADLINES),
        )
        for run in runs
    )
    return _cut(Table(head=head, rows=rows, left=3), most)


def settings_that_differ(runs: Sequence[Run], *, most: int) -> Table:
    """Return a row a setting that not all runs share."""
    flat = [dict(_flat(run.scenario.model_dump(mode="json", by_alias=True))) for run in runs]
    paths = dict.fromkeys(path for one in flat for path in one)
    rows = tuple(
        (path, *(_shown(one, path) for one in flat))
        for path in paths
        if len({_shown(one, path) for one in flat}) > 1
    )
    head = ("setting", *(run.name for run in runs))
    return _cut(Table(head=head, rows=rows, left=len(head)), most)


def _shown(flat: dict[str, Any], path: str) -> str:
    if path not in flat:
        return NONE
    return "null" if flat[path] is None else str(flat[path])


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{place}]")
    else:
        yield path, value
