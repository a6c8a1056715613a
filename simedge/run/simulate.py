"""One run from start to end: `simulate` steps its slices, `run_async` does so on an event loop.

Both step the very same slices, counted in records. What comes between two slices (progress,
interrupts, writers) cannot touch the result.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from simedge.core.compile_clock import CompileClock
from simedge.core.errors import SimedgeError
from simedge.core.own_code import OwnFaultError
from simedge.core.streams import Streams
from simedge.drivers.tally import Tally
from simedge.learning.ports import LearnerFactory
from simedge.run.build import build
from simedge.run.checkpoint.begun import begun_with
from simedge.run.checkpoint.errors import CheckpointError
from simedge.run.checkpoint.keeper import Keeper
from simedge.run.checkpoint.made_by import maker
from simedge.run.checkpoint.stopped import Stopped
from simedge.run.checkpoint.store import Store
from simedge.run.errors import BuildError, StorageError
from simedge.run.eventlog import Atom, EventLog, LogRecord, LogState
from simedge.run.faulty_disk import open_disk
from simedge.run.files import Files
from simedge.run.invariants import Audit, check_bill, check_tally
from simedge.run.metrics import csv_text
from simedge.run.own_files import own_origins
from simedge.run.provenance import provenance
from simedge.run.quiet import quiet, quiet_threads
from simedge.run.raster import RASTER, Recorder
from simedge.run.result import Progress, Result, progress_of
from simedge.run.rundir import RunDirectory
from simedge.run.scenario import Scenario
from simedge.run.summary import summarise
from simedge.run.traced import digests
from simedge.run.warm import warm_up
from simedge.world.traces.door import TraceDoor

__all__ = ["Run", "run_async", "simulate"]

SLICE_RECORDS: Final = 256
_THREADS: Final = 2

Watch = Callable[[Progress], None]
Stop = Callable[[], bool]


def simulate(  # noqa: PLR0913 -- all but the scenario go by name
    scenario: Scenario,
    *,
    seed: int | None = None,
    out: str | Path | None = None,
    root: Path | None = None,
    watch: Watch | None = None,
    stop: Stop | None = None,
    learner: LearnerFactory | None = None,
) -> Result:
    """Run a scenario to its end; works inside a running event loop too.

    Parameters
    ----------
    scenario
        What to run.
    seed
        In place of the scenario's own.
    out
        Run directory, absent or empty.
    root
        Without `out`: make a directory there that is named after the run. Without either nothing
        is written.
    watch
        Told how the run stands, between slices.
    stop
        Asked between slices; true ends the run early, with everything written.
    learner
        Makes the learner of each device, in place of the scenario's: a subclass of
        `simedge.OwnLearner`, or whatever returns an object with that port. The scenario's memory
        and processors judge it like any other.

    Raises
    ------
    SimedgeError
        If the scenario cannot be built or the directory cannot be written.
    """
    with Run(scenario, seed=seed, out=out, root=root, learner=learner) as run:
        return run.to_end(watch, stop)


async def run_async(  # noqa: PLR0913 -- what `simulate` takes
    scenario: Scenario,
    *,
    seed: int | None = None,
    out: str | Path | None = None,
    root: Path | None = None,
    watch: Watch | None = None,
    stop: Stop | None = None,
    learner: LearnerFactory | None = None,
) -> Result:
    """Run a scenario as an asyncio task: other tasks go on between its slices.

    Takes what `simulate` takes and gives the same result. Cancelling the task finishes the run
    directory as interrupted and then raises `asyncio.CancelledError`.
    """
    with Run(scenario, seed=seed, out=out, root=root, learner=learner) as run:
        return await run.to_end_async(watch, stop)


class Run:
    """One run, stepped in slices by whoever holds it; `tap` is told every record of the log.

    With `stopped` it goes on where another stopped: it is built like a new one, and then takes
    over what that one saved.
    """

    def __init__(  # noqa: PLR0913 -- all but the scenario go by name
        self,
        scenario: Scenario,
        *,
        seed: int | None = None,
        out: str | Path | None = None,
        root: Path | None = None,
        learner: LearnerFactory | None = None,
        tap: Callable[[LogRecord], object] | None = None,
        stopped: Stopped | None = None,
    ) -> None:
        if seed is not None:
            scenario = scenario.vary({"seed": seed})
        self.scenario = scenario
        self._began_s = time.time()
        self._executor = quiet_threads(_THREADS, "simedge-evaluate")
        self._wall_s = 0.0
        self._compiling = CompileClock()
        self._records = 0
        self._begun = False
        self._saved_at = 0  # as many records were dispatched then
        self._audit = Audit()
        self._tap = tap
        self._learner = learner
        self._stopped = stopped
        # The world stands before anything is written: a scenario that cannot leaves nothing.
        warm_up(scenario.learner)
        self._traces = TraceDoor(Streams(scenario.seed))
        saves = out is not None or root is not None or stopped is not None
        try:
            pins = self._stand(saves=saves)
        except SimedgeError as error:
            self._executor.shutdown()
            if isinstance(error, CheckpointError):
                raise
            raise BuildError(f"{scenario.name} cannot be built: {error}") from error
        # What a run directory says must lead to the same traces from anywhere, or say it.
        self.scenario = scenario.vary(pins) if pins else scenario
        self._directory: RunDirectory | None = None
        try:
            self._directory = self._open_directory(out, root)
            self._log = self._open_log()
            self._store = self._open_store()
        except BaseException:
            self._executor.shutdown()
            if self._directory is not None:
                self._directory.close()
            raise

    def _stand(self, *, saves: bool) -> dict[str, object]:
        """Build the world, and let it stand where a run stopped; return what pins its traces."""
        scenario = self.scenario
        self.driver, self.tally = build(
            scenario,
            self._log_line,
            executor=self._executor,
            learner=self._learner,
            open_trace=self._traces,
        )
        wanted = scenario.record.raster
        self._raster = None if wanted is None else Recorder(wanted, self.driver)
        self._keeper = self._open_keeper() if saves else None
        return dict(digests(scenario.links, self._traces))

    def __enter__(self) -> Self:
        """Return the run itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of files and threads; a run that an error ended is marked as failed."""
        self._executor.shutdown()
        try:
            self._log.close()
        except StorageError:
            if error is None:
                raise
            # What ended the run is what is to be told: as a rule it is this same error.
        finally:
            if self._directory is not None:
                self._directory.__exit__(kind, error, trace)

    @property
    def done(self) -> bool:
        """Return whether the end of the run is reached."""
        return self.driver.done

    @property
    def sha256(self) -> str:
        """Return the hash of the log so far."""
        return self._log.sha256()

    def to_end(self, watch: Watch | None, stop: Stop | None) -> Result:
        """Run until it is done or `stop` says so; `watch` is told of each slice."""
        for progress in self.slices():
            if watch is not None:
                watch(progress)
            if stop is not None and stop():
                return self.finish(interrupted=not self.done)
        return self.finish()

    async def to_end_async(self, watch: Watch | None, stop: Stop | None) -> Result:
        """Do the same, letting other tasks go on between slices."""
        try:
            for progress in self.slices():
                if watch is not None:
                    watch(progress)
                await asyncio.sleep(0)
                if stop is not None and stop():
                    return self.finish(interrupted=not self.done)
        except asyncio.CancelledError:
            self.finish(interrupted=not self.done)
            raise
        return self.finish()

    def slices(self, records: int | None = None) -> Iterator[Progress]:
        """Run slice by slice; yield after each how the run stands.

        By default a slice is long enough for what comes between two to cost nothing.
        """
        driver = self.driver
        began = time.perf_counter() - self._wall_s
        if not self._begun:
            driver.start()
            self._begun = True
        while not driver.done:
            keeper = self._keeper
            until = None if keeper is None else keeper.next_ns
            try:
                with self._compiling, quiet():
                    self._records += driver.run_slice(records or SLICE_RECORDS, until)
            except OwnFaultError as fault:
                raise fault.placed(driver.journal.names, driver.kernel.now_ns) from fault
            if keeper is not None and keeper.due and not driver.done:
                self._save(keeper)
            self._wall_s = time.perf_counter() - began
            yield self.progress()

    def _save(self, keeper: Keeper) -> None:
        assert self._store is not None
        # The log stands first: a checkpoint is worth nothing without the records before it.
        log, self._saved_at = self._log.settle(), self._records
        self._store.put(keeper.take(log, records=self._records, wall_s=self._wall_s))

    def progress(self) -> Progress:
        """Return how the run stands."""
        wall_s, records = self._wall_s, self._records
        return progress_of(self.driver, self.tally, wall_s=wall_s, records=records)

    def finish(self, *, interrupted: bool = False) -> Result:
        """Close the books, check them, and write every part of the run directory."""
        tally, driver = self.tally, self.driver
        if interrupted and self._keeper is not None and self._records != self._saved_at:
            self._save(self._keeper)
        reached = driver.kernel.now_ns if interrupted else driver.duration_ns
        driver.close(reached)
        tally.wall_s = self._wall_s
        checked, breaches = check_tally(tally)
        breaches += [*self._audit.breaches, *filter(None, [check_bill(tally, self._audit)])]
        tally.invariants_checked = checked + self._audit.checked + 1
        tally.breaches = [breach.line() for breach in breaches]
        tally.log_sha256 = self._log.close()
        summary = summarise(tally)
        result = self._result(summary, interrupted=interrupted)
        self._write(summary, tally, interrupted=interrupted)
        return result

    def _open_directory(self, out: str | Path | None, root: Path | None) -> RunDirectory | None:
        scenario = self.scenario
        if self._stopped is not None:
            self._stopped.directory.go_on()
            return self._stopped.directory
        own = None if self._learner is None else _name_of(self._learner)
        files = Files(open_disk(scenario.faults, scenario.seed))
        if out is not None:
            return RunDirectory(Path(out), scenario=scenario.dump(), learner=own, files=files)
        if root is None:
            return None
        return RunDirectory.create(
            scenario.run_name, scenario=scenario.dump(), root=root, learner=own, files=files
        )

    def _open_log(self) -> EventLog:
        directory, events = self._directory, self.scenario.record.events
        if directory is None:
            return EventLog(events=events)
        state = None
        if self._stopped is not None:
            saved = self._stopped.saved
            state = LogState.begin() if saved is None else saved.log
            if events and not directory.log_path.exists():
                state = None
        try:
            return EventLog(directory.log_path, events=events, files=directory.files, state=state)
        except StorageError as error:
            directory.fail(error)
            raise

    def _open_keeper(self) -> Keeper | None:
        """Return what takes checkpoints, if any are to be; let it take back what was saved."""
        saved = None
        if self._stopped is not None:
            self._stopped.check_recordings(self.tally.origin())
            saved = self._stopped.saved
        every_ns = self.scenario.checkpoint.every
        if every_ns is None and saved is None:
            return None
        others = [self.tally, self._audit] + ([] if self._raster is None else [self._raster])
        keeper = Keeper(self.driver, others, every_ns=every_ns or self.scenario.duration)
        if saved is not None:
            keeper.take_back(saved)
            self._records, self._wall_s, self._begun = saved.records, saved.wall_s, True
            self._saved_at = saved.records
        return keeper

    def _open_store(self) -> Store | None:
        if self._directory is None or self._keeper is None:
            return None
        directory = self._directory
        return Store(
            directory.path,
            directory.files,
            maker(self._learner),
            begun_with=begun_with(directory.scenario_sha256, self.tally.origin()),
            turn=0 if self._stopped is None else self._stopped.turn,
        )

    def _result(self, summary: Mapping[str, Any], *, interrupted: bool) -> Result:
        path = None if self._directory is None else self._directory.path
        records = self._log.reader() if self.scenario.record.events else ()
        return Result(
            summary=dict(summary),
            path=path,
            interrupted=interrupted,
            records=records,
            samples=tuple(self.tally.samples),
            compile_s=self._compiling.seconds,
            target=self.scenario.target,
        )

    def _write(self, summary: Mapping[str, Any], tally: Tally, *, interrupted: bool) -> None:
        directory = self._directory
        if directory is None:
            return
        directory.write("metrics.csv", csv_text(tally.samples))
        directory.write_json("summary.json", summary)
        if self._raster is not None:
            directory.write(RASTER, self._raster.packed())
        directory.write_provenance(
            provenance(
                seed=self.scenario.seed,
                started_s=self._began_s,
                ended_s=time.time(),
                sensors=tally.origin(),
                own=own_origins(self.scenario),
                traces=self._traces.opened,
                jitters=[link.model.jitter for link in self.driver.carrier.network.links],
            )
        )
        directory.set_status("interrupted" if interrupted else "done")
        if self._store is not None and not interrupted:
            self._store.clear()

    def _log_line(  # noqa: PLR0917 -- the fields of a LogSink
        self, at: int, order: int, target: str, kind: str, subject: Atom, detail: tuple[Atom, ...]
    ) -> None:
        self._log.append(at, order, target, kind, subject, detail)
        self._audit.take(at, target, kind, subject=subject, detail=detail)
        if self._tap is not None:
            value = detail[0] if len(detail) == 1 else detail  # as the log has it
            self._tap(LogRecord(at, order, target, kind, subject, value))


def _name_of(learner: LearnerFactory) -> str:
    return f"{learner.__module__}:{getattr(learner, '__qualname__', type(learner).__qualname__)}"
