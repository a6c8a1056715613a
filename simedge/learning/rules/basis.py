"""A fixed basis of class directions that nobody has to store.

    f_c = 50 + c·462/(C - 1),   B_ci = sin(f_c·i)   or its sign (square),   i = 0 .. m-1

f_c in radians an index step; B has shape (C, m), entries in [-1, 1]; column 0 is 0. It is computed
in double precision whatever weights are held in: single precision turns one sign in a thousand.
C < 2 is refused. (LLS, arXiv 2405.15868.)
"""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerError

__all__ = ["Wave", "basis"]

Floats = NDArray[np.float64]
Wave = Literal["square", "sine"]

_LOWEST: Final = 50.0
_SPAN: Final = 462.0


def basis(classes: int, width: int, wave: Wave = "square") -> Floats:
    """Return B, float64 (classes, width).

    >>> basis(3, 4).astype(int).tolist()
    [[0, -1, -1, -1], [0, -1, 1, 1], [0, 1, -1, 1]]
    """
    if classes < 2:
        raise LearnerError(f"a basis needs 2 classes or more, got {classes}")
    if width < 1:
        raise LearnerError(f"a basis needs a width of 1 or more, got {width}")
    frequency = _LOWEST + np.arange(classes) * _SPAN / (classes - 1)
    sine = np.sin(frequency[:, None] * np.arange(width))
    return np.sign(sine) if wave == "square" else sine
