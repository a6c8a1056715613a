"""Named random streams: every random number is a pure function of (seed, entity, purpose, counter).

A stream has a 128-bit key and no state: a draw names its counter, so no draw depends on how many
came before it, and adding an entity changes no other entity's draws. The generator is
Philox4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"); only its raw
64-bit words are used, since the distributions of numpy carry no promise across versions.
"""

import functools
import hashlib
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.core.errors import SimedgeError
from simedge.core.tables import exponential_table, normal_table

__all__ = [
    "Stream",
    "StreamError",
    "Streams",
    "bernoulli_threshold",
    "exponential_ns",
    "flow64",
    "happens",
    "integer_between",
    "normal_float",
    "normal_ns",
    "normals",
    "unit_float",
    "unit_floats",
]

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_WORD: Final = 2**64
_COUNTER_MASK: Final = 2**64 - 1


class StreamError(SimedgeError, ValueError):
    """A stream's name or counter is out of its range."""


_One = Callable[[tuple[int, int], tuple[int, int, int, int]], tuple[int, int, int, int]]


class Streams:
    """All random streams of one seed.

    Parameters
    ----------
    seed
        The run's seed, an integer of at most 2^63 in magnitude.
    """

    __slots__ = ("_generator", "_state", "one", "seed")

    one: _One
    """Returns the block of one counter for a key, each word in [0, 2^64): the quick way of `raw`.

    Most draws are single. Native code makes them in a room of ten words that is kept, since to set
    the counter of numpy's generator costs more than to draw.
    """

    def __init__(self, seed: int) -> None:
        if type(seed) is not int or abs(seed) >= 2**63:
            raise StreamError(f"the seed must be an integer below 2^63 in magnitude, got {seed!r}")
        self.seed = seed
        self.one = self._first
        self._generator = np.random.Philox(key=0)
        self._state = self._generator.state
        self._state["buffer_pos"] = 4

    def stream(self, kind: str, name: str, purpose: str) -> "Stream":
        """Return the stream of one entity and purpose, e.g. ``("link", "cam-1.server", "loss")``.

        Raises
        ------
        StreamError
            If a part is not of the form ``[a-z0-9][a-z0-9_.-]{0,63}``.
        """
        for part in (kind, name, purpose):
            if _NAME.fullmatch(part) is None:
                raise StreamError(f"stream names match {_NAME.pattern}, got {part!r}")
        text = f"simedge1|{self.seed}|{kind}|{name}|{purpose}"
        digest = hashlib.sha256(text.encode()).digest()
        key = (int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little"))
        return Stream(self, key)

    def _first(
        self, key: tuple[int, int], counter: tuple[int, int, int, int]
    ) -> tuple[int, int, int, int]:
        # Who draws nothing needs no compiler.
        from simedge.core.philox import single  # noqa: PLC0415

        self.one = single() or self._interpreted
        return self.one(key, counter)

    def _interpreted(
        self, key: tuple[int, int], counter: tuple[int, int, int, int]
    ) -> tuple[int, int, int, int]:
        w0, w1, w2, w3 = counter
        a, b, c, d = self.raw(key, w0 | w1 << 64 | w2 << 128 | w3 << 192, 1).tolist()
        return a, b, c, d

    def raw(self, key: tuple[int, int], counter: int, count: int) -> NDArray[np.uint64]:
        """Return `count` blocks of four words that start at a 256-bit counter, shape (4*count,)."""
        state = self._state
        inner = state["state"]
        inner["key"][:] = key
        # numpy steps the counter before it generates.
        before = (counter - 1) % 2**256
        inner["counter"][:] = (
            before & _COUNTER_MASK,
            before >> 64 & _COUNTER_MASK,
            before >> 128 & _COUNTER_MASK,
            before >> 192,
        )
        self._generator.state = state
        return self._generator.random_raw(4 * count)


class Stream:
    """One named stream: a key, and draws that are pure functions of their counter."""

    __slots__ = ("_streams", "key")

    def __init__(self, streams: Streams, key: tuple[int, int]) -> None:
        self._streams = streams
        self.key = key

    def words(
        self, w1: int = 0, w2: int = 0, w3: int = 0, *, w0: int = 0
    ) -> tuple[int, int, int, int]:
        """Return the four 64-bit words of the counter (w0, w1, w2, w3), each in [0, 2^64)."""
        return self._streams.one(self.key, (w0, w1, w2, w3))

    def block(self, count: int, w1: int = 0, w2: int = 0, *, w3: int = 0) -> NDArray[np.uint64]:
        """Return the words of the counters w0 = 0 .. count-1 in one call, uint64 (4*count,)."""
        if count <= 0:
            return np.empty(0, np.uint64)
        return self._streams.raw(self.key, w1 << 64 | w2 << 128 | w3 << 192, count)

    def rows(self, count: int, w1s: range) -> NDArray[np.uint64]:
        """Return ``block(count, w1)`` of each w1 of consecutive ones, uint64 [w1s, 4*count].

        One call of native code that releases the interpreter lock.
        """
        from simedge.core.philox import fill  # noqa: PLC0415  # streams alone need no compiler

        words = np.empty((len(w1s), count, 4), np.uint64)
        fill(np.array(self.key, np.uint64), w1s.start, words)
        return words.reshape(len(w1s), 4 * count)


def flow64(source: str, destination: str, cls: str) -> int:
    """Return the 64-bit name of a flow of messages of one class between two ends."""
    text = f"simedge1|flow|{source}|{destination}|{cls}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def bernoulli_threshold(share: Fraction) -> int:
    """Return T with P(word < T) = share, floor of share times 2^64, exactly.

    Parameters
    ----------
    share
        A probability in [0, 1]; 0 never happens, 1 always.
    """
    if not 0 <= share <= 1:
        raise StreamError(f"a probability must be in [0, 1], got {share}")
    return int(Fraction(share) * _WORD)


def happens(word: int, threshold: int) -> bool:
    """Return whether an event of this threshold happens at this word."""
    return word < threshold


def integer_between(word: int, low: int, high: int) -> int:
    """Return an integer in [low, high], both included, by multiply and shift."""
    return low + (((high - low + 1) * word) >> 64)


def unit_float(word: int) -> float:
    """Return a float in [0, 1) of 53 bits; for weights and reports, never for time."""
    return (word >> 11) * 2.0**-53


def unit_floats(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return floats in [0, 1) of 53 bits, one a word, same shape."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def exponential_ns(word: int, mean_ns: int) -> int:
    """Return an exponential delay in nanoseconds of the tabulated law with this mean."""
    return (mean_ns * exponential_table()[word >> 52] + 2**31) >> 32


def normal_ns(word: int, deviation_ns: int) -> int:
    """Return a centred normal delay in nanoseconds (may be negative) of this deviation."""
    return (deviation_ns * normal_table()[word >> 52] + 2**31) >> 32


def normal_float(word: int) -> float:
    """Return a standard normal number of the table, entry / 2^32."""
    return normal_table()[word >> 52] / 2**32


def normals(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return standard normal numbers of the table, one a word, same shape."""
    return _normal_array()[(words >> np.uint64(52)).astype(np.int64)] / 2.0**32


@functools.cache
def _normal_array() -> NDArray[np.int64]:
    return np.asarray(normal_table(), np.int64)
