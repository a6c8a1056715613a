"""e-prop: eligibilities go forward in time and meet the readout's error as it happens.

With γ the leak, κ the leak of the readout and x[n] what arrives (for recurrent synapses o[n-1]),

    u[n] = γ·(u[n-1] - v·o[n-1]) + W·x[n] + R·o[n-1]          z[n] = κ·z[n-1] + O·o[n] + b
    ε_j[n] = γ·ε_j[n-1] + x_j[n]      e_ij = ψ_i·ε_j          ē[n] = κ·ē[n-1] + e[n]
    L_i[n] = Σ_c F_ic·(softmax(z[n]) - y*)_c                  g_ij = Σ_n L_i[n]·ē_ij[n]

F = Oᵀ (symmetric) or drawn at random. (G. Bellec et al., Biologically inspired alternatives to
backpropagation through time for learning in recurrent neural nets, arXiv 1901.09049, 2019.)

Here: four kinds of digits, read a row of 8 pixels at a time: what was read must be remembered.
"""

import numpy as np

from simedge.core.streams import Streams, normals
from simedge.learning.continual.streams import order_of
from simedge.learning.rules.bptt import Bptt
from simedge.learning.rules.e_prop import EProp
from simedge.learning.rules.eligibility import Neuron, Synapses
from simedge.learning.rules.optimiser import Adam
from simedge.learning.rules.stack import Readout, Stack
from simedge.sensors.table import digits

LINES, NEURONS, CLASSES = 8, 20, 4
table, streams = digits(), Streams(1)
order = order_of(streams.stream("examples", "papers", "order"), len(table.labels))
order = order[table.labels[order] < CLASSES]
train, test = order[:240], order[240:440]
rows = table.pictures / 16.0  # a picture is a window: 8 device ticks of 8 currents


def drawn(name, post, pre):
    """Weights of size 1."""
    return normals(streams.stream("examples", "papers", name).block(post * pre // 4)).reshape(
        post, pre
    )


def stack_of(*, recurrent=True, leak=None):
    """Return a stack; first weights are the same for all."""
    layer = Synapses(
        weights=0.5 * drawn("ahead", NEURONS, LINES),
        recurrent=0.1 * drawn("loop", NEURONS, NEURONS) if recurrent else None,
    )
    readout = Readout(
        weights=0.1 * drawn("readout", CLASSES, NEURONS), bias=np.zeros(CLASSES), leak=leak
    )
    return Stack(layers=[layer], readout=readout, neuron=Neuron(leak=0.9))


def gradients(stack):
    """Return the feed-forward gradient of one window, forwards and backwards in time."""
    target = np.eye(CLASSES)[table.labels[train[0]]]
    ahead = EProp(stack=stack).run(rows[train[0]], target)
    back = Bptt(stack=stack, loss="tick").run(rows[train[0]], target)
    return ahead.layers[0].weights, back.layers[0].weights


for recurrent in (False, True):
    ahead, back = gradients(stack_of(recurrent=recurrent))
    along = (ahead * back).sum() / np.sqrt((ahead**2).sum() * (back**2).sum())
    print(
        f"recurrent {recurrent}: the exact gradient {np.allclose(ahead, back, atol=1e-12)}, "
        f"within 30 degrees of it {along > 0.866}"
    )


def accuracy(feedback, *, hidden):
    """Learn once from everything; return the share of right answers on others."""
    stack, adam = stack_of(leak=0.9), Adam(rate=5e-3)
    rule, (layer,), readout = EProp(stack=stack, feedback=feedback), stack.layers, stack.readout
    held = [readout.weights, readout.bias, *(layer.arrays() if hidden else [])]
    for item in train:
        window = rule.run(rows[item], np.eye(CLASSES)[table.labels[item]])
        found = window.layers[0].arrays() if hidden else []
        adam.step(held, [window.readout.weights, window.readout.bias, *found])
    seen = [rule.run(rows[item], np.eye(CLASSES)[0]).predicted for item in test]
    return np.mean(np.array(seen) == table.labels[test])


alone = accuracy(None, hidden=False)
symmetric = accuracy(None, hidden=True)
random = accuracy(drawn("feedback", NEURONS, CLASSES), hidden=True)
print(f"symmetric feedback above 0.6: {symmetric > 0.6}, random above 0.4: {random > 0.4}")
print(f"symmetric is worth more than 0.05 beside a readout alone: {symmetric > alone + 0.05}")
