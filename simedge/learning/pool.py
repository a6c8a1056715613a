"""What learners built alike know, side by side, so that one native call can serve many of them."""

import numpy as np
from numpy.typing import NDArray  # noqa: TC002 -- annotates attributes

from simedge.learning.errors import LearnerError
from simedge.learning.stage import Stage

__all__ = ["Pool"]


class Pool:
    """Weights, thresholds, laws and readouts of up to `size` learners, one a row."""

    def __init__(self, stage: Stage, *, classes: int, size: int = 1) -> None:
        room, layers = stage.wiring.room, len(stage.wiring.layers)
        self.stage = stage
        self.used = 0
        self.held: NDArray[np.float32] = np.zeros((size, room[0]), np.float32)
        """Weights and thresholds, see `Circuit`."""
        self.held_tick: NDArray[np.int64] = np.zeros((size, room[1]), np.int64)
        self.law: NDArray[np.float32] = np.zeros((size, 8 * layers), np.float32)
        """Numbers of the rule, see `coefficients`."""
        self.weights: NDArray[np.float32] = np.zeros((size, classes, stage.features), np.float32)
        """Of the readout."""
        self.mean: NDArray[np.float32] = np.zeros((size, stage.features), np.float32)
        """Running mean of the levels."""

    def take(self) -> int:
        """Return the next free row."""
        if self.used == len(self.held):
            raise LearnerError(f"a pool of {self.used} learners is full")
        self.used += 1
        return self.used - 1
