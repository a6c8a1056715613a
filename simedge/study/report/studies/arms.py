"""Arms of a study by families of learners: what was run, and the figures that came of it.

An arm is a cell of the study. Arms whose learners are of different kinds (spiking, deep, linear)
are not compared: each kind is a family with tables and charts of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simedge.core.errors import SimedgeError
from simedge.run.problems import did_you_mean
from simedge.run.scenario import Scenario
from simedge.run.yaml_reader import read_file
from simedge.study.names import cell_names
from simedge.study.pairs import student
from simedge.study.report.errors import ReportError
from simedge.study.report.runs import Run
from simedge.study.report.studies.reading import Told, Whole
from simedge.study.report.tables import HEADLINES, Headline
from simedge.study.table import Row, Table

__all__ = ["Arm", "Family", "Known", "families", "known", "mean_of", "words"]

_UNITS: Final = {"_s": "s", "_ms": "ms", "_bytes": "B", "_j": "J"}
_PARTS: Final = {"energy_j": "J", "latency_ms": "ms", "information_age_s": "s", "accuracy": "%"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A figure over seeds: how many have it, its mean, Student's 95 % interval if defined."""

    count: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One arm: its runs that are done, and what the first of them was.

    Parameters
    ----------
    run
        The first run as far as charts of a setting need it; None if its scenario is not one that
        can be read today.
    """

    label: str
    factors: Mapping[str, str]
    protocol: str
    rule: str
    rows: tuple[Row, ...]
    told: tuple[Told, ...]
    run: Run | None

    def values(self, path: str) -> dict[int, float]:
        """Return a figure by seed, of the seeds that have it."""
        found = ((row.seed, row.figure(path)) for row in self.rows)
        return {seed: value for seed, value in found if value is not None and np.isfinite(value)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Arms of one kind of learner; differences are against `reference`."""

    learner: str
    arms: tuple[Arm, ...]
    reference: Arm
    table: Table

    def crossed(self) -> dict[str, tuple[str, ...]]:
        """Return the factors that vary within the family, each with the labels that it has."""
        names = self.arms[0].factors
        labels = {f: tuple(dict.fromkeys(arm.factors[f] for arm in self.arms)) for f in names}
        return {name: found for name, found in labels.items() if len(found) > 1}


def words(path: str) -> Headline:
    """Return what a figure is called, and its unit.

    >>> words("energy_j.total").label, words("latency_ms.update.p95").label
    ('energy of the boards', 'frame to update, p95')
    >>> words("memory_bytes.peak_per_device.cam-1").unit
    'B'
    """
    for one in HEADLINES:
        if one.path == path:
            return one
    above, _, last = path.rpartition(".")
    for one in HEADLINES:  # of a quantile, as of its sisters
        sister = one.path.removeprefix(f"{above}.")
        if above and "." not in sister and one.label.endswith(f", {sister}"):
            label = f"{one.label.removesuffix(sister)}{last}"
            return Headline(label=label, path=path, unit=one.unit)
    first, last = path.partition(".")[0], path.rpartition(".")[2]
    unit = next((unit for end, unit in _UNITS.items() if last.endswith(end)), "")
    unit = unit or _PARTS.get(first, "B" if first.endswith("_bytes") else "")
    return Headline(label=path, path=path, unit="bit" if "bits" in last else unit)


def known(values: Sequence[float]) -> Known:
    """Return count, mean and Student's interval of figures.

    >>> known([1.0]), known([2.0, 2.0]).low
    (Known(count=1, mean=1.0, low=None, high=None), 2.0)
    """
    if not values:
        return Known(count=0)
    array = np.asarray(values, float)
    low, high = student(array) or (None, None)
    return Known(count=len(values), mean=float(array.mean()), low=low, high=high)


def mean_of(arm: Arm, path: str) -> Known:
    """Return a figure of an arm over its seeds."""
    return known(list(arm.values(path).values()))


def families(whole: Whole, *, against: str | None = None) -> tuple[list[Family], list[str]]:
    """Return the families of a study in the order of their first arms, and what to know of them.

    Parameters
    ----------
    against
        Label of the arm that others are compared with; by default the first of each family.

    Raises
    ------
    ReportError
        If no arm has that label.
    """
    by_learner: dict[str, list[Arm]] = {}
    notes = []
    cells = whole.table.cells()
    names = cell_names(cells)
    for labels, rows in cells.items():
        done = tuple(row for row in rows if row.run in whole.told)
        if not done:
            notes.append(f"{names[labels]}: no run of this arm can be reported")
            continue
        learner, arm = _arm(whole, names[labels], done)
        by_learner.setdefault(learner, []).append(arm)
    named = [arm.label for arms in by_learner.values() for arm in arms]
    if against is not None and against not in named:
        hint = did_you_mean(against, named) or f" (arms: {', '.join(named)})"
        raise ReportError(f"{whole.path}: no arm {against!r}{hint}")
    found = [_family(whole, learner, arms, against=against) for learner, arms in by_learner.items()]
    if len(found) > 1:
        told = "; ".join(f"{one.learner} ({len(one.arms)} arms)" for one in found)
        notes.append(f"learners of different kinds are not compared, each has its tables: {told}")
    if against is not None:
        notes += [
            f"the {one.learner} arms are compared with {one.reference.label}: {against} is none"
            for one in found
            if one.reference.label != against
        ]
    return found, notes


def _family(whole: Whole, learner: str, arms: Sequence[Arm], *, against: str | None) -> Family:
    reference = next((arm for arm in arms if arm.label == against), arms[0])
    mine = {tuple(arm.factors.values()) for arm in arms}
    rows = [row for row in whole.table if tuple(row.factors.values()) in mine]
    table = whole.table.part(rows)
    return Family(learner=learner, arms=tuple(arms), reference=reference, table=table)


def _arm(whole: Whole, label: str, rows: tuple[Row, ...]) -> tuple[str, Arm]:
    first = rows[0]
    learner, run = _first(first)
    summary = first.summary or {}
    arm = Arm(
        label=label,
        factors=first.factors,
        protocol=str(summary["protocol"]),
        rule=str(summary["rule"] or "-"),
        rows=rows,
        told=tuple(whole.told[row.run] for row in rows),
        run=run,
    )
    return learner, arm


def _first(row: Row) -> tuple[str, Run | None]:
    """Return the kind of learner of a run, and the run as far as its setting goes."""
    assert row.path is not None, "a run that is done has a directory"
    file = row.path / "scenario.yaml"
    try:
        # Whether the world makes sense was asked before it ran; that takes torch, and seconds.
        scenario = Scenario.model_validate(read_file(file).data)
    except (SimedgeError, OSError, ValueError):
        return _written_learner(file), None
    run = Run(
        path=row.path,
        name=row.run,
        status=row.status,
        scenario=scenario,
        text="",
        summary=dict(row.summary or {}),
        provenance={},
        samples={},
        history=None,
    )
    return scenario.learner.kind, run


def _written_learner(file: Any) -> str:  # noqa: ANN401 -- a path
    try:
        data = read_file(file).data
        return str(data["learner"]["kind"]) if isinstance(data, dict) else "unknown"
    except (SimedgeError, OSError, KeyError, TypeError):
        return "unknown"
