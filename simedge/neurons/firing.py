"""Who fires: threshold, k winners a column, reset, homeostasis, spikes to come without input."""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import numpy as np

from simedge.core.native_cache import native_part
from simedge.neurons.circuit import Circuit
from simedge.neurons.kinds import Index, Whole
from simedge.neurons.lanes import LANES, any_above
from simedge.neurons.layout import (
    BAR,
    DECAY,
    EXCESS,
    GROUP,
    LAW,
    MAPS,
    PER_COLUMN,
    RIVALS,
    SELVES,
    SOFT,
    SPIKE_FIRST,
    SPIKE_NEURON,
    SPIKE_TICK,
    SPIKES,
    THETA,
    TOUCHED,
    WINNERS,
    Now,
    U,
)

__all__ = ["adapt", "fire", "foresee"]

_FEW = 32
"""Up to so many spikes are sorted by insertion alone."""


@native_part
def fire(circuit: Circuit, layer: Whole, now: Now, touched: Whole) -> Whole:
    """Let the touched columns fire; return how many spikes the layer had before."""
    held, real, ints, plan = circuit.held, circuit.real, circuit.ints, circuit.plan
    first, maps, law = np.int64(ints[plan[layer + SPIKES]]), Index(plan[layer + MAPS]), layer + LAW
    columns, u, theta = plan[layer + TOUCHED], Index(plan[layer + U]), Index(plan[layer + THETA])
    own, stamp, last = Index(plan[layer + PER_COLUMN]), Index(plan[layer + GROUP]), first
    drift, low = circuit.table[plan[law]], circuit.table[plan[law] + 2]
    bar, whole = Index(plan[layer + BAR]), maps - maps % Index(LANES)
    for i in range(columns, columns + touched):
        column = Index(ints[i])
        if own or i == columns:
            group = column * own
            fall = drift * np.float32(now.clock - circuit.held_tick[stamp + group] - 1)
            for m in range(maps):
                real[bar + m] = max(low, held[theta + group * maps + m] - fall)
        above, base = False, u + column * maps
        for m in range(Index(0), whole, Index(LANES)):
            above |= any_above(real, base + m, real, bar + m)
        for m in range(whole, maps):
            above |= real[base + m] > real[bar + m]
        if above:
            last = compete(circuit, layer, column, last)
    ints[plan[layer + SPIKES]] = last
    put_in_order(circuit, layer, np.int32(now.tick - now.start), (first, last))
    ints[1] += last - first
    return first


@native_part
def compete(circuit: Circuit, layer: Whole, column: Whole, last: Whole) -> Whole:
    """Pick the winners of one column, reset winners and losers; return the new end of the list.

    A neuron with excess a = u - θ > 0 fires iff fewer than k others have a larger excess (or an
    equal one and a lower index). Losers are reset to zero. A winner is listed as twice its
    number, plus one if nobody was further above threshold.
    """
    real, ints, plan = circuit.real, circuit.ints, circuit.plan
    maps, bar, excess = Index(plan[layer + MAPS]), Index(plan[layer + BAR]), plan[layer + EXCESS]
    base, rivals, count = Index(plan[layer + U]) + column * maps, plan[layer + RIVALS], 0
    for m in range(maps):
        if real[base + m] > real[bar + m]:
            ints[rivals + count] = m
            real[excess + count] = real[base + m] - real[bar + m]
            count += 1
    for i in range(count):
        mine, better, map_ = real[excess + i], 0, Index(ints[rivals + i])
        for j in range(count):
            theirs = real[excess + j]
            better += (theirs > mine) | ((theirs == mine) & (j < i))
        won = better < plan[layer + WINNERS]
        if won:
            code = Index(2) * (column * maps + map_) + Index(better == 0)
            ints[plan[layer + SPIKE_NEURON] + last] = code
            last += 1
        real[base + map_] = mine if won and plan[layer + SOFT] else np.float32(0.0)
    return last


@native_part
def put_in_order(circuit: Circuit, layer: Whole, tick: Whole, span: tuple[Whole, Whole]) -> None:
    """Sort the volley's spikes by neuron, then decode them.

    Most volleys have few spikes, and then this (Shell 1959) is sorting by insertion. Of many, those
    of one column are listed far from where they belong in a wide picture: to insert them one by
    one would cost each spike more, the more there are.
    """
    ints, plan, gap = circuit.ints, circuit.plan, 1
    ticks, firsts = plan[layer + SPIKE_TICK], plan[layer + SPIKE_FIRST]
    neurons = plan[layer + SPIKE_NEURON]
    begin, end = neurons + span[0], neurons + span[1]
    while _FEW * gap < end - begin:
        gap = 3 * gap + 1
    while gap:
        for i in range(begin + gap, end):
            code, j = ints[i], i
            while j >= begin + gap and ints[j - gap] > code:
                ints[j] = ints[j - gap]
                j -= gap
            ints[j] = code
        gap //= 3
    for i in range(span[0], span[1]):
        ints[firsts + i] = ints[neurons + i] & 1
        ints[neurons + i] >>= 1
        ints[ticks + i] = tick


@native_part
def adapt(circuit: Circuit, layer: Whole, now: Now, first: Whole) -> None:
    """Move the thresholds of the groups that fired in this volley: θ(n+1) from θ(n)."""
    held, ints, plan, maps = circuit.held, circuit.ints, circuit.plan, circuit.plan[layer + MAPS]
    law, table = plan[layer + LAW], circuit.table
    drift, step, low, high = table[law], table[law + 1], table[law + 2], table[law + 3]
    if step == 0.0:
        return
    begin = plan[layer + SPIKE_NEURON]
    end = begin + ints[plan[layer + SPIKES]]
    for i in range(begin + first, end):
        group = ints[i] // maps * plan[layer + PER_COLUMN]
        theta, stamp = plan[layer + THETA] + group * maps, plan[layer + GROUP] + group
        silent = now.clock - circuit.held_tick[stamp] - 1
        if silent >= 0:
            for at in range(theta, theta + maps):
                held[at] = max(low, held[at] - drift * np.float32(silent)) - drift
            circuit.held_tick[stamp] = now.clock
        held[theta + ints[i] % maps] += step
    for i in range(begin + first, end):
        theta = plan[layer + THETA] + ints[i] // maps * plan[layer + PER_COLUMN] * maps
        for at in range(theta, theta + maps):
            held[at] = min(high, max(low, held[at]))


@native_part
def foresee(circuit: Circuit, layer: Whole, now: Now, first: Whole) -> None:
    """List the columns that will fire at the next tick without input (after soft resets)."""
    real, ints, plan, count, before = circuit.real, circuit.ints, circuit.plan, 0, -1
    maps, table, law = plan[layer + MAPS], circuit.table, plan[layer + LAW]
    leak, drift, low = table[plan[layer + DECAY] + 1], table[law], table[law + 2]
    begin = plan[layer + SPIKE_NEURON]
    for i in range(begin + first, begin + ints[plan[layer + SPIKES]]):
        neuron = ints[i]
        column = neuron // maps
        group = column * plan[layer + PER_COLUMN]
        silent = now.clock + now.learn - circuit.held_tick[plan[layer + GROUP] + group] - 1
        after = circuit.held[plan[layer + THETA] + group * maps + neuron % maps]
        bound = max(low, after - drift * np.float32(silent))
        if column != before and leak * real[plan[layer + U] + neuron] > bound:
            ints[plan[layer + SELVES] + count] = column
            count += 1
            before = column
    ints[plan[layer + SPIKES] + 2] = count
