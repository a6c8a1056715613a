"""Jitter: what is added to the propagation delay of a datagram, from one keyed word.

Every law maps a 64-bit word to whole nanoseconds in integer arithmetic, so that delays are the
same on every machine. Normal and exponential delays come from tables of 4096 quantiles.
"""

import bisect
from fractions import Fraction
from typing import Protocol, runtime_checkable

from simedge.core.streams import bernoulli_threshold, exponential_ns, integer_between, normal_ns
from simedge.world.jitter_settings import (
    ExponentialJitter,
    JitterSettings,
    LogNormalJitter,
    NoJitter,
    NormalJitter,
    ParetoJitter,
    TableJitter,
    UniformJitter,
)
from simedge.world.jitter_tables import lognormal_table, pareto_table

__all__ = ["Jitter", "open_jitter"]


@runtime_checkable
class Jitter(Protocol):
    """Law of an extra delay."""

    def offset_ns(self, word: int) -> int:
        """Return the extra delay in nanoseconds for a word in [0, 2^64); it may be negative."""
        ...


class _Uniform:
    __slots__ = ("_high_ns", "_low_ns")

    def __init__(self, low_ns: int, high_ns: int) -> None:
        self._low_ns, self._high_ns = low_ns, high_ns

    def offset_ns(self, word: int) -> int:
        return integer_between(word, self._low_ns, self._high_ns)


class _Normal:
    __slots__ = ("_sd_ns",)

    def __init__(self, sd_ns: int) -> None:
        self._sd_ns = sd_ns

    def offset_ns(self, word: int) -> int:
        return normal_ns(word, self._sd_ns)


class _Exponential:
    __slots__ = ("_mean_ns",)

    def __init__(self, mean_ns: int) -> None:
        self._mean_ns = mean_ns

    def offset_ns(self, word: int) -> int:
        return exponential_ns(word, self._mean_ns)


class _Scaled:
    """A table of 4096 bins of a law of mean 1, times the mean."""

    __slots__ = ("_mean_ns", "_table")

    def __init__(self, mean_ns: int, table: tuple[int, ...]) -> None:
        self._mean_ns, self._table = mean_ns, table

    def offset_ns(self, word: int) -> int:
        return (self._mean_ns * self._table[word >> 52] + 2**31) >> 32


class _Table:
    """Inverse of a distribution function by straight lines between quantiles."""

    __slots__ = ("_delays_ns", "_words")

    def __init__(self, points: tuple[tuple[Fraction, int], ...]) -> None:
        self._words = [0, *(bernoulli_threshold(share) for share, _ in points)]
        self._delays_ns = [0, *(delay for _, delay in points)]

    def offset_ns(self, word: int) -> int:
        after = bisect.bisect_right(self._words, word)
        if after == len(self._words):
            return self._delays_ns[-1]
        word_low, word_high = self._words[after - 1], self._words[after]
        low, high = self._delays_ns[after - 1], self._delays_ns[after]
        return low + (high - low) * (word - word_low) // (word_high - word_low)


def open_jitter(settings: JitterSettings) -> Jitter | None:
    """Return the law that settings name, or None where there is no jitter.

    Examples
    --------
    >>> jitter = open_jitter(UniformJitter(kind="uniform", high="1 ms"))
    >>> jitter.offset_ns(0), jitter.offset_ns(2**64 - 1)
    (0, 1000000)
    """
    match settings:
        case NoJitter():
            return None
        case UniformJitter():
            return _Uniform(settings.low, settings.high)
        case NormalJitter():
            return _Normal(settings.sd)
        case ExponentialJitter():
            return _Exponential(settings.mean)
        case TableJitter():
            return _Table(settings.points)
        case _:
            return _skewed(settings)


def _skewed(settings: LogNormalJitter | ParetoJitter) -> Jitter:
    law = lognormal_table if isinstance(settings, LogNormalJitter) else pareto_table
    return _Scaled(settings.mean, law(settings.mean, settings.sd))
