"""The fixed basis of local losses: a wave of its own for each class, worked out, never stored.

    B_ci = sign(sin(f_c·i)),  f_c = 50 + c·462/(C-1) radians,  i = 0 .. m-1

(Apolinario et al., LLS, arXiv 2405.15868). In float64: float32 turns about one sign in a thousand.
"""

import numpy as np
import torch
from torch import Tensor

from simedge.learning.errors import LearnerError

__all__ = ["basis"]


def basis(classes: int, width: int, *, square: bool = True) -> Tensor:
    """Return the basis, float64 (classes, width); column 0 is 0.

    Raises
    ------
    LearnerError
        If there is but one class.
    """
    if classes < 2:
        raise LearnerError(f"a basis needs at least 2 classes, got {classes}")
    frequencies = 50 + np.arange(classes, dtype=np.float64) * 462 / (classes - 1)
    waves = np.sin(frequencies[:, None] * np.arange(width, dtype=np.float64))
    return torch.from_numpy(np.sign(waves) if square else waves)
