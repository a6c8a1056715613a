"""Exponential decay over whole device ticks, from a table of repeated products."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_part
from simedge.neurons.errors import CircuitError
from simedge.neurons.kinds import Index, Real, Reals, Whole

__all__ = ["TABLE_TICKS", "decay_factor", "decay_table", "leak_per_tick", "power"]

TABLE_TICKS = 4096
"""Longest gap, in device ticks, that is read from a table; longer ones use exp."""


def leak_per_tick(tick_ns: int, constant_ns: int) -> float:
    """Return γ = exp(-dt/τ) of one device tick dt for a time constant τ, in (0, 1).

    >>> round(leak_per_tick(1_000_000, 20_000_000), 6)
    0.951229
    """
    if tick_ns <= 0 or constant_ns <= 0:
        raise CircuitError(f"tick and time constant must be positive, got {tick_ns}, {constant_ns}")
    return math.exp(-tick_ns / constant_ns)


def decay_table(factor: float) -> NDArray[np.float64]:
    """Return γ^0 .. γ^4096 by repeated products, float64 (4097,)."""
    if not 0 < factor < 1:
        raise CircuitError(f"a decay factor must be in (0, 1), got {factor}")
    table = np.full(TABLE_TICKS + 1, factor)
    table[0] = 1.0
    return np.multiply.accumulate(table)


def power(table: Sequence[float], ticks: int) -> float:
    """Return γ^ticks: from the table up to 4096, then exp(ticks · ln γ)."""
    if ticks <= TABLE_TICKS:
        return float(table[ticks])
    return math.exp(ticks * math.log(table[1]))


@native_part
def decay_factor(tables: Reals, first: Whole, ticks: Whole) -> Real:
    """Return γ^ticks in single precision from the table that begins at tables[first]."""
    if ticks <= TABLE_TICKS:
        return tables[Index(first) + Index(ticks)]
    return np.float32(math.exp(ticks * math.log(tables[first + 1])))
