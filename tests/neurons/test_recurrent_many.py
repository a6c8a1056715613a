"""Lazy is clocked, for random circuits by the hundred: many at a time, alike in their settings.

A batch is 64 circuits of one to three populations. They share leak, reset, bias, law of thresholds,
delays and rules, which are drawn; each has wiring, weights and input of its own. They lie side by
side in one event-driven circuit, and as one more axis in the clocked one. A hundredth as many
batches are drawn as the profile has examples, and four at least.
"""

from dataclasses import replace

import numpy as np
from clocked import Clocked, pair
from drawn_circuits import INPUTS, TICKS, drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.neurons.recurrent.circuit import RecurrentCircuit
from simedge.neurons.recurrent.wiring import synapses_of

CIRCUITS = 64
BATCHES = max(16, settings.default.max_examples // 100)


class Batch(Clocked):
    """Circuits that know nothing of each other; weights are (circuits, targets, sources)."""

    def __init__(self, case, words):
        sizes = {name: p.size for name, p in case.populations.items()}
        wide = {n: replace(p, size=CIRCUITS * p.size) for n, p in case.populations.items()}
        held = [drawn_weights(words, p.synapses) for p in case.projections]
        joined = [side_by_side(*each) for each in zip(case.projections, held, strict=True)]
        super().__init__(CIRCUITS * INPUTS, wide, [])
        self.sizes = {"inputs": INPUTS} | sizes
        self.joins = [(p, w, w != 0) for p, w in zip(joined, held, strict=True)]
        self.pre = [np.zeros((CIRCUITS, w.shape[2])) for w in held]
        self.margins = np.full(CIRCUITS, np.inf)
        density = words.choice([0.02, 0.1, 0.5])
        self.fed = words.random((TICKS, CIRCUITS * INPUTS)) < density
        self.circuit = RecurrentCircuit(self.inputs, wide, projections=joined)
        self.circuit.feed(*np.nonzero(self.fed))

    def arrivals(self, projection, n):
        return super().arrivals(projection, n).reshape(CIRCUITS, -1)

    def play(self):
        for n in range(TICKS):
            for name, cells in self.cells.items():
                drive = np.zeros((CIRCUITS, self.sizes[name]))
                for p, w, _ in self.joins:
                    if p.target == name:
                        drive += (w @ self.arrivals(p, n)[:, :, None])[:, :, 0]
                margins = cells.step(drive.ravel(), n).reshape(CIRCUITS, -1)
                self.margins = np.minimum(self.margins, margins.min(1))
                self.learn(name, cells, n)
                cells.adapt()

    def learn(self, name, cells, n):
        mine = [k for k, (p, _, _) in enumerate(self.joins) if p.target == name and p.rule]
        for k in mine:
            p, w, mask = self.joins[k]
            if k == mine[0]:
                cells.post *= p.rule.post_factor
                acting = cells.fired(n - p.rule.post_delay).reshape(CIRCUITS, -1)
            arrived, post = self.arrivals(p, n), cells.post.reshape(CIRCUITS, -1)
            self.pre[k] *= p.rule.pre_factor
            pair(p.rule, (w, mask), (arrived, acting), (self.pre[k], post))
            self.pre[k] += arrived
        if mine:
            cells.post += acting.ravel()


def drawn_weights(words, synapses):
    """Draw who is joined to whom, and how much it weighs: 0 where there is no synapse."""
    shape = (CIRCUITS, synapses.targets, synapses.sources)
    mask = words.random(shape) < words.uniform(0.1, 0.9, (CIRCUITS, 1, 1))
    most = words.choice([0.3, 1.0], (CIRCUITS, 1, 1))
    return mask * most * (1.0 - words.random(shape))


def side_by_side(projection, weights):
    circuit, source, target = np.nonzero(weights.transpose(0, 2, 1))
    _, targets, sources = weights.shape
    ends = (circuit * sources + source, circuit * targets + target)
    wires = synapses_of(ends, sources=CIRCUITS * sources, targets=CIRCUITS * targets)
    return replace(projection, synapses=wires, weights=weights[circuit, target, source])


def compare(batch):
    """Hold every circuit that had no narrow escape to its twin; return how many."""
    circuit, sure = batch.circuit, batch.margins > 1e-9
    for name, cells in batch.cells.items():
        fired = np.zeros((TICKS, cells.about.size), bool)
        fired[circuit.spikes(name)] = True
        for got, expected in (
            (fired.T, batch.spikes(name).T),
            (circuit.potentials(name, TICKS - 1), cells.u),
            (circuit.thresholds(name, TICKS), cells.theta),
        ):
            one, other = (part.reshape(CIRCUITS, -1)[sure] for part in (got, expected))
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-9)
    for k, (p, w, mask) in enumerate(batch.joins):
        where, target = p.synapses.pairs()[0] // w.shape[2], p.synapses.target
        expected = w.transpose(0, 2, 1)[mask.transpose(0, 2, 1)]
        assert target.size == expected.size
        np.testing.assert_allclose(
            circuit.weights(k)[sure[where]], expected[sure[where]], rtol=0, atol=1e-9
        )
    return int(sure.sum())


def held_to_twins(seed):
    """Draw a batch, play both ways, compare; return how many circuits that were."""
    words = np.random.Generator(np.random.Philox(seed))
    batch = Batch(drawn(seed), words)
    batch.play()
    batch.circuit.run(TICKS)
    return compare(batch)


@settings(max_examples=BATCHES)
@given(st.integers(0, 2**31))
def test_lazy_is_clocked_circuit_by_circuit(seed):
    assert held_to_twins(seed) > CIRCUITS // 2
