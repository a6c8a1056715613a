"""Study files: read under the limits of scenarios, every finding with line and column."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any, Final

from simedge.run.bundled import find, is_there
from simedge.run.overrides import Override
from simedge.run.problems import Path, Problem, ScenarioError, did_you_mean
from simedge.run.scenario import Scenario, read
from simedge.run.yaml_reader import Document, read_file
from simedge.run.yaml_writer import dump
from simedge.study.errors import StudyError
from simedge.study.plan import (
    METRICS,
    Complaint,
    Factor,
    Level,
    Plan,
    PlanError,
    built,
    doubled,
    label_of,
    metric_trouble,
    rows_of,
)
from simedge.study.seeds import seed_list

__all__ = ["is_study", "read_study"]

_KEYS: Final = (
    "simedge-study",
    "name",
    "about",
    "scenario",
    "set",
    "factors",
    "design",
    "seeds",
    "metrics",
)
_FACTOR_KEYS: Final = ("path", "values", "arms")
_NEEDED: Final = ("simedge-study", "scenario")
_DESIGNS: Final = ("grid", "zip")


def is_study(source: str | FilePath) -> bool:
    """Tell whether a file, or what a bundled name stands for, says that it is a study."""
    try:
        data = read_file(find(source, studies=True)).data
    except ScenarioError:
        return False
    return isinstance(data, dict) and "simedge-study" in data


def read_study(
    source: str | FilePath,
    *,
    overrides: Iterable[Override] = (),
    seeds: int | Sequence[int] | None = None,
) -> Plan:
    """Read a study from a file or by bundled name, its base scenario and all its cells checked.

    Parameters
    ----------
    overrides
        Changes to the base scenario, after those that the file asks for.
    seeds
        In place of those of the file.

    Raises
    ------
    ScenarioError
        With every problem of the study, or of its scenario.
    """
    path = find(source, studies=True)
    reading = _Reading(read_file(path), path)
    plan = reading.plan(tuple(overrides), seeds)
    try:
        built(plan)
    except PlanError as error:
        reading.take(error.complaints)
    reading.check()
    return plan


class _Reading:
    """One document on its way to a plan, and the problems that it has."""

    def __init__(self, document: Document, path: FilePath) -> None:
        self._document = document
        self._folder = path.parent
        self._stem = path.stem
        self._problems = list(document.problems)
        self._places: dict[tuple[str | None, str | None, str | None], Path] = {}
        if not isinstance(document.data, dict):
            raise ScenarioError([self._problem((), "a study is a mapping of keys to values")])
        self._data: dict[str, Any] = document.data

    def check(self) -> None:
        """Raise what is wrong so far."""
        if self._problems:
            raise ScenarioError(self._problems)

    def plan(self, overrides: tuple[Override, ...], seeds: int | Sequence[int] | None) -> Plan:
        self._check_keys(self._data, (), _KEYS, needed=_NEEDED)
        version = self._data.get("simedge-study", 1)
        if version != 1 or not isinstance(version, int) or isinstance(version, bool):
            self._say(("simedge-study",), "only version 1 of this format is known")
        base = self._base(overrides)
        factors = tuple(self._factors())
        chosen = self._seeds(seeds)
        metrics = self._metrics()
        rows = self._rows(factors)
        name, about = self._text("name", self._stem), self._text("about", "")
        self.check()
        assert base is not None, "a base that cannot be read is a problem"
        return Plan(
            name=name,
            about=about,
            base=base,
            factors=factors,
            rows=rows,
            seeds=chosen,
            metrics=metrics,
        )

    def take(self, complaints: Iterable[Complaint]) -> None:
        """Put complaints about the plan where they belong in the file."""
        for one in complaints:
            keys = [
                (one.factor, one.label, one.path),
                (one.factor, one.label, None),
                (one.factor, None, None),
            ]
            at = next((self._places[key] for key in keys if key in self._places), ("factors",))
            inside = f"{one.path}: " if one.path and one.path not in at else ""
            self._say(at, f"{inside}{one.message}")

    def _base(self, overrides: tuple[Override, ...]) -> Scenario | None:
        given = self._data.get("scenario")
        if given is None:
            if "scenario" in self._data:  # without the key it is a problem already
                self._say(("scenario",), "must be a path, a bundled name or a whole scenario")
            return None
        changes = self._changes(self._data.get("set"), ("set",))
        asked = [Override(path=p, value=v, label=f"set {p}") for p, v in changes.items()]
        try:
            if isinstance(given, dict):
                inside = Scenario.parse(dump(given), source=f"{self._document.source} scenario")
                both = [*asked, *overrides]
                return inside.vary({one.path: one.value for one in both}) if both else inside
            if not isinstance(given, str):
                self._say(("scenario",), "must be a path, a bundled name or a whole scenario")
                return None
            return read(self._found(given), overrides=[*asked, *overrides]).scenario
        except ScenarioError as error:
            for problem in error.problems:
                self._problems.append(self._moved(problem, changes))
            return None

    def _found(self, name: str) -> FilePath:
        """Return the file of the base: beside the study, or bundled."""
        beside = self._folder / name
        try:
            return beside if is_there(beside) and beside.is_file() else find(name)
        except ScenarioError as error:
            (problem,) = error.problems
            at = self._document.place(("scenario",))
            moved = replace(
                problem,
                source=self._document.source,
                place=at,
                path="scenario",
                message=f"{name}: {problem.message}",
            )
            raise ScenarioError([moved]) from None

    def _moved(self, problem: Problem, changes: Mapping[str, object]) -> Problem:
        """Return a problem of the base at its place here, if this file made it."""
        word, _, path = problem.source.partition(" ")
        path = path if word in {"set", "vary"} else ""
        return self._problem(("set", path), problem.message) if path in changes else problem

    def _factors(self) -> Iterator[Factor]:
        factors = self._data.get("factors")
        if factors is None:
            return
        if not isinstance(factors, dict):
            self._say(("factors",), "must be a mapping of names to values")
            return
        for name, given in factors.items():
            at: Path = ("factors", name)
            self._places[name, None, None] = at
            levels = list(self._levels(name, given, at))
            labels = [level.label for level in levels]
            for twice in dict.fromkeys(one for one in labels if labels.count(one) > 1):
                self._say(at, f"{twice} is given twice")
            if levels:
                yield Factor(name=name, levels=tuple(levels))

    def _levels(self, name: str, given: object, at: Path) -> Iterator[Level]:
        if isinstance(given, list):
            yield from self._values(given, (name, name), at)
            return
        if not isinstance(given, dict):
            self._say(at, "must be a list of values, or a mapping with path and values, or arms")
            return
        self._check_keys(given, at, _FACTOR_KEYS)
        if "arms" in given:
            yield from self._arms(name, given, at)
            return
        path, values = given.get("path", name), given.get("values")
        if not isinstance(path, str):
            self._say((*at, "path"), "must be a path, as for --set")
        elif isinstance(values, dict) and values:
            for label, value in values.items():
                yield self._level(name, (str(label), path, value), (*at, "values", label))
        else:
            yield from self._values(values, (name, path), (*at, "values"))

    def _values(self, values: object, what: tuple[str, str], at: Path) -> Iterator[Level]:
        name, path = what
        if not isinstance(values, list) or not values:
            self._say(at, "must be a list of values, one at least")
            return
        for index, value in enumerate(values):
            label = label_of(value)
            if label is None:
                text = "such a value needs a label: {path: ..., values: {label: value}}"
                self._say((*at, index), text)
            else:
                yield self._level(name, (label, path, value), (*at, index))

    def _level(self, name: str, what: tuple[str, str, object], at: Path) -> Level:
        label, path, value = what
        self._places[name, label, None] = at
        return Level(label=label, changes={path: value})

    def _arms(self, name: str, given: Mapping[str, Any], at: Path) -> Iterator[Level]:
        arms = given["arms"]
        if set(given) & {"path", "values"}:
            self._say(at, "has arms, so no path and values")
        if not isinstance(arms, dict) or not arms:
            self._say((*at, "arms"), "must be a mapping of labels to changes, one at least")
            return
        for label, changes in arms.items():
            here: Path = (*at, "arms", label)
            self._places[name, label, None] = here
            for path in changes if isinstance(changes, dict) else ():
                self._places[name, label, path] = (*here, path)
            yield Level(label=label, changes=self._changes(changes, here))

    def _changes(self, given: object, at: Path) -> dict[str, object]:
        if given is None:
            return {}
        if not isinstance(given, dict):
            self._say(at, "must be a mapping of paths to values")
            return {}
        if "seed" in given:
            self._say((*at, "seed"), "seeds go to the study's own key: seeds: [1, 2, 3]")
        return given

    def _rows(self, factors: tuple[Factor, ...]) -> tuple[tuple[str, ...], ...]:
        design = self._data.get("design", "grid")
        if isinstance(design, list) and design:
            rows = [self._row(cell, factors, ("design", i)) for i, cell in enumerate(design)]
            for place, text in doubled(rows).items():
                if rows[place]:  # what is no cell has been told already
                    self._say(("design", place), text)
            return tuple(rows)
        if design not in _DESIGNS:
            hint = did_you_mean(design, _DESIGNS) or " (known: grid, zip, or a list of cells)"
            self._say(("design",), f"unknown design{hint}")
            return ()
        try:
            return rows_of(factors, str(design))
        except PlanError as error:
            self._say(("factors",), str(error))
            return ()

    def _row(self, cell: object, factors: tuple[Factor, ...], at: Path) -> tuple[str, ...]:
        if not isinstance(cell, dict):
            self._say(at, "must be a mapping of factors to labels")
            return ()
        names = [factor.name for factor in factors]
        self._check_keys(cell, at, names, needed=names)
        row = []
        for factor in factors:
            label = label_of(cell.get(factor.name))
            labels = [level.label for level in factor.levels]
            if label not in labels and factor.name in cell:
                hint = did_you_mean(label, labels) or f" (known: {', '.join(labels)})"
                self._say((*at, factor.name), f"no such level{hint}")
            row.append(str(label))
        return tuple(row)

    def _seeds(self, asked: int | Sequence[int] | None) -> tuple[int, ...]:
        given = self._data.get("seeds", 5) if asked is None else asked
        whole = isinstance(given, int) and not isinstance(given, bool)
        if not whole and not isinstance(given, list | tuple):
            self._say(("seeds",), "must be a count or a list of seeds")
            return ()
        try:
            return seed_list(given)
        except (StudyError, TypeError) as error:
            self._say(("seeds",), str(error))
            return ()

    def _metrics(self) -> tuple[str, ...]:
        given = self._data.get("metrics", list(METRICS))
        if not isinstance(given, list) or not given:
            self._say(("metrics",), "must be a list of paths into summary.json, one at least")
            return ()
        for index, metric in enumerate(given):
            trouble = metric_trouble(str(metric))
            if trouble is not None or given.index(metric) < index:
                self._say(("metrics", index), trouble or f"{metric} is given twice")
        return tuple(map(str, given))

    def _text(self, key: str, default: str) -> str:
        value = self._data.get(key, default)
        if not isinstance(value, str) or len(value) > 500 or (key == "name" and not _named(value)):
            self._say((key,), "must be a short text; a name has letters, digits and _ . - alone")
            return default
        return value

    def _check_keys(
        self,
        given: Mapping[str, Any],
        at: Path,
        known: Sequence[str],
        *,
        needed: Sequence[str] = (),
    ) -> None:
        for key in given:
            if key not in known:
                hint = did_you_mean(key, known) or f" (known: {', '.join(known)})"
                self._problems.append(self._problem((*at, key), f"unknown key{hint}", key=True))
        for key in needed:
            if key not in given:
                self._say((*at, key), "is missing")

    def _say(self, path: Path, message: str) -> None:
        self._problems.append(self._problem(path, message))

    def _problem(self, path: Path, message: str, *, key: bool = False) -> Problem:
        shown = ".".join(map(str, path))
        place = self._document.place(path, key=key)
        above = self._document.keys.get(path, place)  # of a block, the line that names it
        place = above if above.line < place.line else place
        return Problem(source=self._document.source, place=place, path=shown, message=message)


def _named(text: str) -> bool:
    plain = text.replace("_", "").replace("-", "").replace(".", "")
    return plain.isalnum() and plain.isascii() and text[0] not in ".-"
