"""Pseudo-derivatives Ψ of a spike, by letter, and a spike that back-propagates through one.

With x = u - v, the potential before reset less the threshold:

    a: 1/(100|x|+1)²,  b: 0.3·max(1-|x|, 0),  c: 4σ(4x)(1-σ(4x)),  d: 1/(1+(10x)²)

and `e`, that of e-prop (Bellec et al., arXiv 1901.09049): (0.3/v)·max(1-|x|/v, 0).
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import torch
from torch import Tensor

from simedge.learning.errors import LearnerError

__all__ = ["LETTERS", "pseudo_derivative", "spike"]

Psi = Callable[[Tensor], Tensor]


def _a(x: Tensor) -> Tensor:
    return 1 / (100 * x.abs() + 1) ** 2


def _b(x: Tensor) -> Tensor:
    return 0.3 * (1 - x.abs()).clamp_min(0)


def _c(x: Tensor) -> Tensor:
    share = torch.sigmoid(4 * x)
    return 4 * share * (1 - share)


def _d(x: Tensor) -> Tensor:
    return 1 / (1 + (10 * x) ** 2)


def _e(x: Tensor, *, threshold: float) -> Tensor:
    return (0.3 / threshold) * (1 - x.abs() / threshold).clamp_min(0)


_PLAIN: Final[dict[str, Psi]] = {"a": _a, "b": _b, "c": _c, "d": _d}
LETTERS: Final = (*_PLAIN, "e")


def pseudo_derivative(letter: str, threshold: float) -> Psi:
    """Return Ψ as a function of u - v.

    Raises
    ------
    LearnerError
        If there is no such letter.
    """
    if letter == "e":
        return partial(_e, threshold=threshold)
    if letter not in _PLAIN:
        raise LearnerError(f"psi must be one of {', '.join(LETTERS)}, got {letter!r}")
    return _PLAIN[letter]


def spike(above: Tensor, slope: Tensor) -> Tensor:
    """Return 1 where `above` > 0, else 0; its derivative by `above` is said to be `slope`."""
    hard = (above.detach() > 0).to(above.dtype)
    return hard + slope * (above - above.detach()) if above.requires_grad else hard
