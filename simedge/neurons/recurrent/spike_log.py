"""Spikes on their way: one log a population, read by every delay with a cursor of its own.

A spike is written once, whatever it will reach and when. The next tick at which anything happens is
the least of a few numbers, one a *channel* (a population and a delay): nothing looks at ticks or
neurons at which nothing happens.
"""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

from simedge.core.native_cache import native_inside
from simedge.neurons.kinds import Index, Whole
from simedge.neurons.recurrent.places import (
    CHANNEL_FIELDS,
    CHANNELS_FROM,
    CHANNELS_UNTIL,
    CURSOR,
    DELAY,
    DUE,
    FIRED,
    FROM,
    FROM_LOG,
    HEAD,
    LOG,
    LOGGED,
    NEURONS,
    NEURONS_AT,
    NEURONS_ROOM,
    NEVER,
    POPULATION_FIELDS,
    POPULATIONS,
    SIZE,
    TICKS,
    TICKS_AT,
    TICKS_ROOM,
    UNTIL,
    Arrays,
)

__all__ = ["arriving", "is_short", "log_spikes", "next_arrival", "turn_page"]


@native_inside
def arriving(c: Arrays, channel: Whole) -> tuple[Whole, Whole]:
    """Return the entries of the log whose spikes a channel brings next."""
    ints = c.ints
    log = ints[channel + FROM_LOG]
    first = ints[log + NEURONS_AT]
    at = ints[log + TICKS_AT] + 2 * ints[channel + CURSOR] + 1
    return first + c.log[at], first + c.log[at + 2]


@native_inside
def next_arrival(c: Arrays) -> Whole:
    """Return the tick of the next arrival, or NEVER."""
    due = NEVER
    for channel in range(c.plan[CHANNELS_FROM], c.plan[CHANNELS_UNTIL], CHANNEL_FIELDS):
        due = min(due, c.ints[channel + DUE])
    return due


@native_inside
def log_spikes(c: Arrays, pop: Whole, now: Whole, count: Whole) -> None:
    """Write a volley's spikes down; channels that waited for one learn when it arrives."""
    ints, plan, log = c.ints, c.plan, c.log
    if plan[pop + LOGGED] == 0:
        return
    head = plan[pop + LOG]
    entry = ints[head + TICKS_AT] + 2 * ints[head + TICKS]
    begin, fired = ints[head + NEURONS_AT] + ints[head + NEURONS], plan[pop + FIRED]
    for n in range(count):
        log[Index(begin + n)] = ints[Index(fired + n)]
    ints[head + NEURONS] += count
    ints[head + TICKS] += 1
    log[entry] = now
    log[entry + 3] = ints[head + NEURONS]
    for channel in range(plan[pop + FROM], plan[pop + UNTIL], CHANNEL_FIELDS):
        if ints[channel + DUE] == NEVER:
            ints[channel + DUE] = now + ints[channel + DELAY]


@native_inside
def turn_page(c: Arrays, now: Whole) -> None:
    """Move the channels that were served on to their next spikes."""
    ints = c.ints
    for channel in range(c.plan[CHANNELS_FROM], c.plan[CHANNELS_UNTIL], CHANNEL_FIELDS):
        if ints[channel + DUE] == now:
            head, cursor = ints[channel + FROM_LOG], ints[channel + CURSOR] + 1
            ints[channel + CURSOR] = cursor
            ints[channel + DUE] = NEVER
            if cursor < ints[head + TICKS]:
                ticks = c.log[ints[head + TICKS_AT] + 2 * cursor]
                ints[channel + DUE] = ticks + ints[channel + DELAY]


@native_inside
def is_short(c: Arrays) -> bool:
    """Tell whether some log has no room for a volley in which every neuron fires."""
    ints, plan = c.ints, c.plan
    for pop in range(HEAD + POPULATION_FIELDS, plan[POPULATIONS], POPULATION_FIELDS):
        if plan[pop + LOGGED]:
            head = plan[pop + LOG]
            if (
                ints[head + NEURONS] + plan[pop + SIZE] > ints[head + NEURONS_ROOM]
                or ints[head + TICKS] >= ints[head + TICKS_ROOM]
            ):
                return True
    return False
