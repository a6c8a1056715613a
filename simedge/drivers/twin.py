"""A twin: a second device with the name and the key of another, for as long as a fault lasts."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from simedge.core.records import Order
from simedge.drivers.frame_calls import OfFrames
from simedge.drivers.host import Host, Place, Saved
from simedge.drivers.lookahead import LearnerDoor
from simedge.drivers.questions import TELLING
from simedge.kernel.kernel import Record
from simedge.learning.ports import DeviceLearner
from simedge.protocol.machine import (
    FrameLearned,
    LearnerCall,
    LearnerDone,
    ProxyPass,
    Restarted,
    Sample,
)
from simedge.world.jobs import Job

__all__ = ["TwinHost"]

_TICK = "tick"
_ANSWER = "answer"


class Original(Protocol):
    """The device that a twin is the twin of."""

    boot: int

    @property
    def image(self) -> Saved | None:
        """Return its last local checkpoint."""
        ...


class TwinHost(Host):
    """A machine and a learner of their own behind the address of another device.

    It has no camera: it says what the device knew at its last local checkpoint, and what it has
    learned from priors since. It computes for free, and no book is kept about it.

    Parameters
    ----------
    door
        Leads to `learner`.
    interval, tau_ns
        Frames of a token period, and how long that is.
    """

    def __init__(
        self,
        place: Place,
        *,
        learner: DeviceLearner,
        door: LearnerDoor,
        interval: int,
        tau_ns: int,
    ) -> None:
        super().__init__(place)
        self.up = False
        self.checkpoints = False
        self._learner = learner
        self._newborn = learner.dump()
        self._door = door
        self._interval = interval
        self._tau_ns = tau_ns
        self._life = 0

    def begin(self, original: Original, now: int) -> None:
        """Come up beside a device, made from its last local checkpoint, one boot ahead of it."""
        image = original.image
        self.up = True
        self.boot = original.boot + 1
        self._life += 1
        self._order = Order.FAULT
        self._learner.load(self._newborn if image is None else image.learner)
        checkpoint = None if image is None else image.machine
        self._tell(Restarted(boot=self.boot, checkpoint=checkpoint), now)
        self._next_tick(now)

    def retire(self) -> None:
        """Be gone."""
        self.up = False
        self._timers.clear()
        self._life += 1

    @override
    def _own_record(self, record: Record, now: int) -> None:
        kind, payload = record[3], record[4]
        assert isinstance(payload, tuple)
        life, *rest = payload
        if life != self._life:
            return
        if kind == _TICK:
            self._next_tick(now)
            self._tell(FrameLearned(n=self._interval, loss=0.0, correct=False), now)
        else:
            call, value = rest
            self._tell(LearnerDone(call=call, value=value), now)

    @override
    def _call(self, effect: LearnerCall, now: int) -> None:
        if isinstance(effect.args, OfFrames):
            return  # no frame will ever come
        rows = effect.args.count if isinstance(effect.args, ProxyPass) else 0
        job = Job(kind=effect.op, subject=effect.args, since_ns=now, call=effect.call, rows=rows)
        value: object = self._pass(job) if rows else self._door.begin(job).commit()
        if not rows and effect.op not in TELLING:
            value = None
        self._post((now, Order.LEARNED, self.number, _ANSWER, (self._life, effect.call, value)))

    def _pass(self, job: Job) -> NDArray[np.float32]:
        rows = [self._door.rows(job, row, row + 1)[0].commit() for row in range(job.rows)]
        return np.array(rows, np.float32)

    @override
    def _sample(self, effect: Sample, now: int) -> None:
        """Keep none: what a twin knows is nobody's knowledge."""

    def _next_tick(self, now: int) -> None:
        at = now + self._tau_ns
        self._post((at, Order.LEARNED, self.number, _TICK, (self._life,)))
