"""Conceptors: soft subspaces of what a layer hears, and their algebra.

With inputs x as columns of X (d, N), R = X·Xᵀ/N and an aperture α > 0,

    C = R·(R + α⁻²·I)⁻¹,

a symmetric matrix with eigenvalues in [0, 1): near 1 where inputs are strong, 0 where there are
none. NOT C = I - C; AND(C, B) = (C⁻¹ + B⁻¹ - I)⁻¹; OR(C, B) = NOT AND(NOT C, NOT B);
φ(C, g) = C·(C + g⁻²·(I - C))⁻¹ is the conceptor of aperture g·α. (Jaeger 2014, arXiv 1403.3369.)
Inputs are handed over as rows, (N, d). All results are float64 and symmetric.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerError

__all__ = [
    "CEILING",
    "FLOOR",
    "Matrix",
    "capacity",
    "conceptor",
    "conjunction",
    "correlation",
    "disjunction",
    "grown",
    "kept_share",
    "negation",
    "overlap",
    "spectrum",
    "trimmed",
    "widened",
]

Matrix = NDArray[np.float64]

FLOOR: Final = 1e-8
CEILING: Final = 1.0 - 1e-7
"""Between these are all eigenvalues after AND and φ."""
_NULL: Final = 1e-6
"""A direction of an eigenvalue up to this is outside the range."""
_GROWTHS_MAX: Final = 10_000


def correlation(inputs: Matrix) -> Matrix:
    """Return R = X·Xᵀ/N of inputs (N, d); (d, d)."""
    rows = np.asarray(inputs, np.float64)
    if rows.ndim != 2 or not len(rows):
        raise LearnerError(f"inputs are rows, one or more, got an array of shape {rows.shape}")
    return np.asarray(rows.T @ rows / len(rows))


def conceptor(moment: Matrix, aperture: float) -> Matrix:
    """Return C = R·(R + α⁻²·I)⁻¹ of a correlation R."""
    if not aperture > 0:
        raise LearnerError(f"an aperture must be above 0, got {aperture:g}")
    values, vectors = spectrum(moment)
    values = np.maximum(values, 0.0)
    return _composed(values / (values + aperture**-2.0), vectors)


def negation(one: Matrix) -> Matrix:
    """Return NOT C = I - C."""
    return np.eye(len(one)) - one


def conjunction(one: Matrix, other: Matrix) -> Matrix:
    """Return AND(C, B), what lies in both; eigenvalues within FLOOR and CEILING.

    Where an argument is singular, both are restricted to the intersection of their ranges, with
    pseudo-inverses there. It is found as what is orthogonal to both null spaces.
    """
    inner, nulls = -np.eye(len(one)), np.zeros_like(one)
    for part in (one, other):
        values, vectors = spectrum(part)
        empty = values <= _NULL
        inner += _composed(np.where(empty, 0.0, 1.0 / np.where(empty, 1.0, values)), vectors)
        nulls += _composed(empty.astype(np.float64), vectors)
    shut, directions = spectrum(nulls)
    both = directions[:, shut <= _NULL] if nulls.any() else np.eye(len(one))
    values, vectors = spectrum(both.T @ inner @ both)
    return _clamped(_composed(1.0 / values, both @ vectors))


def disjunction(one: Matrix, other: Matrix) -> Matrix:
    """Return OR(C, B); with equal apertures the conceptor of the sum of the correlations."""
    return negation(conjunction(negation(one), negation(other)))


def widened(one: Matrix, factor: float) -> Matrix:
    """Return φ(C, g), with g times the aperture; eigenvalues within FLOOR and CEILING."""
    if not factor > 0:
        raise LearnerError(f"an aperture is widened by a factor above 0, got {factor:g}")
    values, vectors = spectrum(one)
    return _composed(_wider(values, factor), vectors)


def capacity(one: Matrix) -> float:
    """Return Θ(C) = trace(C)/d, the share of the space that is taken, in [0, 1]."""
    return float(np.trace(one)) / len(one)


def overlap(stored: Matrix, new: Matrix) -> float:
    """Return Θ(AND(C, B))/Θ(C): how much of C is found in B; 0 if C is empty."""
    taken = capacity(stored)
    return capacity(conjunction(stored, new)) / taken if taken > FLOOR else 0.0


def kept_share(one: Matrix, inputs: Matrix) -> float:
    """Return Σ‖C·x‖/Σ‖x‖ over inputs (N, d); 1 if all of them are 0."""
    return _share(np.asarray(inputs) @ one, np.asarray(inputs))


def grown(one: Matrix, inputs: Matrix, *, target: float, factor: float = 1.1) -> Matrix:
    """Widen C by `factor` until it keeps the share `target` of inputs (N, d), or as it is.

    φ leaves eigenvectors alone, so there is one decomposition for all steps.
    """
    if not (0 <= target < CEILING and factor > 1):
        raise LearnerError(f"no growth by {factor:g} reaches the share {target:g}")
    values, vectors = spectrum(one)
    turned = np.asarray(inputs) @ vectors
    for _ in range(_GROWTHS_MAX):
        if _share(turned * values, turned) >= target:
            return _composed(values, vectors)
        values = _wider(values, factor)
    raise LearnerError(f"no growth by {factor:g} reaches the share {target:g}")


def trimmed(one: Matrix, least: float) -> tuple[Matrix, Matrix]:
    """Return the eigenvalues of C that are at least `least`, descending, and their vectors."""
    values, vectors = spectrum(one)
    wanted = np.flatnonzero(values >= least)[::-1]
    return values[wanted], vectors[:, wanted]


def spectrum(symmetric: Matrix) -> tuple[Matrix, Matrix]:
    """Return eigenvalues, ascending, and eigenvectors as columns."""
    values, vectors = np.linalg.eigh((symmetric + symmetric.T) / 2)
    return np.asarray(values), np.asarray(vectors)


def _wider(values: Matrix, factor: float) -> Matrix:
    values = np.clip(values, 0.0, 1.0)
    wider = values / (values + factor**-2.0 * (1.0 - values))
    return np.asarray(np.clip(wider, FLOOR, CEILING))


def _clamped(one: Matrix) -> Matrix:
    values, vectors = spectrum(one)
    return _composed(np.clip(values, FLOOR, CEILING), vectors)


def _composed(values: Matrix, vectors: Matrix) -> Matrix:
    product = (vectors * values) @ vectors.T
    return np.asarray((product + product.T) / 2)


def _share(kept: Matrix, whole: Matrix) -> float:
    total = float(np.linalg.norm(whole, axis=1).sum())
    return float(np.linalg.norm(kept, axis=1).sum()) / total if total else 1.0
