"""The scenario: read, checked, varied, written.

Everything that is wrong with a file is reported at once, each finding with line and column.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from simedge.run import overrides as changes
from simedge.run.anchors import anchored
from simedge.run.bundled import find
from simedge.run.findings import Finding, findings
from simedge.run.overrides import Override, OverrideError
from simedge.run.problems import Path, Problem, ScenarioError, path_text
from simedge.run.schema import scenario_schema
from simedge.run.sense import sense
from simedge.run.settings import ScenarioSettings
from simedge.run.yaml_reader import Document, parse, read_file
from simedge.run.yaml_writer import dump

__all__ = ["Loaded", "Scenario", "load", "read"]

_DROP_ROUNDS = 4
_PYTHON = "scenario"


class Scenario(ScenarioSettings):
    """One YAML file's worth of world: frozen, complete, checked.

    Examples
    --------
    >>> scenario = Scenario.load("two_devices")
    >>> worse = scenario.vary({"duration": "5 s", "links.default.delay": "80 ms"})
    >>> worse.duration, worse.name == scenario.name
    (5000000000, True)
    """

    @classmethod
    def load(cls, source: str | FilePath) -> "Scenario":
        """Read a file or a bundled scenario by name.

        Raises
        ------
        ScenarioError
            With every problem that the file has.
        """
        return _build(_read(source), ()).scenario

    @classmethod
    def parse(cls, text: str, *, source: str = _PYTHON) -> "Scenario":
        """Read YAML text (raises `ScenarioError`)."""
        return _build(parse(text, source=source), ()).scenario

    def dump(self) -> str:
        """Write the resolved scenario as YAML; reading it gives an equal scenario."""
        return dump(self.model_dump(mode="json", by_alias=True))

    def vary(self, values: Mapping[str, object]) -> "Scenario":
        """Return a scenario with some values changed, checked like a file.

        Paths and values are those of ``--set``; keys that a new ``kind`` does not know go.

        Raises
        ------
        ScenarioError
            If a path leads nowhere or the result is no valid scenario.
        """
        asked = [Override(path=p, value=v, label=f"vary {p}") for p, v in values.items()]
        # What was left to defaults stays so: with another profile or kind they are others.
        written = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return _build(Document(source=_PYTHON, data=written), asked).scenario

    @property
    def hash8(self) -> str:
        """First 8 hex digits of the SHA-256 of the resolved scenario."""
        resolved = self.model_dump(mode="json", by_alias=True)
        text = json.dumps(resolved, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def run_name(self) -> str:
        """Name of a run directory: ``<name>-s<seed>-<hash8>``."""
        return f"{self.name}-s{self.seed}-{self.hash8}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A scenario, and what its reader should tell the user."""

    scenario: Scenario
    notes: tuple[str, ...] = ()


def load(source: str | FilePath) -> Scenario:
    """Read a scenario from a file or by bundled name (raises `ScenarioError`)."""
    return Scenario.load(source)


def read(source: str | FilePath, *, overrides: Iterable[Override] = ()) -> Loaded:
    """Read a scenario with overrides applied to what the file says.

    Raises
    ------
    ScenarioError
        With every problem of the file and of the overrides.
    """
    return _build(_read(source), overrides)


def _read(source: str | FilePath) -> Document:
    """Read a file; the paths that it names are those beside it."""
    path = find(source)
    document = read_file(path)
    if isinstance(document.data, dict):
        document.data = anchored(document.data, path.parent)
    return document


def _build(document: Document, asked: Iterable[Override]) -> Loaded:
    reading = _Reading(document)
    reading.change(asked)
    return Loaded(scenario=reading.validate(), notes=tuple(reading.notes))


class _Reading:
    """One document on its way to a scenario: the data as changed so far, and the problems."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems = list(document.problems)
        self.notes: list[str] = []
        self._set: dict[Path, str] = {}
        if not isinstance(document.data, dict):
            raise ScenarioError([self._problem((), "a scenario is a mapping of keys to values")])
        self.data: dict[str, Any] = document.data

    def change(self, asked: Iterable[Override]) -> None:
        for override in asked:
            try:
                self.data, path = changes.apply(self.data, override)
            except OverrideError as error:
                source, _, message = str(error).partition(": ")
                self.problems.append(Problem(source=source, place=None, path="", message=message))
            else:
                self._set[path] = override.label

    def validate(self) -> Scenario:
        self.data = anchored(self.data, FilePath())
        scenario, found = self._attempt()
        for _ in range(_DROP_ROUNDS):
            if not self._drop_unknown(found):
                break
            scenario, found = self._attempt()
        self.problems += [
            self._problem(path, text, key=kind == "extra_forbidden") for path, kind, text in found
        ]
        if self.problems or scenario is None:
            raise ScenarioError(self.problems)
        return scenario

    def _attempt(self) -> tuple[Scenario | None, list[Finding]]:
        try:
            scenario = Scenario.model_validate(self.data)
        except ValidationError as error:
            return None, findings(error, data=self.data, schema=scenario_schema())
        return scenario, sense(scenario)

    def _drop_unknown(self, found: Iterable[Finding]) -> bool:
        """Drop keys beside a changed ``kind`` that the new kind does not know; say which."""
        changed = [path[:-1] for path in self._set if path[-1] == "kind"]
        unknown = [
            path
            for path, kind, _ in found
            if kind == "extra_forbidden"
            and any(path[: len(parent)] == parent for parent in changed)
            and self._label(path) is None
        ]
        for path in unknown:
            self.notes.append(
                f"{path_text(path, self.data)}: dropped, the new kind has no such key"
            )
        self.data = changes.drop(self.data, unknown)
        return bool(unknown)

    def _label(self, path: Path) -> str | None:
        """Return where a value comes from, if not from the document."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._set:
                return self._set[path[:length]]
        return None

    def _problem(self, path: Path, message: str, *, key: bool = False) -> Problem:
        label = self._label(path)
        shown = path_text(path, self.data if path else None)
        if label is not None:
            inside = "" if label.endswith((f" {shown}", f"--{shown}")) else f"{shown}: "
            return Problem(source=label, place=None, path="", message=inside + message)
        place = self.document.place(path, key=key)
        return Problem(source=self.document.source, place=place, path=shown, message=message)
