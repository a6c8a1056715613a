"""Eligibilities that arrivals raise too: all synapses have one, and a kernel of their own plays.

Gated by arrivals, before the threshold is tested and neurons are reset,

    arrival of j:  e_ij += ψ_i,  ψ_i = 0.3·max(0, 1 - |u_i - θ_i|/θ_i)

or, as elsewhere, a spike of i adds x̄_j(n). With a non-causal term, whatever the gate,

    arrival of j:  e_ij += κ·ȳ_i(n), ȳ *exclusive* (read before the jump of a spike at n)

Both touch columns, so neither a row nor a column has a time stamp. What is stored is
ê_ij = e_ij/λ_e^(n - o), with one origin o a population: a common factor takes the place of decay,
as for traces. To a new origin go the rows of neurons that have eligibilities, and no others.
"""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_inside, native_leaf, native_part, unlocked_leaf
from simedge.neurons.kinds import Index, Real, Whole
from simedge.neurons.recurrent.bared import bared
from simedge.neurons.recurrent.eligibility import note_spikes
from simedge.neurons.recurrent.firing import long_after, threshold_at
from simedge.neurons.recurrent.pairing import pre_traces
from simedge.neurons.recurrent.places import (
    ADAPTS,
    ALIVE,
    AMOUNTS,
    AT_ARRIVALS,
    CELL,
    CELL_FIELDS,
    CHANNEL,
    DUE,
    FIRED,
    GAIN,
    GATED,
    GROWN,
    GROWN_CLOCK,
    GROWN_LIST,
    GROWN_SPAN,
    GROWN_TABLE,
    GROWTH,
    HEAD,
    HEARD_FROM,
    HEARD_UNTIL,
    IN_SOURCE,
    IN_START,
    IN_SYNAPSE,
    LATE,
    LATE_CLOCK,
    LATE_LIVE,
    LATE_SPAN,
    LATE_TABLE,
    LAW,
    LEAST,
    LOW,
    MACS,
    MOST,
    NOW,
    ORIGIN,
    PENDING,
    POPULATION_FIELDS,
    POPULATIONS,
    PRE,
    PROJECTION_FIELDS,
    REST,
    ROW_AT,
    RULE,
    START_AT,
    TARGET_AT,
    TOUCHED,
    TRACES,
    VOLLEYS,
    WEIGHT,
    WRITES,
    Arrays,
)
from simedge.neurons.recurrent.selves import first_waiting
from simedge.neurons.recurrent.spike_log import arriving, is_short, next_arrival, turn_page
from simedge.neurons.recurrent.traces import TraceSet, forget_traces, raise_trace, trace_factor
from simedge.neurons.recurrent.volley import (
    DONE,
    LOG_IS_FULL,
    ROWS_ARE_FULL,
    conclude,
    receive,
)

__all__ = ["forget_grown", "forget_growth", "gate_grown", "play_grown"]

_ONE: Final = Index(1)
_SLOPE: Final = 0.3
"""Height of the surrogate derivative ψ at threshold."""


@unlocked_leaf
def play_grown(arrays: Arrays, until: Whole, most: Whole) -> Whole:
    """Do what `volley.play` does, for circuits in which arrivals raise eligibilities."""
    c = bared(arrays)
    if c.ints[PENDING]:
        if not note_spikes(c):
            return ROWS_ARE_FULL
        most -= 1  # their volley has been played
    for _ in range(most):
        now = min(next_arrival(c), first_waiting(c))
        if now >= until:
            return DONE
        if is_short(c):
            return LOG_IS_FULL
        for pop in range(HEAD + POPULATION_FIELDS, c.plan[POPULATIONS], POPULATION_FIELDS):
            serve(c, pop, now)
        turn_page(c, now)
        c.ints[NOW] = now
        c.ints[VOLLEYS] += 1
        if c.ints[PENDING] and not note_spikes(c):
            return ROWS_ARE_FULL
    return DONE


@native_inside
def serve(c: Arrays, pop: Whole, now: Whole) -> None:
    """Let a population take part in a volley."""
    received = receive(c, pop, now)
    if c.plan[pop + GROWTH] and received[0]:
        grow_at_arrivals(c, pop, now, received[0])
    fired = conclude(c, pop, now, received)
    if c.plan[pop + GROWTH] and fired:
        grow_at_spikes(c, pop, now, fired)


@native_inside
def late_traces(c: Arrays, pop: Whole) -> TraceSet:
    """Return where the post traces of the non-causal term lie."""
    plan = c.plan
    return TraceSet(
        plan[pop + LATE],
        1,
        plan[pop + LATE_CLOCK],
        plan[pop + LATE_LIVE],
        plan[pop + LATE_TABLE],
        plan[pop + LATE_SPAN],
    )


@native_part
def grown_factor(c: Arrays, pop: Whole, now: Whole) -> Real:
    """Return λ_e^(now - o), after a new origin if one is due."""
    gap = now - c.ints[c.plan[pop + GROWN_CLOCK] + ORIGIN]
    if gap <= c.plan[pop + GROWN_SPAN]:
        return c.real[c.plan[pop + GROWN_TABLE] + gap]
    scale_rows(c, pop, math.exp(gap * math.log(c.real[c.plan[pop + GROWN_TABLE] + 1])))
    c.ints[c.plan[pop + GROWN_CLOCK] + ORIGIN] = now
    return 1.0


@native_part
def scale_rows(c: Arrays, pop: Whole, factor: float) -> None:
    """Multiply the eligibilities of all neurons that have some."""
    plan, wires = c.plan, c.wires
    first = plan[pop + GROWN_LIST]
    for n in range(first, first + c.ints[plan[pop + GROWN_CLOCK] + ALIVE]):
        for q in range(plan[pop + HEARD_FROM], plan[pop + HEARD_UNTIL], PROJECTION_FIELDS):
            if plan[q + RULE] == GATED:
                row, ways = plan[q + IN_START] + c.ints[n], Index(plan[q + IN_SYNAPSE])
                for r in range(Index(wires[row]), Index(wires[row + 1])):
                    c.real[Index(plan[q + GROWN]) + Index(wires[ways + r])] *= factor


@native_inside
def list_eligible(c: Arrays, pop: Whole, neuron: Whole) -> None:
    """List a neuron as one that has eligibilities, once."""
    plan = c.plan
    if c.ints[plan[pop + ROW_AT] + neuron] < 0:
        alive = plan[pop + GROWN_CLOCK] + ALIVE
        c.ints[plan[pop + ROW_AT] + neuron] = 0
        c.ints[plan[pop + GROWN_LIST] + c.ints[alive]] = neuron
        c.ints[alive] += 1


@native_part
def grow_at_arrivals(c: Arrays, pop: Whole, now: Whole, count: Whole) -> None:
    """Let the columns of the sources that arrived grow; nobody has been reset yet."""
    plan, seen = c.plan, False
    for q in range(plan[pop + HEARD_FROM], plan[pop + HEARD_UNTIL], PROJECTION_FIELDS):
        if plan[q + RULE] == GATED and c.ints[plan[q + CHANNEL] + DUE] == now:
            if not seen:
                find_gains(c, pop, now, count)
                seen = True
            grow_columns(c, pop, q)


@native_part
def find_gains(c: Arrays, pop: Whole, now: Whole, count: Whole) -> None:
    """Find what an arrival adds to each touched neuron's synapses: (ψ_i + κ·ȳ_i)/λ_e^(n - o)."""
    plan, real = c.plan, c.real
    factor, amount = grown_factor(c, pop, now), real[plan[pop + GROWTH]]
    late = amount * trace_factor(c, late_traces(c, pop), now) if amount else 0.0
    for t in range(plan[pop + TOUCHED], plan[pop + TOUCHED] + count):
        neuron = c.ints[t]
        gain = late * real[plan[pop + LATE] + neuron]
        if plan[pop + AT_ARRIVALS]:
            gain += surrogate(c, pop, now, Index(neuron))
        real[plan[pop + GAIN] + neuron] = gain / factor


@native_part
def surrogate(c: Arrays, pop: Whole, now: Whole, neuron: Whole) -> Real:
    """Return ψ of a touched neuron, from its potential before reset."""
    law = c.plan[pop + LAW]
    drive = c.real[Index(c.plan[pop + CELL]) + Index(CELL_FIELDS) * neuron]
    u = long_after(c, pop, now, neuron) + drive + c.real[law + REST]
    theta = threshold_at(c, pop, neuron, now) if c.plan[pop + ADAPTS] else c.real[law + LOW]
    return _SLOPE * max(0.0, 1.0 - abs(u - theta) / theta)


@native_part
def grow_columns(c: Arrays, pop: Whole, q: Whole) -> None:
    """Add its target's gain to every synapse of the sources that arrived."""
    ints, plan, wires, reached = c.ints, c.plan, c.wires, np.int64(0)
    span = arriving(c, plan[q + CHANNEL])
    targets, gains, grown = (
        Index(plan[q + TARGET_AT]),
        Index(plan[pop + GAIN]),
        Index(plan[q + GROWN]),
    )
    for a in range(span[0], span[1]):
        row = plan[q + START_AT] + c.log[a]
        begin, end = Index(wires[row]), Index(wires[row + 1])
        reached += np.int64(end - begin)
        for s in range(begin, end):
            target = Index(wires[targets + s])
            list_eligible(c, pop, np.int64(target))
            c.real[grown + s] += c.real[gains + target]
    terms = int(c.real[plan[pop + GROWTH]] != 0.0) + plan[pop + AT_ARRIVALS]
    ints[TRACES] += reached * terms


@native_part
def grow_at_spikes(c: Arrays, pop: Whole, now: Whole, fired: Whole) -> None:
    """Let the rows of those that fired take in pre traces, if spikes gate; raise post traces."""
    plan, ints, first = c.plan, c.ints, c.plan[pop + FIRED]
    if plan[pop + AT_ARRIVALS] == 0:
        factor = grown_factor(c, pop, now)
        for n in range(first, first + fired):
            list_eligible(c, pop, ints[n])
            for q in range(plan[pop + HEARD_FROM], plan[pop + HEARD_UNTIL], PROJECTION_FIELDS):
                if plan[q + RULE] == GATED:
                    pre = trace_factor(c, pre_traces(c, q), now)
                    grow_row(c, q, ints[n], pre / factor)
    if c.real[plan[pop + GROWTH]]:
        late = late_traces(c, pop)
        jump = 1.0 / trace_factor(c, late, now)
        for n in range(first, first + fired):
            raise_trace(c, late, ints[n], jump)


@native_part
def grow_row(c: Arrays, q: Whole, neuron: Whole, factor: float) -> None:
    """Add the pre traces of a neuron's inputs to its row."""
    plan, wires = c.plan, c.wires
    row, ways = plan[q + IN_START] + neuron, Index(plan[q + IN_SYNAPSE])
    sources, pre, grown = (
        Index(plan[q + IN_SOURCE]),
        Index(plan[q + PRE]),
        Index(plan[q + GROWN]),
    )
    begin, end = Index(wires[row]), Index(wires[row + 1])
    for r in range(begin, end):
        trace = c.real[pre + Index(wires[sources + r])] * factor
        c.real[grown + Index(wires[ways + r])] += trace
    c.ints[TRACES] += np.int64(end - begin)


@native_part
def balance(c: Arrays, q: Whole, neuron: Whole, decay: float) -> tuple[Real, Real]:
    """Return the mean of a row, and by what the rest of it is divided once decayed."""
    wires, row, mean, square = c.wires, c.plan[q + IN_START] + neuron, 0.0, 0.0
    ways, grown = Index(c.plan[q + IN_SYNAPSE]), Index(c.plan[q + GROWN])
    begin, end = Index(wires[row]), Index(wires[row + 1])
    for r in range(begin, end):
        mean += c.real[grown + Index(wires[ways + r])]
    mean /= max(1, int(end - begin))
    for r in range(begin, end):
        rest = c.real[grown + Index(wires[ways + r])] - mean
        square += rest * rest
    return mean, 1.0 + decay * math.sqrt(square)


@native_leaf
def gate_grown(
    c: Arrays, pop: Whole, tick: Whole, modulators: NDArray[np.float64], balanced: Whole
) -> None:
    """Turn eligibilities into weights, as `eligibility.gate` does; modulators are of the list."""
    ints, plan, wires, weight = c.ints, c.plan, c.wires, c.weight
    gap = tick - ints[plan[pop + GROWN_CLOCK] + ORIGIN]
    decay, changed = math.exp(gap * math.log(c.real[plan[pop + GROWN_TABLE] + 1])), np.int64(0)
    for n in range(modulators.size):
        neuron = ints[plan[pop + GROWN_LIST] + n]
        for q in range(plan[pop + HEARD_FROM], plan[pop + HEARD_UNTIL], PROJECTION_FIELDS):
            if plan[q + RULE] == GATED:
                row, ways = plan[q + IN_START] + neuron, Index(plan[q + IN_SYNAPSE])
                weights, grown = Index(plan[q + WEIGHT]), Index(plan[q + GROWN])
                least, most = c.real[plan[q + AMOUNTS] + LEAST], c.real[plan[q + AMOUNTS] + MOST]
                amount, mean, length = modulators[n] * decay, 0.0, 1.0
                if balanced:
                    mean, length = balance(c, q, neuron, decay)
                amount /= length
                begin, end = Index(wires[row]), Index(wires[row + 1])
                for r in range(begin, end):
                    synapse = Index(wires[ways + r])
                    moved = float(weight[weights + synapse])
                    moved += amount * (c.real[grown + synapse] - mean)
                    weight[weights + synapse] = min(most, max(least, moved))
                changed += np.int64(end - begin)
    ints[MACS] += changed
    ints[WRITES] += changed


@native_leaf
def forget_grown(arrays: Arrays) -> None:
    """Forget the eligibilities that arrivals raised, of those that have some alone."""
    c = bared(arrays)
    ints, plan = c.ints, c.plan
    for pop in range(HEAD + POPULATION_FIELDS, plan[POPULATIONS], POPULATION_FIELDS):
        if plan[pop + GROWTH]:
            scale_rows(c, pop, 0.0)
            first, alive = plan[pop + GROWN_LIST], plan[pop + GROWN_CLOCK] + ALIVE
            for n in range(first, first + ints[alive]):
                ints[plan[pop + ROW_AT] + ints[n]] = -1
            ints[alive] = 0


@native_leaf
def forget_growth(arrays: Arrays, tick: Whole) -> None:
    """Begin a frame at `tick`: post traces are zero, and all that is stored has its origin there.

    Eligibilities have been forgotten before.
    """
    c = bared(arrays)
    for pop in range(HEAD + POPULATION_FIELDS, c.plan[POPULATIONS], POPULATION_FIELDS):
        if c.plan[pop + GROWTH]:
            forget_traces(c, late_traces(c, pop), tick)
            c.ints[c.plan[pop + GROWN_CLOCK] + ORIGIN] = tick
