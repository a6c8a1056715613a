"""One volley after the other: all that happens at one tick, population by population.

At tick n, for each population in the order in which it was given: neurons that fire without input,
arrivals (pairs depress), threshold and reset, spikes written down, post spikes that act
(pairs potentiate), traces, thresholds. Spikes with delay 0 reach later populations in the same
volley. `play` runs until a horizon or a number of volleys; whoever lets it run one volley a call
gets the same spikes, weights and counters bit by bit.
"""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import math

import numpy as np

from simedge.core.native_cache import native_inside, unlocked_leaf
from simedge.neurons.kinds import Whole
from simedge.neurons.recurrent.bared import bared
from simedge.neurons.recurrent.delivery import are_many, deliver, deliver_paired, list_touched
from simedge.neurons.recurrent.eligibility import note_spikes
from simedge.neurons.recurrent.firing import adapt, fire, put_in_order
from simedge.neurons.recurrent.pairing import (
    learn_pairs,
    post_traces,
    pre_traces,
    raise_pre,
    set_floor,
)
from simedge.neurons.recurrent.places import (
    CHANNEL,
    COUNTED,
    DELAY,
    DUE,
    FIRED,
    FIRED_NOW,
    GATED,
    HEAD,
    HEARD_FROM,
    HEARD_UNTIL,
    LEARNS,
    NEXT,
    NOTED,
    NOW,
    PAIRED,
    PENDING,
    POPULATION_FIELDS,
    POPULATIONS,
    POST,
    PROJECTION_FIELDS,
    RULE,
    SPIKES,
    TARGET,
    VOLLEYS,
    Arrays,
)
from simedge.neurons.recurrent.selves import first_waiting, foresee, wake
from simedge.neurons.recurrent.spike_log import (
    arriving,
    is_short,
    log_spikes,
    next_arrival,
    turn_page,
)
from simedge.neurons.recurrent.traces import trace_factor

__all__ = ["DONE", "LOG_IS_FULL", "ROWS_ARE_FULL", "conclude", "play", "receive"]

DONE, LOG_IS_FULL, ROWS_ARE_FULL = range(3)

Received = tuple[Whole, Whole, Whole, Whole]
"""How many neurons a volley touched, are those many; arrive spikes, do post spikes act."""


@unlocked_leaf
def play(arrays: Arrays, until: Whole, most: Whole) -> Whole:
    """Play at most so many volleys before a tick; tell whether that is done or a buffer is full."""
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
    conclude(c, pop, now, receive(c, pop, now))


@native_inside
def receive(c: Arrays, pop: Whole, now: Whole) -> Received:
    """Take in what arrives at a population, and list whom it touches."""
    ints, plan = c.ints, c.plan
    post, count = plan[pop + POST], wake(c, pop, now)
    pairs_now = post >= 0 and ints[LEARNS] and ints[post + DELAY]
    acts = post >= 0 and ints[post + DUE] == now
    if pairs_now and acts:
        set_floor(c, pop, arriving(c, post), -math.inf)
    many = are_many(c, pop, now)
    arrives = False
    for q in range(plan[pop + HEARD_FROM], plan[pop + HEARD_UNTIL], PROJECTION_FIELDS):
        if ints[plan[q + CHANNEL] + DUE] == now:
            arrives = True
            pairs = pairs_now and plan[q + RULE] == PAIRED
            # Two copies: one of them lists what it touches.
            if many:
                count = take_in(c, q, now, 0, pairs, False)
            else:
                count = take_in(c, q, now, count, pairs, True)
    if many:
        count = list_touched(c, pop, now)
    return count, many, arrives, acts


@native_inside
def conclude(c: Arrays, pop: Whole, now: Whole, received: Received) -> Whole:
    """Let those that were touched fire or not, then pairs learn; return how many fired."""
    ints, plan = c.ints, c.plan
    count, many, arrives, acts = received
    post, fired = plan[pop + POST], np.int64(0)
    if count:
        fired = fire(c, pop, now, count)
        if fired:
            if not many:
                put_in_order(c, plan[pop + FIRED], fired)
            log_spikes(c, pop, now, fired)
            adapt(c, pop, now, fired)
            ints[SPIKES] += fired
            hand_on(c, pop, fired)
        foresee(c, pop, now, count)
    if post >= 0 and (arrives or acts or ints[post + DUE] == now):
        learn_pairs(c, pop, now, ints[post + DELAY] == 0)
    return fired


@native_inside
def hand_on(c: Arrays, pop: Whole, fired: Whole) -> None:
    """Remember to count the spikes of a population when the volley is over."""
    if c.plan[pop + COUNTED]:
        noted = c.plan[pop + NOTED]
        c.ints[noted + NEXT] = 0
        c.ints[noted + FIRED_NOW] = fired
        c.ints[PENDING] = 1


@native_inside
def take_in(c: Arrays, q: Whole, now: Whole, count: Whole, pairs: Whole, lists: Whole) -> Whole:
    """Deliver what a projection brings; return how many neurons are listed as touched."""
    span = arriving(c, c.plan[q + CHANNEL])
    if c.plan[q + RULE] == GATED:
        raise_pre(c, q, 1.0 / trace_factor(c, pre_traces(c, q), now))
    if pairs:
        factor = trace_factor(c, post_traces(c, c.plan[q + TARGET]), now)
        return deliver_paired(c, q, now, count, span, lists, factor)
    return deliver(c, q, now, count, span, lists)
