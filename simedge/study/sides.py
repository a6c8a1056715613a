"""What a comparison reads of a directory: a run or a study of any age, as far as it can be read."""

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from simedge.core.errors import SimedgeError
from simedge.run.errors import RunDirectoryError
from simedge.run.parts import LOG, damaged_parts
from simedge.run.problems import ScenarioError
from simedge.run.rundir import read_status, standing
from simedge.run.scenario import Scenario
from simedge.run.yaml_reader import read_file
from simedge.study.names import BASE, Labels, cell_name

__all__ = ["CompareError", "OldRun", "Side", "read_side"]

_NO_LIST = "provenance.json is missing"  # runs were not always listed
_FIXED = frozenset({"run", "seed", "status"})
_SEED = "seed"
_LONE: Final = (BASE,)
"""Labels of the one cell of a study without factors, and of a run."""


class CompareError(RunDirectoryError):
    """A directory that nothing can be compared of; the text says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldRun:
    """A run as far as it can be read.

    Parameters
    ----------
    settings
        As the scenario of today has them if it takes them, else as they are written.
    resolved
        Whether it does.
    log
        The event log, if there is one.
    """

    path: Path
    seed: int
    status: str
    summary: Mapping[str, Any]
    settings: Mapping[str, Any]
    resolved: bool
    log: Path | None

    def figure(self, path: str) -> float | None:
        """Return a figure of the summary; None if there is none, or no finite number."""
        value: Any = self.summary
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if number and math.isfinite(value) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two that are compared: runs by the labels of their cell and by seed.

    Parameters
    ----------
    titles
        Of cells by their labels: levels with the names of their factors, as far as they are known.
    metrics
        Paths of the figures that a study is about, if it says so.
    """

    path: Path
    study: bool
    cells: Mapping[Labels, Mapping[int, OldRun]]
    notes: tuple[str, ...]
    titles: Mapping[Labels, str] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()


def read_side(path: Path) -> Side:
    """Read a run directory or a study directory.

    Raises
    ------
    CompareError
        If it is neither, or no run of it can be read; the text says why.
    """
    if not path.is_dir():
        raise CompareError(f"{path}: {'not a directory' if path.exists() else 'is not there'}")
    if (path / "runs").is_dir() or (path / "study.yaml").is_file():
        return _study(path)
    run = _run(path)
    notes = () if run.status == "done" else (f"{path}: the run is {run.status}",)
    return Side(path=path, study=False, cells={_LONE: {run.seed: run}}, notes=notes)


def _study(path: Path) -> Side:
    runs: list[OldRun] = []
    notes: list[str] = []
    for place in sorted((path / "runs").glob("[!.]*")):
        try:
            run = _run(place)
        except SimedgeError as error:
            notes.append(f"skipped {str(error).splitlines()[0]}")
            continue
        if run.status == "done":
            runs.append(run)
        else:
            notes.append(f"skipped {place}: the run is {run.status}")
    if not runs:
        told = "; ".join(notes) or "it has no runs"
        raise CompareError(f"{path}: no run of this study can be read: {told}")
    cells: dict[Labels, dict[int, OldRun]] = {}
    levels = _levels(path / "index.csv")
    labels = {run: tuple(named.values()) or _LONE for run, named in levels.items()}
    labels = labels or _labels_by_settings(runs)
    for run in runs:
        label = labels.get(run.path.name, _LONE)
        here = cells.setdefault(label, {})
        if run.seed in here:
            notes.append(
                f"skipped {run.path}: seed {run.seed} of {cell_name(label)} is there already"
            )
        else:
            here[run.seed] = run
    titles = {
        labels[run]: ", ".join(f"{factor} {level}" for factor, level in named.items()) or BASE
        for run, named in levels.items()
    }
    return Side(
        path=path,
        study=True,
        cells=cells,
        notes=tuple(notes),
        titles=titles,
        metrics=_metrics(path / "summary.json"),
    )


def _metrics(summary: Path) -> tuple[str, ...]:
    """Return what a study is about by its summary; nothing if it does not say."""
    try:
        return tuple(map(str, json.loads(summary.read_bytes())["metrics"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _levels(index: Path) -> dict[str, dict[str, str]]:
    """Return the levels of each run by factor, by the index; nothing if there is no index."""
    try:
        with index.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            head = list(rows.fieldnames or ())
            if not set(head) >= _FIXED:
                return {}
            factors = head[head.index("run") + 1 : head.index("seed")]
            return {row["run"]: {factor: row[factor] or "" for factor in factors} for row in rows}
    except (OSError, ValueError, csv.Error):
        return {}


def _labels_by_settings(runs: list[OldRun]) -> dict[str, Labels]:
    """Return labels made of the settings, the seed apart, in which runs of a study differ."""
    settings = {run.path.name: dict(_flat(run.settings)) for run in runs}
    paths = dict.fromkeys(path for one in settings.values() for path in one if path != _SEED)
    varied = [p for p in paths if len({str(one.get(p)) for one in settings.values()}) > 1]
    return {
        name: tuple(f"{path}={one.get(path)}" for path in varied) or _LONE
        for name, one in settings.items()
    }


def _run(path: Path) -> OldRun:
    status = read_status(path)
    if status == "running":
        raise CompareError(f"{path}: {standing(path, status)}")
    file = path / "summary.json"
    if not file.is_file():
        raise CompareError(f"{path}: no summary.json ({standing(path, status)})")
    damage = [line for line in damaged_parts(path, events=False) if line != _NO_LIST]
    if damage:
        raise CompareError(f"{path}: {'; '.join(damage)}")
    try:
        summary = json.loads(file.read_bytes())
        seed = int(summary[_SEED])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CompareError(f"{file}: not a summary: {error!r}") from error
    settings, resolved = _settings(path / "scenario.yaml")
    log = path / LOG
    return OldRun(
        path=path,
        seed=seed,
        status=status,
        summary=summary,
        settings=settings,
        resolved=resolved,
        log=log if log.is_file() else None,
    )


def _settings(file: Path) -> tuple[dict[str, Any], bool]:
    try:
        return Scenario.load(file).model_dump(mode="json", by_alias=True), True
    except SimedgeError:
        pass  # of another age, or a trace is gone: what is written can be compared as it is
    try:
        written = read_file(file).data
    except (ScenarioError, OSError) as error:
        raise CompareError(f"{file}: cannot be read: {error}") from error
    if not isinstance(written, dict):
        raise CompareError(f"{file}: not a scenario")
    return written, False


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 -- plain data
    """Yield each setting with its dotted path, in order; list items by number."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple) and value:
        for place, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{place}]")
    else:
        yield path, value
