"""Going on with a run that stopped: `resume` ends it as if it had never stopped."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from simedge.core.errors import SimedgeError
from simedge.learning.ports import LearnerFactory
from simedge.run.checkpoint.stopped import Stopped, take_up
from simedge.run.eventlog import LogReader
from simedge.run.parts import LOG
from simedge.run.result import Progress, Result
from simedge.run.rundir import RunDirectoryError
from simedge.run.scenario import Scenario
from simedge.run.simulate import Run

__all__ = ["resume", "resume_async"]

Say = Callable[[str], None]


def resume(
    path: str | Path,
    *,
    learner: LearnerFactory | None = None,
    watch: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    say: Say | None = None,
) -> Result:
    """Go on with a run that was interrupted, was killed or failed, in its own directory.

    It goes on from its newest valid checkpoint, or from the start if it has none, and ends with the
    log hash and the summary of the run that was never interrupted. Of a run that has ended already
    the result is returned, without samples; nothing is done.

    Parameters
    ----------
    path
        Run directory.
    learner
        As for `simulate`: needed again if the run had one.
    watch, stop
        As for `simulate`.
    say
        Told, a line each, from where the run goes on, and what is odd.

    Raises
    ------
    RunDirectoryError
        If it is no run directory, in use, or lacks its learner.
    CheckpointError
        If the checkpoint was written by other code, or is that of another run.
    SimedgeError
        As for `simulate`.
    """
    stopped = _taken_up(Path(path), learner, say)
    if stopped is None:
        return _ended(Path(path))
    with _going_on(stopped, learner) as run:
        return run.to_end(watch, stop)


async def resume_async(
    path: str | Path,
    *,
    learner: LearnerFactory | None = None,
    watch: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    say: Say | None = None,
) -> Result:
    """Do as `resume` as an asyncio task; cancelling it finishes the directory as interrupted."""
    stopped = _taken_up(Path(path), learner, say)
    if stopped is None:
        return _ended(Path(path))
    with _going_on(stopped, learner) as run:
        return await run.to_end_async(watch, stop)


def _taken_up(path: Path, learner: LearnerFactory | None, say: Say | None) -> Stopped | None:
    stopped = take_up(path, learner=learner)
    words = (f"{path}: the run has ended, there is nothing to resume",)
    for word in words if stopped is None else stopped.words:
        if say is not None:
            say(word)
    return stopped


def _going_on(stopped: Stopped, learner: LearnerFactory | None) -> Run:
    try:
        return Run(stopped.scenario, learner=learner, stopped=stopped)
    except BaseException:
        stopped.directory.close()
        raise


def _ended(path: Path) -> Result:
    file = path / "summary.json"
    try:
        summary = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise RunDirectoryError(f"{file}: no readable summary of a run that has ended") from error
    log, target = path / LOG, None
    with suppress(SimedgeError):  # its scenario may be of another age
        target = Scenario.load(path / "scenario.yaml").target
    records = LogReader(log) if log.is_file() else ()
    return Result(summary=summary, path=path, records=records, target=target)
