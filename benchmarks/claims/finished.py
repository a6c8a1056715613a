"""Finished studies: their runs, and that all of them are of one commit."""

import csv
import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from simedge.run.scenario import Scenario

__all__ = ["MixedRunsError", "Run", "Study", "check_one_commit", "read"]

STREAK = 3
"""Evaluations in a row for which an accuracy must hold to count as reached."""
_NAMED_MAX = 8
_JUST_BEFORE_S = 1e-6


class MixedRunsError(Exception):
    """Runs that cannot stand on one page; the text names the odd ones."""


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
    def scenario(self) -> Scenario:
        """Return its resolved scenario."""
        return Scenario.load(self.path / "scenario.yaml")

    @cached_property
    def commit(self) -> str:
        """Return what it was made by: the commit, or the version of a package without one."""
        try:
            found = json.loads((self.path / "provenance.json").read_text())
        except FileNotFoundError:
            return "unknown (no provenance.json)"
        return str(found["commit"] or f"version {found['versions']['simedge']}")

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
        curve = _looks(self.summary["accuracy"]["curve"])
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


def _looks(curve: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    """Leave out the evaluation just before a shift where one at the shift follows it."""
    twins = [later[0] - one[0] < _JUST_BEFORE_S for one, later in pairwise(curve)]
    return [point for point, twin in zip(curve, [*twins, False], strict=False) if not twin]


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


def check_one_commit(studies: Iterable[Study]) -> str:
    """Return the commit of all runs.

    Raises
    ------
    MixedRunsError
        If they are of several; the text names the runs of all but the most common one.
    """
    by_commit: dict[str, list[Path]] = defaultdict(list)
    for study in studies:
        for runs in study.values():
            for run in runs.values():
                by_commit[run.commit].append(run.path)
    if not by_commit:
        raise MixedRunsError("no run of these studies ended well")
    (most, usual), *odd = sorted(by_commit.items(), key=lambda pair: -len(pair[1]))
    if not odd:
        return most
    lines = [f"runs of {len(by_commit)} commits do not make one page; {len(usual)} are of {most}"]
    for commit, paths in odd:
        more = [f"and {len(paths) - _NAMED_MAX} more"] if len(paths) > _NAMED_MAX else []
        lines.append(f"  of {commit}: {', '.join([*map(str, paths[:_NAMED_MAX]), *more])}")
    raise MixedRunsError("\n".join(lines))
