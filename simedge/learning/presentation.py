"""Presentations, volley by volley, in one native call."""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

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
def present(  # noqa: PLR0913 - arrays in tuples are slow to hand over
    held: Reals,
    held_tick: NDArray[np.int64],
    real: Reals,
    ints: Ints,
    plan: Ints,
    table: Reals,
    law: Reals,
    scaling: Reals,
    slot: Ints,
    rows: NDArray[np.int64],
    gain: Reals,
    modes: NDArray[np.int64],
    spikes: Ints,
    weights: Reals,
    mean: Reals,
    line: Ints,
    tick: Ints,
    start: Ints,
    bounds: NDArray[np.int64],
    first: Whole,
    stop: Whole,
    begin: Whole,
    clock: Whole,
    learning: Whole,
    features: Reals,
    raws: Reals,
    scores: Reals,
    counters: Ints,
    operations: NDArray[np.int64],
) -> None:
    """Run the volleys first .. stop - 1 of presentations of which f has [bounds[f], bounds[f+1]).

    Arguments come one by one, for arrays in tuples are slow to hand over: first the circuit, the
    numbers of its rule (eight a layer, see `coefficients`) and of its scaling (four, see
    `rescale`), the binning, the readout; then the presentations as volleys of lines; then which
    part of them, where on the scratch clock they begin, the thresholds' clock, 1 to learn.

    Row f of `scores`, `raws` and `counters` gets what presentation f gives when its last volley
    has run (if `raws` has a single row it is written over), `operations` those of each volley.
    """
    circuit = Circuit(held, held_tick, real, ints, plan, table)
    binning = Binning(slot, rows, gain, modes, spikes)
    layers, span = scaling.size // 4, modes[2] + 1
    for f in range(bounds.size - 1):
        now = Now(begin + f * span, begin + f * span, clock, learning)
        low, high = max(first, bounds[f]), min(stop, bounds[f + 1])
        if low == bounds[f]:
            rewind(circuit, binning, layers)
        for volley in range(low, high):
            before = ints[2] + ints[5]
            run_volley(circuit, law, binning, now, (line, tick, start), (volley, bounds[f + 1]))
            ints[0] += 1
            operations[volley - first] = ints[2] + ints[5] - before
        if high == bounds[f + 1]:
            kept = f if raws.shape[0] > 1 else 0
            if learning:
                for index in range(layers):
                    rescale(circuit, index * FIELDS, scaling)
            levels(binning, raws[kept])
            shape(binning, raws[kept], mean, features)
            score(weights, features, scores[f])
            softmax_in_place(scores[f])
            for i in range(_COUNTERS):
                counters[kept, i] = ints[i]


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
