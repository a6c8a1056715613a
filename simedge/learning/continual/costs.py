"""What continual learning costs: multiply-accumulates as they are counted, and as formulas.

n neurons, d inputs of a layer; 4 bytes a word.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "WORD_BYTES",
    "Tally",
    "code_bytes",
    "code_macs",
    "free_bytes",
    "lance_bytes",
    "lance_macs",
    "plain_bytes",
    "plain_macs",
    "product_macs",
    "words_of",
]

WORD_BYTES: Final = 4

Array = NDArray[np.float64]


class Tally:
    """Counts the multiply-accumulates of the products that are taken through it."""

    __slots__ = ("macs",)

    def __init__(self) -> None:
        self.macs = 0

    def product(self, left: Array, right: Array) -> Array:
        """Return left·right of two matrices."""
        self.macs += left.shape[0] * left.shape[1] * right.shape[1]
        return np.asarray(left @ right)


def words_of(*arrays: Array | None) -> int:
    """Return the bytes of what is held, at 4 a number, whatever the simulator uses."""
    return WORD_BYTES * sum(array.size for array in arrays if array is not None)


def code_bytes(inputs: int, rank: int) -> int:
    """Return the bytes of a stored conceptor of this rank: a half, or all of it if less work."""
    return WORD_BYTES * inputs * (rank if 2 * rank <= inputs else inputs)


def free_bytes(inputs: int, free: int) -> int:
    """Return the bytes of the free dimensions of one task."""
    return WORD_BYTES * (inputs * free + free * free)


def code_macs(neurons: int, inputs: int, rank: int) -> int:
    """Return the work of one projection: n·d² with C whole, 2·n·d·r with its halves."""
    return neurons * inputs * min(inputs, 2 * rank)


def plain_bytes(shape: tuple[int, ...]) -> int:
    """Return the bytes of activations that are kept as they are."""
    return WORD_BYTES * int(np.prod(shape))


def lance_bytes(shape: tuple[int, ...], ranks: tuple[int, ...]) -> int:
    """Return the bytes of a core and its bases, 4·(Πr_i + Σn_i·r_i)."""
    bases = sum(size * rank for size, rank in zip(shape, ranks, strict=True))
    return WORD_BYTES * (int(np.prod(ranks)) + bases)


def plain_macs(shape: tuple[int, int, int], outputs: int) -> int:
    """Return the work of a linear layer's exact weight gradient, B·L·F·O."""
    return int(np.prod(shape)) * outputs


def lance_macs(
    shape: tuple[int, int, int], ranks: tuple[int, int, int], outputs: int
) -> tuple[int, int]:
    """Return the published work (projection, weight gradient) of a linear layer.

    Projection B·L·F·(r₀+r₁+r₂), each mode as if on the whole tensor, which is the most that it can
    be; gradient B·L·O·r₀ + r₀·r₁·r₂·L + r₀·r₂·F·L + F·O·L·r₀, products in the order of the paper.
    """
    batch, length, features = shape
    r0, r1, r2 = ranks
    gradient = batch * length * outputs * r0 + r0 * r1 * r2 * length
    gradient += r0 * r2 * features * length + features * outputs * length * r0
    return batch * length * features * (r0 + r1 + r2), gradient


def product_macs(rows: int, outputs: int, basis: tuple[int, int]) -> tuple[int, int]:
    """Return the work of Aᵀ·K·Uᵀ, from the right and from the left.

    A is (rows, outputs), K (rows, rank), and `basis` the shape of U, (features, rank).
    """
    features, rank = basis
    right = rows * rank * features + outputs * rows * features
    return right, outputs * rows * rank + outputs * rank * features
