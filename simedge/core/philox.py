"""Philox4x64-10 in native code: the words of many counters in one call.

Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3". The words are those of numpy's
generator of that name, which costs more to set to a counter than to draw from.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import unlocked_leaf

__all__ = ["fill"]

_ROUNDS: Final = 10
_NONE: Final = np.uint64(0)
_HALF: Final = np.uint64(32)
_LOWER: Final = np.uint64(2**32 - 1)
# Multipliers by halves, and what a round adds to the key.
_M0_HIGH: Final = np.uint64(0xD2E7470E)
_M0_LOW: Final = np.uint64(0xE14C6C93)
_M1_HIGH: Final = np.uint64(0xCA5A8263)
_M1_LOW: Final = np.uint64(0x95121157)
_W0: Final = np.uint64(0x9E3779B97F4A7C15)
_W1: Final = np.uint64(0xBB67AE8584CAA73B)


@unlocked_leaf
def fill(key: NDArray[np.uint64], first: int, words: NDArray[np.uint64]) -> None:
    """Write the words of the counters (block, first + row, 0, 0).

    The upper words of products are formed from halves of 32 bits.

    Parameters
    ----------
    key
        The key, uint64 [2].
    words
        Room for them, uint64 [rows, blocks, 4].
    """
    for row in range(words.shape[0]):
        for block in range(words.shape[1]):
            a, b, c, d = np.uint64(block), np.uint64(first + row), _NONE, _NONE
            key_0, key_1 = key[0], key[1]
            for _ in range(_ROUNDS):
                low, high = a & _LOWER, a >> _HALF
                least = low * _M0_LOW
                middle = high * _M0_LOW + (least >> _HALF)
                other = low * _M0_HIGH + (middle & _LOWER)
                a_upper = high * _M0_HIGH + (middle >> _HALF) + (other >> _HALF)
                a_lower = other << _HALF | least & _LOWER
                low, high = c & _LOWER, c >> _HALF
                least = low * _M1_LOW
                middle = high * _M1_LOW + (least >> _HALF)
                other = low * _M1_HIGH + (middle & _LOWER)
                c_upper = high * _M1_HIGH + (middle >> _HALF) + (other >> _HALF)
                c_lower = other << _HALF | least & _LOWER
                a, b = c_upper ^ b ^ key_0, c_lower
                c, d = a_upper ^ d ^ key_1, a_lower
                key_0 += _W0
                key_1 += _W1
            words[row, block, 0] = a
            words[row, block, 1] = b
            words[row, block, 2] = c
            words[row, block, 3] = d
