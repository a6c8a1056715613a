"""Types of the native kernels' arguments."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Index", "Ints", "Real", "Reals", "Run", "Span", "Whole"]

Reals = NDArray[np.float32]
Ints = NDArray[np.int32]
Whole = Any
"""A whole number of any width. Numpy's types cannot tell one element from a row of them."""
Real = Any
"""A single-precision number, likewise."""
Run = tuple[Whole, Whole, Whole]
"""Entries from the first on, up to the second, at every third."""
Span = tuple[Whole, Whole]
"""Where a run of entries begins, and where it ends."""

Index = np.uint64
"""Type of places in inner loops: unsigned, so that no compiled access tests for a sign.

Mind that numpy and numba make a float of an unsigned and a signed integer: mix only `Index`.
"""
