"""Spikes reach a layer: lazy decay of the columns they touch, then their weights are added."""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import numpy as np

from simedge.core.native_cache import native_part
from simedge.neurons.circuit import Circuit
from simedge.neurons.decay import decay_factor
from simedge.neurons.kinds import Index, Ints, Span, Whole
from simedge.neurons.lanes import LANES, add_lanes, scale_lanes
from simedge.neurons.layout import (
    BEFORE,
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


@native_part
def arrive(circuit: Circuit, layer: Whole, now: Now, source: Ints, span: Span) -> Whole:
    """Add the weights of the spikes source[span[0]:span[1]]; return the columns touched.

    u_i(n) = u⁺_i·γ^k + Σ arriving w, k ticks after the last touch. The source is ascending, and so
    the order in which the spikes of one volley were reported cannot matter. Columns that fire
    again without input are touched too.
    """
    held, real, ints, plan = circuit.held, circuit.real, circuit.ints, circuit.plan
    maps, u, weight = Index(plan[layer + MAPS]), Index(plan[layer + U]), Index(plan[layer + WEIGHT])
    whole, starts = maps - maps % Index(LANES), Index(plan[layer + OUT_START])
    count, reached = note_touched(circuit, layer, now, source, span), Index(0)
    let_decay(circuit, layer, now, count)
    for i in range(span[0], span[1]):
        at = starts + Index(source[i])
        begin, end = Index(plan[at]), Index(plan[at + Index(1)])
        reached += end - begin
        for e in range(begin, end, Index(2)):
            base, tap = u + Index(plan[e]) * maps, weight + Index(plan[e + Index(1)]) * maps
            for m in range(Index(0), whole, Index(LANES)):
                add_lanes(real, base + m, held, tap + m)
            for m in range(whole, maps):
                real[base + m] += held[tap + m]
    ints[2] += np.int64(reached * maps // Index(2))
    ints[3] += np.int64(count * maps)
    return np.int64(count)


@native_part
def note_touched(circuit: Circuit, layer: Whole, now: Now, source: Ints, span: Span) -> Whole:
    """List the columns that a volley touches, each once, with the tick of its last touch.

    Whether a column is listed already cannot be foreseen, so nothing branches on it.
    """
    ints, plan, tick = circuit.ints, circuit.plan, np.int32(now.tick)
    stamps, starts = Index(plan[layer + U_TICK]), Index(plan[layer + OUT_START])
    touched, before = Index(plan[layer + TOUCHED]), Index(plan[layer + BEFORE])
    selves, again, count = plan[layer + SELVES], plan[layer + SPIKES] + 2, Index(0)
    for i in range(selves, selves + ints[again]):
        column = Index(ints[i])
        ints[touched + count] = column
        ints[before + count] = ints[stamps + column]
        ints[stamps + column] = tick
        count += Index(1)
    ints[again] = 0
    for i in range(span[0], span[1]):
        at = starts + Index(source[i])
        for e in range(Index(plan[at]), Index(plan[at + Index(1)]), Index(2)):
            column = Index(plan[e])
            last = ints[stamps + column]
            ints[touched + count] = column
            ints[before + count] = last
            ints[stamps + column] = tick
            count += Index(last != tick)
    return count


@native_part
def let_decay(circuit: Circuit, layer: Whole, now: Now, count: Whole) -> None:
    """Bring the potentials of the touched columns to `now`."""
    real, ints, plan = circuit.real, circuit.ints, circuit.plan
    maps, u, table = Index(plan[layer + MAPS]), Index(plan[layer + U]), plan[layer + DECAY]
    touched, before = Index(plan[layer + TOUCHED]), Index(plan[layer + BEFORE])
    whole = maps - maps % Index(LANES)
    for i in range(count):
        last, factor = ints[before + Index(i)], np.float32(0.0)
        if last >= now.start:
            factor = decay_factor(circuit.table, table, now.tick - last)
        base = u + Index(ints[touched + Index(i)]) * maps
        for m in range(base, base + whole, Index(LANES)):
            scale_lanes(real, m, factor)
        for m in range(base + whole, base + maps):
            real[m] *= factor
