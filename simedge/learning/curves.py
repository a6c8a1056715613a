"""Recorded learning curves, and what is read off them."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

__all__ = ["CURVES", "Curve"]

CURVES: Final = {
    "digits-deep": (
        (0, 0.1),
        (80, 0.63),
        (160, 0.774),
        (240, 0.844),
        (320, 0.871),
        (400, 0.887),
        (480, 0.902),
        (560, 0.908),
        (720, 0.924),
        (880, 0.931),
        (960, 0.937),
    ),
}
"""Frames and accuracy, by name: see docs/deep.md for the run each is from."""


class Curve:
    """Accuracy against frames learned: straight lines between points, level beyond them.

    >>> Curve([(0, 0.25), (100, 0.75)]).at(50)
    0.5
    """

    __slots__ = ("_accuracies", "_frames")

    def __init__(self, points: Sequence[tuple[int, float]]) -> None:
        self._frames = [frames for frames, _ in points]
        self._accuracies = [accuracy for _, accuracy in points]

    def at(self, frames: int) -> float:
        """Return the accuracy after so many frames."""
        right = bisect_right(self._frames, frames)
        if right in {0, len(self._frames)}:
            return self._accuracies[min(right, len(self._frames) - 1)]
        low, high = self._frames[right - 1], self._frames[right]
        a, b = self._accuracies[right - 1], self._accuracies[right]
        return a + (b - a) * (frames - low) / (high - low)
