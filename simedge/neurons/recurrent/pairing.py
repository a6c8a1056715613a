"""Pair STDP at a volley: post spikes potentiate, then traces rise.

All pairs of an arrival and a post spike, d_d ticks late, change a synapse:

    arrival of j:     Δw_ij = (λ·A_H - (1-λ)·A₋)·ȳ_i, then x̄_j += 1
    post spike of i:  Δw_ij = (λ·A_H + (1-λ)·A₊)·x̄_j, then ȳ_i += 1
    both at one tick: Δw_ij = λ·A_H once more

Traces are *exclusive* (read before their own jump), and a synapse is clipped once a volley
(Morrison, Diesmann and Gerstner 2008, Biol. Cybern. 98).
"""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import math
from typing import Final

import numpy as np

from simedge.core.native_cache import native_inside
from simedge.neurons.kinds import Index, Whole
from simedge.neurons.recurrent.delivery import Span, depress
from simedge.neurons.recurrent.places import (
    AMOUNTS,
    ARRIVED,
    AT_BOTH,
    AT_POST,
    CELL,
    CELL_FIELDS,
    CHANNEL,
    DUE,
    FLOOR,
    HEARD_FROM,
    HEARD_UNTIL,
    IN_SOURCE,
    IN_START,
    IN_SYNAPSE,
    LEARNS,
    LEAST,
    MACS,
    MOST,
    PAIRED,
    POST,
    POST_CLOCK,
    POST_LIVE,
    POST_SPAN,
    POST_TABLE,
    PRE,
    PRE_CLOCK,
    PRE_LIVE,
    PRE_SPAN,
    PRE_TABLE,
    PROJECTION_FIELDS,
    RULE,
    TRACE,
    TRACES,
    WEIGHT,
    WRITES,
    Arrays,
)
from simedge.neurons.recurrent.spike_log import arriving
from simedge.neurons.recurrent.traces import TraceSet, raise_trace, trace_factor

__all__ = ["learn_pairs", "post_traces", "pre_traces", "raise_pre", "set_floor"]

_ONE: Final = Index(1)


@native_inside
def post_traces(c: Arrays, pop: Whole) -> TraceSet:
    """Return where the post traces of a population lie."""
    plan = c.plan
    return TraceSet(
        plan[pop + CELL] + TRACE,
        CELL_FIELDS,
        plan[pop + POST_CLOCK],
        plan[pop + POST_LIVE],
        plan[pop + POST_TABLE],
        plan[pop + POST_SPAN],
    )


@native_inside
def pre_traces(c: Arrays, q: Whole) -> TraceSet:
    """Return where the pre traces of a projection lie."""
    plan = c.plan
    return TraceSet(
        plan[q + PRE],
        1,
        plan[q + PRE_CLOCK],
        plan[q + PRE_LIVE],
        plan[q + PRE_TABLE],
        plan[q + PRE_SPAN],
    )


@native_inside
def set_floor(c: Arrays, pop: Whole, span: Span, floor: float) -> None:
    """Take the floor under the weights of some targets away, -inf, or put it back, 0."""
    first = c.plan[pop + CELL] + FLOOR
    for a in range(span[0], span[1]):
        c.real[first + CELL_FIELDS * c.log[a]] = floor


@native_inside
def learn_pairs(  # noqa: C901 - one kernel
    c: Arrays, pop: Whole, now: Whole, late: Whole
) -> None:
    """Let the post spikes that act now potentiate, and raise all traces of this volley.

    With `late`, post spikes act at their own tick, and arrivals have not depressed yet.
    """
    ints, plan = c.ints, c.plan
    channel, learns = plan[pop + POST], ints[LEARNS]
    acting = arriving(c, channel) if ints[channel + DUE] == now else (0, 0)
    if late and learns:
        set_floor(c, pop, acting, -math.inf)
    post = trace_factor(c, post_traces(c, pop), now)
    for q in range(plan[pop + HEARD_FROM], plan[pop + HEARD_UNTIL], PROJECTION_FIELDS):
        if plan[q + RULE] == PAIRED:
            due = ints[plan[q + CHANNEL] + DUE] == now
            if due and late and learns:
                depress(c, q, arriving(c, plan[q + CHANNEL]), post)
            if due:
                note_arrivals(c, q, now)
            if due or acting[1] > acting[0]:
                pre = trace_factor(c, pre_traces(c, q), now)
                if learns:
                    potentiate(c, q, now, acting, pre)
                if due:
                    raise_pre(c, q, 1.0 / pre)
    if acting[1] > acting[0]:
        set_floor(c, pop, acting, 0.0)
        for a in range(acting[0], acting[1]):
            raise_trace(c, post_traces(c, pop), c.log[a], 1.0 / post)


@native_inside
def potentiate(c: Arrays, q: Whole, now: Whole, acting: Span, factor: float) -> None:
    """Add a·x̄_j to all synapses of the neurons whose spikes act now, then clip."""
    real, ints, plan, wires, weight = c.real, c.ints, c.plan, c.wires, c.weight
    starts, ways = Index(plan[q + IN_START]), Index(plan[q + IN_SYNAPSE])
    sources, pre, weights = (
        Index(plan[q + IN_SOURCE]),
        Index(plan[q + PRE]),
        Index(plan[q + WEIGHT]),
    )
    law, reached = plan[q + AMOUNTS], Index(0)
    amount, both = real[law + AT_POST] * factor, real[law + AT_BOTH]
    least, most = real[law + LEAST], real[law + MOST]
    for a in range(acting[0], acting[1]):
        row = starts + Index(c.log[a])
        begin, end = Index(wires[row]), Index(wires[row + _ONE])
        reached += end - begin
        if both:
            meet(c, q, now, (begin, end))
        for r in range(begin, end):
            synapse = weights + Index(wires[ways + r])
            moved = float(weight[synapse]) + amount * real[pre + Index(wires[sources + r])]
            weight[synapse] = min(most, max(least, moved))
    ints[TRACES] += np.int64(reached) + acting[1] - acting[0]
    ints[MACS] += np.int64(reached)
    ints[WRITES] += np.int64(reached)


@native_inside
def note_arrivals(c: Arrays, q: Whole, now: Whole) -> None:
    """Stamp the sources that arrived, if a coincidence changes anything."""
    if c.real[c.plan[q + AMOUNTS] + AT_BOTH]:
        span = arriving(c, c.plan[q + CHANNEL])
        for a in range(span[0], span[1]):
            c.marks[c.plan[q + ARRIVED] + c.log[a]] = now


@native_inside
def meet(c: Arrays, q: Whole, now: Whole, ways: Span) -> None:
    """Add what an arrival and a post spike at one tick add once, unclipped."""
    plan, wires = c.plan, c.wires
    back, sources = Index(plan[q + IN_SYNAPSE]), Index(plan[q + IN_SOURCE])
    arrived, weights = Index(plan[q + ARRIVED]), Index(plan[q + WEIGHT])
    both = c.real[plan[q + AMOUNTS] + AT_BOTH]
    for r in range(ways[0], ways[1]):
        if c.marks[arrived + Index(wires[sources + r])] == now:
            c.weight[weights + Index(wires[back + r])] += both


@native_inside
def raise_pre(c: Arrays, q: Whole, jump: float) -> None:
    """Let the traces of the sources that arrived jump."""
    span, traces = arriving(c, c.plan[q + CHANNEL]), pre_traces(c, q)
    for a in range(span[0], span[1]):
        raise_trace(c, traces, c.log[a], jump)
