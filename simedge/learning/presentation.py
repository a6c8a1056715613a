"""One presentation, volley by volley, in one native call."""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_leaf, unlocked_leaf
from simedge.learning.features import Binning, count_spikes, levels
from simedge.learning.readout import rate_scores
from simedge.learning.rules.convolution import (
    apply,
    at_post,
    at_pre,
    rescale,
)
from simedge.neurons.arrival import arrive
from simedge.neurons.circuit import Circuit
from simedge.neurons.firing import adapt, fire, foresee
from simedge.neurons.kinds import Ints, Reals, Span, Whole
from simedge.neurons.layout import (
    ACTED,
    ACTING,
    COUNTERS,
    DELAY,
    FIRST_ONLY,
    LIMIT,
    MAPS,
    PLACE,
    SOFT,
    SPIKE_FIRST,
    SPIKE_NEURON,
    SPIKE_TICK,
    SPIKES,
    Now,
    layer_at,
)
from simedge.neurons.traces import mark_arrivals, raise_post, raise_pre

__all__ = ["Part", "Stage", "advance", "conclude", "forward"]

_NEVER = 2**62
_COUNTERS = len(COUNTERS)


class Part(NamedTuple):
    """Which volleys to run: first .. stop - 1 of a presentation that has begin .. end - 1."""

    begin: Whole
    first: Whole
    stop: Whole
    end: Whole
    at: Whole
    """Where the operations of the first of them go."""


class Stage(NamedTuple):
    """Everything that a presentation plays on."""

    circuit: Circuit
    rule: Reals
    """Eight numbers a layer, see `rules.convolution.coefficients`."""
    total: Reals
    """How each map's weights are scaled after learning, four numbers a layer, see `rescale`."""
    binning: Binning
    line: Ints
    tick: Ints
    start: Ints


@unlocked_leaf
def advance(stage: Stage, part: Part, now: Now, operations: NDArray[np.int64]) -> None:
    """Run the volleys part.first .. part.stop - 1 and store the operations of each.

    With a volley go the ticks without input that follow it before the next one: self-events
    after soft resets, and post spikes that reach their synapses late.
    """
    ints = stage.circuit.ints
    if part.first == part.begin:
        rewind(stage)
    none = np.int64(0)
    for volley in range(part.first, part.stop):
        before = ints[2] + ints[5]
        tick = np.int64(stage.tick[volley])
        span = (np.int64(stage.start[volley]), np.int64(stage.start[volley + 1]))
        play(stage, at_tick(now, tick), span)
        until = stage.tick[volley + 1] if volley + 1 < part.end else _NEVER
        due = next_due(stage, tick, now.learn)
        while due < until:
            tick = due
            play(stage, at_tick(now, tick), (none, none))
            due = next_due(stage, tick, now.learn)
        ints[0] += 1
        operations[part.at + volley - part.first] = ints[2] + ints[5] - before


@native_leaf
def at_tick(now: Now, tick: Whole) -> Now:
    """Return the moment `tick` ticks into the presentation that began at `now.start`."""
    return Now(now.start + tick, now.start, now.clock + now.learn * tick, now.learn)


@native_leaf
def next_due(stage: Stage, tick: Whole, learn: Whole) -> Whole:
    """Return the next tick at which something happens without input."""
    ints, due = stage.circuit.ints, _NEVER
    for index in range(stage.total.shape[0]):
        layer = layer_at(index)
        at = ints[layer + SPIKES]
        if ints[at + 2]:
            due = min(due, tick + 1)
        if learn and ints[at + 1] < ints[at]:
            due = min(due, ints[ints[layer + SPIKE_TICK] + ints[at + 1]] + ints[layer + DELAY])
    return due


@native_leaf
def play(stage: Stage, now: Now, span: Span) -> None:
    """Process one volley, layer by layer."""
    circuit, line, tick = stage.circuit, stage.line, now.tick - now.start
    count_spikes(stage.binning, np.int64(0), tick, line, span)
    for index in range(stage.total.shape[0]):
        layer = layer_at(index)
        fired = fire(circuit, layer, now, arrive(circuit, layer, now, line, span))
        if now.learn:
            learn(circuit, stage.rule, layer, now, line, span)
            adapt(circuit, layer, now, fired)
        if circuit.ints[layer + SOFT] and tick + 1 < stage.binning.ticks:
            foresee(circuit, layer, now, fired)
        line, first = circuit.ints, circuit.ints[layer + SPIKE_NEURON]
        span = (first + fired, first + circuit.ints[circuit.ints[layer + SPIKES]])
        count_spikes(stage.binning, index + 1, tick, line, span)


@native_leaf
def learn(
    circuit: Circuit,
    law: Reals,
    layer: Whole,
    now: Now,
    line: Ints,
    span: Span,
) -> None:
    """Let pre and post spikes that meet at `now` change the weights, then raise their traces."""
    if law[8 * circuit.ints[layer + PLACE] + 2] != 0.0:
        mark_arrivals(circuit.ints, layer, now, line, span)
    at_pre(circuit, law, layer, now, line, span)
    acting = take_due(circuit.ints, layer, now.tick - now.start)
    begin = circuit.ints[layer + ACTING]
    for i in range(begin, begin + acting):
        at_post(circuit, law, layer, now, circuit.ints[i] + 0)
    apply(circuit, law, layer, acting)
    raise_pre(circuit, layer, now, line, span)
    for i in range(begin, begin + acting):
        raise_post(circuit, layer, now, circuit.ints[i] + 0)


@native_leaf
def take_due(ints: Ints, layer: Whole, tick: Whole) -> Whole:
    """List the spikes that reach their synapses by `tick`, `limit` a map; return their number."""
    at, count = ints[layer + SPIKES], 0
    stop, latest = ints[at + 1] + 0, tick - ints[layer + DELAY]
    while stop < ints[at] and ints[ints[layer + SPIKE_TICK] + stop] <= latest:
        neuron = ints[ints[layer + SPIKE_NEURON] + stop]
        acted = ints[layer + ACTED] + neuron % ints[layer + MAPS]
        learns = ints[ints[layer + SPIKE_FIRST] + stop] or not ints[layer + FIRST_ONLY]
        if learns and ints[acted] < ints[layer + LIMIT]:
            ints[ints[layer + ACTING] + count] = neuron
            ints[acted] += 1
            count += 1
        stop += 1
    ints[at + 1] = stop
    return count


@native_leaf
def rewind(stage: Stage) -> None:
    """Empty the spike lists and all counts before a presentation."""
    ints = stage.circuit.ints
    for i in range(_COUNTERS):
        ints[i] = 0
    for index in range(stage.total.shape[0]):
        layer = layer_at(index)
        for i in range(ints[layer + SPIKES], ints[layer + SPIKES] + 4):
            ints[i] = 0
        for i in range(ints[layer + ACTED], ints[layer + ACTED] + ints[layer + MAPS]):
            ints[i] = 0
    for i in range(stage.binning.spikes.size):
        stage.binning.spikes[i] = 0


@native_leaf
def conclude(
    stage: Stage,
    learning: Whole,
    readout: tuple[Reals, Reals],
    out: tuple[Reals, Reals, Reals],
) -> None:
    """Scale what has learned; set out = (levels, features, scores).

    `readout` is (weights, running mean of the levels).
    """
    if learning:
        for index in range(stage.total.shape[0]):
            rescale(stage.circuit, layer_at(index), stage.total[index])
    levels(stage.binning, out[0])
    rate_scores(stage.binning, out[0], readout[1], readout[0], (out[1], out[2]))


@unlocked_leaf
def forward(
    stage: Stage,
    now: Now,
    bounds: NDArray[np.int64],
    readout: tuple[Reals, Reals, Reals],
    out: tuple[Reals, Reals, Ints, NDArray[np.int64]],
) -> None:
    """Forward many presentations, frozen.

    Volleys of presentation f are [bounds[f], bounds[f+1]). Row f of ``out`` = (scores, raw levels,
    counters) gets what it gives, the last of ``out`` the operations of its volleys; levels and
    counters of a single row are written over and over. `readout` is (weights, mean of the levels,
    room for features).
    """
    scores, raws, counters, operations = out
    weights, mean, features = readout
    for f in range(bounds.size - 1):
        first, end = bounds[f], bounds[f + 1]
        kept = f if raws.shape[0] > 1 else 0
        if first == end:
            rewind(stage)
        advance(stage, Part(first, first, end, end, first - bounds[0]), now, operations)
        conclude(stage, now.learn, (weights, mean), (raws[kept], features, scores[f]))
        for i in range(counters.shape[1]):
            counters[kept, i] = stage.circuit.ints[i]
        later = now.start + stage.binning.ticks + 1
        now = Now(later, later, now.clock, now.learn)
