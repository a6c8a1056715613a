"""Presentations, volley by volley, in one native call."""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_part, unlocked_leaf
from simedge.learning.features import Binning, count_spikes, levels, shape
from simedge.learning.rules.convolution import (
    apply,
    at_post,
    at_pre,
    rescale,
)
from simedge.learning.rules.delta import score, softmax_in_place
from simedge.neurons.arrival import arrive
from simedge.neurons.circuit import Circuit
from simedge.neurons.firing import adapt, fire, foresee
from simedge.neurons.kinds import Index, Ints, Reals, Span, Whole
from simedge.neurons.layout import (
    ACTED,
    ACTING,
    ARRIVED,
    COUNTERS,
    DELAY,
    FIELDS,
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
)
from simedge.neurons.traces import raise_post, raise_pre

__all__ = ["present"]

_NEVER = 2**62
_COUNTERS = len(COUNTERS)


@unlocked_leaf
def present(  # noqa: C901, PLR0913 - arrays in tuples are slow to hand over
    held: Reals,
    held_tick: NDArray[np.int64],
    law: Reals,
    weights: Reals,
    mean: Reals,
    plan: Ints,
    table: Reals,
    scaling: Reals,
    slot: Ints,
    rows: NDArray[np.int64],
    gain: Reals,
    modes: NDArray[np.int64],
    real: Reals,
    ints: Ints,
    spikes: Ints,
    line: Ints,
    tick: Ints,
    start: Ints,
    bounds: NDArray[np.int64],
    jobs: NDArray[np.int64],
    first: Whole,
    stop: Whole,
    begin: Whole,
    rest: Whole,
    new_held: Reals,
    new_tick: NDArray[np.int64],
    features: Reals,
    raws: Reals,
    chances: Reals,
    counters: Ints,
    told: Ints,
    operations: NDArray[np.int64],
) -> None:
    """Run the volleys first .. stop - 1 of each presentation that `jobs` name, see `play`.

    Arguments come one by one: first what the learners of a pool know, a row each; what they share
    (circuit, scaling, binning); scratch state; then the presentations, of which f has the volleys
    [bounds[f], bounds[f+1]); the jobs (learner, presentation, clock, place of the operations);
    where on the scratch clock the first begins and how far on each next one.

    Whose weights have room in `new_held` learns. A row of the other arrays gets what comes of a
    presentation when its last volley has run; a single row is written over.
    """
    binning = Binning(slot, rows, gain, modes, spikes)
    layers, learning = scaling.size // 4, int(new_held.shape[0] > 0)
    for f in range(jobs.shape[0]):
        who, shown = jobs[f, 0], jobs[f, 1]
        opening, end = bounds[shown], bounds[shown + 1]
        low, high = min(opening + first, end), min(opening + stop, end)
        mine, mine_tick, rule = held[who], held_tick[who], law[who]
        if learning:
            mine, mine_tick = new_held[f], new_tick[f]
            if low == opening:
                copy(held[who], mine)
                copy(held_tick[who], mine_tick)
        circuit = Circuit(mine, mine_tick, real, ints, plan, table)
        now = Now(begin + f * rest, begin + f * rest, jobs[f, 2], learning)
        if low == opening:
            rewind(circuit, binning, layers)
        for volley in range(low, high):
            before = ints[2] + ints[5]
            run_volley(circuit, rule, binning, now, (line, tick, start), (volley, end))
            ints[0] += 1
            operations[jobs[f, 3] + volley - low] = ints[2] + ints[5] - before
        if high == end:
            kept = f if raws.shape[0] > 1 else 0
            if told.shape[0]:
                tell(circuit, layers, told[f])
            if learning:
                for index in range(layers):
                    rescale(circuit, index * FIELDS, scaling)
            levels(binning, raws[kept])
            shape(binning, raws[kept], mean[who], features[kept])
            score(weights[who], features[kept], chances[f])
            softmax_in_place(chances[f])
            for i in range(_COUNTERS):
                counters[kept, i] = ints[i]


@native_part
def copy(source: NDArray[Any], target: NDArray[Any]) -> None:
    """Copy an array."""
    for i in range(source.size):
        target[i] = source[i]


@native_part
def tell(circuit: Circuit, layers: Whole, told: Ints) -> None:
    """Write the spikes of every layer down: ticks, then neurons."""
    ints, plan, at = circuit.ints, circuit.plan, 0
    for layer in range(0, layers * FIELDS, FIELDS):
        count = ints[plan[layer + SPIKES]]
        for i in range(count):
            told[at + i] = ints[plan[layer + SPIKE_TICK] + i]
            told[at + count + i] = ints[plan[layer + SPIKE_NEURON] + i]
        at += 2 * count


@native_part
def run_volley(
    circuit: Circuit,
    law: Reals,
    binning: Binning,
    now: Now,
    frame: tuple[Ints, Ints, Ints],
    which: tuple[Whole, Whole],
) -> None:
    """Run one volley and the ticks without input that follow it before the next one.

    In those there are self-events after soft resets, and post spikes that reach their synapses
    late. `frame` is (line, tick, start); `which` is (volley, first that is another frame's).
    """
    line, ticks, starts = frame
    volley, end = which
    ints, plan, layers = circuit.ints, circuit.plan, binning.gain.size - 1
    until: Whole = np.int64(ticks[volley + 1]) if volley + 1 < end else _NEVER
    tick: Whole = np.int64(ticks[volley])
    span = (np.int64(starts[volley]), np.int64(starts[volley + 1]))
    while tick < until:
        at = Now(now.start + tick, now.start, now.clock + now.learn * tick, now.learn)
        play(circuit, law, binning, at, line, span)
        due: Whole = _NEVER
        span = (np.int64(0), np.int64(0))
        for layer in range(0, layers * FIELDS, FIELDS):
            spikes = plan[layer + SPIKES]
            if ints[spikes + 2]:
                due = min(due, tick + 1)
            if now.learn and ints[spikes + 1] < ints[spikes]:
                acts = ints[plan[layer + SPIKE_TICK] + ints[spikes + 1]] + plan[layer + DELAY]
                due = min(due, np.int64(acts))
        tick = due


@native_part
def play(circuit: Circuit, law: Reals, binning: Binning, now: Now, line: Ints, span: Span) -> None:
    """Process one volley, layer by layer."""
    ints, plan, tick = circuit.ints, circuit.plan, now.tick - now.start
    count_spikes(binning, np.int64(0), tick, line, span)
    for index in range(binning.gain.size - 1):
        layer = index * FIELDS
        fired = fire(circuit, layer, now, arrive(circuit, layer, now, line, span))
        if now.learn:
            learn(circuit, law, layer, now, line, span)
            adapt(circuit, layer, now, fired)
        if plan[layer + SOFT] and tick + 1 < binning.modes[2]:
            foresee(circuit, layer, now, fired)
        line, first = ints, np.int64(plan[layer + SPIKE_NEURON])
        span = (first + fired, first + ints[plan[layer + SPIKES]])
        count_spikes(binning, index + 1, tick, line, span)


@native_part
def learn(
    circuit: Circuit,
    law: Reals,
    layer: Whole,
    now: Now,
    line: Ints,
    span: Span,
) -> None:
    """Let pre and post spikes that meet at `now` change the weights, then raise their traces.

    Traces that no term of the law reads at this λ are left alone.
    """
    ints, plan = circuit.ints, circuit.plan
    base, begin = 8 * plan[layer + PLACE], plan[layer + ACTING]
    on_pre, on_post = law[base] != 0.0, law[base + 1] != 0.0 or law[base + 3] != 0.0
    if law[base + 2] != 0.0:
        arrived = Index(plan[layer + ARRIVED])
        for i in range(span[0], span[1]):
            ints[arrived + Index(line[i])] = now.tick
    if on_pre:
        at_pre(circuit, law, layer, now, line, span)
    acting = take_due(circuit, layer, now.tick - now.start)
    for i in range(begin, begin + acting):
        at_post(circuit, law, layer, now, np.int64(ints[i]))
    apply(circuit, law, layer, acting)
    if on_post:
        raise_pre(circuit, layer, now, line, span)
    if on_pre:
        for i in range(begin, begin + acting):
            raise_post(circuit, layer, now, np.int64(ints[i]))


@native_part
def take_due(circuit: Circuit, layer: Whole, tick: Whole) -> Whole:
    """List the spikes that reach their synapses by `tick`, `limit` a map; return their number."""
    ints, plan = circuit.ints, circuit.plan
    at, count = plan[layer + SPIKES], 0
    stop, latest = np.int64(ints[at + 1]), tick - plan[layer + DELAY]
    while stop < ints[at] and ints[plan[layer + SPIKE_TICK] + stop] <= latest:
        neuron = ints[plan[layer + SPIKE_NEURON] + stop]
        acted = plan[layer + ACTED] + neuron % plan[layer + MAPS]
        learns = ints[plan[layer + SPIKE_FIRST] + stop] or not plan[layer + FIRST_ONLY]
        if learns and ints[acted] < plan[layer + LIMIT]:
            ints[plan[layer + ACTING] + count] = neuron
            ints[acted] += 1
            count += 1
        stop += 1
    ints[at + 1] = stop
    return count


@native_part
def rewind(circuit: Circuit, binning: Binning, layers: Whole) -> None:
    """Empty the spike lists and all counts before a presentation."""
    ints, plan = circuit.ints, circuit.plan
    for i in range(_COUNTERS):
        ints[i] = 0
    for layer in range(0, layers * FIELDS, FIELDS):
        for i in range(plan[layer + SPIKES], plan[layer + SPIKES] + 4):
            ints[i] = 0
        for i in range(plan[layer + ACTED], plan[layer + ACTED] + plan[layer + MAPS]):
            ints[i] = 0
    for i in range(binning.spikes.size):
        binning.spikes[i] = 0
