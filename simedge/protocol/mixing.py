"""Means of models: weights that are a row of a stochastic matrix, applied coordinate by coordinate.

Sums are taken in float64 and rounded once, so that equal models stay what they are and no
coordinate leaves the range of its inputs.
"""

from collections.abc import Sequence
from math import fsum
from typing import Final

import numpy as np

from simedge.protocol.asks import Floats, Params

__all__ = ["mix", "narrow", "stochastic"]

_LARGEST: Final = float(np.finfo(np.float32).max)


def narrow(values: Floats) -> Params:
    """Return values as float32; what is too large for it becomes the largest there is."""
    return np.clip(values, -_LARGEST, _LARGEST).astype(np.float32)


def stochastic(weights: Sequence[float]) -> list[float]:
    """Return weights, each >= 0, scaled so that they sum to 1; all alike if none is positive.

    >>> stochastic([4, 12])
    [0.25, 0.75]
    >>> stochastic([0, 0])
    [0.5, 0.5]
    """
    total = fsum(weights)
    if total <= 0:
        return [1 / len(weights)] * len(weights)
    return [weight / total for weight in weights]


def mix(row: Sequence[float], models: Sequence[Params]) -> Params:
    """Return the mean of models with these weights, which sum to 1."""
    total = np.zeros(len(models[0]))
    for weight, model in zip(row, models, strict=True):
        total += weight * model.astype(np.float64)
    return narrow(total)
