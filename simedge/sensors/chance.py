"""Laws that a frame draws from, exact on every machine: tables of 64-bit thresholds."""

import math
from collections.abc import Iterator
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from simedge.core.streams import Stream

__all__ = ["dirichlet", "draw", "poisson_thresholds", "thresholds"]

_WORD = 2**64
_DIGITS = 40
_GUARD_DIGITS = 10


def thresholds(weights: list[Fraction]) -> NDArray[np.uint64]:
    """Return cumulative thresholds of a law on 0 .. n-1, uint64 [n-1]; see `draw`."""
    total = sum(weights)
    sums = list(accumulate(weights))[:-1]
    return np.array([min(int(part / total * _WORD), _WORD - 1) for part in sums], np.uint64)


def draw(words: NDArray[np.uint64], law: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return for each word the value of a law given by its thresholds."""
    return np.searchsorted(law, words, side="right").astype(np.int64)


@lru_cache(maxsize=64)
def poisson_thresholds(mean: Fraction) -> NDArray[np.uint64]:
    """Return the thresholds of the Poisson law of this mean, cut where less than 2^-64 is left.

    They are read-only: whoever asks for the same law has the same table.
    """
    if mean == 0:
        return np.empty(0, np.uint64)
    with localcontext() as context:
        context.prec = _DIGITS
        rate = Decimal(mean.numerator) / mean.denominator
        term = below = (-rate).exp()
        law = [below]
        while len(law) <= rate or term * _WORD >= 1:
            term = term * rate / len(law)
            below += term
            law.append(below)
        table = np.array([min(int(value * _WORD), _WORD - 1) for value in law], np.uint64)
    table.setflags(write=False)
    return table


def dirichlet(stream: Stream, alpha: float, classes: int) -> list[Fraction]:
    """Draw proportions from the symmetric Dirichlet law, as gamma variates over their sum."""
    with localcontext() as context:
        context.prec = _DIGITS
        shape = Decimal(str(alpha))
        gammas = [_gamma(_units(stream, label), shape) for label in range(classes)]
        total = sum(gammas)
        return [Fraction(gamma / total) for gamma in gammas]


def _units(stream: Stream, label: int) -> Iterator[Decimal]:
    """Yield numbers in (0, 1), each of a counter of its own."""
    number = 0
    while True:
        for word in stream.words(number, label):
            yield (Decimal(word) + Decimal("0.5")) / _WORD
        number += 1


def _gamma(units: Iterator[Decimal], shape: Decimal) -> Decimal:
    """Draw a gamma variate: whole part as a sum of exponentials, the rest by `_gamma_below_one`."""
    whole = math.floor(shape)
    rest = shape - whole
    total = sum((-next(units).ln() for _ in range(whole)), Decimal(0))
    return total + (_gamma_below_one(units, rest) if rest else Decimal(0))


def _gamma_below_one(units: Iterator[Decimal], shape: Decimal) -> Decimal:
    """Draw by rejection (Ahrens and Dieter 1974, algorithm GS)."""
    edge = 1 + shape / Decimal(1).exp()
    while True:
        place, test = edge * next(units), next(units)
        if place <= 1:
            value = _power(place, 1 / shape)
            if test <= (-value).exp():
                return value
        else:
            value = -((edge - place) / shape).ln()
            if test <= _power(value, shape - 1):
                return value


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    """Return what `**` does, in half the time unless the exponent is whole.

    Ten digits more than are kept: the last digit is that of the exact power.
    """
    if exponent == exponent.to_integral_value():
        return base**exponent
    with localcontext() as context:
        context.prec += _GUARD_DIGITS
        power = (base.ln() * exponent).exp()
    return +power
