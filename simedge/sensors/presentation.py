"""How one picture is put before the camera: a triangle of three saccades, as N-MNIST was recorded.

The picture fills four fifths of the view. Each presentation starts elsewhere by up to a share of
the triangle's width, and the two outer corners of the triangle wander by a share of it too (Orchard
et al. 2015 move the same triangle each time). Everything is whole numbers of 2^-16 pixel.
"""

import math
from fractions import Fraction
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from simedge.sensors.settings import (
    DimShift,
    InvertShift,
    MirrorShift,
    RotateShift,
)

__all__ = ["GAIN_ONE", "LEGS", "View", "gains", "paths", "pick"]

GAIN_ONE: Final = 4096
LEGS: Final = 3
"""Saccades a presentation."""
_GAIN_LEAST: Final = GAIN_ONE // 2
_GAIN_MOST: Final = 2 * GAIN_ONE
_PIXEL: Final = 65536
_FILL: Final = Fraction(4, 5)
_START: Final = Fraction(1, 2)
_WANDER: Final = Fraction(15, 100)
# Corners of the triangle, in halves of its width, about its middle.
_CORNERS: Final = ((-1, -1), (0, 1), (1, -1), (-1, -1))


class View(NamedTuple):
    """From sensor to picture: a matrix (rows, 2^-16), the share of light left, ink and ground."""

    matrix: tuple[int, int, int, int]
    light: Fraction
    invert: bool

    @classmethod
    def straight(cls, *, size: int, side: int) -> Self:
        """Return the view of a picture `side` texels wide on a sensor `size` pixels wide."""
        scale = int(side * _PIXEL / (_FILL * size))
        return cls((scale, 0, 0, scale), Fraction(1), invert=False)

    def shifted(self, shift: RotateShift | InvertShift | MirrorShift | DimShift) -> "View":
        """Return this view after a shift."""
        scale = self.matrix[0]
        match shift:
            case RotateShift():
                angle = math.radians(shift.degrees)
                cos, sin = round(scale * math.cos(angle)), round(scale * math.sin(angle))
                return self._replace(matrix=(cos, -sin, sin, cos))
            case MirrorShift():
                return self._replace(matrix=(-scale, 0, 0, scale))
            case InvertShift():
                return self._replace(invert=True)
            case _:
                return self._replace(light=shift.light)


def gains(normals: NDArray[np.float64], spread: Fraction) -> NDArray[np.int64]:
    """Return camera gains (4096 = 1) of this relative spread, in [1/2, 2]."""
    exact = np.rint((1.0 + float(spread) * normals) * GAIN_ONE)
    return np.clip(exact, _GAIN_LEAST, _GAIN_MOST).astype(np.int64)


def pick(words: NDArray[np.uint64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number in [0, size) for each word, from its upper 31 bits."""
    return ((words >> np.uint64(33)).astype(np.int64) * sizes) >> 31


def paths(words: NDArray[np.uint64], width: Fraction, *, instants: int) -> NDArray[np.int64]:
    """Return where the picture is at each instant, 2^-16 pixel, int64 [shots, instants, 2].

    Parameters
    ----------
    words
        Two words a shot, uint64 [shots, 2]: where it starts, how the corners wander.
    width
        Width of the triangle in pixels.
    instants
        How many, from the start to the end, evenly in time: a multiple of `LEGS`, and one more.
    """
    corners = _corners(words, int(width * _PIXEL))
    steps = (instants - 1) // LEGS
    legs = (corners[:, 1:] - corners[:, :-1])[:, :, None] * np.arange(steps)[:, None] // steps
    legs += corners[:, :-1, None]
    return np.concatenate((legs.reshape(len(words), -1, 2), corners[:, LEGS:]), axis=1)


def _corners(words: NDArray[np.uint64], width: int) -> NDArray[np.int64]:
    """Return the corners of each shot's path, the last being the first, int64 [shots, 4, 2]."""
    most = np.array([int(width * _START), int(width * _WANDER)])
    start, wander = _spread(words, most).swapaxes(0, 1)
    corners: NDArray[np.int64] = np.array(_CORNERS) * width // 2 + start[:, None, :2]
    corners[:, 1:3] += wander.reshape(-1, 2, 2)
    return corners


def _spread(words: NDArray[np.uint64], most: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return four numbers in [-most, most] for each word, int64 [shots, len(most), 4]."""
    lanes = np.arange(0, 64, 16, dtype=np.uint64)
    parts = ((words[..., None] >> lanes) & np.uint64(0xFFFF)).astype(np.int64)
    return ((2 * parts + (1 - _PIXEL)) * most[:, None]) >> 16
