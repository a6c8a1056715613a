"""The delta rule of a softmax readout, and the pull of a prior on it.

    z = O·r,   P = softmax(κ·z),   ε = y* - P,   O ← O + η·ε⊗r

A prior adds α·D(P_g‖P) to the loss; its gradient in z is κ·(P - P_g), so a KL step is a delta rule
with target P_g: O ← O - η·α·κ·(P - P_g)⊗r. (Widrow and Hoff 1960; cross entropy with softmax.)
Nothing is propagated to the layers below.
"""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import math

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_leaf
from simedge.neurons.kinds import Index, Reals, Whole

__all__ = [
    "add_outer",
    "kl_gradient",
    "kl_terms",
    "pull",
    "room_for",
    "score",
    "softmax",
    "softmax_in_place",
]

Vector = NDArray[np.float64]


def softmax(scores: Vector, sharpness: float = 1.0) -> Vector:
    """Return softmax(κ·z), float64, same shape, sums to 1 over the last axis."""
    shifted = sharpness * (scores - scores.max(axis=-1, keepdims=True))
    powers = np.exp(shifted)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def kl_gradient(scores: Vector, prior: Vector, sharpness: float = 1.0) -> Vector:
    """Return dD(P_g‖P)/dz = κ·(P - P_g)."""
    return sharpness * (softmax(scores, sharpness) - prior)


def kl_terms(own: Vector, prior: Vector) -> tuple[float, float]:
    """Return (D(P_g‖P), D(P‖P_g)): the loss, and the policy's measure of disagreement."""
    ratio = np.log(own / prior)
    return float(-(prior * ratio).sum()), float((own * ratio).sum())


@native_leaf
def score(readout: Reals, feature: Reals, out: Reals) -> None:
    """Set `out` to z = O·r. `readout` is (features, classes)."""
    for c in range(out.size):
        out[c] = 0.0
    for i in range(Index(feature.size)):
        value = feature[i]
        for c in range(Index(out.size)):
            out[c] += readout[i, c] * value


@native_leaf
def softmax_in_place(scores: Reals, classes: Whole) -> None:
    """Replace the first `classes` scores by their softmax, the rest (padding) by 0."""
    top = scores[0]
    for c in range(1, classes):
        top = max(top, scores[c])
    total = 0.0
    for c in range(classes):
        total += math.exp(float(scores[c]) - float(top))
    for c in range(classes):
        scores[c] = math.exp(float(scores[c]) - float(top)) / total
    for c in range(classes, scores.size):
        scores[c] = 0.0


@native_leaf
def add_outer(readout: Reals, feature: Reals, error: Reals) -> None:
    """Add ε⊗r; `error` carries the rate."""
    for i in range(Index(feature.size)):
        value = feature[i]
        for c in range(Index(error.size)):
            readout[i, c] += error[c] * value


def room_for(rows: int, width: int) -> tuple[Reals, Reals, Reals]:
    """Return what `pull` computes in: scores, products of rows, errors now and in all; zeros."""
    return (
        np.zeros((rows, width), np.float32),
        np.zeros((rows, rows), np.float32),
        np.zeros((2 * rows, width), np.float32),
    )


@native_leaf
def pull(
    readout: Reals,
    features: Reals,
    target: NDArray[np.float64],
    step: float,
    steps: Whole,
    room: tuple[Reals, Reals, Reals],
) -> None:
    """Take KL steps towards the priors `target` (rows, classes), each by the mean over rows.

    `features` is (features, rows). All rows of one step see the same weights. Steps move O within
    the span of the rows, so that scores follow from the rows' products, Z += η·(R·Rᵀ)·E, and O is
    written once, O += η·Rᵀ·ΣE: the same as step by step, for any number of steps.
    `room` is a fresh `room_for` it.
    """
    rows, classes = target.shape
    scores, products, errors = room
    spread(scores, features, readout)
    spread(products, features, features)
    for _ in range(steps):
        for i in range(rows):
            for c in range(classes):
                errors[i, c] = scores[i, c]
            softmax_in_place(errors[i], classes)
            for c in range(classes):
                errors[i, c] = (target[i, c] - errors[i, c]) * step / rows
                errors[rows + i, c] += errors[i, c]
        spread(scores, products, errors)
    add_rows(readout, features, errors[rows:])


@native_leaf
def add_rows(readout: Reals, features: Reals, moved: Reals) -> None:
    """Add R·E to O, (n, i) with (i, c) to (n, c)."""
    for n in range(Index(readout.shape[0])):
        for i in range(Index(moved.shape[0])):
            value = features[n, i]
            for c in range(Index(readout.shape[1])):
                readout[n, c] += value * moved[i, c]


@native_leaf
def spread(total: Reals, left: Reals, right: Reals) -> None:
    """Add leftᵀ·right, (n, i) with (n, j) to (i, j)."""
    for n in range(Index(left.shape[0])):
        for i in range(Index(left.shape[1])):
            value = left[n, i]
            for j in range(Index(right.shape[1])):
                total[i, j] += value * right[n, j]
