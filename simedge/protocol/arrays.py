"""Arrays inside plain state: dtype, shape and little-endian bytes."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["array_of", "plain_of"]


def plain_of(array: NDArray[np.generic]) -> list[object]:
    r"""Return an array as ``[dtype, shape, bytes]``, which msgpack can keep.

    >>> plain_of(np.array([[1, 2]], np.uint8))
    ['|u1', [1, 2], b'\x01\x02']
    """
    dtype = array.dtype.newbyteorder("<")
    return [dtype.str, list(array.shape), array.astype(dtype).tobytes()]


def array_of(plain: object) -> NDArray[np.generic]:
    """Return the writable array that ``plain_of`` described."""
    dtype, shape, data = cast("tuple[str, list[int], bytes]", plain)
    little = np.frombuffer(data, np.dtype(dtype)).reshape(tuple(shape))
    return little.astype(little.dtype.newbyteorder("="))
