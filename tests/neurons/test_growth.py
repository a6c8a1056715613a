"""Eligibilities that arrivals raise: the clocked definition, at every setting of the rule."""

import numpy as np
import pytest
from clocked import Clocked
from drawn_circuits import INPUTS, TICKS, growing
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from simedge.neurons.errors import CircuitError
from simedge.neurons.recurrent.circuit import RecurrentCircuit
from simedge.neurons.recurrent.parts import GatedRule, Population, Projection
from simedge.neurons.recurrent.wiring import one_to_one

seeds = st.integers(0, 2**31)
PROFILE = settings.default.max_examples


class Growing(Clocked):
    """The clocked circuit with eligibilities; weights stay."""

    def __init__(self, inputs, populations, projections):
        super().__init__(inputs, populations, projections)
        self.e = [np.zeros(w.shape) for _, w, _ in self.joins]

    def learn(self, name, cells, n):
        psi = 0.3 * np.maximum(0, 1 - np.abs(cells.before - cells.theta) / cells.theta)
        mine = [k for k, (p, _, _) in enumerate(self.joins) if p.target == name and p.rule]
        for k in mine:
            (p, _, mask), rule = self.joins[k], self.joins[k][0].rule
            if k == mine[0]:
                cells.post *= rule.pre_factor
            arrived = self.arrivals(p, n)
            self.pre[k] = rule.pre_factor * self.pre[k] + arrived
            if rule.gate == "arrival":
                grown = np.outer(psi, arrived)
            else:
                grown = np.outer(cells.trains[n], self.pre[k])
            grown += rule.noncausal * np.outer(cells.post, arrived)
            self.e[k] = rule.row_factor * self.e[k] + mask * grown
        cells.post += cells.trains[n]

    def eligibilities(self, k):
        source, target = self.joins[k][0].synapses.pairs()
        return self.e[k][target, source]


def taught(circuit, case, seed):
    """Let drawn modulators act on all, row by row; return the weights."""
    words = np.random.Generator(np.random.Philox(seed))
    for name in {p.target for p in case.projections if p.rule}:
        drawn_for = words.standard_normal(circuit.eligible(name).size)
        circuit.gate(name, TICKS, drawn_for, balanced=bool(words.integers(2)))
    return [circuit.weights(k).copy() for k in range(len(case.projections))]


@settings(max_examples=min(40, PROFILE))
@given(seeds)
def test_eligibilities_are_the_clocked_ones_fused_or_stepped(seed):
    case = growing(seed)
    twin = Growing(INPUTS, case.populations, case.projections)
    twin.run(case.fed)
    assume(twin.margin > 1e-9)
    fused, stepped = case.feed(case.circuit()), case.feed(case.circuit())
    fused.run(TICKS)
    while stepped.step(TICKS):
        pass
    assert fused.counters == stepped.counters
    for k, p in enumerate(case.projections):
        if p.rule:
            got = fused.eligibilities(k, TICKS - 1)
            np.testing.assert_allclose(got, twin.eligibilities(k), rtol=0, atol=1e-9)
            assert got.tobytes() == stepped.eligibilities(k, TICKS - 1).tobytes()
    for one, other in zip(taught(fused, case, seed), taught(stepped, case, seed), strict=True):
        assert one.tobytes() == other.tobytes()


@settings(max_examples=min(20, PROFILE))
@given(seeds)
def test_a_modulator_moves_the_rows_that_are_eligible_by_their_eligibilities(seed):
    case = growing(seed)
    circuit = case.feed(case.circuit())
    circuit.run(TICKS)
    for name in case.populations:
        mine = [k for k, p in enumerate(case.projections) if p.target == name and p.rule]
        if not mine:
            continue
        eligible, m = circuit.eligible(name), np.zeros(case.populations[name].size)
        m[eligible] = np.linspace(-1, 1, eligible.size)
        expected = {}
        for k in mine:
            target, bound = case.projections[k].synapses.target, case.projections[k].rule.bound
            weights, e = circuit.weights(k), circuit.eligibilities(k, TICKS + 3)
            moved = np.clip(weights + m[target] * e, -bound, bound)
            expected[k] = np.where(np.isin(target, eligible), moved, weights)
        circuit.gate(name, TICKS + 3, m[eligible])
        for k in mine:
            np.testing.assert_allclose(circuit.weights(k), expected[k], atol=1e-12)
        circuit.close_window()
        assert circuit.eligible(name).size == 0
        assert not any(circuit.eligibilities(k, TICKS).any() for k in mine)


@settings(max_examples=min(15, PROFILE))
@given(seeds)
def test_a_frame_begins_from_nothing(seed):
    case = growing(seed)
    constant = {n: p for n, p in case.populations.items() if isinstance(p.threshold, float)}
    ends = {"inputs", *constant}
    case.populations = constant
    case.projections = [p for p in case.projections if {p.source, p.target} <= ends]
    assume(constant)
    again, fresh = case.feed(case.circuit()), case.feed(case.circuit())
    again.run(TICKS)
    again.reset(1000)
    case.feed(again, 1000).run(1000 + TICKS)
    fresh.run(TICKS)
    for k, p in enumerate(case.projections):
        if p.rule:
            one, other = again.eligibilities(k, 1000 + TICKS), fresh.eligibilities(k, TICKS)
            assert one.tobytes() == other.tobytes()


def test_silence_costs_nothing_and_a_very_late_spike_finds_what_decay_left():
    rule = GatedRule(pre_factor=0.9, row_factor=0.9999, gate="arrival")
    drive = {"source": "inputs", "target": "e", "synapses": one_to_one(2), "delay": 0}
    held = Projection(**drive, weights=np.array([0.7, 0.7]), rule=rule)
    circuit = RecurrentCircuit(2, {"e": Population(size=2, gamma=0.5)}, projections=[held])
    circuit.feed(np.array([0, 9000]), np.array([0, 1]))
    circuit.run(1)
    counted, used = circuit.counters, circuit.nbytes
    circuit.run(9000)
    assert (circuit.counters, circuit.nbytes) == (counted, used)
    assert circuit.eligible("e").tolist() == [0]
    circuit.run(9001)
    assert circuit.eligible("e").tolist() == [0, 1]
    left = [0.21 * 0.9999**9001, 0.21 * 0.9999]
    assert circuit.eligibilities(0, 9001) == pytest.approx(left, rel=1e-12)


def test_a_gate_that_is_none_and_rules_that_differ_are_refused():
    with pytest.raises(CircuitError, match="gate"):
        GatedRule(pre_factor=0.9, row_factor=0.9, gate="never")
    with pytest.raises(CircuitError, match="non-causal"):
        GatedRule(pre_factor=0.9, row_factor=0.9, noncausal=np.inf)
    rules = (GatedRule(pre_factor=0.9, row_factor=0.9, gate=gate) for gate in ("spike", "arrival"))
    ends = {"source": "inputs", "target": "e", "synapses": one_to_one(1), "weights": np.ones(1)}
    with pytest.raises(CircuitError, match="share"):
        RecurrentCircuit(
            1,
            {"e": Population(size=1, gamma=0.5)},
            projections=[Projection(**ends, rule=rule) for rule in rules],
        )
