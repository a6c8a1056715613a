"""Spikes reach a layer: lazy decay of the columns they touch, then their weights are added."""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import numpy as np

from simedge.core.native_cache import native_leaf
from simedge.neurons.circuit import Circuit
from simedge.neurons.decay import decay_factor
from simedge.neurons.kinds import Index, Ints, Reals, Span, Whole
from simedge.neurons.layout import (
    DECAY,
    MAPS,
    OUT_START,
    SELVES,
    SPIKES,
    TOUCHED,
    U_TICK,
    WEIGHT,
    Now,
    U,
)

__all__ = ["arrive"]


@native_leaf
def touch(ints: Ints, real: Reals, layer: Whole, now: Now, column: Whole) -> None:
    """Bring a column to `now`."""
    maps, at = Index(ints[layer + MAPS]), ints[layer + U_TICK] + column
    base, factor = Index(ints[layer + U]) + Index(column) * maps, np.float32(0.0)
    if ints[at] >= now.start:
        factor = decay_factor(real, ints[layer + DECAY] + 0, now.tick - ints[at])
    for m in range(base, base + maps):
        real[m] *= factor
    ints[at] = now.tick


@native_leaf
def wake(circuit: Circuit, layer: Whole, now: Now) -> Whole:
    """Touch the columns that fire again without input; return their number."""
    ints = circuit.ints
    count = ints[ints[layer + SPIKES] + 2] + 0
    for i in range(count):
        column = ints[ints[layer + SELVES] + i] + 0
        touch(ints, circuit.real, layer, now, column)
        ints[ints[layer + TOUCHED] + i] = column
    ints[ints[layer + SPIKES] + 2] = 0
    return count


@native_leaf
def arrive(circuit: Circuit, layer: Whole, now: Now, source: Ints, span: Span) -> Whole:
    """Add the weights of the spikes source[span[0]:span[1]]; return the columns touched.

    u_i(n) = u⁺_i·γ^k + Σ arriving w, k ticks after the last touch. The source is ascending, and so
    the order in which the spikes of one volley were reported cannot matter.
    """
    held, real, ints = circuit.held, circuit.real, circuit.ints
    maps, u, weight = Index(ints[layer + MAPS]), Index(ints[layer + U]), Index(ints[layer + WEIGHT])
    stamps, starts = Index(ints[layer + U_TICK]), Index(ints[layer + OUT_START])
    touched, events, tick = ints[layer + TOUCHED], 0, np.int32(now.tick)
    count = wake(circuit, layer, now)
    for i in range(span[0], span[1]):
        at = starts + Index(source[i])
        begin, end = ints[at], ints[at + Index(1)]
        events += end - begin
        for e in range(Index(begin), Index(end), Index(2)):
            column = Index(ints[e])
            if ints[stamps + column] != tick:
                touch(ints, real, layer, now, np.int64(column))
                ints[touched + count] = column
                count += 1
            base, tap = u + column * maps, weight + Index(ints[e + Index(1)]) * maps
            for m in range(maps):
                real[base + m] += held[tap + m]
    ints[2] += events // 2 * np.int64(maps)
    ints[3] += count * np.int64(maps)
    return count
