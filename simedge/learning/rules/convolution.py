"""The hybrid Hebbian-STDP law on shared weights, compiled.

A weight of a convolution layer is one synapse at every column: its change is the sum over columns,
with amplitudes divided by their number. All changes of a volley are computed from the weights
held when it began, added once, clipped once. Only taps and maps that took part are touched.
"""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import math

import numpy as np

from simedge.core.native_cache import native_part
from simedge.learning.rules.hebbian_stdp import Bounds, HebbianStdp
from simedge.neurons.circuit import Circuit
from simedge.neurons.decay import TABLE_TICKS, decay_factor
from simedge.neurons.kinds import Index, Ints, Real, Reals, Run, Span, Whole
from simedge.neurons.lanes import LANES, add_scaled_lanes, take_in_lanes
from simedge.neurons.layout import (
    ACTED,
    ACTING,
    ARRIVED,
    CHANGE,
    CHANGED,
    DECAY,
    IN_START,
    MAPS,
    OUT_START,
    PLACE,
    POST,
    POST_TICK,
    PRE,
    PRE_TICK,
    SPIKES,
    TAP_TICK,
    TAPS,
    WEIGHT,
    Now,
)
from simedge.neurons.traces import POST_TABLE, PRE_TABLE

__all__ = ["SCALINGS", "apply", "at_post", "at_pre", "coefficients", "rescale", "scale_map"]

SCALINGS = ("none", "sum", "centred")
"""How weights are scaled after learning, see `rescale`."""


def coefficients(
    rule: HebbianStdp, share: float, bounds: Bounds, *, columns: int
) -> tuple[float, ...]:
    """Return (pre, post, both, Oja, w_min, w_max, μ₊, μ₋) of one layer at Hebbian share λ."""
    amplitudes = (
        rule.at_pre(share),
        rule.at_post(share),
        rule.at_both(share),
        rule.towards_trace(share),
    )
    shares = tuple(amplitude / columns for amplitude in amplitudes)
    return (*shares, bounds.low, bounds.high, bounds.mu_plus, bounds.mu_minus)


@native_part
def slowed(law: Reals, base: Whole, change: Real, weight: Real) -> Real:
    """Return a change slowed towards the bound it moves to."""
    mu = law[base + 6] if change > 0.0 else law[base + 7]
    if mu == 0.0:
        return change
    part = weight / law[base + 5]
    room = max(np.float32(0.0), np.float32(1.0) - part if change > 0.0 else part)
    if mu == 1.0:
        return change * room
    return change * np.float32(room**mu)


@native_part
def at_pre(
    circuit: Circuit,
    law: Reals,
    layer: Whole,
    now: Now,
    source: Ints,
    span: Span,
) -> None:
    """Let the spikes source[span[0]:span[1]] meet the post traces of the columns they reach."""
    held, real, ints, plan = circuit.held, circuit.real, circuit.ints, circuit.plan
    base = 8 * plan[layer + PLACE]
    coefficient, met, table = law[base], 0, plan[layer + DECAY] + POST_TABLE
    starts, stamps = Index(plan[layer + OUT_START]), Index(plan[layer + POST_TICK])
    posts, maps = Index(plan[layer + POST]), Index(plan[layer + MAPS])
    changes, weights = Index(plan[layer + CHANGE]), Index(plan[layer + WEIGHT])
    soft = law[base + 6] != 0.0 or law[base + 7] != 0.0
    whole = Index(0) if soft else maps - maps % Index(LANES)
    if ints[plan[layer + SPIKES] + 1] == 0:
        return
    for i in range(span[0], span[1]):
        at = starts + Index(source[i])
        for e in range(Index(plan[at]), Index(plan[at + Index(1)]), Index(2)):
            column, tap = Index(plan[e]), Index(plan[e + Index(1)])
            last = ints[stamps + column]
            if last < now.start:
                continue
            met += 1
            factor = coefficient * decay_factor(circuit.table, table, now.tick - last)
            note(circuit, layer, now, tap)
            post, change, weight = posts + column * maps, changes + tap * maps, tap * maps
            for m in range(Index(0), whole, Index(LANES)):
                add_scaled_lanes(real, change + m, factor, real, post + m)
            for m in range(whole, maps):
                full = factor * real[post + m]
                if soft:
                    full = slowed(law, base, full, held[weights + weight + m])
                real[change + m] += full
    ints[4] += met * plan[layer + MAPS] + span[1] - span[0]
    ints[5] += met * plan[layer + MAPS]


@native_part
def note(circuit: Circuit, layer: Whole, now: Now, tap: Whole) -> None:
    """List a tap whose weights are to change, once a volley."""
    ints, plan = circuit.ints, circuit.plan
    stamp = Index(plan[layer + TAP_TICK]) + tap
    if ints[stamp] != now.tick:
        ints[stamp] = now.tick
        at = plan[layer + SPIKES] + 3
        ints[plan[layer + CHANGED] + ints[at]] = tap
        ints[at] += 1


@native_part
def at_post(circuit: Circuit, law: Reals, layer: Whole, now: Now, neuron: Whole) -> None:
    """Let one post spike meet the pre traces of all inputs of its column.

    Which of them fired in this presentation cannot be foreseen: where ages fit the decay table,
    nothing branches on it.
    """
    held, real, ints, plan = circuit.held, circuit.real, circuit.ints, circuit.plan
    maps, base, tables = Index(plan[layer + MAPS]), 8 * plan[layer + PLACE], circuit.table
    pair, both, oja, soft = law[base + 1], law[base + 2], law[base + 3], law[base + 6] != 0.0
    pre, stamps = Index(plan[layer + PRE]), Index(plan[layer + PRE_TICK])
    table, arrived = Index(plan[layer + DECAY] + PRE_TABLE), Index(plan[layer + ARRIVED])
    weights, changes = Index(plan[layer + WEIGHT]), Index(plan[layer + CHANGE])
    map_, at = Index(neuron) % maps, Index(plan[layer + IN_START]) + Index(neuron) // maps
    long = now.tick - now.start > TABLE_TICKS
    for e in range(Index(plan[at]), Index(plan[at + Index(1)]), Index(2)):
        line, tap = Index(plan[e]), Index(plan[e + Index(1)]) * maps + map_
        last = ints[stamps + line]
        if long and last >= now.start:
            factor = decay_factor(tables, np.int64(table), now.tick - last)
        else:
            factor = tables[table + Index(min(now.tick - last, TABLE_TICKS))]
        trace = real[pre + line] * factor
        trace = trace if last >= now.start else np.float32(0.0)
        weight = held[weights + tap]
        change = pair * trace
        if both != 0.0 and ints[arrived + line] == now.tick:
            change += both
        if soft:
            change = slowed(law, base, change, weight)
        real[changes + tap] += change + oja * (trace - weight)
    sources = (plan[at + Index(1)] - plan[at]) // 2
    ints[4] += sources + 1
    ints[5] += sources


@native_part
def take_in(circuit: Circuit, layer: Whole, bounds: tuple[Real, Real], run: Run) -> None:
    """Add the changes of a run of weights to them, clip them, and clear the changes."""
    held, real, low, high = circuit.held, circuit.real, bounds[0], bounds[1]
    weight, change = circuit.plan[layer + WEIGHT], circuit.plan[layer + CHANGE]
    for i in range(run[0], run[1], run[2]):
        held[weight + i] = min(high, max(low, held[weight + i] + real[change + i]))
        real[change + i] = np.float32(0.0)


@native_part
def apply(circuit: Circuit, law: Reals, layer: Whole, acting: Whole) -> None:
    """Add the volley's changes to the weights, once each, and clip.

    `acting` is the number of post spikes in the volley.
    """
    ints, plan, maps = circuit.ints, circuit.plan, np.int64(circuit.plan[layer + MAPS])
    taps, size = ints[plan[layer + SPIKES] + 3], plan[layer + TAPS] * maps
    base = 8 * plan[layer + PLACE]
    bounds = (law[base + 4], law[base + 5])
    whole = maps - maps % LANES
    for i in range(taps):
        first = np.int64(ints[plan[layer + CHANGED] + i] * maps)
        for m in range(first, first + whole, LANES):
            weight, change = Index(plan[layer + WEIGHT] + m), Index(plan[layer + CHANGE] + m)
            take_in_lanes(circuit.held, weight, circuit.real, change, bounds[0], bounds[1])
        take_in(circuit, layer, bounds, (first + whole, first + maps, np.int64(1)))
    for i in range(acting):
        map_ = ints[plan[layer + ACTING] + i] % maps
        take_in(circuit, layer, bounds, (map_, size, maps))
    ints[plan[layer + SPIKES] + 3] = 0
    ints[7] += taps * maps + acting * plan[layer + TAPS]


@native_part
def rescale(circuit: Circuit, layer: Whole, scaling: Reals) -> None:
    """Scale the weights of each map that has learned, as (mode, size, low, high) of `scaling` say.

    Mode 1: sum of magnitudes. Mode 2: mean 0 and length `size`, which keeps maps apart that see
    the same overall rate. Then they are clipped, so that bounds hold at all times.
    """
    held, ints, plan = circuit.held, circuit.ints, circuit.plan
    maps = np.int64(plan[layer + MAPS])
    place, weight, size = 4 * plan[layer + PLACE], plan[layer + WEIGHT], plan[layer + TAPS] * maps
    wish = (scaling[place], scaling[place + 1], scaling[place + 2], scaling[place + 3])
    if wish[0] == 0.0:
        return
    for m in range(maps):
        if ints[plan[layer + ACTED] + m]:
            scale_map(held, (weight + m, weight + size, maps), wish)
            ints[6] += plan[layer + TAPS]
            ints[7] += plan[layer + TAPS]


@native_part
def scale_map(held: Reals, run: Run, wish: tuple[Real, Real, Real, Real]) -> None:
    """Scale the weights of one map, a run of `held`, in place."""
    shift, length = 0.0, 0.0
    if wish[0] == 2.0:
        for i in range(run[0], run[1], run[2]):
            shift += held[i]
        shift /= len(range(run[0], run[1], run[2]))
    for i in range(run[0], run[1], run[2]):
        held[i] -= shift
        length += held[i] * held[i] if wish[0] == 2.0 else abs(held[i])
    if wish[0] == 2.0:
        length = math.sqrt(length)
    for i in range(run[0], run[1], run[2]):
        if length > 0.0:
            held[i] *= wish[1] / length
        held[i] = min(wish[3], max(wish[2], held[i]))
