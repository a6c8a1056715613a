"""Study directories as reports read them: what each run says, and why some say nothing.

The index tells which runs there are, their directories what came of them, so a study that was
killed is told as far as it got. A directory counts as it does when the study is gone on with: if
it is whole, and that of the run that was planned. Event logs are not read: two hundred of them
would take minutes.
"""

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from simedge.core.errors import SimedgeError
from simedge.run.yaml_reader import parse
from simedge.study.found import UNENDED, look
from simedge.study.names import cell_name
from simedge.study.plan import METRICS, PlanError, PlannedRun, built, planned
from simedge.study.report.errors import ReportError
from simedge.study.report.runs import checked_summary
from simedge.study.same import STRANGER, Asked, mixed
from simedge.study.table import Row, Table

__all__ = ["Lost", "Told", "Whole", "is_study", "read_whole"]

PLAN: Final = "study.yaml"
_INDEX: Final = "index.csv"
_HEAD: Final = ("run", "seed", "status")
_FIXED: Final = frozenset({"log_sha256", "wall_s", "dir", "reason"})
_BITS: Final = b",server,bits,"

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a run tells beside its figures.

    Parameters
    ----------
    curve
        (seconds of virtual time, accuracy) of every evaluation that has one.
    bits
        Bits on all links until an evaluation, by its seconds.
    devices
        (accuracy, joule, most bytes) of each device by its name, as far as known.
    """

    curve: tuple[tuple[float, float], ...]
    bits: Mapping[float, float]
    devices: Mapping[str, tuple[float | None, float | None, float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A run that tells nothing, and why."""

    run: str
    arm: str
    seed: int
    status: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A study as it lies on the disk.

    Parameters
    ----------
    text
        Its ``study.yaml``.
    told
        By the names of the runs that are done.
    lost
        All the others.
    notes
        What a reader has to know of the directory.
    """

    path: Path
    name: str
    about: str
    text: str
    table: Table
    told: Mapping[str, Told]
    lost: tuple[Lost, ...]
    notes: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class _Plan:
    """What the study's own file says; a file that cannot be read says nothing."""

    name: str
    about: str = ""
    text: str = ""
    factors: dict[str, tuple[str, ...]] = field(default_factory=dict)
    cells: tuple[Labels, ...] = ()
    seeds: tuple[int, ...] = ()
    metrics: tuple[str, ...] = METRICS
    runs: dict[tuple[Labels, int], PlannedRun] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A run that there should be."""

    run: str
    labels: Labels
    seed: int
    status: str = "missing"
    reason: str = ""
    log_sha256: str = ""


def is_study(path: Path) -> bool:
    """Tell whether a directory holds a study rather than a run."""
    return (path / PLAN).is_file() or ((path / _INDEX).is_file() and (path / "runs").is_dir())


def read_whole(path: Path) -> Whole:
    """Read a study directory.

    Raises
    ------
    ReportError
        If no run of it is left that can be reported.
    """
    plan = _plan(path)
    entries = list(_entries(path, plan))
    rows, told, lost, asked = [], {}, [], Asked()
    for entry in entries:
        row, more = _read(path, entry, plan, asked=asked)
        rows.append(row)
        if more is not None:
            told[row.run] = more
        else:
            lost.append(_lost(row))
    if not told:
        first = "; ".join(f"{one.run}: {one.why}" for one in lost[:3]) or "it has no runs"
        raise ReportError(f"{path}: no run of this study can be reported: {first}")
    known = {row.run: row for row in rows}
    notes = mixed((run for run in plan.runs.values() if run.name in known), known)
    return Whole(
        path=path,
        name=plan.name,
        about=plan.about,
        text=plan.text,
        table=Table(rows, factors=plan.factors, metrics=plan.metrics, path=path, notes=notes),
        told=told,
        lost=tuple(lost),
        notes=tuple(plan.notes),
    )


def _lost(row: Row) -> Lost:
    why = row.reason or {"missing": "was never run"}.get(row.status, f"is {row.status}")
    arm = cell_name(row.factors.values())
    hurt = row.status == "missing" and row.path is not None
    hurt = hurt and not why.startswith((STRANGER, UNENDED))
    status = "damaged" if hurt else row.status
    return Lost(run=row.run, arm=arm, seed=row.seed, status=status, why=why)


def _plan(path: Path) -> _Plan:
    plan = _Plan(name=path.resolve().name)
    try:
        raw = (path / PLAN).read_bytes()
        data = parse(raw, source=str(path / PLAN)).data
        plan.text = raw.decode()
        _take(plan, data)
    except (OSError, SimedgeError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = str(error).splitlines()[0].removeprefix(f"{path / PLAN}: ")
        plan.notes.append(f"{PLAN} cannot be read ({why}): runs are those of {_INDEX}")
    return plan


def _take(plan: _Plan, data: Any) -> None:  # noqa: ANN401 -- whatever a file holds
    plan.name, plan.about = str(data.get("name", plan.name)), str(data.get("about", ""))
    plan.metrics = tuple(map(str, data.get("metrics", METRICS)))
    factors = data.get("factors") or {}
    plan.factors = {str(name): tuple(map(str, one["arms"])) for name, one in factors.items()}
    plan.seeds = tuple(map(int, data.get("seeds", ())))
    design = data.get("design", ())
    plan.cells = tuple(tuple(str(cell[name]) for name in factors) for cell in design)


def _entries(path: Path, plan: _Plan) -> Iterator[_Entry]:
    """Yield the runs of the index, then those that the plan has besides, in the plan's order."""
    listed = _indexed(path, plan)
    plan.runs = _planned(path, plan)
    seen = {(one.labels, one.seed) for one in listed}
    asked = [(cell, seed) for seed in plan.seeds for cell in plan.cells]
    unseen = [key for key in asked if key not in seen]
    strays = _strays(path, {one.run for one in listed})
    places = {cell: place for place, cell in enumerate(plan.cells)}
    more = []
    for cell, seed in unseen:
        run = plan.runs.get((cell, seed))
        name = f"seed {seed} of {cell_name(cell)}" if run is None else run.name
        more.append(_Entry(run=name, labels=cell, seed=seed))
    lone = sorted(strays - {one.run for one in more})
    if lone:
        shown = ", ".join(lone[:5]) + (", ..." if len(lone) > 5 else "")
        plan.notes.append(f"in runs/, but not of this study: {shown}")
    yield from sorted(
        [*listed, *more], key=lambda one: (one.seed, places.get(one.labels, len(places)))
    )


def _strays(path: Path, known: set[str]) -> set[str]:
    try:
        return {place.name for place in (path / "runs").glob("[!.]*")} - known
    except OSError:
        return set()


def _planned(path: Path, plan: _Plan) -> dict[tuple[Labels, int], PlannedRun]:
    """Return the runs of the plan: what their directories should hold, and how they are called."""
    if not plan.cells:
        return {}
    # Only here, since checking scenarios loads what could run them.
    from simedge.study.study_file import read_study  # noqa: PLC0415

    try:
        runs = planned(built(read_study(path / PLAN)), plan.seeds)
    except (SimedgeError, PlanError) as error:
        why = str(error).splitlines()[0].removeprefix(f"{path / PLAN}: ")
        plan.notes.append(
            f"{PLAN} is of another age ({why}): whose a directory is was told by its seed, and by "
            f"the hash of its log in {_INDEX}"
        )
        return {}
    return {(tuple(run.labels.values()), run.seed): run for run in runs}


def _indexed(path: Path, plan: _Plan) -> list[_Entry]:
    try:
        with (path / _INDEX).open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows, head = list(reader), list(reader.fieldnames or ())
        if not set(head) >= set(_HEAD):
            raise ValueError("not the index of a study")  # noqa: TRY301 -- told like the others
        factors = head[head.index("run") + 1 : head.index("seed")]
        if not plan.cells:
            tail = head[head.index("status") + 1 :]
            plan.metrics = tuple(name for name in tail if name not in _FIXED) or plan.metrics
            plan.factors = {f: tuple(dict.fromkeys(str(row[f]) for row in rows)) for f in factors}
        return [
            _Entry(
                run=str(row["run"]),
                labels=tuple(str(row[name]) for name in factors),
                seed=int(row["seed"]),
                status=str(row["status"]),
                reason=str(row.get("reason") or ""),
                log_sha256=str(row.get("log_sha256") or ""),
            )
            for row in rows
        ]
    except (OSError, ValueError, csv.Error, TypeError) as error:
        plan.notes.append(f"{_INDEX} cannot be read ({error}): runs are those of {PLAN}")
        return []


def _read(path: Path, entry: _Entry, plan: _Plan, *, asked: Asked) -> tuple[Row, Told | None]:
    """Return the row of a run, and what it tells if it is done, whole and the one planned."""
    place = path / "runs" / Path(entry.run).name
    labels = dict(zip(plan.factors, entry.labels, strict=False))
    row = Row(run=entry.run, factors=labels, seed=entry.seed, status="missing", reason=entry.reason)
    if not place.is_dir():
        failed = entry.status == "failed"
        gone = "its directory is gone" if entry.status == "done" else entry.reason
        return replace(row, status="failed" if failed else "missing", reason=gone), None
    run = plan.runs.get((entry.labels, entry.seed))
    found = look(place, seed=entry.seed, run=run, asked=asked)
    row = replace(row, status=found.status, reason=found.reason, path=place, wall_s=found.wall_s)
    if found.status != "done" or found.summary is None:
        return row, None
    try:
        summary = checked_summary(found.summary)
        strange = None if run is not None else _other_log(entry, summary)
        if strange is not None:
            return replace(row, status="missing", reason=strange), None
        return replace(row, summary=summary), _told(place, summary)
    except (SimedgeError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = str(error).splitlines()[0].replace(f"{place}/", "")
        return replace(row, status="missing", reason=f"cannot be read: {why}"), None


def _other_log(entry: _Entry, summary: Mapping[str, Any]) -> str | None:
    """Return why a run is not that of the index, where that alone says which run it was."""
    then, now = entry.log_sha256, str(summary["log_sha256"])
    if then in {"", now}:
        return None
    return f"{STRANGER}: the hash of its log is {now[:12]}, {then[:12]} in {_INDEX}"


def _told(place: Path, summary: Mapping[str, Any]) -> Told:
    curve = [(float(t), v) for t, v in summary["accuracy"]["curve"]]
    maps = [
        summary["accuracy"]["per_device"],
        summary["energy_j"]["per_device"],
        summary["memory_bytes"]["peak_per_device"],
    ]
    names = dict.fromkeys(name for one in maps for name in one)
    return Told(
        curve=tuple((t, value) for t, v in curve if (value := _number(v)) is not None),
        bits=dict(_bits((place / "metrics.csv").read_bytes())),
        devices={
            name: (
                _number(maps[0].get(name)),
                _number(maps[1].get(name)),
                _number(maps[2].get(name)),
            )
            for name in names
        },
    )


def _bits(samples: bytes) -> Iterator[tuple[float, float]]:
    """Yield seconds and bits of the samples of one metric, without a look at the other lines."""
    for before, after in pairwise(samples.split(_BITS)):
        yield float(before.rpartition(b"\n")[2]), float(after.partition(b"\n")[0])


def _number(value: Any) -> float | None:  # noqa: ANN401 -- whatever a summary holds
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and math.isfinite(value) else None
