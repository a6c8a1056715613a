"""Two runs or studies side by side: figures with intervals, first setting, first record.

Runs are paired by the labels of their cell and by seed; what has no partner is named.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from simedge.run.eventlog import LogReader
from simedge.run.replay import Difference, first_difference
from simedge.study.names import cell_names
from simedge.study.pairs import FEW, Pair
from simedge.study.report.tables import HEADLINES, Headline
from simedge.study.sides import CompareError, OldRun, Side, read_side
from simedge.study.statistics import paired_difference

__all__ = ["CellPair", "CompareError", "Comparison", "FigurePair", "Records", "Setting", "compare"]

_ABSENT = "(not there)"


@dataclass(frozen=True, slots=True, kw_only=True)
class FigurePair:
    """A figure on both sides, over the seeds that have it on both; `pair` is B less A."""

    headline: Headline
    a: float | None
    b: float | None
    pair: Pair | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The first setting that differs: its dotted path and what each side has."""

    path: str
    a: Any
    b: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """How far two event logs are equal.

    Parameters
    ----------
    equal
        How many records are, from the first; None if there was nothing to compare.
    difference
        The first record that is not the same (`recorded` is A's, `replayed` is B's).
    note
        Why there is nothing to compare, or where a log is damaged.
    """

    equal: int | None
    difference: Difference | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPair:
    """A cell on both sides.

    Parameters
    ----------
    title
        The label with the names of its factors.
    seeds
        Those that both have.
    setting
        The first that differs between the runs of the first of them.
    equal_logs
        Of how many seeds the event logs have one hash.
    """

    label: str
    title: str
    seeds: tuple[int, ...]
    figures: tuple[FigurePair, ...]
    setting: Setting | None
    equal_logs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What `compare` found; `records` is for two runs alone.

    Parameters
    ----------
    metrics
        Paths of the figures that the studies are about; none if neither says.
    """

    a: Path
    b: Path
    cells: tuple[CellPair, ...]
    records: Records | None
    notes: tuple[str, ...]
    metrics: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Return figures, settings and notes as JSON has them; records are their teller's."""
        return {
            "schema": 1,
            "a": str(self.a),
            "b": str(self.b),
            "cells": [_cell_facts(cell) for cell in self.cells],
            "notes": list(self.notes),
        }


def _cell_facts(cell: CellPair) -> dict[str, Any]:
    return {
        "cell": cell.label,
        "seeds": list(cell.seeds),
        "equal_logs": cell.equal_logs,
        "first_setting": None if cell.setting is None else asdict(cell.setting),
        "figures": {
            one.headline.path: {
                "unit": one.headline.unit,
                "a": one.a,
                "b": one.b,
                "difference": None if one.pair is None else asdict(one.pair),
            }
            for one in cell.figures
        },
    }


def compare(first: str | Path, second: str | Path) -> Comparison:
    """Compare two run directories or two study directories (or one of each); runs nothing.

    Raises
    ------
    CompareError
        If one of them cannot be read, or they have no seed in common.
    """
    a, b = read_side(Path(first)), read_side(Path(second))
    notes = [*a.notes, *b.notes]
    single = not a.study and not b.study
    metrics = tuple(dict.fromkeys((*a.metrics, *b.metrics)))
    headlines = _headlines(metrics)
    cells = []
    for names, one, other in _matched(a, b, notes):
        seeds = _common(names[0], one, other, notes=notes, single=single)
        if seeds:
            cells.append(_cell(names, seeds, notes, headlines=headlines))
    if not cells:
        told = "; ".join(notes)
        raise CompareError(f"{a.path}, {b.path}: no cell and seed in common: {told}")
    records = _records(*_only(a), *_only(b)) if single else None
    return Comparison(
        a=a.path,
        b=b.path,
        cells=tuple(cells),
        records=records,
        notes=tuple(dict.fromkeys(notes)),
        metrics=metrics,
    )


def _headlines(metrics: Sequence[str]) -> tuple[Headline, ...]:
    """Return what people ask for, and whatever else studies are about."""
    known = {one.path for one in HEADLINES}
    others = (Headline(label=path, path=path) for path in metrics if path not in known)
    return (*HEADLINES, *others)


Runs = Mapping[Any, OldRun]


def _only(side: Side) -> list[OldRun]:
    return [run for cell in side.cells.values() for run in cell.values()]


def _matched(a: Side, b: Side, notes: list[str]) -> list[tuple[tuple[str, str], Runs, Runs]]:
    """Return cells of equal labels, called by label and by title.

    The only cells of both match whatever their labels.
    """
    titles = {**b.titles, **a.titles}
    names = cell_names([*a.cells, *b.cells])
    if len(a.cells) == len(b.cells) == 1:
        (one,), (other,) = a.cells.items(), b.cells.items()
        label = " / ".join(dict.fromkeys([names[one[0]], names[other[0]]]))
        return [((label, titles.get(one[0], label)), one[1], other[1])]
    for side, its in ((a, b), (b, a)):
        notes += [
            f"cell {names[label]} of {side.path} is left out: {its.path} has none of that label"
            for label in side.cells
            if label not in its.cells
        ]
    both = [label for label in a.cells if label in b.cells]
    return [
        ((names[label], titles.get(label, names[label])), a.cells[label], b.cells[label])
        for label in both
    ]


def _common(
    label: str, a: Runs, b: Runs, *, notes: list[str], single: bool
) -> list[tuple[int, OldRun, OldRun]]:
    """Return the seeds that both have with their runs; two single runs are a pair anyway."""
    if single:
        (one,), (other,) = a.values(), b.values()
        if one.seed != other.seed:
            notes.append(f"the seeds are {one.seed} and {other.seed}: no paired history")
        return [(one.seed, one, other)]
    for mine, its, side in ((a, b, "B"), (b, a, "A")):
        lone = [str(seed) for seed in sorted(mine) if seed not in its]
        if lone:
            notes.append(f"cell {label}: seeds {', '.join(lone)} are left out: {side} has none")
    return [(seed, a[seed], b[seed]) for seed in sorted(a) if seed in b]


def _cell(
    names: tuple[str, str],
    seeds: list[tuple[int, OldRun, OldRun]],
    notes: list[str],
    *,
    headlines: Sequence[Headline],
) -> CellPair:
    label, title = names
    _, one, other = seeds[0]
    if len(seeds) == 1:
        notes.append(f"cell {label}: one seed: differences have neither interval nor test")
    elif len(seeds) < FEW:
        text = f"{len(seeds)} seeds: bootstrap intervals are too narrow, Student's are safer"
        notes.append(f"cell {label}: {text}")
    whole = one.resolved and other.resolved
    if not whole:
        strange = other if one.resolved else one
        notes.append(f"{strange.path}: its settings are of another age: compared as written")
    hashes = [tuple(run.summary.get("log_sha256") for run in pair[1:]) for pair in seeds]
    figures = [_figure(headline, seeds, notes) for headline in headlines]
    return CellPair(
        label=label,
        title=title,
        seeds=tuple(seed for seed, _, _ in seeds),
        figures=tuple(figures),
        setting=_first_setting(one, other, whole=whole),
        equal_logs=sum(a == b and bool(a) for a, b in hashes),
    )


def _figure(
    headline: Headline, seeds: list[tuple[int, OldRun, OldRun]], notes: list[str]
) -> FigurePair:
    sides = [{seed: runs[place].figure(headline.path) for seed, *runs in seeds} for place in (0, 1)]
    pair = paired_difference(sides[0], sides[1], names=("A", "B"))
    if pair is None:
        known = [[v for v in side.values() if v is not None] for side in sides]
        a, b = (sum(values) / len(values) if values else None for values in known)
        return FigurePair(headline=headline, a=a, b=b, pair=None)
    gone = [str(seed) for seed, _, _ in seeds if seed not in pair.subjects]
    if gone:
        notes.append(f"{headline.path}: seeds {', '.join(gone)} lack it on a side, left out")
    means = [
        sum(float(side[seed] or 0.0) for seed in pair.subjects) / len(pair.subjects)
        for side in sides
    ]
    return FigurePair(headline=headline, a=means[0], b=means[1], pair=pair)


def _first_setting(a: OldRun, b: OldRun, *, whole: bool) -> Setting | None:
    return next(_differing(_plain(a, whole=whole), _plain(b, whole=whole), ""), None)


def _differing(a: Any, b: Any, path: str) -> Iterator[Setting]:  # noqa: ANN401 -- plain data
    """Yield the settings that differ, in the order of A's, then of B's."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in dict.fromkeys([*a, *b]):
            inner = f"{path}.{key}" if path else str(key)
            yield from _differing(a.get(key, _ABSENT), b.get(key, _ABSENT), inner)
    elif isinstance(a, list | tuple) and isinstance(b, list | tuple):
        for place, (one, other) in enumerate(zip_longest(a, b, fillvalue=_ABSENT)):
            yield from _differing(one, other, f"{path}[{place}]")
    elif a != b:
        yield Setting(path=path, a=a, b=b)


def _plain(run: OldRun, *, whole: bool) -> Mapping[str, Any]:
    """Return settings of one kind for both: resolved, or as they are written."""
    if whole or not run.resolved:
        return run.settings
    from simedge.run.yaml_reader import read_file  # noqa: PLC0415 -- hardly ever

    written = read_file(run.path / "scenario.yaml").data
    return written if isinstance(written, dict) else {}


def _records(a: OldRun, b: OldRun) -> Records:
    if a.log is None or b.log is None:
        bare = " and ".join(str(run.path) for run in (a, b) if run.log is None)
        same = a.summary.get("log_sha256") == b.summary.get("log_sha256")
        told = "the hashes are equal" if same else "the hashes differ"
        return Records(equal=None, note=f"{bare} kept no event log: {told}")
    logs = LogReader(a.log), LogReader(b.log)
    mine, its = iter(logs[0]), iter(logs[1])
    equal, difference = first_difference(mine, its)
    if difference is None:
        surplus = next(its, None)
        if surplus is not None:
            difference = Difference(index=equal, recorded=None, replayed=surplus)
    damage = [
        f"{run.path}: {log.damage}" for run, log in zip((a, b), logs, strict=True) if log.damage
    ]
    return Records(equal=equal, difference=difference, note="; ".join(damage))
