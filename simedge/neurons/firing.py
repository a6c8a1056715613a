"""Who fires: threshold, k winners a column, reset, homeostasis, spikes to come without input."""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import numpy as np

from simedge.core.native_cache import native_leaf
from simedge.neurons.circuit import Circuit
from simedge.neurons.kinds import Index, Ints, Real, Whole
from simedge.neurons.layout import (
    DECAY,
    EXCESS,
    GROUP,
    LAW,
    MAPS,
    PER_COLUMN,
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


@native_leaf
def fire(circuit: Circuit, layer: Whole, now: Now, touched: Whole) -> Whole:
    """Let the touched columns fire; return how many spikes the layer had before."""
    held, real, ints = circuit.held, circuit.real, circuit.ints
    first, maps, law = ints[ints[layer + SPIKES]] + 0, Index(ints[layer + MAPS]), ints[layer + LAW]
    columns, u, theta = ints[layer + TOUCHED], Index(ints[layer + U]), Index(ints[layer + THETA])
    own, stamp, last = ints[layer + PER_COLUMN], ints[layer + GROUP], first
    drift, low = real[law], real[law + 2]
    for i in range(columns, columns + touched):
        column = ints[i] + 0
        group = column * own
        fall = drift * np.float32(now.clock - circuit.held_tick[stamp + group] - 1)
        base, bound = u + Index(column) * maps, theta + Index(group) * maps
        above = np.int32(0)
        for m in range(maps):
            over = (real[base + m] > held[bound + m] - fall) & (real[base + m] > low)
            above += np.int32(over)
        if above:
            last = compete(circuit, layer, column, fall, last)
    ints[ints[layer + SPIKES]] = last
    neurons, ticks, firsts = (
        ints[layer + SPIKE_NEURON],
        ints[layer + SPIKE_TICK],
        ints[layer + SPIKE_FIRST],
    )
    sort(ints, neurons + first, neurons + last)
    for i in range(first, last):
        ints[firsts + i] = ints[neurons + i] & 1
        ints[neurons + i] >>= 1
        ints[ticks + i] = now.tick - now.start
    ints[1] += last - first
    return first


@native_leaf
def compete(circuit: Circuit, layer: Whole, column: Whole, fall: Real, last: Whole) -> Whole:
    """Pick the winners of one column, reset winners and losers; return the new end of the list.

    A neuron with excess a = u - θ > 0 fires iff fewer than k others have a larger excess (or an
    equal one and a lower index). Losers are reset to zero. A winner is listed as twice its
    number, plus one if nobody was further above threshold.
    """
    held, real, ints, maps = circuit.held, circuit.real, circuit.ints, circuit.ints[layer + MAPS]
    low, base = real[ints[layer + LAW] + 2], ints[layer + U] + column * maps
    theta = ints[layer + THETA] + column * ints[layer + PER_COLUMN] * maps
    excess = ints[layer + EXCESS]
    for m in range(maps):
        real[excess + m] = real[base + m] - max(low, held[theta + m] - fall)
    for m in range(maps):
        mine = real[excess + m]
        if mine > 0.0:
            better = 0
            for other in range(maps):
                theirs = real[excess + other]
                better += (theirs > mine) | ((theirs == mine) & (other < m))
            won = better < ints[layer + WINNERS]
            if won:
                code = 2 * (column * maps + m) + np.int64(better == 0)
                ints[ints[layer + SPIKE_NEURON] + last] = code
                last += 1
            real[base + m] = mine if won and ints[layer + SOFT] else np.float32(0.0)
    return last


@native_leaf
def sort(spikes: Ints, first: Whole, stop: Whole) -> None:
    """Sort the volley's spikes by neuron: few, and nearly in order already."""
    for i in range(first + 1, stop):
        neuron, j = spikes[i], i
        while j > first and spikes[j - 1] > neuron:
            spikes[j] = spikes[j - 1]
            j -= 1
        spikes[j] = neuron


@native_leaf
def adapt(circuit: Circuit, layer: Whole, now: Now, first: Whole) -> None:
    """Move the thresholds of the groups that fired in this volley: θ(n+1) from θ(n)."""
    held, ints = circuit.held, circuit.ints
    maps, law = ints[layer + MAPS], circuit.real[ints[layer + LAW] : ints[layer + LAW] + 4]
    begin = ints[layer + SPIKE_NEURON]
    for i in range(begin + first, begin + ints[ints[layer + SPIKES]]):
        group = ints[i] // maps * ints[layer + PER_COLUMN]
        theta, stamp = ints[layer + THETA] + group * maps, ints[layer + GROUP] + group
        silent = now.clock - circuit.held_tick[stamp] - 1
        if silent >= 0:
            fall = law[0] * np.float32(silent)
            for at in range(theta, theta + maps):
                held[at] = max(law[2], held[at] - fall) - law[0]
            circuit.held_tick[stamp] = now.clock
        held[theta + ints[i] % maps] += law[1]
    for i in range(begin + first, begin + ints[ints[layer + SPIKES]]):
        theta = ints[layer + THETA] + ints[i] // maps * ints[layer + PER_COLUMN] * maps
        for at in range(theta, theta + maps):
            held[at] = min(law[3], max(law[2], held[at]))


@native_leaf
def foresee(circuit: Circuit, layer: Whole, now: Now, first: Whole) -> None:
    """List the columns that will fire at the next tick without input (after soft resets)."""
    real, ints, count, before = circuit.real, circuit.ints, 0, -1
    maps, leak = ints[layer + MAPS], real[ints[layer + DECAY] + 1]
    drift, low = real[ints[layer + LAW]], real[ints[layer + LAW] + 2]
    begin = ints[layer + SPIKE_NEURON]
    for i in range(begin + first, begin + ints[ints[layer + SPIKES]]):
        neuron = ints[i]
        column = neuron // maps
        group = column * ints[layer + PER_COLUMN]
        silent = now.clock + now.learn - circuit.held_tick[ints[layer + GROUP] + group] - 1
        after = circuit.held[ints[layer + THETA] + group * maps + neuron % maps]
        bound = max(low, after - drift * np.float32(silent))
        if column != before and leak * real[ints[layer + U] + neuron] > bound:
            ints[ints[layer + SELVES] + count] = column
            count += 1
            before = column
    ints[ints[layer + SPIKES] + 2] = count
