"""Philox4x64-10 in native code: the words of many counters in one call.

Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3". The words are those of numpy's
generator of that name, which costs more to set to a counter than to draw from.
"""

import struct
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_leaf, native_part, unlocked_leaf

__all__ = ["Follower", "draw", "fill", "follow", "follower", "single"]

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


_Words = tuple[int, int, int, int]
Follower = Callable[[tuple[int, ...]], tuple[int, int, int, int]]
"""Takes the nine numbers of `follow`; returns n, the kind of the stay, its begin and end."""
_Block = tuple[np.uint64, np.uint64, np.uint64, np.uint64]


@native_part
def _block(
    counter: tuple[np.uint64, np.uint64, np.uint64, np.uint64], key_0: np.uint64, key_1: np.uint64
) -> _Block:
    """Return the four words of a counter; upper words of products are formed from halves."""
    a, b, c, d = counter
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
    return a, b, c, d


@unlocked_leaf
def fill(key: NDArray[np.uint64], first: int, words: NDArray[np.uint64]) -> None:
    """Write the words of the counters (block, first + row, 0, 0).

    Parameters
    ----------
    key
        The key, uint64 [2].
    words
        Room for them, uint64 [rows, blocks, 4].
    """
    for row in range(words.shape[0]):
        for block in range(words.shape[1]):
            counter = (np.uint64(block), np.uint64(first + row), _NONE, _NONE)
            a, b, c, d = _block(counter, key[0], key[1])
            words[row, block, 0] = a
            words[row, block, 1] = b
            words[row, block, 2] = c
            words[row, block, 3] = d


@native_leaf
def draw(room: NDArray[np.uint64]) -> None:
    """Write the words of one counter: uint64 [10] of the key, the counter and room for them."""
    a, b, c, d = _block((room[2], room[3], room[4], room[5]), room[0], room[1])
    room[6] = a
    room[7] = b
    room[8] = c
    room[9] = d


def single() -> Callable[[tuple[int, int], tuple[int, int, int, int]], _Words] | None:
    """Return what draws the block of one counter for a key; None where the interpreter runs `draw`.

    It packs key and counter into a room of ten words that is kept, and unpacks the answer: a third
    of the time that arguments and an answer of native code take.
    """
    if isinstance(draw, FunctionType):
        return None
    room = np.zeros(10, np.uint64)
    pack, unpack = struct.Struct("=6Q").pack_into, struct.Struct("=4Q").unpack_from
    memory = room.data.cast("B")

    def one(key: tuple[int, int], counter: tuple[int, int, int, int]) -> _Words:
        pack(memory, 0, *key, *counter)
        draw(room)
        return cast("_Words", unpack(memory, 48))

    return one


@native_leaf
def follow(room: NDArray[np.uint64], table: NDArray[np.uint64]) -> None:
    """Let two kinds of stays follow each other until the one that lasts beyond a time.

    Stay n is of the other kind than the one before it and lasts the exponential delay of the first
    word of the counter (0, n, 0, 0), at least a nanosecond.

    Parameters
    ----------
    room
        Key, n, kind of the present stay, its begin and end, the time, both means; uint64 [9].
        Means must be below 2^58.
    table
        The exponential law, uint64 [4096].
    """
    number, kind, begin, end, at = room[2], room[3], room[4], room[5], room[6]
    one = np.uint64(1)
    while end <= at:
        number += one
        kind = one - kind
        word = _block((_NONE, number, _NONE, _NONE), room[0], room[1])[0]
        mean, entry = room[7 + kind], table[word >> np.uint64(52)]
        # (mean * entry + 2^31) >> 32, which may need more than 64 bits, from halves.
        high, low = mean >> _HALF, mean & _LOWER
        above, below = entry >> _HALF, entry & _LOWER
        least = (low * below + np.uint64(2**31)) >> _HALF
        stay = (high * above << _HALF) + high * below + low * above + least
        begin = end
        end += max(one, stay)
    room[2] = number
    room[3] = kind
    room[4] = begin
    room[5] = end


def follower(table: Sequence[int]) -> Follower | None:
    """Return what follows stays in one native call; None where the interpreter runs `follow`."""
    if isinstance(follow, FunctionType):
        return None
    room, law = np.zeros(9, np.uint64), np.array(table, np.uint64)
    pack, unpack = struct.Struct("=9Q").pack_into, struct.Struct("=4Q").unpack_from
    memory = room.data.cast("B")

    def stays(state: tuple[int, ...]) -> tuple[int, int, int, int]:
        pack(memory, 0, *state)
        follow(room, law)
        return cast("_Words", unpack(memory, 16))

    return stays
