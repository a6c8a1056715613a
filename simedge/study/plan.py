"""What a study is to run: factors with their levels, cells, paired seeds.

A level is a set of changes to the base scenario. A cell takes one level of each factor; every cell
is run with every seed, so that two cells of one seed share whatever chance brings (common random
numbers) and their difference is what the levels made.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from typing import Any, Final

from simedge.run.problems import ScenarioError, did_you_mean
from simedge.run.scenario import Scenario

__all__ = [
    "COLUMNS",
    "METRICS",
    "Cell",
    "Complaint",
    "Factor",
    "Level",
    "Plan",
    "PlanError",
    "PlannedRun",
    "built",
    "doubled",
    "figure",
    "has",
    "label_of",
    "metric_trouble",
    "planned",
    "rows_of",
]

METRICS: Final = (
    "accuracy.final",
    "communication.bits_up",
    "communication.bits_down",
    "energy_j.total",
    "latency_ms.update.p95",
    "convergence.recovery_s",
)
"""What a study measures where it does not say."""

COLUMNS: Final = ("run", "seed", "status", "log_sha256", "wall_s", "dir", "reason")
"""Columns of ``index.csv`` that are there in every study; no factor is called like one."""
CELLS_MAX: Final = 100_000
_LABEL_MAX: Final = 80
_NAMED = ("per_device",)
_NOTHING: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One setting of a factor: a label, and what it changes by path."""

    label: str
    changes: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """Something that a study varies."""

    name: str
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """Something wrong in a plan: of which level and path, where that is known."""

    message: str
    factor: str | None = None
    label: str | None = None
    path: str | None = None


class PlanError(Exception):
    """A plan that cannot be run; whoever wrote it down knows where each complaint belongs."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(dict.fromkeys(complaints))
        super().__init__("; ".join(one.message for one in self.complaints))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole study as data.

    Parameters
    ----------
    rows
        Its cells, each a label a factor, in the order of the factors.
    """

    name: str
    about: str = ""
    base: Scenario
    factors: tuple[Factor, ...]
    rows: tuple[tuple[str, ...], ...]
    seeds: tuple[int, ...]
    metrics: tuple[str, ...] = METRICS

    def identity(self) -> dict[str, Any]:
        """Return what makes two studies the same, as plain data: all but seeds and metrics."""
        return {
            "scenario": self.base.model_dump(mode="json", by_alias=True, exclude_unset=True),
            "factors": {
                factor.name: {"arms": {one.label: dict(one.changes) for one in factor.levels}}
                for factor in self.factors
            },
            "design": [
                dict(zip((f.name for f in self.factors), row, strict=True)) for row in self.rows
            ],
        }

    @property
    def hash8(self) -> str:
        """First 8 hex digits of the SHA-256 of what makes the study."""
        text = json.dumps(self.identity(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One combination of levels and its scenario."""

    labels: Mapping[str, str]
    scenario: Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """One cell with one seed; the name is that of its directory."""

    name: str
    labels: Mapping[str, str]
    seed: int
    scenario: Scenario


def label_of(value: object) -> str | None:
    """Return how a value is called; None if it is too much for a name.

    >>> label_of("20%"), label_of(True), label_of(None), label_of({"kind": "none"})
    ('20%', 'true', 'null', None)
    """
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str | int | float) and 0 < len(str(value)) <= _LABEL_MAX:
        return str(value)
    return None


def rows_of(factors: tuple[Factor, ...], design: str = "grid") -> tuple[tuple[str, ...], ...]:
    """Return the cells of a design: ``grid`` takes all combinations, ``zip`` the i-th of each.

    Raises
    ------
    PlanError
        If factors of a zip are not equally long, or there are too many cells.
    """
    labels = [[level.label for level in factor.levels] for factor in factors]
    if design == "zip":
        if len({len(each) for each in labels}) > 1:
            lengths = ", ".join(f"{f.name} has {len(f.levels)}" for f in factors)
            raise PlanError([Complaint(message=f"zip needs factors of equal length: {lengths}")])
        return tuple(zip(*labels, strict=True))
    count = 1
    for each in labels:
        count *= len(each)
    if count > CELLS_MAX:
        raise PlanError([Complaint(message=f"{count:,} cells; at most {CELLS_MAX:,}")])
    return tuple(product(*labels))


def built(plan: Plan) -> tuple[Cell, ...]:
    """Return the cells of a plan with their scenarios, each checked like a file.

    Raises
    ------
    PlanError
        With everything that is wrong with any of them.
    """
    complaints = [*_overlaps(plan.factors), *_columns(plan), *_troubles(plan.metrics)]
    complaints += [Complaint(message=text) for text in doubled(plan.rows).values()]
    cells = []
    for row in plan.rows:
        chosen = [
            (factor, level)
            for factor, label in zip(plan.factors, row, strict=True)
            for level in factor.levels
            if level.label == label
        ]
        changes = {path: value for _, level in chosen for path, value in level.changes.items()}
        try:
            scenario = plan.base.vary(changes)
        except ScenarioError as error:
            complaints += _complaints(error, chosen)
        else:
            labels = {factor.name: level.label for factor, level in chosen}
            cells.append(Cell(labels=labels, scenario=scenario))
    if complaints:
        raise PlanError(complaints)
    return tuple(cells)


def planned(cells: Iterable[Cell], seeds: Iterable[int]) -> tuple[PlannedRun, ...]:
    """Return all runs, seed by seed, so that a study that stops early is paired as far as it got.

    Equal cells have directories of their own: ``-2``, ``-3``, ... in the order of the cells.
    """
    runs, names = [], Counter[str]()
    several = tuple(cells)
    for seed in seeds:
        for cell in several:
            scenario = cell.scenario.model_copy(update={"seed": seed})
            name = scenario.run_name
            names[name] += 1
            full = name if names[name] == 1 else f"{name}-{names[name]}"
            runs.append(PlannedRun(name=full, labels=cell.labels, seed=seed, scenario=scenario))
    return tuple(runs)


def _complaints(
    error: ScenarioError, chosen: Iterable[tuple[Factor, Level]]
) -> Iterator[Complaint]:
    sources = {f"vary {path}": (f, level, path) for f, level in chosen for path in level.changes}
    for problem in error.problems:
        found = sources.get(problem.source)
        if found is None:
            where = ", ".join(level.label for _, level in chosen)
            text = f"{problem.path}: {problem.message}" if problem.path else problem.message
            yield Complaint(message=f"the cell {where or 'of no factor'}: {text}")
        else:
            factor, level, path = found
            message = problem.message.removeprefix(f"{path}: ")
            yield Complaint(message=message, factor=factor.name, label=level.label, path=path)


def _overlaps(factors: tuple[Factor, ...]) -> Iterator[Complaint]:
    """Yield factors that undo each other: equal paths, or one within the other."""
    for one, other in combinations(factors, 2):
        for mine, theirs in product(_paths(one), _paths(other)):
            if _within(mine, theirs) or _within(theirs, mine):
                message = f"changes {theirs}, and the factor {one.name} changes {mine}"
                yield Complaint(message=message, factor=other.name)
    for factor in factors:
        if "seed" in _paths(factor):
            message = "seeds are not a factor: every cell is run with all seeds (seeds: 5)"
            yield Complaint(message=message, factor=factor.name)


def _columns(plan: Plan) -> Iterator[Complaint]:
    """Yield factors whose column of ``index.csv`` would be taken for another."""
    for factor in plan.factors:
        if factor.name in {*COLUMNS, *plan.metrics}:
            message = f"a factor cannot be called {factor.name}: index.csv has such a column"
            yield Complaint(message=message, factor=factor.name)


def doubled(rows: Iterable[tuple[str, ...]]) -> dict[int, str]:
    """Return which cells were there before, by their place, and how that is said.

    >>> doubled([("5 ms",), ("9 ms",), ("5 ms",)])
    {2: 'the cell 5 ms is there twice'}
    """
    seen: set[tuple[str, ...]] = set()
    found = {}
    for place, row in enumerate(rows):
        if row in seen:
            found[place] = f"the cell {', '.join(row) or 'of no factor'} is there twice"
        seen.add(row)
    return found


def _paths(factor: Factor) -> list[str]:
    return list(dict.fromkeys(path for level in factor.levels for path in level.changes))


def _within(path: str, other: str) -> bool:
    return path == other or path.startswith((f"{other}.", f"{other}["))


def _troubles(metrics: Iterable[str]) -> Iterator[Complaint]:
    for metric in metrics:
        message = metric_trouble(metric)
        if message is not None:
            yield Complaint(message=message, path=f"metrics {metric}")


def metric_trouble(metric: str) -> str | None:
    """Return what is wrong with the path of a metric; None if a summary has it."""
    named = any(metric.startswith(f"{way}.") for way in _ways() if way.endswith(_NAMED))
    if named or (metric in _ways() and not metric.endswith(_NAMED)):
        return None
    return f"no figure of a summary is called {metric}{did_you_mean(metric, _ways())}"


@cache
def _ways() -> frozenset[str]:
    # What summarises a run imports what runs one.
    from simedge.drivers.tally import Tally  # noqa: PLC0415
    from simedge.run.summary import summarise  # noqa: PLC0415

    empty = summarise(Tally(scenario="", seed=0, protocol="", rule="", classes=0))
    return frozenset(path for path, value in _leaves(empty, "") if not isinstance(value, str))


def _leaves(data: Mapping[str, Any], above: str) -> Iterator[tuple[str, object]]:
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{above}{key}.")
        elif not isinstance(value, list):
            yield f"{above}{key}", value


def figure(summary: Mapping[str, Any] | None, metric: str) -> float | None:
    """Return one figure of a summary by its path; None where it has none.

    >>> figure({"energy_j": {"total": 2.5}}, "energy_j.total")
    2.5
    """
    node = _found(summary, metric)
    return float(node) if isinstance(node, int | float) else None


def has(summary: Mapping[str, Any] | None, metric: str) -> bool:
    """Tell whether a summary has a path, be it without a figure.

    >>> has({"accuracy": {"final": None}}, "accuracy.final"), has({}, "accuracy.final")
    (True, False)
    """
    return _found(summary, metric) is not _NOTHING


def _found(summary: Mapping[str, Any] | None, metric: str) -> object:
    node: Any = summary
    steps = metric.split(".")
    for index, step in enumerate(steps):
        if not isinstance(node, Mapping):
            return _NOTHING
        rest = ".".join(steps[index:])  # a device's name may have dots
        if rest in node:
            return node[rest]
        node = node.get(step, _NOTHING)
    return node
