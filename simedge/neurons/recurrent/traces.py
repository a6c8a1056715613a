"""Traces that nobody touches between spikes: one common factor takes the place of their decay.

A trace jumps by 1 at a spike and decays by λ a tick. What is stored is x̂ = Σ λ^(o - n) over the
ticks n of its spikes, with a common origin o. So x(now) = x̂·λ^(now - o): one factor for a whole
volley, and no time stamp a trace. Before λ^(o - now) could grow too large, the traces that are not
zero are scaled to a new origin; there are never more of them than spikes since the one before.
"""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_inside
from simedge.neurons.decay import TABLE_TICKS
from simedge.neurons.errors import CircuitError
from simedge.neurons.kinds import Index, Real, Whole
from simedge.neurons.recurrent.places import ALIVE, ORIGIN, Arrays

__all__ = ["TraceSet", "forget_traces", "raise_trace", "span_of", "trace_factor", "trace_table"]

_LARGEST: Final = 1e30
_SMALLEST: Final = 1e-30
"""A trace below is forgotten: it is that part of what the last spike left."""


class TraceSet(NamedTuple):
    """Where traces of one decay lie."""

    cells: Whole
    """First trace, in `real`."""
    stride: Whole
    """From one trace to the next."""
    clock: Whole
    """Origin and number of those alive, in `ints`."""
    live: Whole
    """List of those, in `ints`."""
    table: Whole
    """λ^0 .. λ^span, in `real`."""
    span: Whole


def span_of(factor: float) -> int:
    """Return how many ticks traces keep one origin."""
    if not 0 < factor < 1:
        raise CircuitError(f"a decay factor must be in (0, 1), got {factor}")
    return max(1, min(TABLE_TICKS, int(math.log(_LARGEST) / -math.log(factor))))


def trace_table(factor: float) -> NDArray[np.float64]:
    """Return λ^0 .. λ^span by repeated products, float64 (span + 1,)."""
    table = np.full(span_of(factor) + 1, factor)
    table[0] = 1.0
    return np.multiply.accumulate(table)


@native_inside
def trace_factor(c: Arrays, traces: TraceSet, now: Whole) -> Real:
    """Return λ^(now - o): what stored traces are to be multiplied by, after a new origin if due."""
    gap = now - c.ints[traces.clock + ORIGIN]
    if gap > traces.span:
        move_origin(c, traces, now, gap)
        return 1.0
    return c.real[Index(traces.table + gap)]


@native_inside
def move_origin(c: Arrays, traces: TraceSet, now: Whole, gap: Whole) -> None:
    """Scale the traces that are not zero to origin `now`; forget those that have faded."""
    shrink = math.exp(gap * math.log(c.real[traces.table + 1]))
    live, kept = traces.live, 0
    for n in range(live, live + c.ints[traces.clock + ALIVE]):
        at = traces.cells + traces.stride * c.ints[n]
        left = c.real[at] * shrink
        if left > _SMALLEST:
            c.ints[live + kept] = c.ints[n]
            kept += 1
        c.real[at] = left if left > _SMALLEST else 0.0
    c.ints[traces.clock + ALIVE] = kept
    c.ints[traces.clock + ORIGIN] = now


@native_inside
def raise_trace(c: Arrays, traces: TraceSet, neuron: Whole, jump: float) -> None:
    """Add a spike: `jump` is the inverse of the volley's factor."""
    at = Index(traces.cells + traces.stride * neuron)
    if c.real[at] == 0.0:
        alive = c.ints[traces.clock + ALIVE]
        c.ints[traces.live + alive] = neuron
        c.ints[traces.clock + ALIVE] = alive + 1
    c.real[at] += jump


@native_inside
def forget_traces(c: Arrays, traces: TraceSet, now: Whole) -> None:
    """Set all traces to zero and their origin to `now`: no bit depends on what was before."""
    for n in range(traces.live, traces.live + c.ints[traces.clock + ALIVE]):
        c.real[traces.cells + traces.stride * c.ints[n]] = 0.0
    c.ints[traces.clock + ALIVE] = 0
    c.ints[traces.clock + ORIGIN] = now
