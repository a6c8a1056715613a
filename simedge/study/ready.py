"""A study that can be run: everything checked, what is there already found, the rest to be done."""

import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from simedge.run.problems import Problem, ScenarioError
from simedge.run.warm import warm_up
from simedge.study.course import Course, StudyProgress
from simedge.study.directory import StudyDirectory, check_same, recorded_seeds
from simedge.study.engines import crew
from simedge.study.found import found_rows, goes_on
from simedge.study.plan import Cell, Complaint, Plan, PlanError, PlannedRun, built, planned
from simedge.study.same import mixed
from simedge.study.seeds import seed_list
from simedge.study.table import Row, Table

__all__ = ["Ready", "prepare", "wrong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A study, its cells, all its runs and how each of them stands.

    Parameters
    ----------
    rows
        By the names of the runs.
    out
        The study directory; None keeps nothing.
    retry_failed
        Whether runs that failed before count as missing.
    """

    plan: Plan
    cells: tuple[Cell, ...]
    runs: tuple[PlannedRun, ...]
    rows: dict[str, Row]
    out: Path | None
    retry_failed: bool = False

    @property
    def missing(self) -> tuple[PlannedRun, ...]:
        """Return the runs that are to be run."""
        again = {"missing", "interrupted", *(["failed"] if self.retry_failed else [])}
        return tuple(run for run in self.runs if self.rows[run.name].status in again)

    def table(self, *, whole: bool = True) -> Table:
        """Return all runs as they stand; only the whole has notes on where they came from."""
        return Table(
            [self.rows[run.name] for run in self.runs],
            factors={f.name: [one.label for one in f.levels] for f in self.plan.factors},
            metrics=self.plan.metrics,
            path=self.out,
            notes=mixed(self.runs, self.rows) if whole else (),
        )

    def run(
        self,
        *,
        engine: str | Executor = "processes",
        jobs: int | None = None,
        scheduler: str | None = None,
        fail_fast: bool = False,
        watch: Callable[[StudyProgress], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Table:
        """Run what is missing, as `Study.run` does."""
        with ExitStack() as stack:
            if self.out is None:
                directory = None
                halt = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "halt"
            else:
                directory = stack.enter_context(StudyDirectory(self.out, self.plan))
                halt = directory.halt
                directory.take_up(run.name for run in self.runs)
                # Another sitting may have ended between the first look and the lock.
                self.rows.update((row.run, row) for row in found_rows(self.out, self.runs))
            missing = self.missing
            if missing:
                if directory is not None:
                    rows = (self.rows[run.name] for run in missing)
                    directory.clear(row.run for row in rows if not goes_on(row))
                warm_up()  # what all runs need, by two processes side by side
                hands = crew(engine, jobs=jobs, scheduler=scheduler)
                stack.callback(hands.close)
                course = Course(
                    self.rows,
                    crew=hands,
                    places=None if directory is None else directory.place,
                    halt=halt,
                    fail_fast=fail_fast,
                )
                course.run(missing, watch=self._heard(directory, watch), stop=stop)
            table = self.table()
            if directory is not None:
                directory.write_index(table, at_last=True)
                directory.write_summary(table.summary(self.plan.name))
            return table

    def _heard(
        self, directory: StudyDirectory | None, watch: Callable[[StudyProgress], None] | None
    ) -> Callable[[StudyProgress], None]:
        """Return what keeps the index up to date, and tells whoever watches."""

        def heard(progress: StudyProgress) -> None:
            if directory is not None:
                directory.write_index(self.table(whole=False))
            if watch is not None:
                watch(progress)

        return heard


def prepare(plan: Plan, out: Path | None, *, retry_failed: bool = False) -> Ready:
    """Check a study and look for what is there of it (raises as `Study.run` does)."""
    try:
        cells = built(plan)
    except PlanError as error:
        raise wrong(error.complaints) from None
    if out is not None:
        check_same(out, plan)
        plan = replace(plan, seeds=seed_list(dict.fromkeys([*recorded_seeds(out), *plan.seeds])))
    runs = planned(cells, plan.seeds)
    found = found_rows(out, runs) if out is not None else map(_missing, runs)
    rows = {row.run: row for row in found}
    return Ready(plan=plan, cells=cells, runs=runs, rows=rows, out=out, retry_failed=retry_failed)


def wrong(complaints: Iterable[Complaint]) -> ScenarioError:
    """Return complaints about a study that was made in Python."""
    return ScenarioError(
        Problem(
            source="study",
            place=None,
            path=": ".join(filter(None, [one.factor, one.label, one.path])),
            message=one.message,
        )
        for one in complaints
    )


def _missing(run: PlannedRun) -> Row:
    return Row(run=run.name, factors=run.labels, seed=run.seed, status="missing")
