"""What stands for the derivative of a spike, which has none.

With x = u - v, the potential before reset above threshold, Ψ(x) is

    triangle:   0.3·max(1 - |x|, 0)          the only one whose sums over silence are closed
    rational:   1/(100·|x| + 1)²
    logistic:   4·σ(4x)·(1 - σ(4x))          the derivative of σ(4x)
    lorentz:    1/(1 + (10x)²)
    spike:      1 if x > 0, else 0           the spike itself: silence teaches nothing

x in units of the threshold, Ψ in [0, 1]. The areas of the first four are 0.3, 0.02, 1 and 0.3142.
(Surrogate gradients: Neftci, Mostafa and Zenke, arXiv 1901.09948; the four of arXiv 2306.15220.)
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["FORMS", "Form", "logistic", "pseudo_derivative"]

Floats = NDArray[np.float64]
Form = Literal["triangle", "rational", "logistic", "lorentz", "spike"]


def pseudo_derivative(form: Form, excess: Floats) -> Floats:
    """Return Ψ of potentials above threshold, of any shape.

    >>> pseudo_derivative("triangle", np.array([0.0, -0.5, 2.0])).tolist()
    [0.3, 0.15, 0.0]
    """
    return FORMS[form](excess)


def logistic(x: Floats) -> Floats:
    """Return σ(x) = 1/(1 + e^-x), without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def _triangle(excess: Floats) -> Floats:
    return 0.3 * np.maximum(1.0 - np.abs(excess), 0.0)


def _rational(excess: Floats) -> Floats:
    return (100.0 * np.abs(excess) + 1.0) ** -2.0


def _logistic(excess: Floats) -> Floats:
    share = logistic(4.0 * excess)
    return 4.0 * share * (1.0 - share)


def _lorentz(excess: Floats) -> Floats:
    return 1.0 / (1.0 + (10.0 * excess) ** 2)


def _spike(excess: Floats) -> Floats:
    return (excess > 0.0).astype(np.float64)


FORMS: Final[Mapping[Form, Callable[[Floats], Floats]]] = MappingProxyType(
    {
        "triangle": _triangle,
        "rational": _rational,
        "logistic": _logistic,
        "lorentz": _lorentz,
        "spike": _spike,
    }
)
"""Every form by its name."""
