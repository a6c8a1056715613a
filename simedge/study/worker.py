"""One run of a study, done in a process of its own: told by plain data, answered by plain data.

A run is written under a hidden name and moved to its own when it has ended. So a directory that
has its name is whole, whatever became of the process, and a run that two processes were given,
since one of them was taken for dead, is there once. One that stopped and has a checkpoint is gone
on with, by whoever is given it next.
"""

import os
import shutil
import socket
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from simedge.core.errors import SimedgeError
from simedge.run.disk import TEMPORARY_SUFFIX
from simedge.run.errors import StorageError
from simedge.run.files import Files

if TYPE_CHECKING:
    from simedge.run.result import Result

__all__ = ["ONE_THREAD", "Outcome", "Status", "Ticket", "carry_out", "has_checkpoint", "outcome_of"]

Status = Literal["done", "failed", "interrupted", "missing"]

ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}
"""Environment of a worker: the runs of a study are what goes on side by side."""

_LOOK_S: Final = 0.2
_WARM_SLICES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a worker is given.

    Parameters
    ----------
    scenario
        Resolved, as YAML, its seed inside.
    out
        The run directory to be; None keeps nothing but the summary.
    halt
        A file: as soon as it is there, runs come to their end.
    warm
        Whether to run only the beginning and keep nothing: what it compiles, others then load.
    """

    scenario: str
    out: str | None = None
    halt: str | None = None
    warm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a run; without a summary where it has none."""

    status: Status
    summary: dict[str, Any] | None = None
    reason: str = ""
    wall_s: float = 0.0


def carry_out(ticket: Ticket) -> Outcome:
    """Do one run; whatever fails in it becomes its outcome."""
    _one_thread()
    halted = _halt(ticket.halt)
    if halted():
        return Outcome(status="missing")
    try:
        return _run(ticket, halted)
    except SimedgeError as error:
        reason = f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 -- one failed run must not lose the others
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
    return Outcome(status="failed", reason=reason)


def outcome_of(summary: dict[str, Any], *, interrupted: bool, wall_s: float) -> Outcome:
    """Return the outcome of a run that came to an end: broken invariants are a failure."""
    broken = summary["invariants"]["broken"]
    if interrupted:
        return Outcome(status="interrupted", summary=summary, wall_s=wall_s)
    if broken:
        reason = f"broken invariant: {broken[0]}"
        return Outcome(status="failed", summary=summary, reason=reason, wall_s=wall_s)
    return Outcome(status="done", summary=summary, wall_s=wall_s)


def _run(ticket: Ticket, halted: Callable[[], bool]) -> Outcome:
    # What a run stands on takes a second to load, which who only plans a study does without.
    from simedge.run.scenario import Scenario  # noqa: PLC0415
    from simedge.run.simulate import simulate  # noqa: PLC0415

    began_s = time.perf_counter()
    scenario = Scenario.parse(ticket.scenario, source="scenario of the study")
    final = None if ticket.out is None else Path(ticket.out)
    here = None if final is None else _hidden(final)
    try:
        result = None
        if here is not None and final is not None and _taken_over(final, here):
            result = _resumed(here, halted)
        if result is None:
            result = simulate(scenario, out=here, stop=_soon(halted) if ticket.warm else halted)
    finally:
        if here is not None and final is not None:
            _settle(here, final)
    return outcome_of(
        result.summary, interrupted=result.interrupted, wall_s=time.perf_counter() - began_s
    )


def has_checkpoint(place: Path) -> bool:
    """Tell whether a run directory holds something that looks like a checkpoint."""
    return any((place / "checkpoint").glob("manifest-*.json"))


def _taken_over(final: Path, here: Path) -> bool:
    """Move a run here that stopped and has a checkpoint, if there is one that nobody works on."""
    from simedge.run.rundir import RunDirectoryError, lock  # noqa: PLC0415 -- as above

    beside = f".{escape(final.name)}.{escape(socket.gethostname())}-*{TEMPORARY_SUFFIX}"
    for place in (final, *final.parent.glob(beside)):
        if has_checkpoint(place):
            with suppress(RunDirectoryError):  # a worker that was taken for dead may be alive
                held = lock(place)
                try:
                    Files().move(place, here)
                finally:
                    os.close(held)
                return True
    return False


def _resumed(here: Path, halted: Callable[[], bool]) -> "Result | None":
    """Go on with a run; None, and nothing left of it, if its checkpoint is of no use here."""
    from simedge.run.checkpoint.errors import CheckpointError  # noqa: PLC0415 -- as above
    from simedge.run.resume import resume  # noqa: PLC0415
    from simedge.run.rundir import RunDirectoryError  # noqa: PLC0415

    try:
        return resume(here, stop=halted)
    except StorageError:
        raise
    except (CheckpointError, RunDirectoryError):  # written by other code, as a rule
        shutil.rmtree(here, ignore_errors=True)
        return None


def _hidden(final: Path) -> Path:
    """Return where this process works on a run; nobody else does."""
    who = f"{socket.gethostname()}-{os.getpid()}"
    hidden = final.with_name(f".{final.name}.{who}{TEMPORARY_SUFFIX}")
    shutil.rmtree(hidden, ignore_errors=True)
    return hidden


def _settle(hidden: Path, final: Path) -> None:
    """Give a run its name, unless another process was first."""
    if not hidden.exists():
        return
    try:
        Files().move(hidden, final)
    except StorageError:
        if not final.exists():
            raise
        shutil.rmtree(hidden, ignore_errors=True)


def _halt(path: str | None) -> Callable[[], bool]:
    """Return what tells whether to stop; it looks at most five times a second."""
    next_s = 0.0
    found = False

    def halted() -> bool:
        nonlocal next_s, found
        now_s = time.monotonic()
        if path is not None and now_s >= next_s:
            next_s = now_s + _LOOK_S
            found = found or os.path.exists(path)  # noqa: PTH110 -- a third of the price
        return found

    return halted


def _soon(halted: Callable[[], bool]) -> Callable[[], bool]:
    """Return what lets a run begin: it is asked between slices."""
    slices = 0

    def enough() -> bool:
        nonlocal slices
        slices += 1
        return slices >= _WARM_SLICES or halted()

    return enough


def _one_thread() -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        with suppress(RuntimeError):
            torch.set_num_threads(1)
