"""The structured rule on a recurrent circuit: a known course, and rows that come and go."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.neurons.errors import CircuitError
from simedge.neurons.recurrent.circuit import RecurrentCircuit
from simedge.neurons.recurrent.parts import GatedRule, Population, Projection, ReadRule
from simedge.neurons.recurrent.wiring import synapses_of


def joined(source, target, weights, **rest):
    """Join all pairs with a weight that is not zero; weights are (targets, sources)."""
    w = np.array(weights, float)
    pre, post = np.nonzero(w.T)
    wires = synapses_of((pre, post), sources=w.shape[1], targets=w.shape[0])
    return Projection(source=source, target=target, synapses=wires, weights=w.T[pre, post], **rest)


def known():
    rule = GatedRule(pre_factor=0.8, row_factor=0.9)
    layers = {"h": Population(size=2, gamma=0.9), "o": Population(size=3, gamma=0.9, soft=True)}
    read = [[1.1, 0], [0, 1.1], [0.3, 0.3]]
    circuit = RecurrentCircuit(
        2,
        layers,
        projections=[
            joined("inputs", "h", [[0.6, 0.6], [1.2, 0]], delay=0, rule=rule),
            joined("h", "h", [[0, 0.5], [0, 0]], rule=rule),
            joined("h", "o", read, delay=0, rule=ReadRule()),
        ],
    )
    circuit.feed(np.array([0, 3, 5, 1, 5]), np.array([0, 0, 0, 1, 1]))
    circuit.run(6)
    return circuit


def test_a_known_window():
    circuit = known()
    ticks, neurons = circuit.spikes("h")
    assert ticks[neurons == 1].tolist() == [0, 3, 5]
    assert ticks[neurons == 0].tolist() == [1, 4, 5]
    assert circuit.counts("o").tolist() == [3, 3, 1]
    scores = circuit.counts("o") + 1e-3 * circuit.potentials("o", 6)
    assert scores == pytest.approx([3.000230049, 3.0002160441, 1.0004382793], abs=1e-9)
    assert circuit.eligibilities(0, 6) == pytest.approx([3.22308, 3.404601, 2.27385], abs=1e-9)
    assert circuit.eligibilities(1, 6) == pytest.approx([2.90385], abs=1e-9)
    counted = circuit.counters
    assert (counted["deliveries"], counted["trace_touches"]) == (22, 12)


def test_a_known_modulator():
    circuit = known()
    modulators = np.array([-0.7071067812, 0.8711914808])
    circuit.gate("h", 6, 0.1 * modulators[circuit.active("h")])
    assert circuit.counters["weight_writes"] == 4
    circuit.read(2, np.array([0, 2]), 0.1 * np.array([-1.0, 1.0]) * 10 / 6)
    assert circuit.weights(0) == pytest.approx([0.3720938276, 1.4966059387, 0.4392145246], abs=1e-9)
    assert circuit.weights(1) == pytest.approx([0.2946667973], abs=1e-9)
    assert circuit.weights(2) == pytest.approx([0.6, 0.8, 1.1, 0.8], abs=1e-9)


def test_a_closed_window_is_forgotten():
    circuit = known()
    circuit.close_window()
    assert circuit.counts("h").tolist() == [0, 0]
    assert circuit.active("h").size == 0
    assert not circuit.eligibilities(0, 6).any()


def wide(words, size=30):
    rule = GatedRule(pre_factor=0.9, row_factor=float(words.uniform(0.5, 0.98)))
    mask = words.random((size, size)) < 0.3
    return RecurrentCircuit(
        size,
        {"h": Population(size=size, gamma=0.9)},
        projections=[
            joined("inputs", "h", mask * words.uniform(0.2, 0.8, mask.shape), delay=0, rule=rule),
            joined("h", "h", mask.T * 0.1, delay=2, rule=rule),
        ],
    )


@settings(max_examples=40)
@given(st.integers(0, 2**31))
def test_rows_are_the_clocked_eligibilities_fused_or_stepped(seed):
    words = np.random.Generator(np.random.Philox(seed))
    fused, ticks = wide(words), 120
    stepped = wide(np.random.Generator(np.random.Philox(seed)))
    fed = words.random((ticks, 30)) < 0.05
    for circuit in (fused, stepped):
        circuit.feed(*np.nonzero(fed))
    fused.run(ticks)
    while stepped.step(ticks):
        pass
    spikes = np.zeros((ticks, 30), bool)
    spikes[fused.spikes("h")] = True
    for k, (driven, delay) in enumerate(((fed, 0), (spikes, 2))):
        expected = clocked(fused.synapses(k), (driven, delay), spikes, fused_factor(fused))
        np.testing.assert_allclose(fused.eligibilities(k, ticks), expected, atol=1e-9)
        assert np.array_equal(fused.eligibilities(k, ticks), stepped.eligibilities(k, ticks))
    assert fused.counters == stepped.counters


def fused_factor(circuit):
    row = circuit._layout.rows[1]  # noqa: SLF001 - the oracle needs the drawn number
    from simedge.neurons.recurrent import places

    return circuit._arrays.real[row[places.ROW_TABLE] + 1]  # noqa: SLF001


def clocked(synapses, arriving, spikes, row_factor):
    """Return e of each synapse, every tick and every synapse."""
    driven, delay = arriving
    source, target = synapses.pairs()
    trace, e = np.zeros(30), np.zeros(source.size)
    for n in range(len(spikes)):
        trace = 0.9 * trace + (driven[n - delay] if n >= delay else 0)
        e = row_factor * e + np.where(spikes[n][target], trace[source], 0.0)
    return row_factor * e


def test_a_modulator_for_those_that_fired_only():
    with pytest.raises(CircuitError, match="modulator"):
        known().gate("h", 6, np.zeros(3))
    with pytest.raises(CircuitError, match="no readout"):
        known().read(0, np.array([0]), np.array([1.0]))
    with pytest.raises(CircuitError, match="no eligibilities"):
        known().eligibilities(2, 6)
