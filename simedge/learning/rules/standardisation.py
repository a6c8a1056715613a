"""Weights that are used with mean 0 and a length that a gain sets.

For each row (post neuron) of F weights w and its gain g,

    ŵ = g·(w - mean)/s,   s = √(var·F + 1e-4),   var = Σ(w - mean)²/(F - 1)

and a gradient G in ŵ is brought back to w and g by, with x = w - mean,

    dw = g·((G - mean G)/s - x·F·Σ(G·x)/((F - 1)·s³)),   dg = Σ(G·x)/s

Weights have shape (post, pre) with pre >= 2, gains (post,). ŵ is renewed only where changes are
committed. (Qiao et al., arXiv 1903.10520, as S-TLLR uses it, arXiv 2306.15220.)
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerError

__all__ = ["standardised", "unstandardised"]

Floats = NDArray[np.float64]

_LEAST: Final = 1e-4


def standardised(weights: Floats, gain: Floats) -> Floats:
    """Return ŵ, (post, pre)."""
    centred, scale = _parts(weights)
    return np.asarray(gain[:, None] * centred / scale)


def unstandardised(weights: Floats, gain: Floats, gradient: Floats) -> tuple[Floats, Floats]:
    """Return the gradients in w, (post, pre), and in g, (post,), of one in ŵ."""
    centred, scale = _parts(weights)
    inputs = weights.shape[1]
    along = (gradient * centred).sum(axis=1, keepdims=True)
    flat = (gradient - gradient.mean(axis=1, keepdims=True)) / scale
    bent = centred * inputs * along / ((inputs - 1) * scale**3)
    return gain[:, None] * (flat - bent), (along / scale)[:, 0]


def _parts(weights: Floats) -> tuple[Floats, Floats]:
    inputs = weights.shape[1]
    if inputs < 2:
        raise LearnerError(f"a row needs 2 weights or more to be standardised, got {inputs}")
    centred = weights - weights.mean(axis=1, keepdims=True)
    variance = (centred * centred).sum(axis=1, keepdims=True) / (inputs - 1)
    return centred, np.sqrt(variance * inputs + _LEAST)
