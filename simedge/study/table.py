"""What came of a study: one row a run, read by summary paths; no data frames needed."""

import csv
import io
import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import override

from simedge.study.errors import StudyError
from simedge.study.names import cell_name, cell_names
from simedge.study.plan import COLUMNS, figure, has
from simedge.study.worker import Status

__all__ = ["Row", "Table", "spread"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run: its factors' labels, its seed, what came of it.

    Parameters
    ----------
    path
        Its run directory, if there is one.
    reason
        Of a failure.
    """

    run: str
    factors: Mapping[str, str]
    seed: int
    status: Status
    summary: Mapping[str, Any] | None = None
    reason: str = ""
    wall_s: float = 0.0
    path: Path | None = None

    @property
    def log_sha256(self) -> str:
        """Hash of the run's event log, or nothing."""
        return "" if self.summary is None else str(self.summary["log_sha256"])

    def figure(self, metric: str) -> float | None:
        """Return one figure of the run; None where it has none or did not end well."""
        return figure(self.summary, metric) if self.status == "done" else None


class Table(Sequence[Row]):
    """All runs of a study, in the order in which they were planned.

    Parameters
    ----------
    rows
        The runs.
    factors
        Labels of every factor, in their order.
    metrics
        Paths of the figures that the study is about.
    path
        The study directory, if there is one.
    notes
        What a reader of the runs should know.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        *,
        factors: Mapping[str, Sequence[str]],
        metrics: Sequence[str],
        path: Path | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self._rows = tuple(rows)
        self.factors = {name: tuple(labels) for name, labels in factors.items()}
        self.metrics = tuple(metrics)
        self.path = path
        self._notes = tuple(notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what a reader should know: runs that are not alike, figures that no run has."""
        done = [row.summary for row in self if row.status == "done"]
        empty = [one for one in self.metrics if done and not any(has(each, one) for each in done)]
        return (*self._notes, *(f"no run has a figure {metric}" for metric in empty))

    def part(self, rows: Sequence[Row]) -> "Table":
        """Return a table of some of the runs; what is known of where they came from stays."""
        return Table(
            rows, factors=self.factors, metrics=self.metrics, path=self.path, notes=self._notes
        )

    @override
    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]

    @override
    def __len__(self) -> int:
        return len(self._rows)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Return the seeds, in their order."""
        return tuple(dict.fromkeys(row.seed for row in self))

    def cells(self) -> dict[tuple[str, ...], tuple[Row, ...]]:
        """Return the runs of each cell, by the labels of its factors."""
        found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
        for row in self:
            found[tuple(row.factors.values())].append(row)
        return {labels: tuple(rows) for labels, rows in found.items()}

    def levels(self, metric: str, factor: str | None = None) -> dict[str, dict[int, float]]:
        """Return a figure by level and seed.

        Parameters
        ----------
        factor
            Whose levels; over the cells of the others the mean is taken. By default every cell is
            a level of its own, called by its labels. A seed counts where all cells of the level
            have the figure.

        Raises
        ------
        StudyError
            If there is no such factor, or its levels were not all run with the same levels of the
            others: then their means differ by more than the factor.
        """
        if factor is not None:
            self._check_crossed(factor)
        values: dict[str, dict[int, list[float | None]]] = defaultdict(lambda: defaultdict(list))
        names = cell_names(tuple(row.factors.values()) for row in self)
        for row in self:
            name = names[tuple(row.factors.values())] if factor is None else row.factors[factor]
            values[name][row.seed].append(row.figure(metric))
        return {
            name: {
                seed: statistics.fmean(whole)
                for seed, found in by_seed.items()
                if len(whole := [value for value in found if value is not None]) == len(found)
            }
            for name, by_seed in values.items()
        }

    def _check_crossed(self, factor: str) -> None:
        if factor not in self.factors:
            raise StudyError(f"no factor {factor!r} (factors: {', '.join(self.factors)})")
        beside: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        for row in self:
            others = (label for name, label in row.factors.items() if name != factor)
            beside[row.factors[factor]].add(tuple(others))
        every = set().union(*beside.values())
        for level, found in beside.items():
            if found != every:
                raise StudyError(
                    f"the levels of {factor} are not crossed with the other factors: {level} was "
                    f"not run with {cell_name(min(every - found))}, so their means differ by more "
                    f"than {factor}; run all combinations (design: grid), or compare the cells "
                    "themselves (without a factor)"
                )

    def anova(self, metric: str, factor: str | None = None) -> Any:  # noqa: ANN401 -- statistics has its type
        """Return the repeated-measures analysis of variance of a figure: seeds are subjects."""
        return _statistics().repeated_measures(self.levels(metric, factor))

    def paired(self, metric: str, a: str, b: str, *, factor: str | None = None) -> Any:  # noqa: ANN401 -- as above
        """Return the difference of two levels, b less a, seed by seed."""
        levels = self.levels(metric, factor)
        missing = [name for name in (a, b) if name not in levels]
        if missing:
            raise StudyError(f"no level {missing[0]!r} (levels: {', '.join(levels)})")
        return _statistics().paired_difference(levels[a], levels[b], names=(a, b))

    def equal_logs(self) -> list[tuple[str, ...]]:
        """Return the names of runs that are one and the same history, group by group."""
        by_hash: dict[str, list[str]] = defaultdict(list)
        for row in self:
            if row.log_sha256 and row.status == "done":
                by_hash[row.log_sha256].append(row.run)
        return [tuple(names) for names in by_hash.values() if len(names) > 1]

    def counts(self) -> dict[str, int]:
        """Return how many runs there are, in all and by status."""
        statuses = [row.status for row in self]
        kinds: tuple[Status, ...] = ("done", "failed", "interrupted", "missing")
        return {"planned": len(self), **{kind: statuses.count(kind) for kind in kinds}}

    def summary(self, name: str) -> dict[str, Any]:
        """Return the content of the study's ``summary.json``."""
        return {
            "schema": 1,
            "study": name,
            "runs": self.counts(),
            "seeds": list(self.seeds),
            "factors": {factor: list(labels) for factor, labels in self.factors.items()},
            "metrics": list(self.metrics),
            "cells": [self._cell(rows) for rows in self.cells().values()],
            "failures": [
                {"run": row.run, "reason": row.reason} for row in self if row.status == "failed"
            ],
            "equal_logs": [list(names) for names in self.equal_logs()],
            "notes": list(self.notes),
            "wall_s": math.fsum(row.wall_s for row in self),
        }

    @override
    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """Return a line a cell: its levels, how many runs ended well, mean ± sd of each figure."""
        rows = [[*self.factors, "runs", *self.metrics]]
        for labels, runs in self.cells().items():
            figures = [
                spread([value for row in runs if (value := row.figure(metric)) is not None])
                for metric in self.metrics
            ]
            done = sum(row.status == "done" for row in runs)
            rows.append([*labels, str(done), *map(_written, figures)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join([*lines, "(± is the standard deviation over seeds)"])

    def csv(self) -> str:
        """Return the content of ``index.csv``: a row a run, factors and figures in columns."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        head, tail = COLUMNS[:1], COLUMNS[1:]
        writer.writerow([*head, *self.factors, *tail, *self.metrics])
        for row in self:
            fixed = [row.seed, row.status, row.log_sha256, f"{row.wall_s:.3f}"]
            place = "" if row.path is None or row.status == "missing" else f"runs/{row.run}"
            figures = [row.figure(metric) for metric in self.metrics]
            shown = ["" if value is None else repr(value) for value in figures]
            writer.writerow([row.run, *row.factors.values(), *fixed, place, row.reason, *shown])
        return out.getvalue()

    def _cell(self, rows: Sequence[Row]) -> dict[str, Any]:
        figures = {
            metric: {row.seed: value for row in rows if (value := row.figure(metric)) is not None}
            for metric in self.metrics
        }
        return {
            "factors": dict(rows[0].factors),
            "metrics": {
                metric: {**spread(list(found.values())), "by_seed": found}
                for metric, found in figures.items()
            },
        }

    @override
    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)


def spread(values: Sequence[float]) -> dict[str, float | int | None]:
    """Return count, mean, standard deviation (n - 1), least and greatest of some figures.

    >>> spread([1.0, 3.0])
    {'n': 2, 'mean': 2.0, 'sd': 1.4142135623730951, 'min': 1.0, 'max': 3.0}
    """
    if not values:
        return {"n": 0, "mean": None, "sd": None, "min": None, "max": None}
    return {
        "n": len(values),
        "mean": statistics.fmean(values),
        "sd": statistics.stdev(values) if len(values) > 1 else None,
        "min": min(values),
        "max": max(values),
    }


def _written(figures: Mapping[str, float | int | None]) -> str:
    mean, deviation = figures["mean"], figures["sd"]
    if mean is None:
        return "-"
    return f"{mean:.3g}" if deviation is None else f"{mean:.3g} ± {deviation:.2g}"


def _statistics() -> Any:  # noqa: ANN401 -- a module
    from importlib import import_module  # noqa: PLC0415

    return import_module("simedge.study.statistics")
