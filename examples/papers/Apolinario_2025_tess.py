"""TESS: every layer teaches itself, from its own spikes, at the time they happen.

u, o, Ψ, p and c as in S-TLLR; with B a fixed basis of C rows over m neurons, made when needed,

    B_ci = sign(sin((50 + c·462/(C-1))·i))/m
    m[n] = Bᵀ·(softmax(B·o[n]) - y*)
    g_W = Σ_n (m ⊙ α_pre·Ψ[n]) ⊗ p[n] + (m ⊙ α_post·c[n-1]) ⊗ x[n]

Nothing crosses layers, nothing goes back in time; all a layer needs to be told is the label.
(M. P. E. Apolinario, K. Roy and C. Frenkel, arXiv 2502.01837, 2025.)

Here: handwritten digits as spikes, two hidden layers.
"""

from itertools import pairwise

import numpy as np

from simedge.core.streams import Streams, normals
from simedge.learning.continual.streams import order_of
from simedge.learning.rules.costs import VGG9_WIDTHS, bptt_signal, vgg9
from simedge.learning.rules.costs import tess as cost_of
from simedge.learning.rules.eligibility import Neuron, Synapses
from simedge.learning.rules.optimiser import Adam
from simedge.learning.rules.stack import Readout, Stack
from simedge.learning.rules.tess import tess
from simedge.sensors.table import digits

TICKS, SIZES = 8, (64, 60, 60, 10)
table, streams = digits(), Streams(1)
order = order_of(streams.stream("examples", "papers", "order"), len(table.labels))
train, test = order[:300], order[300:500]


def spikes_of(item):
    """Let a pixel of level L of 16 fire at L/16 a tick, evenly."""
    level = table.pictures[item].ravel().astype(int)
    return np.diff(np.arange(TICKS + 1)[:, None] * level // 16, axis=0).astype(float)


def stack_of(readout_gain):
    """Hidden weights are drawn alike; the readout's as large as is wished."""
    drawn = [
        normals(streams.stream("examples", "papers", f"layer-{i}").block(pre * post // 4)).reshape(
            post, pre
        )
        for i, (pre, post) in enumerate(pairwise(SIZES))
    ]
    return Stack(
        layers=[Synapses(weights=0.25 * weights) for weights in drawn[:-1]],
        readout=Readout(weights=readout_gain * drawn[-1], bias=np.zeros(10)),
        neuron=Neuron(post_gain=1.0),
    )


arrivals, target = spikes_of(0), np.eye(10)[table.labels[0]]
one, other = (tess(stack_of(gain)).run(arrivals, target) for gain in (0.1, 3.0))
same = [np.array_equal(a.weights, b.weights) for a, b in zip(one.layers, other.layers, strict=True)]
print(f"another readout changes no bit of the layers' gradients: {all(same)}")

stack = stack_of(0.1)
rule, adam = tess(stack), Adam(rate=1e-2)
held = [*(layer.weights for layer in stack.layers), stack.readout.weights, stack.readout.bias]


def accuracy():
    """Return the share of right answers on digits that nobody learns."""
    seen = [rule.run(spikes_of(item), np.eye(10)[0]).predicted for item in test]
    return np.mean(np.array(seen) == table.labels[test])


before = accuracy()
for item in train:
    window = rule.run(spikes_of(item), np.eye(10)[table.labels[item]])
    gradients = [layer.weights for layer in window.layers]
    adam.step(held, [*gradients, window.readout.weights, window.readout.bias])
print(f"before any digit below 0.3: {before < 0.3}")
print(f"after {len(train)} digits above 0.5: {accuracy() > 0.5}")
for classes in (10, 100):
    ratio = bptt_signal(vgg9(classes), 6) / cost_of(VGG9_WIDTHS, classes, 6).macs
    print(f"VGG-9, {classes} classes: the signal needs {ratio:.0f} x fewer MACs than through time")
