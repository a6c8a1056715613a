"""Evaluation: how right every device is on one held-out list, seen from outside the world.

The observer takes no virtual time, energy, counter, draw or state. All devices and all arms of a
study are asked the same items; after a shift the same source images are shown shifted.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from simedge.core.records import Due, Order
from simedge.drivers.journal import Journal
from simedge.drivers.tally import Evaluation
from simedge.sensors.frames import Frame, Sensor

__all__ = ["Observed", "Observer", "Predictor"]

EVALUATE = "evaluate"
SERVER = 0


class Predictor(Protocol):
    """What the observer needs of a learner: pure functions of its present weights."""

    def prepare(self, frames: Sequence[Frame]) -> Any:  # noqa: ANN401 -- each learner's own form
        """Bring frames into the learner's own form, once for all devices."""
        ...

    def predict(self, frames: Any) -> NDArray[np.int64]:  # noqa: ANN401
        """Return the predicted class of each frame; changes nothing."""
        ...


class Observed(Protocol):
    """A device as the observer sees it."""

    @property
    def number(self) -> int:
        """Return its number."""
        ...

    @property
    def name(self) -> str:
        """Return its name."""
        ...

    @property
    def up(self) -> bool:
        """Return whether it runs."""
        ...

    @property
    def predictor(self) -> Predictor | None:
        """Return what predicts on it now; None: nobody answers it."""
        ...


class Observer:
    """Evaluates the devices that are up at every `every_ns` and 1 ns before each shift.

    A device that is up and that nobody answers, as it has no model and no server serves it, has
    no item right: it counts with 0, below chance, as no answer was ever given.

    Parameters
    ----------
    devices
        Whom to ask; their learners are built alike, so that items are prepared once.
    items
        Length of the held-out list, class-balanced.
    executor
        Runs the predictions side by side; they release the interpreter lock.
    """

    def __init__(  # noqa: PLR0913
        self,
        devices: Sequence[Observed],
        sensor: Sensor,
        *,
        items: int,
        every_ns: int,
        duration_ns: int,
        journal: Journal,
        executor: Executor,
    ) -> None:
        self._devices = devices
        self._sensor = sensor
        # A sensor that has no held-out items has nothing to ask.
        self._items = items if sensor.evaluation(1, shifted=False) else 0
        self._every_ns = every_ns
        self._duration_ns = duration_ns
        self._journal = journal
        self._executor = executor
        self._lists: dict[bool, tuple[Sequence[Frame], NDArray[np.int64]]] = {}
        self._prepared: dict[bool, Any] = {}
        self._before = {at - 1 for at in sensor.shifts_ns if 0 < at <= duration_ns}

    def next_due(self, target: int, now: int) -> Due | None:
        """Return the first evaluation at `now` or later, if there is one before the end."""
        if self._items == 0:
            return None
        regular = -(-now // self._every_ns) * self._every_ns
        at = min([regular, *(before for before in self._before if before >= now)])
        if at > self._duration_ns:
            return None
        return Due(at=at, order=Order.METRICS, target=target, kind=EVALUATE)

    def evaluate(self, now: int) -> None:
        """Ask every device that is up, and write down how right each is."""
        shifted = any(at <= now for at in self._sensor.shifts_ns)
        asked = [device for device in self._devices if device.up]
        if not asked:
            return
        answered = {device: device.predictor for device in asked}
        # Devices that one server serves have one predictor, which is asked once for all.
        predictors = {id(each): each for each in answered.values() if each is not None}
        counts = self._right(list(predictors.values()), shifted=shifted)
        by_predictor = dict(zip(predictors, counts, strict=True))
        right = {device: by_predictor.get(id(each), 0) for device, each in answered.items()}
        items = len(self._list(shifted=shifted)[1])
        self._write(now, right, items=items, before_shift=now in self._before and not shifted)

    def _right(self, predictors: Sequence[Predictor], *, shifted: bool) -> list[int]:
        """Return how many items each predictor has right."""
        if not predictors:
            return []
        frames, labels = self._list(shifted=shifted)
        if shifted not in self._prepared:
            self._prepared[shifted] = predictors[0].prepare(frames)
        prepared = self._prepared[shifted]

        def ask(predictor: Predictor) -> int:
            return int(np.count_nonzero(predictor.predict(prepared) == labels))

        return list(self._executor.map(ask, predictors))

    def _write(
        self, now: int, right: dict[Observed, int], *, items: int, before_shift: bool
    ) -> None:
        journal, tally = self._journal, self._journal.tally
        number, bits = len(tally.evaluations), tally.bits_up + tally.bits_down
        journal.sample(now, SERVER, metric="bits", value=bits)
        for device, correct in right.items():
            journal.log(
                now,
                Order.METRICS,
                device.number,
                kind="evaluated",
                subject=number,
                detail=(correct, items),
            )
            journal.sample(now, device.number, metric="accuracy", value=correct / items)
        tally.evaluations.append(
            Evaluation(
                at_ns=now,
                items=items,
                correct={device.name: correct for device, correct in right.items()},
                bits=bits,
                frames_learned=tally.counts.frames_learned + tally.counts.frames_taken,
                before_shift=before_shift,
            )
        )

    def _list(self, *, shifted: bool) -> tuple[Sequence[Frame], NDArray[np.int64]]:
        if shifted not in self._lists:
            frames = self._sensor.evaluation(self._items, shifted=shifted)
            labels = np.array([frame.label for frame in frames], np.int64)
            self._lists[shifted] = frames, labels
        return self._lists[shifted]
