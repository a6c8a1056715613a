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
from simedge.run.own_files import check_own_code, find_own_code, own_blocks, own_rules
from simedge.run.problems import Path, Problem, ScenarioError, path_text
from simedge.run.schema import scenario_schema
from simedge.run.sense import notes, sense
from simedge.run.settings import ScenarioSettings
from simedge.run.whereabouts import LostFileError, find_trace, trace_files
from simedge.run.yaml_reader import Document, parse, read_file
from simedge.run.yaml_writer import dump

__all__ = ["Loaded", "Scenario", "check", "load", "read"]

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
        return read(source).scenario

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
        del resolved["checkpoint"]  # which changes nothing that comes of a run
        for path, block, sha256 in trace_files(resolved):
            if block[sha256] is not None:
                block[str(path[-1])] = None  # what the file holds says more than where it lies
        for _, block in own_blocks(resolved):
            block["file"] = None
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
    path = find(source)
    return _build(_read(path), overrides, folder=path.parent)


def _read(path: FilePath) -> Document:
    """Read a file; the recordings that it names are those beside it."""
    document = read_file(path)
    if isinstance(document.data, dict):
        document.data = anchored(document.data, path.parent)
    return document


def check(source: str | FilePath) -> tuple[Problem, ...]:
    """Return everything that is wrong with a scenario and with the traces that it names."""
    try:
        path = find(source)
        reading = _Reading(_read(path), path.parent)
        reading.take_in_topology()
        reading.check_traces(reading.validate())
    except ScenarioError as error:
        return error.problems
    return ()


def _build(
    document: Document, asked: Iterable[Override], *, folder: FilePath | None = None
) -> Loaded:
    reading = _Reading(document, folder)
    reading.change(asked)
    reading.take_in_topology()
    scenario = reading.validate()
    odd = [reading.note(path, text) for path, text in notes(scenario)]
    return Loaded(scenario=scenario, notes=(*reading.notes, *odd))


class _Reading:
    """One document on its way to a scenario: the data as changed so far, and the problems."""

    def __init__(self, document: Document, folder: FilePath | None) -> None:
        self.document = document
        self._folder = folder
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

    def take_in_topology(self) -> None:
        """Put what a topology file says into the scenario, which then stands without it."""
        topology = self.data.get("topology")
        other = ("topology", "path") in self._set
        if not isinstance(topology, dict) or topology.get("kind") != "file":
            return
        name, form = topology.get("path"), topology.get("format", "auto")
        if not isinstance(name, str) or (topology.get("edges") is not None and not other):
            return
        # Its readers need networkx, which most scenarios do without.
        from simedge.world.topology_files import TopologyFileError, read_edges  # noqa: PLC0415

        # What stands in the file is relative to it; what was set is relative to where we are.
        given = other or ("topology",) in self._set
        folder = FilePath() if given else FilePath(self.document.source).parent
        try:
            edges = read_edges(folder / name, str(form))
        except TopologyFileError as error:
            self.problems.append(self._problem(("topology", "path"), str(error)))
        else:
            taken = {**topology, "edges": [list(edge) for edge in edges]}
            self.data = {**self.data, "topology": taken}

    def validate(self) -> Scenario:
        self.data = anchored(self.data, FilePath())
        self._find_traces()
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

    def check_traces(self, scenario: Scenario) -> None:
        """Read the traces (raises `ScenarioError`)."""
        if any(trace_files(self.data)):
            # Reading takes numpy, which checking most scenarios does without.
            from simedge.run.traced import check_traces  # noqa: PLC0415

            found = [self._problem(path, text) for path, _, text in check_traces(scenario)]
            if found:
                raise ScenarioError(found)

    def _find_traces(self) -> None:
        """Put whole paths in the place of those that lead to traces."""
        for path, block, sha256 in trace_files(self.data):
            file, beside = str(path[-1]), (*path[:-1], sha256)
            if path in self._set and beside not in self._set:
                block.pop(sha256, None)  # it was that of another file
            folder = self._folder if self._label(path) is None else None
            known = block.get(sha256) is not None
            try:
                block[file] = find_trace(block[file], folder, known=known)
            except LostFileError as error:
                self.problems.append(self._problem(path, str(error)))

    def _attempt(self) -> tuple[Scenario | None, list[Finding]]:
        wrong = self._find_own_code()
        try:
            scenario = Scenario.model_validate(self.data)
        except ValidationError as error:
            found = findings(error, data=self.data, schema=scenario_schema())
            told = {path[:n] for path, _, _ in wrong for n in range(2, len(path) + 1)}
            return None, [*wrong, *(each for each in found if each[0] not in told)]
        return scenario, wrong or check_own_code(scenario) or sense(scenario)

    def _find_own_code(self) -> list[Finding]:
        """Write down where the user's own classes are; return what is wrong with them."""
        found = own_rules(self.data)
        for path, block in own_blocks(self.data):
            # Where the class of another kind was says nothing of this one.
            stale = (*path, "kind") in self._set and (*path, "file") not in self._set
            asked = {k: v for k, v in block.items() if not (stale and k in {"file", "sha256"})}
            pinned, wrong = find_own_code(path, asked, self._folder)
            self.data = changes.put(self.data, path, pinned)
            found += wrong
        return found

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

    def note(self, path: Path, message: str) -> str:
        """Return a remark with its place."""
        return self._problem(path, message).line()

    def _problem(self, path: Path, message: str, *, key: bool = False) -> Problem:
        label = self._label(path)
        shown = path_text(path, self.data if path else None)
        if label is not None:
            inside = "" if label.endswith((f" {shown}", f"--{shown}")) else f"{shown}: "
            return Problem(source=label, place=None, path="", message=inside + message)
        place = self.document.place(path, key=key)
        return Problem(source=self.document.source, place=place, path=shown, message=message)
