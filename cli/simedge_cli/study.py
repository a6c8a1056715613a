"""``simedge study``: many runs, watched, interruptible, gone on with."""

import json
from collections.abc import Callable
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simedge_cli.exits import Exit, complain, told
from simedge_cli.options import Changes, Duration, NoColor, Quiet, Recorded
from simedge_cli.run import interrupts, overrides

if TYPE_CHECKING:
    from simedge.study.course import StudyProgress
    from simedge.study.ready import Ready
    from simedge.study.table import Row, Table

__all__ = ["study"]

_ROOT = Path("runs")
_EQUAL_MAX = 5
_DIGITS_MAX = 30


class Engine(StrEnum):
    """Where runs are done."""

    PROCESSES = "processes"
    DASK = "dask"


def study(  # noqa: PLR0913 -- one parameter an option
    file: Annotated[str, typer.Argument(metavar="STUDY", help="A YAML file or a bundled name.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The study directory: absent, empty, or this study's."),
    ] = None,
    changes: Changes = None,
    seeds: Annotated[str | None, typer.Option(help="How many seeds, or which: 5 or 3,4,7.")] = None,
    seed: Annotated[int | None, typer.Option(help="One seed alone.")] = None,
    duration: Duration = None,
    record: Recorded = None,
    engine: Annotated[Engine, typer.Option(help="Processes here, or Dask.")] = Engine.PROCESSES,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Runs at a time; one a processor by default.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, as tcp://host:8786.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Only go on with a study that is there.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run again what failed before.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Begin no other run after a failure.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many runs, and how long; run none.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Write report.html into the study directory at last.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line a run, then summary.json, no table.")
    ] = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Run a scenario over factors and paired seeds; go on where it stopped."""
    with told():
        from simedge.study.ready import prepare
        from simedge.study.study_file import read_study
        from simedge_cli.render import Screen

        if scheduler is not None and engine is not Engine.DASK:
            complain("error: --scheduler is Dask's: add --engine dask")
            raise typer.Exit(Exit.USAGE)
        asked = overrides(changes or [], seed=None, duration=duration, record=record)
        if any(one.path == "seed" for one in asked):
            complain("error: a study has several seeds: --seeds 5 or --seeds 3,4,7, or --seed 3")
            raise typer.Exit(Exit.USAGE)
        plan = read_study(file, overrides=asked, seeds=_seeds(seeds, seed))
        path = out or _ROOT / f"{plan.name}-{plan.hash8}"
        if resume and not (path / "study.yaml").is_file():
            complain(f"error: {path}: no study to go on with")
            raise typer.Exit(Exit.BAD_INPUT)
        ready = prepare(plan, path, retry_failed=retry_failed)
        if dry_run:
            _tell_estimate(ready, jobs, engine, as_json=as_json)
            return
        _tell_found(ready, as_json=as_json, quiet=quiet)
        screen = Screen(progress=not quiet, no_color=no_color)
        with interrupts() as came, screen.studying(plan.name) as watch:
            table = ready.run(
                engine=engine.value,
                jobs=jobs,
                scheduler=scheduler,
                fail_fast=fail_fast,
                watch=_heard(watch, as_json=as_json),
                stop=lambda: bool(came),
            )
        _tell_table(table, plan.name, as_json=as_json)
        if not as_json and not quiet:
            screen.show_study(table, name=plan.name)
        if report:
            _write_report(path)
    code = _exit_code(table, interrupted=bool(came))
    if code is Exit.INTERRUPTED:
        complain("interrupted: the same command goes on where the study stopped")
    raise typer.Exit(code)


def _seeds(several: str | None, one: int | None) -> int | tuple[int, ...] | None:
    """Return the seeds that options ask for."""
    if several is None:
        return None if one is None else (one,)
    words = several.split(",")
    if one is not None or not all(_is_number(word.strip()) for word in words):
        complain("error: --seeds needs a count or a list as 3,4,7, and no --seed beside it")
        raise typer.Exit(Exit.USAGE)
    numbers = tuple(map(int, words))
    return numbers if len(numbers) > 1 else numbers[0]


def _is_number(word: str) -> bool:
    return word.isdecimal() and len(word) <= _DIGITS_MAX


def _heard(
    watch: Callable[["StudyProgress"], None] | None, *, as_json: bool
) -> Callable[["StudyProgress"], None]:
    def heard(progress: "StudyProgress") -> None:
        if as_json:
            for row in progress.news:
                _print_row(row)
        if watch is not None:
            watch(progress)

    return heard


def _tell_estimate(ready: "Ready", jobs: int | None, engine: Engine, *, as_json: bool) -> None:
    from simedge.study.engines import Processes, processors
    from simedge.study.estimate import estimate, start_of_workers
    from simedge_cli.figures import seconds

    places, start_s = jobs or processors(), 0.0
    if engine is Engine.PROCESSES and ready.missing:
        with closing(Processes(places)) as hands:
            start_s = start_of_workers(ready.missing, hands)
    made = estimate(ready.rows, ready.missing, ready.cells, places=places, start_s=start_s)
    if as_json:
        print(json.dumps({"schema": 1, "study": ready.plan.name, **made.summary()}))
        return
    seeds = len(ready.plan.seeds)
    print(f"{ready.plan.name}: {len(ready.cells)} cells x {seeds} seeds = {made.runs} runs")
    if not made.left:
        print("nothing is left to run")
        return
    print(f"{made.left} left, about {seconds(made.wall_s)} on {made.places} at a time:")
    print(f"  {seconds(made.each_s):>8} a run, by {made.basis}")
    if engine is Engine.PROCESSES:
        print(
            f"  {seconds(made.start_s):>8} until all workers have begun, by one that did just now"
        )
    else:
        print("           and the start of workers, which was not measured")


def _tell_found(ready: "Ready", *, as_json: bool, quiet: bool) -> None:
    """Say what is there already: the study goes on from it."""
    from simedge.study.found import goes_on

    left = {run.name for run in ready.missing}
    found = [row for row in ready.rows.values() if row.run not in left]
    if found and not quiet:
        failed = sum(row.status == "failed" for row in found)
        more = f", {failed} of them failed (--retry-failed runs these again)" if failed else ""
        complain(f"{ready.out}: {len(found)} of {len(ready.runs)} runs are there{more}")
    for row in ready.rows.values():
        if goes_on(row):
            complain(f"goes on from its checkpoint: {row.run}")
        elif row.status == "missing" and row.reason:
            complain(f"run again: {row.run}: {row.reason}")
    if as_json:
        for row in found:
            _print_row(row)


def _tell_table(table: "Table", name: str, *, as_json: bool) -> None:
    equal = table.equal_logs()
    for names in equal[:_EQUAL_MAX]:
        complain(f"note: equal event logs, so nothing told these runs apart: {', '.join(names)}")
    if len(equal) > _EQUAL_MAX:
        complain(f"note: and {len(equal) - _EQUAL_MAX} more such groups, see summary.json")
    for note in table.notes:
        complain(f"note: {note}")
    for row in table:
        if row.status == "failed" or (row.status == "missing" and row.reason):
            complain(f"{row.status}: {row.run}: {row.reason}")
    if as_json:
        print(json.dumps(table.summary(name), allow_nan=False))


def _print_row(row: "Row") -> None:
    line = {
        "run": row.run,
        "factors": dict(row.factors),
        "seed": row.seed,
        "status": row.status,
        "reason": row.reason,
        "dir": None if row.path is None else str(row.path),
        "summary": row.summary,
    }
    print(json.dumps(line, allow_nan=False), flush=True)


def _write_report(path: Path) -> None:
    """Write the report of a study; what keeps it from being written spoils no study."""
    from simedge.study.report.errors import MissingExtraError, ReportError
    from simedge.study.report.write import report

    try:
        made = report([path])
        made.write()
        complain(f"report: {made.path}")
    except (MissingExtraError, ReportError) as error:
        complain(f"note: no report: {error}")


def _exit_code(table: "Table", *, interrupted: bool) -> Exit:
    counts = table.counts()
    if interrupted and counts["done"] + counts["failed"] < counts["planned"]:
        return Exit.INTERRUPTED
    return Exit.FAILED if counts["done"] < counts["planned"] else Exit.OK
