"""One volley after the other: all that happens at one tick, population by population.

At tick n, for each population in the order in which it was given: neurons that fire without input,
arrivals (pairs depress), threshold and reset, spikes written down, post spikes that act
(pairs potentiate), traces, thresholds. Spikes with delay 0 reach later populations in the same
volley. `play` runs until a horizon or a number of volleys; whoever lets it run one volley a call
gets the same spikes, weights and counters bit by bit.
"""

import math
from typing import Final

from simedge.core.native_cache import native_leaf, native_part, unlocked_leaf
from simedge.neurons.kinds import Whole
from simedge.neurons.recurrent.delivery import deliver, deliver_paired
from simedge.neurons.recurrent.firing import adapt, fire
from simedge.neurons.recurrent.pairing import learn_pairs, post_traces, set_floor
from simedge.neurons.recurrent.places import (
    CHANNEL,
    DELAY,
    DUE,
    HEAD,
    HEARD_FROM,
    HEARD_UNTIL,
    LEARNS,
    NOW,
    PAIRED,
    POPULATION_FIELDS,
    POPULATIONS,
    POST,
    PROJECTION_FIELDS,
    RULE,
    SPIKES,
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

__all__ = ["DONE", "LOG_IS_FULL", "play", "step"]

DONE, LOG_IS_FULL, ROWS_ARE_FULL = range(3)
_MOST: Final = 2**62


@unlocked_leaf
def play(c: Arrays, until: Whole) -> Whole:
    """Play all volleys before a tick; tell whether that is done or a buffer is full."""
    return play_some(c, until, _MOST)


@native_leaf
def step(c: Arrays, until: Whole) -> Whole:
    """Play the next volley if it is before a tick."""
    return play_some(c, until, 1)


@native_part
def play_some(c: Arrays, until: Whole, most: Whole) -> Whole:
    """Play at most so many volleys before a tick."""
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
    return DONE


@native_part
def serve(c: Arrays, pop: Whole, now: Whole) -> None:
    """Let a population take part in a volley."""
    ints, plan = c.ints, c.plan
    post, count = plan[pop + POST], wake(c, pop, now)
    pairs_now = post >= 0 and ints[LEARNS] and ints[post + DELAY]
    acts = post >= 0 and ints[post + DUE] == now
    if pairs_now and acts:
        set_floor(c, pop, arriving(c, post), -math.inf)
    heard, arrives = plan[pop + HEARD_FROM], False
    for q in range(heard, plan[pop + HEARD_UNTIL], PROJECTION_FIELDS):
        channel = plan[q + CHANNEL]
        if ints[channel + DUE] == now:
            span, arrives = arriving(c, channel), True
            if pairs_now and plan[q + RULE] == PAIRED:
                factor = trace_factor(c, post_traces(c, pop), now)
                count = deliver_paired(c, q, now, count, span, factor)
            else:
                count = deliver(c, q, now, count, span)
    fired = 0
    if count:
        fired = fire(c, pop, now, count)
        if fired:
            log_spikes(c, pop, now, fired)
            adapt(c, pop, now, fired)
            ints[SPIKES] += fired
        foresee(c, pop, now, count)
    if post >= 0 and (arrives or acts or ints[post + DUE] == now):
        learn_pairs(c, pop, now, ints[post + DELAY] == 0)
