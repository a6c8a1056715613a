"""Who fires: touched neurons decay to now, take in their drive, cross or not, and are reset."""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import math
from typing import Final

import numpy as np

from simedge.core.native_cache import native_inside, native_part
from simedge.neurons.decay import TABLE_TICKS
from simedge.neurons.kinds import Index, Real, Whole
from simedge.neurons.recurrent.places import (
    ADAPTS,
    BAR,
    BODY,
    CELL,
    CLOCK,
    CLOCK_FROM,
    CLOCK_RUNS,
    DRIFT,
    FIRED,
    FIRED_AT,
    HIGH,
    LAW,
    LEAK_LOG,
    LOW,
    RESET,
    REST,
    SOFT,
    START,
    STEP,
    TABLE,
    THETA,
    TOUCHED,
    TOUCHES,
    Arrays,
)

__all__ = ["adapt", "fire", "leak_over", "put_in_order", "threshold_at"]

_ONE: Final = Index(1)
_TWO: Final = Index(2)
_FOUR: Final = Index(4)
_SINCE: Final = Index(1)
_FIRED_AT: Final = Index(1)


@native_inside
def leak_over(c: Arrays, pop: Whole, ticks: Whole) -> Real:
    """Return γ^ticks of a population."""
    if ticks <= TABLE_TICKS:
        return c.real[Index(c.plan[pop + TABLE] + ticks)]
    return math.exp(ticks * c.real[c.plan[pop + LAW] + LEAK_LOG])


@native_inside
def clock_at(c: Arrays, now: Whole) -> Whole:
    """Return the clock of thresholds, which stands still while they are frozen."""
    return c.ints[CLOCK] + c.ints[CLOCK_RUNS] * (now - c.ints[CLOCK_FROM])


@native_inside
def threshold_at(c: Arrays, pop: Whole, neuron: Whole, now: Whole) -> Real:
    """Return θ of a neuron at `now`, before what happens then."""
    law, bar = c.plan[pop + LAW], Index(c.plan[pop + BAR]) + _TWO * neuron
    silent = float(clock_at(c, now) - 1 - c.marks[bar + _FIRED_AT])
    return max(c.real[law + LOW], c.real[bar] - c.real[law + DRIFT] * silent)


@native_inside
def fire(c: Arrays, pop: Whole, now: Whole, count: Whole) -> Whole:
    """Bring the touched neurons to `now`; list those that fire; return how many."""
    c.ints[TOUCHES] += count
    # One copy each, that it need not ask: constants are compiled in.
    if c.plan[pop + ADAPTS]:
        return fire_some(c, pop, now, count, True)
    return fire_some(c, pop, now, count, False)


@native_inside
def fire_some(c: Arrays, pop: Whole, now: Whole, count: Whole, adapts: Whole) -> Whole:
    """Decay, take in, compare, reset.

    Relative to rest, v = u - b/(1-γ), a potential only decays: v(n) = v⁺·γ^k + Σ arriving w.
    Whether a neuron fires cannot be foreseen, so nothing branches on it.
    """
    real, marks, ints, plan, law = c.real, c.marks, c.ints, c.plan, c.plan[pop + LAW]
    cells, bodies, table = (
        Index(plan[pop + CELL]),
        Index(plan[pop + BODY]),
        Index(plan[pop + TABLE]),
    )
    rest, reset, soft = real[law + REST], real[law + RESET], plan[pop + SOFT]
    touched, fired, found = Index(plan[pop + TOUCHED]), Index(plan[pop + FIRED]), Index(0)
    theta, near = real[law + LOW], Index(min(TABLE_TICKS, now - ints[START]))
    for t in range(touched, touched + Index(count)):
        neuron = Index(ints[t])
        body, cell = bodies + _TWO * neuron, cells + _FOUR * neuron
        gap = Index(now - marks[body + _SINCE])
        v = real[body] * real[table + gap] if gap <= near else long_after(c, pop, now, neuron)
        v += real[cell]
        if adapts:
            theta = threshold_at(c, pop, neuron, now)
        fires = v > theta - rest
        real[cell] = 0.0
        marks[body + _SINCE] = now
        real[body] = (v - theta if soft else reset) if fires else v
        ints[fired + found] = np.int64(neuron)
        found += Index(fires)
    return np.int64(found)


@native_part
def long_after(c: Arrays, pop: Whole, now: Whole, neuron: Whole) -> Real:
    """Return the potential of a neuron that was touched in an earlier frame, or very long ago."""
    body, law, start = Index(c.plan[pop + BODY]) + _TWO * neuron, c.plan[pop + LAW], c.ints[START]
    since, v = c.marks[body + _SINCE], c.real[body]
    if since < start:
        since, v = start, c.real[law + RESET]
    return v * leak_over(c, pop, now - since)


@native_inside
def adapt(c: Arrays, pop: Whole, now: Whole, count: Whole) -> None:
    """Move the thresholds of the neurons that fired: θ(n+1) from θ(n)."""
    real, plan, clock = c.real, c.plan, clock_at(c, now)
    if plan[pop + ADAPTS] == 0 or c.ints[CLOCK_RUNS] == 0:
        return
    law, begin = plan[pop + LAW], plan[pop + FIRED]
    for n in range(begin, begin + count):
        neuron = c.ints[n]
        moved = threshold_at(c, pop, Index(neuron), now) + real[law + STEP] - real[law + DRIFT]
        bar = plan[pop + BAR] + 2 * neuron
        real[bar + THETA] = min(real[law + HIGH], max(real[law + LOW], moved))
        c.marks[bar + FIRED_AT] = clock


@native_inside
def put_in_order(c: Arrays, begin: Whole, count: Whole) -> None:
    """Sort a list (Shell 1959); most are short, and then this is sorting by insertion."""
    ints, gap, end = c.ints, 1, begin + count
    while 9 * gap < count:
        gap = 3 * gap + 1
    while gap:
        for i in range(begin + gap, end):
            value, j = ints[i], i
            while j >= begin + gap and ints[j - gap] > value:
                ints[j] = ints[j - gap]
                j -= gap
            ints[j] = value
        gap //= 3
