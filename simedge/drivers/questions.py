"""What a machine asks of a learner, as the learner's work."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from simedge.drivers.raw_frames import pack_frame, unpack_frame
from simedge.learning.ports import Counts, DeviceLearner, ParameterLearner, Pull
from simedge.protocol.asks import (
    Asked,
    ClassTable,
    GetParams,
    HeldLoss,
    KlStep,
    Op,
    RawFrame,
    SetClassPrior,
    SetLambda,
    SetParams,
    TrainOn,
)
from simedge.sensors.frames import Frame, Sensor
from simedge.world.jobs import Work

__all__ = ["TELLING", "Nothing", "taking", "work_of"]

TELLING: Final[frozenset[Op]] = frozenset({"get_params", "class_table", "held_loss", "train_on"})
"""Operations of a single job whose value the machine is told."""
_NONE: Final = np.empty(0, np.int64)


class Nothing:
    """Work that takes no time and changes nothing."""

    volleys = 0
    counts = Counts()

    def __init__(self, value: object = None) -> None:
        self._value = value
        self.macs: dict[str, int] = {}

    def advance(self, count: int | None = None) -> NDArray[np.int64]:  # noqa: ARG002 - the port's
        """Return no operations."""
        return _NONE

    def commit(self) -> object:
        """Return the value."""
        return self._value

    def discard(self) -> None:
        """Forget it."""


def work_of(
    learner: DeviceLearner, asked: Asked, *, sensor: Sensor, held: Sequence[Frame] = ()
) -> Work:
    """Return the work of a call that is one job.

    Parameters
    ----------
    sensor
        Where frames of others come from.
    held
        Frames that were set aside.
    """
    able = cast("ParameterLearner", learner)
    if isinstance(asked, HeldLoss):
        return able.loss_on(held) if held else Nothing()
    if isinstance(asked, TrainOn):
        return able.train_on(_unpacked(asked, sensor), asked.labels)
    return _WAYS[type(asked)](able, asked)


def taking(frame: Frame) -> Work:
    """Return the work of taking a frame as it is."""
    return Nothing(RawFrame(pack_frame(frame), frame.label))


def _unpacked(asked: TrainOn, sensor: Sensor) -> list[Frame]:
    size = {"width": sensor.width, "height": sensor.height}
    pairs = zip(asked.frames, asked.labels, strict=True)
    return [unpack_frame(data, label, **size) for data, label in pairs]


def _kl_steps(learner: ParameterLearner, asked: KlStep) -> Work:
    pulls = [Pull(*part) for part in asked.parts]
    return learner.kl_steps(pulls, alpha=asked.alpha, steps=asked.steps)


def _class_prior(learner: ParameterLearner, asked: SetClassPrior) -> Work:
    target, mask = asked.target, asked.mask
    return learner.set_class_prior(target, mask, alpha=asked.alpha, steps=asked.steps)


_WAYS: Final[Mapping[type, Callable[[ParameterLearner, Any], Work]]] = MappingProxyType(
    {
        KlStep: _kl_steps,
        SetLambda: lambda learner, asked: learner.set_lambda(asked.values),
        GetParams: lambda learner, _: learner.get_params(),
        SetParams: lambda learner, asked: learner.set_params(asked.values),
        ClassTable: lambda learner, asked: learner.class_table(asked.first, asked.count),
        SetClassPrior: _class_prior,
    }
)
