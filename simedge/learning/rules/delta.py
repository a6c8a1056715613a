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

from simedge.core.native_cache import native_part, native_sums
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

_BLOCK = 256
"""So many features are left alone together if nothing was ever seen of them."""


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


@native_sums
def score(readout: Reals, feature: Reals, out: Reals) -> None:
    """Set `out` to z = O·r. `readout` is (classes, features)."""
    for c in range(Index(readout.shape[0])):
        total = np.float32(0.0)
        for i in range(Index(feature.size)):
            total += readout[c, i] * feature[i]
        out[c] = total


@native_part
def softmax_in_place(scores: Reals) -> None:
    """Replace scores by their softmax."""
    top, total = scores[0], 0.0
    for c in range(1, scores.size):
        top = max(top, scores[c])
    for c in range(scores.size):
        total += math.exp(float(scores[c]) - float(top))
    for c in range(scores.size):
        scores[c] = math.exp(float(scores[c]) - float(top)) / total


@native_part
def add_outer(readout: Reals, feature: Reals, error: Reals) -> None:
    """Add ε⊗r; `error` carries the rate. Where many features in a row are 0, nothing is done."""
    size, block = Index(feature.size), Index(_BLOCK)
    for first in range(Index(0), size, block):
        stop, some = min(first + block, size), False
        for i in range(first, stop):
            some |= feature[i] != 0.0
        if some:
            for c in range(Index(error.size)):
                rate = error[c]
                for i in range(first, stop):
                    readout[c, i] += rate * feature[i]


def room_for(rows: int, classes: int) -> tuple[Reals, Reals, Reals]:
    """Return what `pull` computes in: scores, products of rows, errors now and in all; zeros."""
    return (
        np.zeros((rows, classes), np.float32),
        np.zeros((rows, rows), np.float32),
        np.zeros((2 * rows, classes), np.float32),
    )


@native_part
def pull(
    readout: Reals,
    features: Reals,
    prior: tuple[NDArray[np.float64], float, Whole],
    room: tuple[Reals, Reals, Reals],
) -> None:
    """Take KL steps towards the priors of rows, each by the mean over rows.

    `features` is (rows, features); `prior` is (targets (rows, classes), step, number of steps).
    All rows of one step see the same weights. Steps move O within the span of the rows, so that
    scores follow from the rows' products, Z += (R·Rᵀ)·E, and O is written once, O += (ΣE)ᵀ·R: the
    same as step by step, for any number of steps. `room` is a fresh `room_for` it.
    """
    target, step, steps = prior
    rows, classes = target.shape
    scores, products, errors = room
    multiply(features, readout, scores)
    if steps > 1:
        multiply(features, features, products)
    for n in range(steps):
        if n:
            for i in range(rows):
                for j in range(rows):
                    for c in range(classes):
                        scores[i, c] += products[i, j] * errors[j, c]
        for i in range(rows):
            for c in range(classes):
                errors[i, c] = scores[i, c]
            softmax_in_place(errors[i])
            for c in range(classes):
                errors[i, c] = (target[i, c] - errors[i, c]) * step / rows
                errors[rows + i, c] += errors[i, c]
    add_rows(readout, features, errors)


@native_part
def add_rows(readout: Reals, features: Reals, errors: Reals) -> None:
    """Add (ΣE)ᵀ·R to O, two rows at a time; ΣE is the lower half of `errors`."""
    rows, size = Index(features.shape[0]), Index(features.shape[1])
    for c in range(Index(readout.shape[0])):
        for i in range(Index(0), rows, Index(2)):
            j = min(i + Index(1), rows - Index(1))
            mine, next_ = errors[rows + i, c], errors[rows + j, c]
            if i == j:
                next_ = np.float32(0.0)
            for n in range(size):
                readout[c, n] += mine * features[i, n] + next_ * features[j, n]


@native_sums
def multiply(left: Reals, right: Reals, out: Reals) -> None:
    """Set `out` to left·rightᵀ, (i, n) with (j, n) to (i, j)."""
    size = Index(left.shape[1])
    for i in range(Index(left.shape[0])):
        for j in range(Index(right.shape[0])):
            total = np.float32(0.0)
            for n in range(size):
                total += left[i, n] * right[j, n]
            out[i, j] = total
