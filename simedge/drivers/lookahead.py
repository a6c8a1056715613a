"""The processor's door to the learner, with a look ahead.

A frame that a device will see next is known before it arrives, and nothing touches an idle
device's learner until then. So its computation may begin at once on another core, and is thrown
away when something else comes first. The results are the same; only the wall clock notices.
"""

from collections.abc import Mapping, Sequence  # noqa: TC003 -- annotates an attribute
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simedge.learning.ports import DeviceLearner
from simedge.protocol.machine import KlStep, ProxyPass, SetLambda
from simedge.sensors.frames import Frame, Sensor
from simedge.world.device import Job, Work

__all__ = ["LearnerDoor", "ProxyItems"]


class LearnerDoor:
    """Turns a job into the learner's work.

    Parameters
    ----------
    items
        The proxy set as learners see it, shared by all devices.
    executor
        Computes frames ahead of their arrival; without one every job is computed when it starts.
    """

    def __init__(
        self,
        learner: DeviceLearner,
        sensor: Sensor,
        *,
        items: "ProxyItems",
        executor: Executor | None,
    ) -> None:
        self._learner = learner
        self._sensor = sensor
        self._items = items
        self._rows: dict[int, Work] = {}
        self._second: Future[Sequence[Work]] | None = None
        self._executor = executor
        self._ahead: _Ahead | None = None

    def begin(self, job: Job, row: int) -> Work:
        """Return the work of a job, or of one row of a proxy pass."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            if job.subject is ahead.frame:
                return ahead.take()
            ahead.discard()
        if isinstance(job.subject, ProxyPass):
            return self._row(job.subject, row)
        self._drop_pass()
        match job.subject:
            case KlStep() as step:
                return self._kl_step(step)
            case SetLambda(values=values):
                return self._learner.set_lambda(values)
            case frame:
                assert isinstance(frame, Frame)
                return self._learner.learn(frame)

    @property
    def busy(self) -> bool:
        """Whether a frame is computed ahead already, or cannot be."""
        return self._ahead is not None or self._executor is None

    def anticipate(self, frame: Frame) -> None:
        """Begin to compute a frame that is to arrive next, on an idle device."""
        if self._executor is not None:
            self._ahead = _Ahead(frame, self._executor.submit(self._compute, frame))

    def _compute(self, frame: Frame) -> tuple[Work, NDArray[np.int64]]:
        work = self._learner.learn(frame)
        return work, work.advance()

    def _drop_pass(self) -> None:
        """Forget rows computed ahead: what comes now may change what they rest on."""
        self._rows = {}
        if self._second is not None:
            self._second.result()
            self._second = None

    def _row(self, asked: ProxyPass, row: int) -> Work:
        """Return the work of one row; all rows are computed with the first, until one learns."""
        if self._executor is None:
            frame = self._sensor.proxy[asked.first + row]
            return self._learner.proxy_row(frame, address=asked.address, row=row)
        if row not in self._rows:
            self._pass_from(asked, row)
        return self._rows.pop(row)

    def _pass_from(self, asked: ProxyPass, row: int) -> None:
        """Compute the rows from `row` on: the second half of them on another core."""
        assert self._executor is not None
        if self._second is not None:
            works, self._second = self._second.result(), None
            self._rows = dict(enumerate(works, row))
            return
        items = self._items.get(asked.first, asked.count)
        half = row + (asked.count - row + 1) // 2
        if half < asked.count:
            self._second = self._executor.submit(
                self._learner.pass_rows, items, address=asked.address, first=half
            )
        works = self._learner.pass_rows(items, address=asked.address, first=row, stop=half)
        self._rows = dict(enumerate(works, row))

    def _kl_step(self, step: KlStep) -> Work:
        """Return the work of KL steps, whose time is known before they are computed."""
        work = self._learner.kl_step(
            address=step.address,
            target=step.target,
            mask=step.mask,
            alpha=step.alpha,
            steps=step.steps,
        )
        compute = getattr(work, "compute", None)
        if self._executor is None or compute is None:
            return work
        return _Later(work, self._executor.submit(compute))

    def forget(self) -> None:
        """Throw away what was begun ahead."""
        self._drop_pass()
        if self._ahead is not None:
            self._ahead.discard()
            self._ahead = None


class ProxyItems:
    """The proxy set in the form of the learners, which are built alike: prepared once for all."""

    def __init__(self, learner: DeviceLearner, sensor: Sensor) -> None:
        self._learner = learner
        self._sensor = sensor
        self._prepared: dict[tuple[int, int], Any] = {}

    def get(self, first: int, count: int) -> Any:  # noqa: ANN401 -- each learner's own form
        """Return `count` items from `first` on."""
        key = first, count
        if key not in self._prepared:
            self._prepared[key] = self._learner.prepare(self._sensor.proxy[first : first + count])
        return self._prepared[key]


class _Ahead:
    """Work that was begun before its job, on another core."""

    __slots__ = ("_future", "frame")

    def __init__(self, frame: Frame, future: Future[tuple[Work, NDArray[np.int64]]]) -> None:
        self.frame = frame
        self._future = future

    def take(self) -> Work:
        """Wait until it is computed, and return it as the work of its job."""
        work, events = self._future.result()
        return _Computed(work, events)

    def discard(self) -> None:
        """Throw it away."""
        work, _ = self._future.result()
        work.discard()


class _Later:
    """Dense work that is computed on another core until its job ends."""

    __slots__ = ("_future", "_work", "advance", "counts", "macs", "volleys")

    def __init__(self, work: Work, future: "Future[None]") -> None:
        self._work = work
        self._future = future
        self.volleys = work.volleys
        self.counts: Any = work.counts
        self.macs: Mapping[str, int] = work.macs
        self.advance = work.advance

    def commit(self) -> object:
        """Wait until it is computed; take effect."""
        self._future.result()
        return self._work.commit()

    def discard(self) -> None:
        """Wait until it is computed; forget it."""
        self._future.result()
        self._work.discard()


class _Computed:
    """Work whose volleys have run."""

    __slots__ = ("_events", "_work", "commit", "counts", "discard", "macs", "volleys")

    def __init__(self, work: Work, events: NDArray[np.int64]) -> None:
        self._work = work
        self._events = events
        self.volleys = work.volleys
        self.counts: Any = work.counts
        self.macs: Mapping[str, int] = work.macs
        self.commit = work.commit
        self.discard = work.discard

    def advance(self, count: int | None = None) -> NDArray[np.int64]:
        """Return the events of all volleys."""
        assert count is None, "what is computed ahead is computed whole"
        return self._events
