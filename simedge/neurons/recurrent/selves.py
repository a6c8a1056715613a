"""Self-events: neurons that fire without input, in the order of their ticks.

After a soft reset a neuron may still be above threshold; a bias may drive it there. Both ticks are
known when the neuron is touched, and known anew at each touch. A binary heap of neurons, each of
which knows its place in it, holds them: at most one entry a neuron, none of them stale.
"""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import math

from simedge.core.native_cache import native_inside
from simedge.neurons.kinds import Index, Whole
from simedge.neurons.recurrent.firing import leak_over, threshold_at
from simedge.neurons.recurrent.places import (
    BODY,
    CELL,
    EXCESS,
    HEAP,
    HEAP_DUE,
    HEAP_PLACE,
    LAW,
    LEAK_LOG,
    NEVER,
    REST,
    SELVES,
    SIZE,
    STAMP,
    TOUCHED,
    WAITING,
    Arrays,
)

__all__ = ["first_waiting", "foresee", "forget_selves", "wake"]


@native_inside
def first_waiting(c: Arrays) -> Whole:
    """Return the tick of the next self-event, or NEVER."""
    if c.ints[WAITING] == 0:
        return NEVER
    return c.ints[c.plan[HEAP_DUE] + c.ints[c.plan[HEAP]]]


@native_inside
def wake(c: Arrays, pop: Whole, now: Whole) -> Whole:
    """List the neurons of a population that fire without input at `now`; return how many."""
    ints, plan, count = c.ints, c.plan, 0
    first = plan[pop + SELVES]
    if first < 0:
        return count
    while first_waiting(c) == now and ints[plan[HEAP]] < first + plan[pop + SIZE]:
        neuron = ints[plan[HEAP]] - first
        put(c, neuron + first, NEVER)
        ints[plan[pop + TOUCHED] + count] = neuron
        c.marks[plan[pop + CELL] + 4 * neuron + STAMP] = now
        count += 1
    return count


@native_inside
def foresee(c: Arrays, pop: Whole, now: Whole, count: Whole) -> None:
    """Note when each touched neuron will fire without input, if ever."""
    ints, plan = c.ints, c.plan
    first, law = plan[pop + SELVES], plan[pop + LAW]
    if first < 0:
        return
    for t in range(plan[pop + TOUCHED], plan[pop + TOUCHED] + count):
        neuron = ints[t]
        excess = c.real[plan[pop + BODY] + 2 * neuron + EXCESS]
        bar = threshold_at(c, pop, Index(neuron), now + 1) - c.real[law + REST]
        ticks = 1 if leak_over(c, pop, 1) * excess > bar else crossing(c, pop, excess, bar)
        due = NEVER if ticks == NEVER else now + ticks
        if due != ints[plan[HEAP_DUE] + first + neuron]:
            put(c, first + neuron, due)


@native_inside
def crossing(c: Arrays, pop: Whole, excess: float, bar: float) -> Whole:
    """Return after how many ticks a bias lifts a neuron over its threshold, or NEVER.

    Relative to rest, the potential decays to 0 from below, and the bar lies below 0 iff rest is
    above threshold. The logarithms round, so the closed form decides between neighbours.
    """
    if bar >= 0.0 or excess >= 0.0:
        return NEVER
    ticks = math.floor(math.log(bar / excess) / c.real[c.plan[pop + LAW] + LEAK_LOG])
    ticks = max(1, int(ticks) - 1)
    while not excess * leak_over(c, pop, ticks) > bar:
        ticks += 1
    return ticks


@native_inside
def put(c: Arrays, neuron: Whole, due: Whole) -> None:
    """Set when a neuron is due; NEVER takes it out."""
    ints, plan = c.ints, c.plan
    dues, places, count = plan[HEAP_DUE], plan[HEAP_PLACE], ints[WAITING]
    at = ints[places + neuron]
    ints[dues + neuron] = due
    if due == NEVER:
        last = ints[plan[HEAP] + count - 1]
        ints[WAITING] = count - 1
        ints[places + neuron] = -1
        if last == neuron:
            return
        neuron = last
    elif at < 0:
        at = count
        ints[WAITING] = count + 1
    settle(c, neuron, at)


@native_inside
def settle(c: Arrays, neuron: Whole, at: Whole) -> None:
    """Put a neuron into the hole at this place of the heap, moving others up or down."""
    ints, heap, places = c.ints, c.plan[HEAP], c.plan[HEAP_PLACE]
    count = ints[WAITING]
    while at > 0 and before(c, neuron, ints[heap + (at - 1) // 2]):
        above = ints[heap + (at - 1) // 2]
        ints[heap + at] = above
        ints[places + above] = at
        at = (at - 1) // 2
    while 2 * at + 1 < count:
        child = 2 * at + 1
        if child + 1 < count and before(c, ints[heap + child + 1], ints[heap + child]):
            child += 1
        below = ints[heap + child]
        if not before(c, below, neuron):
            break
        ints[heap + at] = below
        ints[places + below] = at
        at = child
    ints[heap + at] = neuron
    ints[places + neuron] = at


@native_inside
def before(c: Arrays, one: Whole, other: Whole) -> bool:
    """Tell which of two neurons comes first: by tick, then by number."""
    mine, theirs = c.ints[c.plan[HEAP_DUE] + one], c.ints[c.plan[HEAP_DUE] + other]
    return bool(mine < theirs or (mine == theirs and one < other))


@native_inside
def forget_selves(c: Arrays) -> None:
    """Take all self-events out."""
    ints, plan = c.ints, c.plan
    for n in range(plan[HEAP], plan[HEAP] + ints[WAITING]):
        ints[plan[HEAP_DUE] + ints[n]] = NEVER
        ints[plan[HEAP_PLACE] + ints[n]] = -1
    ints[WAITING] = 0
