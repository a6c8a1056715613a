"""Finished studies: their runs, figures by seed, and how they are written."""

import csv
import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from simedge.study.pairs import Pair
from simedge.study.statistics import paired_difference

__all__ = [
    "Figures",
    "Run",
    "Study",
    "ends",
    "figures",
    "judged",
    "percent",
    "read",
    "saved",
    "shown",
    "table",
]

STREAK = 3
"""Evaluations in a row for which an accuracy must hold to count as reached."""
Figures = dict[int, float]
"""By seed."""


@dataclass(frozen=True)
class Run:
    """One finished run of a study."""

    path: Path

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Return its summary."""
        found: dict[str, Any] = json.loads((self.path / "summary.json").read_text())
        return found

    @cached_property
    def samples(self) -> dict[str, list[tuple[float, str, float]]]:
        """Return its metrics by name: time, entity and value."""
        found: dict[str, list[tuple[float, str, float]]] = defaultdict(list)
        with (self.path / "metrics.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                found[row["metric"]].append((float(row["t_s"]), row["entity"], float(row["value"])))
        return found

    def figure(self, path: str) -> float | None:
        """Return a figure of the summary by its dotted path."""
        at: Any = self.summary
        for key in path.split("."):
            at = at.get(key)
        return None if at is None else float(at)

    def bits_to(self, accuracy: float) -> float | None:
        """Return the bits sent when the mean accuracy began to hold; None if it never did."""
        curve = self.summary["accuracy"]["curve"]
        bits = {t: value for t, _, value in self.samples["bits"]}
        good = [mean is not None and mean >= accuracy for _, mean in curve]
        for start in range(len(good) - STREAK + 1):
            if all(good[start : start + STREAK]):
                return bits[curve[start][0]]
        return None

    def of_devices(self, metric: str, group: str = "") -> float | None:
        """Return the mean over devices of a group, of the last sample of each."""
        last = {entity: value for _, entity, value in self.samples[metric]}
        found = [value for entity, value in last.items() if entity.startswith(group)]
        return statistics.fmean(found) if found else None


Study = Mapping[tuple[str, ...], Mapping[int, Run]]
"""Runs by the labels of their cell, then by seed."""


def read(path: Path, factors: Sequence[str]) -> Study:
    """Return the runs of a study that ended well."""
    found: dict[tuple[str, ...], dict[int, Run]] = defaultdict(dict)
    with (path / "index.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["status"] == "done":
                cell = tuple(row[factor] for factor in factors)
                found[cell][int(row["seed"])] = Run(path / row["dir"])
    return found


def figures(runs: Mapping[int, Run], of: Callable[[Run], float | None] | str) -> Figures:
    """Return a figure by seed, where it is known; `of` may be its path in the summary."""
    known = {seed: run.figure(of) if isinstance(of, str) else of(run) for seed, run in runs.items()}
    return {seed: value for seed, value in known.items() if value is not None}


def saved(ours: Figures, theirs: Figures) -> Pair | None:
    """Return by what share ours lies below theirs, seed by seed: 1 - ours / theirs."""
    both = sorted(ours.keys() & theirs.keys())
    ratios = {seed: 1 - ours[seed] / theirs[seed] for seed in both if theirs[seed]}
    return paired_difference(dict.fromkeys(ratios, 0.0), ratios) if ratios else None


def ends(pair: Pair | None) -> tuple[float | None, float | None]:
    """Return Student's interval: of five seeds a bootstrap's is too narrow."""
    if pair is None:
        return None, None
    if pair.deviation == 0:
        return pair.mean, pair.mean
    return pair.student or (None, None)


def judged(pair: Pair | None, *, least: float) -> str:
    """Return whether an interval lies above what was claimed, below it, or across it."""
    low, high = ends(pair)
    if low is None or high is None:
        return "**not shown**"
    if low >= least:
        return "**holds**"
    return "**fails**" if high < least else "**open**"


def percent(pair: Pair | None) -> str:
    """Return a mean share with its 95 % interval."""
    low, high = ends(pair)
    if pair is None:
        return "-"
    if low is None or high is None:
        return f"{pair.mean:.0%}"
    return f"{pair.mean:.0%} [{low:.0%}, {high:.0%}]"


def shown(values: Iterable[float], scale: float = 1.0) -> str:
    """Return mean and standard deviation, or a dash."""
    found = [value * scale for value in values]
    if not found:
        return "-"
    spread = f" ± {statistics.stdev(found):.2g}" if len(found) > 1 else ""
    return f"{statistics.fmean(found):.4g}{spread}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, figures to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
