"""The processor's door to the learner of one device."""

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

from simedge.learning.ports import DeviceLearner, Pull
from simedge.protocol.machine import KlStep, ProxyPass, SetLambda
from simedge.sensors.frames import Frame, Sensor
from simedge.world.jobs import Job, Work

__all__ = ["LearnerDoor", "ProxyItems"]


class LearnerDoor:
    """Turns jobs into the learner's work.

    Parameters
    ----------
    items
        The proxy set as learners see it, shared by all devices.
    executor
        None if volleys are stepped: then the rows of a pass are not computed in one go.
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
        self._stepped = executor is None

    def begin(self, job: Job) -> Work:
        """Return the work of a frame or of a call that is one job."""
        asked = job.subject
        if isinstance(asked, Frame):
            return self._learner.learn(asked)
        if isinstance(asked, KlStep):
            pulls = [Pull(*part) for part in asked.parts]
            return self._learner.kl_steps(pulls, alpha=asked.alpha, steps=asked.steps)
        assert isinstance(asked, SetLambda)
        return self._learner.set_lambda(asked.values)

    def rows(self, job: Job, first: int, stop: int) -> Sequence[Work]:
        """Return the work of the rows first .. stop - 1 of a proxy pass."""
        asked, learner = job.subject, self._learner
        assert isinstance(asked, ProxyPass)
        if self._stepped:
            frames = enumerate(self._sensor.proxy[asked.first + first : asked.first + stop], first)
            return [learner.proxy_row(item, address=asked.address, row=i) for i, item in frames]
        items = self._items.get(asked.first, asked.count)
        return learner.pass_rows(items, address=asked.address, first=first, stop=stop)


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
