"""How well tasks are learned and kept, from a matrix of accuracies.

A[t, i] is the accuracy on task i after task t has been learned, (T, T); what lies above the
diagonal is read by one form of forward transfer only and may be NaN otherwise.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.learning.errors import LearnerError

__all__ = ["backward_transfer", "forgetting", "forward_gain", "forward_transfer", "mean_accuracy"]


def mean_accuracy(table: ArrayLike) -> float:
    """Return ACC = mean over i of A[T, i]."""
    return float(_checked(table)[-1].mean())


def backward_transfer(table: ArrayLike) -> float:
    """Return BWT = mean over i < T of A[T, i] - A[i, i]; 0 for one task."""
    found = _checked(table)
    return _mean((found[-1] - found.diagonal())[:-1])


def forgetting(table: ArrayLike) -> float:
    """Return the mean over i < T of max over i ≤ t of A[t, i], less A[T, i]; at least 0."""
    found = _checked(table)
    best = np.array([found[i:, i].max() for i in range(len(found))])
    return _mean((best - found[-1])[:-1])


def forward_transfer(table: ArrayLike, initial: ArrayLike) -> float:
    """Return the mean over i > 1 of A[i-1, i] - A_init[i]: a task before it is learned.

    `initial` is the accuracy on each task before anything is learned.
    """
    found = _checked(table)
    return _mean(found.diagonal(1) - _row(initial, len(found))[1:])


def forward_gain(table: ArrayLike, single: ArrayLike) -> float:
    """Return the mean over i > 1 of A[i, i] - A_single[i]: a task when it is learned.

    `single` is the accuracy on each task of a learner that learns nothing else.
    """
    found = _checked(table)
    return _mean((found.diagonal() - _row(single, len(found)))[1:])


def _checked(table: ArrayLike) -> NDArray[np.float64]:
    found = np.asarray(table, np.float64)
    if found.ndim != 2 or found.shape[0] != found.shape[1] or not found.size:
        raise LearnerError(f"accuracies of T tasks are (T, T), got {found.shape}")
    return found


def _row(values: ArrayLike, count: int) -> NDArray[np.float64]:
    found = np.asarray(values, np.float64)
    if found.shape != (count,):
        raise LearnerError(f"one accuracy for each of {count} tasks, got {found.shape}")
    return found


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else 0.0
