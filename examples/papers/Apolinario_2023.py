"""S-TLLR: eligibilities that cost no more memory than the neurons they belong to.

With γ the leak, v the threshold, x arrivals and o spikes, at every device tick n

    u[n] = γ·(u[n-1] - v·o[n-1]) + W·x[n]      o[n] = 1 if u[n] > v
    p[n] = λ_pre·p[n-1] + x[n]                 Ψ[n] = 0.3·max(1 - |u[n]-v|, 0)
    c[n] = λ_post·c[n-1] + Ψ[n]
    e_ij[n] = α_pre·Ψ_i[n]·p_j[n] + α_post·c_i[n-1]·x_j[n]
    δ = Oᵀ·(softmax(O·o[n] + b) - y*)            g_W = Σ_n δ_i[n]·e_ij[n]

The first term rewards causes, the second (α_post < 0) punishes what comes too late. Nothing goes
back in time. (M. P. E. Apolinario and K. Roy, arXiv 2306.15220, 2023.)

Here: handwritten digits as spikes, one hidden layer, three rules from the same first weights.
"""

from itertools import pairwise

import numpy as np

from simedge.core.streams import Streams, normals
from simedge.learning.continual.streams import order_of
from simedge.learning.rules.bptt import Bptt
from simedge.learning.rules.costs import bptt, dense
from simedge.learning.rules.costs import s_tllr as costs_of
from simedge.learning.rules.eligibility import Neuron, Synapses
from simedge.learning.rules.optimiser import Adam
from simedge.learning.rules.s_tllr import feedback_of, s_tllr
from simedge.learning.rules.stack import Readout, Stack
from simedge.sensors.table import digits

TICKS, SIZES = 8, (64, 40, 10)
table, streams = digits(), Streams(1)
order = order_of(streams.stream("examples", "papers", "order"), len(table.labels))
train, test = order[:300], order[300:500]


def spikes_of(item):
    """Let a pixel of level L of 16 fire at L/16 a tick, evenly."""
    level = table.pictures[item].ravel().astype(int)
    return np.diff(np.arange(TICKS + 1)[:, None] * level // 16, axis=0).astype(float)


def stack_of(neuron):
    """Return a stack; first weights are the same for all."""
    drawn = [
        normals(streams.stream("examples", "papers", f"layer-{i}").block(pre * post // 4)).reshape(
            post, pre
        )
        for i, (pre, post) in enumerate(pairwise(SIZES))
    ]
    readout = Readout(weights=0.1 * drawn[1], bias=np.zeros(10))
    return Stack(layers=[Synapses(weights=0.25 * drawn[0])], readout=readout, neuron=neuron)


def accuracy(rule, stack):
    """Learn once from everything, a window at a time; return the share of right answers."""
    adam = Adam(rate=5e-3)
    held = [stack.layers[0].weights, stack.readout.weights, stack.readout.bias]
    for item in train:
        window = rule.run(spikes_of(item), np.eye(10)[table.labels[item]])
        adam.step(held, [window.layers[0].weights, window.readout.weights, window.readout.bias])
    seen = [rule.run(spikes_of(item), np.eye(10)[0]).predicted for item in test]
    return np.mean(np.array(seen) == table.labels[test])


causal = stack_of(Neuron(leak=0.5, pre_decay=0.5, post_gain=0.0))
arrivals, target = spikes_of(0), np.eye(10)[table.labels[0]]
exact = Bptt(stack=causal, loss="tick").run(arrivals, target).layers[0].weights
local = s_tllr(causal).run(arrivals, target).layers[0].weights
print(f"causal terms alone, λ_pre = γ: the exact gradient: {np.allclose(local, exact, atol=1e-12)}")

both = stack_of(Neuron(post_gain=-1.0))
print(f"S-TLLR, α_post = -1, above 0.6: {accuracy(s_tllr(both), both) > 0.6}")
direct = stack_of(Neuron(post_gain=-1.0))
feedback = feedback_of(SIZES[1:2], 10, streams.stream("examples", "papers", "feedback"))
rule = s_tllr(direct, signal="dfa", feedback=feedback)
print(f"the error by fixed random weights, above 0.6: {accuracy(rule, direct) > 0.6}")
for ticks, active in ((10, 5), (20, 5), (100, 90)):
    one, other = bptt(dense(SIZES), ticks), costs_of(dense(SIZES), active)
    macs, words = one.macs / other.macs, one.words / other.words
    print(f"{ticks} ticks, {active} active: {words:.0f} x less memory, {macs:.2f} x fewer MACs")
