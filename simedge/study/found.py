"""What came of a run, by its directory: it counts as done only if it is whole, and its own.

Studies that are gone on with and reports read with the same eyes.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from simedge.core.errors import SimedgeError
from simedge.run.parts import LOG, damaged_parts, log_damage, unsealed
from simedge.run.rundir import read_status
from simedge.study.plan import PlannedRun
from simedge.study.same import STRANGER, Asked
from simedge.study.table import Row
from simedge.study.worker import Outcome, has_checkpoint, outcome_of

__all__ = ["UNENDED", "found_rows", "goes_on", "look", "row_of"]

_LOGS_KEPT: Final = 1 << 16
UNENDED: Final = "it did not come to its end"


def found_rows(path: Path, runs: Iterable[PlannedRun]) -> Iterator[Row]:
    """Yield how each run stands in a directory, which need not be there.

    One that is missing though there is something by its name has a reason. Event logs are read,
    at a second or so for each GB.
    """
    failures, asked = _failures(path / "index.csv"), Asked()
    for run in runs:
        place = path / "runs" / run.name
        outcome = look(place, seed=run.seed, run=run, asked=asked, logs=True)
        if outcome.status == "missing":
            outcome = failures.get(run.name, outcome)
        yield row_of(run, outcome, place)


def goes_on(row: Row) -> bool:
    """Tell whether a run that did not come to its end has a checkpoint to go on from."""
    stopped = row.status == "interrupted" or (row.status == "missing" and row.reason == UNENDED)
    return stopped and row.path is not None and has_checkpoint(row.path)


def row_of(run: PlannedRun, outcome: Outcome, place: Path | None) -> Row:
    """Return the row of a run."""
    return Row(
        run=run.name,
        factors=run.labels,
        seed=run.seed,
        status=outcome.status,
        summary=outcome.summary,
        reason=outcome.reason,
        wall_s=outcome.wall_s,
        path=place if place is not None and place.is_dir() else None,
    )


def look(
    place: Path, *, seed: int, run: PlannedRun | None, asked: Asked, logs: bool = False
) -> Outcome:
    """Return what came of a run, by its directory; missing unless that is whole, and its own.

    Parameters
    ----------
    run
        What was planned; without it only the seed tells whose the directory is.
    logs
        Whether to read event logs too; else their lengths are compared.
    """
    if not place.is_dir():
        return Outcome(status="missing")
    try:
        status = read_status(place)
        # One that failed may have failed before it had a scenario.
        bare = status == "failed" and not (place / "scenario.yaml").exists()
        strange = None if bare or run is None else asked.strange(place, run)
        if strange is not None:
            return Outcome(status="missing", reason=strange)
        logged = run is not None and run.scenario.record.events
        log = logged and status == "done" and _log_damage(place, read=logs)
        return _outcome(place, status, seed=seed, log=log or None)
    except (SimedgeError, OSError, ValueError, KeyError, TypeError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Outcome(status="missing", reason=text.replace(f"{place}: ", ""))


def _log_damage(place: Path, *, read: bool) -> str | None:
    """Return what is wrong with a log; one that has not changed since is not read again."""
    try:
        marks = [(place / name).stat() for name in (LOG, "provenance.json")]
    except OSError:
        return log_damage(place)
    return _once(place, tuple((one.st_size, one.st_mtime_ns) for one in marks), read=read)


@lru_cache(maxsize=_LOGS_KEPT)
def _once(place: Path, marks: tuple[tuple[int, int], ...], *, read: bool) -> str | None:
    del marks
    return log_damage(place, read=read)


def _outcome(place: Path, status: str, *, seed: int, log: str | None) -> Outcome:
    if status == "failed":
        said = unsealed((place / "status.json").read_bytes())
        return Outcome(status="failed", reason=str(said.get("reason", "")))
    if status == "running":
        return Outcome(status="missing", reason=UNENDED)
    damage = [*damaged_parts(place, events=False), *([] if log is None else [log])]
    if damage:
        return Outcome(status="missing", reason="; ".join(damage))
    summary = json.loads((place / "summary.json").read_bytes())
    if summary["seed"] != seed:
        text = f"{STRANGER}: its summary is of seed {summary['seed']}, {seed} was asked for"
        return Outcome(status="missing", reason=text)
    wall_s = float(unsealed((place / "provenance.json").read_bytes())["total_wall_s"])
    return outcome_of(summary, interrupted=status == "interrupted", wall_s=wall_s)


def _failures(index: Path) -> dict[str, Outcome]:
    """Return the runs that failed before they had a directory."""
    try:
        with index.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row.get("status") == "failed"]
        return {row["run"]: Outcome(status="failed", reason=row["reason"]) for row in rows}
    except (OSError, ValueError, KeyError, csv.Error):
        return {}
