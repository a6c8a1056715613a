"""Traces of pre and post spikes: what a synapse remembers of its two neurons.

x̄ jumps by 1 at a spike and decays with τ; it is *exclusive*: who reads it at the instant of a
spike sees it without that spike.
"""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import numpy as np

from simedge.core.native_cache import native_part
from simedge.neurons.circuit import Circuit
from simedge.neurons.decay import TABLE_TICKS, decay_factor
from simedge.neurons.kinds import Index, Ints, Span, Whole
from simedge.neurons.layout import DECAY, MAPS, POST, POST_TICK, PRE, PRE_TICK, Now

__all__ = ["POST_TABLE", "PRE_TABLE", "raise_post", "raise_pre"]

PRE_TABLE = TABLE_TICKS + 1
"""Where the decay table of pre traces begins, after that of potentials."""
POST_TABLE = 2 * PRE_TABLE


@native_part
def raise_pre(circuit: Circuit, layer: Whole, now: Now, source: Ints, span: Span) -> None:
    """Let x̄ of the inputs that fired jump by 1."""
    real, ints, plan, tables = circuit.real, circuit.ints, circuit.plan, circuit.table
    pre, stamp = Index(plan[layer + PRE]), Index(plan[layer + PRE_TICK])
    table = plan[layer + DECAY] + PRE_TABLE
    for i in range(span[0], span[1]):
        line = Index(source[i])
        last, value = ints[stamp + line], np.float32(0.0)
        if last >= now.start:
            value = real[pre + line] * decay_factor(tables, table, now.tick - last)
        real[pre + line] = value + np.float32(1.0)
        ints[stamp + line] = now.tick


@native_part
def raise_post(circuit: Circuit, layer: Whole, now: Now, neuron: Whole) -> None:
    """Let ȳ of one neuron jump by 1; its column decays together."""
    real, ints, plan = circuit.real, circuit.ints, circuit.plan
    maps, post = plan[layer + MAPS], plan[layer + POST]
    column, factor = neuron // maps, np.float32(0.0)
    base, at = post + column * maps, plan[layer + POST_TICK] + column
    if ints[at] >= now.start:
        first = plan[layer + DECAY] + POST_TABLE
        factor = decay_factor(circuit.table, first, now.tick - ints[at])
    for m in range(base, base + maps):
        real[m] *= factor
    ints[at] = now.tick
    real[post + neuron] += np.float32(1.0)
