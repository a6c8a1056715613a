"""Watching a run from asyncio: its records as they happen.

The run goes on only while its records are taken (back-pressure), other tasks of the loop go on
between its slices, and whoever stops looking stops the run, which closes its books.
"""

import asyncio
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Self

from simedge.core.errors import SimedgeError
from simedge.learning.ports import LearnerFactory
from simedge.run.eventlog import LogRecord
from simedge.run.result import Progress, Result  # noqa: TC001 -- shown by help()
from simedge.run.scenario import Scenario
from simedge.run.simulate import Run

__all__ = ["StreamedTwiceError", "Watched", "stream"]


class StreamedTwiceError(SimedgeError, RuntimeError):
    """A run is one history: its records are handed out once."""


def stream(
    scenario: Scenario,
    *,
    seed: int | None = None,
    out: str | Path | None = None,
    root: Path | None = None,
    learner: LearnerFactory | None = None,
) -> "Watched":
    """Run a scenario and hand out the records of its event log as they happen.

    Parameters
    ----------
    scenario, seed, out, root, learner
        As for `simulate`.

    Returns
    -------
    Watched
        Iterate over it with ``async for``, once; nothing runs before. Leaving the loop, closing it
        or cancelling the task stops the run after the present slice and finishes its directory as
        interrupted.

    Examples
    --------
    >>> import asyncio, simedge
    >>> async def first_lesson(scenario):
    ...     async for record in simedge.stream(scenario):
    ...         if record.kind == "frame-learned":
    ...             return record.target
    >>> asyncio.run(first_lesson(simedge.load("two_devices")))
    'box-1'
    """
    return Watched(scenario, seed=seed, out=out, root=root, learner=learner)


class Watched:
    """A run that goes on while someone looks.

    ``progress`` says how it stands, ``result`` is there once it has ended; ``stop()`` ends it
    after the records of the present slice.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: int | None = None,
        out: str | Path | None = None,
        root: Path | None = None,
        learner: LearnerFactory | None = None,
    ) -> None:
        self.progress: Progress | None = None
        self.result: Result | None = None
        self._scenario, self._seed, self._learner = scenario, seed, learner
        self._out, self._root = out, root
        self._fresh: list[LogRecord] = []
        self._looked = self._stopped = False
        self._run: Run | None = None

    def __aiter__(self) -> AsyncIterator[LogRecord]:
        """Return the records.

        Raises
        ------
        StreamedTwiceError
            The second time.
        """
        if self._looked:
            raise StreamedTwiceError("the records of a run are handed out once: stream it again")
        self._looked = True
        return _Records(self._steps())

    async def __aenter__(self) -> Self:
        """Return the run itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the run if it has not ended."""
        await self.aclose()

    def stop(self) -> None:
        """End the run after the present slice."""
        self._stopped = True

    async def aclose(self) -> None:
        """Stop the run now, and close its books."""
        self._looked = True
        self._end()

    def _steps(self) -> Generator[LogRecord | None]:
        """Yield the records of each slice, then None; whoever drops this ends the run."""
        with Run(
            self._scenario,
            seed=self._seed,
            out=self._out,
            root=self._root,
            learner=self._learner,
            tap=self._fresh.append,
        ) as run:
            self._run = run
            try:
                for progress in run.slices():
                    self.progress = progress
                    yield from self._slice()
                    if self._stopped or self.result is not None:
                        break
            except GeneratorExit:
                self._end()
            else:
                self._end()

    def _slice(self) -> Generator[LogRecord | None]:
        fresh, self._fresh[:] = self._fresh[:], ()
        for record in fresh:
            yield record
            if self.result is not None:
                return
        yield None

    def _end(self) -> None:
        if self._run is not None and self.result is None:
            self.result = self._run.finish(interrupted=not self._run.done)


class _Records:
    """What ``async for`` holds; a run ends with it, at once, for nothing else refers to the steps.

    An asynchronous generator would have its end put off until the loop finds the time.
    """

    def __init__(self, steps: Generator[LogRecord | None]) -> None:
        self._steps = steps

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> LogRecord:
        """Return the next record; between two slices other tasks go first."""
        try:
            for record in self._steps:
                if record is not None:
                    return record
                await asyncio.sleep(0)
        except BaseException:  # whatever ends the wait, most of all a cancelled task
            self._steps.close()
            raise
        raise StopAsyncIteration
