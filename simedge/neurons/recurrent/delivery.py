"""Spikes arrive: their weights are added to the drive of their targets, and pairs depress."""
# ruff: noqa: PLR0913, PLR0917 - compiled kernels take no keyword-only arguments

from typing import Final

import numpy as np

from simedge.core.native_cache import native_inside
from simedge.neurons.kinds import Index, Whole
from simedge.neurons.recurrent.places import (
    AMOUNTS,
    AT_PRE,
    CELL,
    CHANNEL,
    DELIVERIES,
    DUE,
    FAN_OUT,
    HEARD_FROM,
    HEARD_UNTIL,
    LEAST,
    MACS,
    MOST,
    PROJECTION_FIELDS,
    SIZE,
    START_AT,
    TARGET,
    TARGET_AT,
    TOUCHED,
    TRACES,
    WEIGHT,
    WRITES,
    Arrays,
)
from simedge.neurons.recurrent.spike_log import arriving

__all__ = ["Span", "are_many", "deliver", "deliver_paired", "depress", "list_touched"]

Span = tuple[Whole, Whole]
"""Entries of the log: the neurons that fired."""

_ONE: Final = Index(1)
_FOUR: Final = Index(4)
_TRACE: Final = Index(1)
_FLOOR: Final = Index(2)
_STAMP: Final = Index(3)


@native_inside
def deliver(c: Arrays, q: Whole, now: Whole, count: Whole, span: Span, lists: Whole) -> Whole:
    """Deliver the spikes of `span`; return how many neurons are listed as touched so far.

    Sources ascend and so do their targets: each sum is in ascending order. Whether a neuron is
    listed already cannot be foreseen, so nothing branches on it.
    """
    real, marks, ints, plan, wires = c.real, c.marks, c.ints, c.plan, c.wires
    weight, pop, listed, reached = c.weight, plan[q + TARGET], Index(count), Index(0)
    cells, touched = Index(plan[pop + CELL]), Index(plan[pop + TOUCHED])
    starts, targets = Index(plan[q + START_AT]), Index(plan[q + TARGET_AT])
    weights = Index(plan[q + WEIGHT])
    for a in range(span[0], span[1]):
        row = starts + Index(c.log[Index(a)])
        begin, end = Index(wires[row]), Index(wires[row + _ONE])
        reached += end - begin
        for s in range(begin, end):
            target = Index(wires[targets + s])
            cell = cells + _FOUR * target
            if lists:
                ints[touched + listed] = np.int64(target)
                listed += Index(marks[cell + _STAMP] != now)
            marks[cell + _STAMP] = now
            real[cell] += weight[weights + s]
    ints[DELIVERIES] += np.int64(reached)
    return np.int64(listed)


@native_inside
def deliver_paired(
    c: Arrays, q: Whole, now: Whole, count: Whole, span: Span, lists: Whole, factor: float
) -> Whole:
    """Deliver spikes as `deliver`, and depress each synapse by the post trace of its target.

    Δw = a·ȳ, with ȳ = `factor` times the stored trace. Where a post spike acts in this volley
    too, the floor is out of the way: the change is complete, and clipped, only then.
    """
    real, marks, ints, plan, wires = c.real, c.marks, c.ints, c.plan, c.wires
    weight, pop, listed, reached = c.weight, plan[q + TARGET], Index(count), Index(0)
    cells, touched = Index(plan[pop + CELL]), Index(plan[pop + TOUCHED])
    starts, targets = Index(plan[q + START_AT]), Index(plan[q + TARGET_AT])
    weights, law = Index(plan[q + WEIGHT]), plan[q + AMOUNTS]
    amount, least, most = real[law + AT_PRE] * factor, real[law + LEAST], real[law + MOST]
    for a in range(span[0], span[1]):
        row = starts + Index(c.log[Index(a)])
        begin, end = Index(wires[row]), Index(wires[row + _ONE])
        reached += end - begin
        for s in range(begin, end):
            target = Index(wires[targets + s])
            cell = cells + _FOUR * target
            if lists:
                ints[touched + listed] = np.int64(target)
                listed += Index(marks[cell + _STAMP] != now)
            marks[cell + _STAMP] = now
            held = float(weight[weights + s])
            real[cell] += held
            moved = held + amount * real[cell + _TRACE]
            weight[weights + s] = min(most, max(least + real[cell + _FLOOR], moved))
    ints[DELIVERIES] += np.int64(reached)
    ints[TRACES] += np.int64(reached) + span[1] - span[0]
    ints[MACS] += np.int64(reached)
    ints[WRITES] += np.int64(reached)
    return np.int64(listed)


@native_inside
def depress(c: Arrays, q: Whole, span: Span, factor: float) -> None:
    """Depress the synapses of `span` alone: when post spikes act in the volley that brings them."""
    real, ints, plan, wires, weight = c.real, c.ints, c.plan, c.wires, c.weight
    cells, reached = Index(plan[plan[q + TARGET] + CELL]), Index(0)
    starts, targets = Index(plan[q + START_AT]), Index(plan[q + TARGET_AT])
    weights, law = Index(plan[q + WEIGHT]), plan[q + AMOUNTS]
    amount, least, most = real[law + AT_PRE] * factor, real[law + LEAST], real[law + MOST]
    for a in range(span[0], span[1]):
        row = starts + Index(c.log[Index(a)])
        begin, end = Index(wires[row]), Index(wires[row + _ONE])
        reached += end - begin
        for s in range(begin, end):
            cell = cells + _FOUR * Index(wires[targets + s])
            moved = float(weight[weights + s]) + amount * real[cell + _TRACE]
            weight[weights + s] = min(most, max(least + real[cell + _FLOOR], moved))
    ints[TRACES] += np.int64(reached) + span[1] - span[0]
    ints[MACS] += np.int64(reached)
    ints[WRITES] += np.int64(reached)


@native_inside
def are_many(c: Arrays, pop: Whole, now: Whole) -> bool:
    """Tell whether a volley reaches so many neurons that to look at all is less work."""
    ints, plan, expected = c.ints, c.plan, 0
    for q in range(plan[pop + HEARD_FROM], plan[pop + HEARD_UNTIL], PROJECTION_FIELDS):
        channel = plan[q + CHANNEL]
        if ints[channel + DUE] == now:
            span = arriving(c, channel)
            expected += (span[1] - span[0]) * plan[q + FAN_OUT]
    return bool(expected >= 2 * plan[pop + SIZE])


@native_inside
def list_touched(c: Arrays, pop: Whole, now: Whole) -> Whole:
    """List the neurons that a volley touched by looking at all, ascending; return how many."""
    marks, ints = c.marks, c.ints
    cells, touched, listed = Index(c.plan[pop + CELL]), Index(c.plan[pop + TOUCHED]), Index(0)
    for neuron in range(Index(c.plan[pop + SIZE])):
        ints[touched + listed] = np.int64(neuron)
        listed += Index(marks[cells + _FOUR * Index(neuron) + _STAMP] == now)
    return np.int64(listed)
