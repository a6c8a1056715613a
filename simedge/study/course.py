"""The course of a study: hands out what is missing, takes in what comes, loses nothing."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simedge.study.engines import Crew
from simedge.study.errors import StudyError
from simedge.study.found import row_of
from simedge.study.plan import PlannedRun
from simedge.study.table import Row
from simedge.study.worker import Outcome, Ticket

__all__ = ["Course", "StudyProgress"]

_LOOK_S: Final = 0.2
_LOSSES_MAX: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyProgress:
    """Where a study stands.

    Parameters
    ----------
    runs
        In all; `done` and `failed` of them have ended, whenever that was.
    running
        How many are with the engine.
    wall_s
        Seconds since this sitting began.
    left_s
        Seconds to go, by the runs of this sitting; None before the first.
    news
        What ended since this was last told.
    """

    runs: int
    done: int
    failed: int
    running: int
    wall_s: float
    left_s: float | None
    news: tuple[Row, ...] = ()


Watch = Callable[[StudyProgress], None]


class Course:
    """One sitting of a study.

    Parameters
    ----------
    rows
        How every run stands, by name; brought up to date as runs end.
    places
        Where runs go, by name; None keeps nothing.
    halt
        The file that ends the runs that are under way.
    """

    def __init__(
        self,
        rows: dict[str, Row],
        *,
        crew: Crew,
        places: Callable[[str], Path] | None,
        halt: Path,
        fail_fast: bool = False,
    ) -> None:
        self.rows = rows
        self._crew = crew
        self._places = places
        self._halt = halt
        self._fail_fast = fail_fast
        self._flying: dict[Future[Outcome], PlannedRun | None] = {}
        self._warming = False
        self._waiting: deque[PlannedRun] = deque()
        self._lost: dict[str, int] = {}
        self._news: list[Row] = []
        self._ended = 0
        self._began_s = time.monotonic()

    def run(
        self,
        runs: Sequence[PlannedRun],
        *,
        watch: Watch | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> bool:
        """Do some runs; return whether that was interrupted."""
        self._waiting.extend(runs)
        interrupted = False
        self._tell(watch)
        if len(runs) > 1 and self._crew.shares_cache():
            self._warm(runs[0])
        while self._waiting or self._flying:
            if not interrupted and stop is not None and stop():
                interrupted = True
                self._waiting.clear()
                self._halt.touch()
            self._hand_out()
            self._take_in()
            self._tell(watch)
        return interrupted

    def _warm(self, run: PlannedRun) -> None:
        """Let one worker compile what all of them need, before the others begin."""
        ticket = Ticket(scenario=run.scenario.dump(), halt=str(self._halt), warm=True)
        self._flying[self._crew.submit(ticket)] = None
        self._warming = True

    def _hand_out(self) -> None:
        while self._waiting and not self._warming and len(self._flying) < self._crew.places():
            run = self._waiting.popleft()
            place = None if self._places is None else str(self._places(run.name))
            ticket = Ticket(scenario=run.scenario.dump(), out=place, halt=str(self._halt))
            try:
                self._flying[self._crew.submit(ticket)] = run
            except StudyError as error:
                if not self._flying:
                    raise
                self._waiting.clear()  # those under way may still come home
                self._settle(run, Outcome(status="missing", reason=str(error)))

    def _take_in(self) -> None:
        done, _ = wait(self._flying, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
        for future in done:
            run = self._flying.pop(future)
            if run is None:  # whatever came of it, the runs themselves will tell
                self._warming = False
                continue
            try:
                outcome = future.result()
            except (BrokenExecutor, CancelledError) as error:
                self._lose(run, error)
            except Exception as error:  # noqa: BLE001 -- what an engine makes of a dead worker is its own
                reason = f"{type(error).__name__}: {error}"
                self._settle(run, Outcome(status="failed", reason=reason))
            else:
                self._settle(run, outcome)

    def _lose(self, run: PlannedRun, error: BaseException) -> None:
        """Give a run whose worker died to another, once."""
        lost = self._lost[run.name] = self._lost.get(run.name, 0) + 1
        if self._halt.exists():
            self._settle(run, Outcome(status="missing"))
        elif lost <= _LOSSES_MAX:
            self._waiting.appendleft(run)
        else:
            reason = f"its worker died, and the next one too ({type(error).__name__})"
            self._settle(run, Outcome(status="failed", reason=reason))

    def _settle(self, run: PlannedRun, outcome: Outcome) -> None:
        place = None if self._places is None else self._places(run.name)
        row = row_of(run, outcome, place)
        self.rows[run.name] = row
        if row.status == "missing":
            return
        self._news.append(row)
        self._ended += 1
        if row.status == "failed" and self._fail_fast:
            self._waiting.clear()

    def _tell(self, watch: Watch | None) -> None:
        news, self._news = tuple(self._news), []
        if watch is None:
            return
        statuses = [row.status for row in self.rows.values()]
        wall_s = time.monotonic() - self._began_s
        left = len(self._waiting) + len(self._flying)
        watch(
            StudyProgress(
                runs=len(statuses),
                done=statuses.count("done"),
                failed=statuses.count("failed"),
                running=len(self._flying),
                wall_s=wall_s,
                left_s=wall_s / self._ended * left if self._ended else None,
                news=news,
            )
        )
