"""What a learner is asked for, checked at its door: the same of all learners."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.learning.errors import LearnerError

__all__ = ["check_labels", "check_span", "held_point", "vector"]


def check_labels(labels: Sequence[int], *, frames: Sequence[Any], classes: int) -> None:
    """Refuse no frames at all, and labels that are not one of the classes for each frame."""
    if not frames or len(labels) != len(frames):
        raise LearnerError(
            f"needs a frame or more, and a label each: {len(frames)} frames, {len(labels)} labels"
        )
    for label in labels:
        if not 0 <= label < classes:
            raise LearnerError(f"label {label} of {classes} classes")


def check_span(first: int, count: int, *, classes: int) -> None:
    """Refuse rows of a class table that are none, or of no class."""
    if not 0 <= first < first + count <= classes:
        raise LearnerError(f"{count} labels from {first} of {classes} classes")


def held_point(
    anchor: ArrayLike | None, *, rho: float, sparsity: float, size: int
) -> NDArray[np.float32] | None:
    """Return the anchor, (size,), a copy, or None if it does not pull; refuse what is no hold."""
    if rho < 0 or not 0 <= sparsity < 1:
        raise LearnerError(f"needs rho >= 0 and 0 <= sparsity < 1, got {rho}, {sparsity}")
    point = None if anchor is None else vector(anchor, size)
    return point if rho else None


def vector(values: ArrayLike, size: int) -> NDArray[np.float32]:
    """Return parameters as float32 (size,), a copy; refuse any other shape."""
    found = np.array(values, np.float32)
    if found.shape != (size,):
        raise LearnerError(f"{size} parameters, got an array of shape {found.shape}")
    return found
