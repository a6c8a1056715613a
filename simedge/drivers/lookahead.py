"""The processor's door to the learner of one device, with a look ahead.

A frame that an idle device will see next is known before it arrives, and nothing touches the
device's learner until then. So when the first device of a batch of them is to learn, the frames of
all are computed in one go, on two cores; what comes to nothing (the device crashes, or another job
comes first) is thrown away. The results are the same: only the wall clock notices.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from simedge.drivers.frame_calls import FrameCalls, OpenCall
from simedge.drivers.questions import taking, work_of
from simedge.learning.ports import DeviceLearner, ParameterLearner
from simedge.protocol.asks import Asked, ProxyPass, TakeFrame, Train
from simedge.sensors.frames import Frame, Sensor
from simedge.world.jobs import Job, Work

__all__ = ["HELD_MAX", "Horizon", "LearnerDoor", "ProxyItems", "Shown"]

HELD_MAX: Final = 16
"""Frames set aside that a loss is taken on."""

Shown = tuple[Any, int]
"""Frames in the learner's own form, and which of them."""


class LearnerDoor:
    """Turns jobs into the learner's work.

    Parameters
    ----------
    items
        The proxy set as learners see it, shared by all devices.
    horizon
        Computes frames ahead; None if volleys are stepped: then the rows of a pass are not computed
        in one go either.
    on_call
        Whether frames that no call wants are not learned.
    """

    def __init__(
        self,
        learner: DeviceLearner,
        sensor: Sensor,
        *,
        items: "ProxyItems",
        horizon: "Horizon | None",
        on_call: bool = False,
    ) -> None:
        self.calls = FrameCalls(on_call=on_call)
        """What frames are wanted for."""
        self.held: deque[Frame] = deque(maxlen=HELD_MAX)
        """Frames set aside."""
        self._held_for: OpenCall | None = None
        self._learner = learner
        self._sensor = sensor
        self._items = items
        self._horizon = horizon
        self._stepped = horizon is None
        self._next: tuple[Frame, Work] | None = None

    def begin(self, job: Job) -> Work:
        """Return the work of a frame or of a call that is one job."""
        asked = job.subject
        if isinstance(asked, Frame):
            return self._frame(asked)
        self.forget()
        return work_of(
            self._learner, cast("Asked", asked), sensor=self._sensor, held=tuple(self.held)
        )

    def _frame(self, frame: Frame) -> Work:
        served = self.calls.begin()
        if served is None or isinstance(served.args, Train):
            self._hold(served)
            return self._learn(frame)
        self.forget()
        if isinstance(served.args, TakeFrame):
            return taking(frame)
        return cast("ParameterLearner", self._learner).slope(frame)

    def _learn(self, frame: Frame) -> Work:
        ahead, self._next = self._next, None
        if ahead is not None and self._horizon is not None:
            if ahead[0] is frame:
                return self._horizon.take(ahead[1])
            self._horizon.drop(ahead[1])
        return self._learner.learn(frame)

    def _hold(self, served: OpenCall | None) -> None:
        """Tell the learner under what terms it learns, when they change."""
        if served is self._held_for:
            return
        self._held_for, learner = served, cast("ParameterLearner", self._learner)
        if served is None:
            learner.hold()
        elif isinstance(args := served.args, Train):
            learner.hold(anchor=args.anchor, rho=args.rho, sparsity=args.sparsity)

    def crash(self) -> None:
        """Forget all that a crash takes: open calls, what was computed ahead, terms."""
        self.forget()
        self.calls.clear()
        self.held.clear()
        self._hold(None)

    def rows(self, job: Job, first: int, stop: int) -> Sequence[Work]:
        """Return the work of the rows first .. stop - 1 of a proxy pass."""
        asked, learner = job.subject, self._learner
        self.forget()
        assert isinstance(asked, ProxyPass)
        if self._stepped:
            frames = enumerate(self._sensor.proxy[asked.first + first : asked.first + stop], first)
            return [learner.proxy_row(item, address=asked.address, row=i) for i, item in frames]
        items = self._items.get(asked.first, asked.count)
        return learner.pass_rows(items, address=asked.address, first=first, stop=stop)

    def anticipate(self, frame: Frame, shown: Shown) -> None:
        """Note the frame that an idle device will see next, as `prepare` gave it."""
        if not self.calls.learns_next:
            return
        if self._next is None and self._horizon is not None and self._horizon.open:
            self._next = frame, self._horizon.add(self._learner.learn(frame, shown=shown))

    def forget(self) -> None:
        """Throw away what was noted or computed ahead."""
        if self._next is not None and self._horizon is not None:
            self._horizon.drop(self._next[1])
        self._next = None


class Horizon:
    """Frames that will be learned next, of all devices of a run.

    Parameters
    ----------
    together
        Runs works of the run's learners; None if they have no such way.
    """

    def __init__(self, together: Callable[[Sequence[Any]], None] | None) -> None:
        self._together = together
        self._waiting: dict[int, Work] = {}

    @property
    def open(self) -> bool:
        """Whether anything can be computed ahead."""
        return self._together is not None

    def add(self, work: Work) -> Work:
        """Note a work that nobody has begun."""
        self._waiting[id(work)] = work
        return work

    def take(self, work: Work) -> Work:
        """Return a noted work, computed: all that wait are."""
        if id(work) in self._waiting and self._together is not None:
            self._together(list(self._waiting.values()))
            self._waiting.clear()
        return work

    def drop(self, work: Work) -> None:
        """Throw away a noted work."""
        self._waiting.pop(id(work), None)
        work.discard()


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
