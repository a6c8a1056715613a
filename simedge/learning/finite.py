"""What became of numbers: NaN and overflow, and whose they are."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerFaultError
from simedge.learning.ports import DeviceLearner

__all__ = ["check_finite", "first_broken"]

_SAID = "prediction"


def first_broken(parts: Iterable[tuple[str, NDArray[Any]]]) -> str | None:
    """Return the name of the first array with a NaN or an infinity; None: there is none."""
    for name, array in parts:
        if not np.isfinite(array).all():
            return name
    return None


def check_finite(learner: DeviceLearner, value: object, device: int) -> None:
    """See that what a learner knows after its work, and what came of it, are numbers.

    Parameters
    ----------
    value
        What its job returned; a tuple of jobs or parts.
    device
        Whose it is.

    Raises
    ------
    LearnerFaultError
        With rule, part and device.
    """
    place = learner.broken()
    if place is None and not all(map(_sound, value if isinstance(value, tuple) else (value,))):
        place = _SAID
    if place is not None:
        text = "not finite any more (NaN or overflow): smaller rates or gains may help"
        raise LearnerFaultError(f"the rule {learner.rule}, {place},", device, text)


def _sound(value: object) -> bool:
    """Tell whether a loss, or the first of numbers that were scaled together, is finite."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size:
        return math.isfinite(value.item(0))
    return not isinstance(value, float) or math.isfinite(value)
