"""Who fires: touched neurons decay to now, take in their drive, cross or not, and are reset."""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import math
from typing import Final

import numpy as np

from simedge.core.native_cache import native_part
from simedge.neurons.decay import TABLE_TICKS
from simedge.neurons.kinds import Index, Whole
from simedge.neurons.recurrent.places import (
    ADAPTS,
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
_FOUR: Final = Index(4)
_SINCE: Final = Index(1)
_THETA: Final = Index(2)
_FIRED_AT: Final = Index(3)


@native_part
def leak_over(c: Arrays, pop: Whole, ticks: Whole) -> float:
    """Return γ^ticks of a population."""
    if ticks <= TABLE_TICKS:
        return c.real[Index(c.plan[pop + TABLE] + ticks)]
    return math.exp(ticks * c.real[c.plan[pop + LAW] + LEAK_LOG])


@native_part
def clock_at(c: Arrays, now: Whole) -> Whole:
    """Return the clock of thresholds, which stands still while they are frozen."""
    return c.ints[CLOCK] + c.ints[CLOCK_RUNS] * (now - c.ints[CLOCK_FROM])


@native_part
def threshold_at(c: Arrays, pop: Whole, neuron: Whole, now: Whole) -> float:
    """Return θ of a neuron at `now`, before what happens then."""
    law, body = c.plan[pop + LAW], Index(c.plan[pop + BODY]) + _FOUR * neuron
    silent = float(clock_at(c, now)) - c.real[body + _FIRED_AT] - 1.0
    return max(c.real[law + LOW], c.real[body + _THETA] - c.real[law + DRIFT] * silent)


@native_part
def fire(c: Arrays, pop: Whole, now: Whole, count: Whole) -> Whole:
    """Bring the touched neurons to `now`; list those that fire, ascending; return how many.

    Relative to rest, v = u - b/(1-γ), a potential only decays: v(n) = v⁺·γ^k + Σ arriving w.
    Whether a neuron fires cannot be foreseen, so nothing branches on it.
    """
    real, ints, plan = c.real, c.ints, c.plan
    law, soft, adapts = plan[pop + LAW], plan[pop + SOFT], plan[pop + ADAPTS]
    cells, bodies, start = Index(plan[pop + CELL]), Index(plan[pop + BODY]), ints[START]
    rest, reset, fired = real[law + REST], real[law + RESET], Index(plan[pop + FIRED])
    touched, found = Index(plan[pop + TOUCHED]), Index(0)
    for t in range(touched, touched + Index(count)):
        neuron = Index(ints[t])
        body, cell = bodies + _FOUR * neuron, cells + _FOUR * neuron
        since, v = np.int64(real[body + _SINCE]), real[body]
        if since < start:
            since, v = start, reset
        v = v * leak_over(c, pop, now - since) + real[cell]
        theta = threshold_at(c, pop, neuron, now) if adapts else real[body + _THETA]
        fires = v > theta - rest
        real[cell] = 0.0
        real[body + _SINCE] = float(now)
        real[body] = (v - theta if soft else reset) if fires else v
        ints[fired + found] = ints[t]
        found += Index(fires)
    ints[TOUCHES] += count
    put_in_order(c, plan[pop + FIRED], np.int64(found))
    return np.int64(found)


@native_part
def adapt(c: Arrays, pop: Whole, now: Whole, count: Whole) -> None:
    """Move the thresholds of the neurons that fired: θ(n+1) from θ(n)."""
    real, plan, clock = c.real, c.plan, clock_at(c, now)
    if plan[pop + ADAPTS] == 0 or c.ints[CLOCK_RUNS] == 0:
        return
    law, begin = plan[pop + LAW], plan[pop + FIRED]
    for n in range(begin, begin + count):
        neuron = c.ints[n]
        moved = threshold_at(c, pop, Index(neuron), now) + real[law + STEP] - real[law + DRIFT]
        body = plan[pop + BODY] + 4 * neuron
        real[body + THETA] = min(real[law + HIGH], max(real[law + LOW], moved))
        real[body + FIRED_AT] = float(clock)


@native_part
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
