"""Finished runs as reports read them: one directory, read whole or refused with its reason."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simedge.core.errors import SimedgeError
from simedge.drivers.tally import Tally
from simedge.run.errors import RunDirectoryError
from simedge.run.parts import LOG, damaged_parts, unsealed
from simedge.run.rundir import read_status, standing
from simedge.run.scenario import Scenario
from simedge.run.summary import summarise
from simedge.study.report.errors import ReportError
from simedge.study.report.history import History, read_history

if TYPE_CHECKING:
    from simedge.run.raster import Circuit

__all__ = ["Run", "Sampled", "Skipped", "checked_summary", "newest", "read_run", "read_runs"]

Sampled = tuple[float, str, float]
"""Seconds of virtual time, entity, value."""

_STATUS = "status.json"


_RASTER = "raster.msgpack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All that a report says of one run.

    Parameters
    ----------
    name
        That of the directory; its whole path where several have the same name.
    samples
        What ``metrics.csv`` holds, by metric.
    history
        What the event log tells; None if the run kept its hash alone.
    circuits
        Spikes and weights of devices, if the run was asked to keep some.
    """

    path: Path
    name: str
    status: str
    scenario: Scenario
    text: str
    summary: dict[str, Any]
    provenance: dict[str, Any]
    samples: dict[str, list[Sampled]]
    history: History | None
    circuits: "tuple[Circuit, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A directory that was asked for and tells nothing, and why."""

    path: Path
    why: str


def newest(root: Path, *, study: Callable[[Path], bool] = lambda _: False) -> Path:
    """Return the run or study directory below `root` that was written to last.

    Parameters
    ----------
    study
        Tells whether a directory is a study; its index says how new it is.

    Raises
    ------
    ReportError
        If there is none.
    """
    found = [path.parent for path in root.glob(f"*/{_STATUS}")]
    found += [path for path in root.glob("*") if path not in found and study(path)]
    if not found:
        raise ReportError(f"{root}: no run or study directory there; name one: simedge report DIR")
    return max(found, key=lambda path: (_written_ns(path), path.name))


def _written_ns(path: Path) -> int:
    marks = (path / name for name in (_STATUS, "index.csv", "study.yaml"))
    return max((mark.stat().st_mtime_ns for mark in marks if mark.is_file()), default=0)


def read_runs(paths: Sequence[Path]) -> tuple[list[Run], list[Skipped]]:
    """Read directories; those that are damaged, or no runs, are told apart.

    Raises
    ------
    ReportError
        If none is left; the text names all of them.
    """
    runs, skipped = [], []
    for path in dict.fromkeys(paths):
        try:
            runs.append(read_run(path))
        except SimedgeError as error:
            skipped.append(Skipped(path=path, why=_without(path, str(error))))
    if not runs:
        told = "; ".join(f"{one.path}: {one.why}" for one in skipped)
        raise ReportError(f"no run is left to report: {told}")
    count = Counter(run.name for run in runs)
    named = [replace(run, name=str(run.path)) if count[run.name] > 1 else run for run in runs]
    return named, skipped


def read_run(path: Path) -> Run:
    """Read one run directory.

    Raises
    ------
    SimedgeError
        If it is none, did not come to an end that wrote its summary, or is not what was written.
    """
    status = read_status(path)
    if not (path / "summary.json").is_file():
        raise ReportError(f"{path}: no summary.json ({standing(path, status)})")
    scenario = Scenario.load(path / "scenario.yaml")
    damage = damaged_parts(path, events=scenario.record.events)
    if damage:
        raise ReportError(f"{path}: {'; '.join(damage)}")
    try:
        return Run(
            path=path,
            name=path.resolve().name,
            status=status,
            scenario=scenario,
            text=(path / "scenario.yaml").read_text(encoding="utf-8"),
            summary=checked_summary(json.loads((path / "summary.json").read_bytes())),
            provenance=unsealed((path / "provenance.json").read_bytes()),
            samples=_samples(path / "metrics.csv"),
            history=_history(path),
            circuits=_circuits(path),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunDirectoryError(f"{path}: cannot be read: {error}") from error


def checked_summary(data: Any) -> dict[str, Any]:  # noqa: ANN401 -- whatever a file holds
    """Return a summary that has every key.

    Raises
    ------
    ReportError
        If it lacks any.
    """
    missing = _every_key() - set(data) if isinstance(data, dict) else _every_key()
    if missing:
        raise ReportError(f"summary.json is not a summary: lacks {', '.join(sorted(missing))}")
    summary: dict[str, Any] = data
    return summary


@cache
def _every_key() -> frozenset[str]:
    return frozenset(summarise(Tally(scenario="", seed=0, protocol="", rule=None, classes=0)))


def _samples(file: Path) -> dict[str, list[Sampled]]:
    found: dict[str, list[Sampled]] = {}
    with file.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            entry = float(row["t_s"]), row["entity"], float(row["value"])
            found.setdefault(row["metric"], []).append(entry)
    return found


def _history(path: Path) -> History | None:
    if not (path / LOG).is_file():
        return None
    history = read_history(path / LOG)
    if history.damage is not None:
        raise ReportError(f"{path}: {LOG}: {history.damage}")
    return history


def _without(path: Path, text: str) -> str:
    return text.removeprefix(f"{path}: ").removeprefix(f"{path}/")


def _circuits(path: Path) -> "tuple[Circuit, ...]":
    """Return what a run kept of circuits; what reads that takes seconds to load."""
    if not (path / _RASTER).is_file():
        return ()
    from simedge.run.raster import read_raster  # noqa: PLC0415 -- as the docstring says

    return read_raster(path)
