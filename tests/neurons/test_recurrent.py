"""Recurrent circuits: known courses, silence, bounds, doors that stay closed."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.learning.rules.hebbian_stdp import HebbianStdp, pair_sum
from simedge.neurons.errors import CircuitError
from simedge.neurons.homeostasis import Homeostasis
from simedge.neurons.recurrent.circuit import RecurrentCircuit
from simedge.neurons.recurrent.parts import PairRule, Population, Projection
from simedge.neurons.recurrent.wiring import one_to_one, synapses_of

DRIVE = {0: 0.6, 3: 0.7, 4: 0.5, 10: 1.2, 12: 2.5}
LAMBDA = math.exp(-1 / 20)


def joined(source, target, weights, **rest):
    """Join all pairs with a weight that is not zero; weights are (targets, sources)."""
    w = np.array(weights, float)
    pre, post = np.nonzero(w.T)
    wires = synapses_of((pre, post), sources=w.shape[1], targets=w.shape[0])
    return Projection(source=source, target=target, synapses=wires, weights=w.T[pre, post], **rest)


def alone(population, lines=(), **rest):
    """One population, of which neuron 0 hears lines with these weights at once."""
    weights = np.zeros((population.size, len(lines)))
    weights[0] = lines
    drive = [joined("inputs", "e", weights, delay=0)] if lines else []
    return RecurrentCircuit(len(lines), {"e": population}, projections=drive, **rest)


def fed(circuit, spikes, until):
    ticks, lines = np.array(spikes).reshape(-1, 2).T
    circuit.feed(ticks, lines)
    circuit.run(until)
    return circuit.spikes("e")[0].tolist()


@pytest.mark.parametrize(
    ("soft", "spikes", "touches", "left"),
    [(False, [3, 10, 12], 5, 0.0), (True, [3, 10, 12, 13], 6, 0.7374186622)],
)
def test_a_known_train_hard_and_soft(soft, spikes, touches, left):
    circuit = alone(Population(size=1, gamma=0.9, soft=soft), tuple(DRIVE.values()))
    assert fed(circuit, list(zip(DRIVE, range(5), strict=True)), 14) == spikes
    assert circuit.counters["neuron_touches"] == touches
    assert circuit.potentials("e", 13)[0] == pytest.approx(left, abs=1e-9)


def test_a_bias_fires_when_the_closed_form_says_and_again():
    circuit = alone(Population(size=2, gamma=0.9, threshold=0.6, bias=0.1))
    circuit.run(9)
    assert circuit.counters["neuron_touches"] == 0
    assert circuit.potentials("e", 8)[1] == pytest.approx(0.5695327900, abs=1e-9)
    circuit.run(30)
    assert circuit.spikes("e")[0].tolist() == [9, 9, 18, 18, 27, 27]


def test_a_known_course_of_a_threshold():
    law = Homeostasis(initial=1.0, low=0.5, high=3.0, rate=0.01, target=0.1, gamma=0.9)
    circuit = alone(Population(size=1, gamma=0.9, threshold=law), (2.0,))
    assert fed(circuit, [(100, 0), (101, 0), (102, 0)], 103) == [100, 101, 102]
    known = {103: 0.927, 104: 0.926, 503: 0.527, 600: 0.5}
    got = {tick: circuit.thresholds("e", tick)[0] for tick in known}
    assert got == pytest.approx(known, abs=1e-12)


def rule_of(share, **rest):
    law = HebbianStdp(a_plus=0.01, a_minus=0.012, a_hebb=0.008, oja=False)
    amounts = {"at_pre": law.at_pre(share), "at_post": law.at_post(share)}
    decays = {"pre_factor": LAMBDA, "post_factor": LAMBDA, "low": -9.0, "high": 9.0}
    return PairRule(**amounts, at_both=law.at_both(share), **{**decays, "post_delay": 0, **rest})


def synapse(rule, weight=0.5, delay=0):
    """One neuron: line 0 through the synapse, line 1 makes it fire at once."""
    return RecurrentCircuit(
        2,
        {"e": Population(size=1, gamma=0.5)},
        projections=[
            joined("inputs", "e", [[weight, 0.0]], delay=delay, rule=rule),
            joined("inputs", "e", [[0.0, 9.0]], delay=0),
        ],
    )


PRE, POST = [0, 10, 30], [5, 10, 32]


@pytest.mark.parametrize(
    ("share", "total"), [(0.0, 0.011051144372), (1.0, 0.042064971869), (0.3, 0.020355292621)]
)
def test_known_sums_over_pairs(share, total):
    circuit = synapse(rule_of(share))
    fed(circuit, [*((n, 0) for n in PRE), *((n, 1) for n in POST)], 40)
    assert circuit.weights(0)[0] - 0.5 == pytest.approx(total, abs=1e-9)


def test_a_known_course_of_a_weight():
    circuit = synapse(rule_of(0.3))
    circuit.feed(np.array(PRE + POST), np.array([0] * 3 + [1] * 3))
    known = {5: 0.507320727361, 10: 0.510749310864, 30: 0.506823005436, 32: 0.520355292621}
    for tick, weight in known.items():
        circuit.run(tick + 1)
        assert circuit.weights(0)[0] == pytest.approx(weight, abs=1e-9)


@pytest.mark.parametrize(
    ("delay", "post_delay", "change"), [(7, 0, -0.010858049016), (0, 3, 0.006703200460)]
)
def test_delays_shift_a_pair(delay, post_delay, change):
    circuit = synapse(rule_of(0.0, post_delay=post_delay), delay=delay)
    fed(circuit, [(0, 0), (5, 1)], 20)
    assert circuit.weights(0)[0] - 0.5 == pytest.approx(change, abs=1e-9)


@pytest.mark.parametrize(("post_delay", "change"), [(1, 0.009512294245), (0, 0.0)])
def test_an_arrival_that_triggers_its_target_is_rewarded_after_a_dendritic_delay(
    post_delay, change
):
    circuit = synapse(rule_of(0.0, post_delay=post_delay), weight=2.0)
    assert fed(circuit, [(0, 0)], 5) == [0]
    assert circuit.weights(0)[0] - 2.0 == pytest.approx(change, abs=1e-9)


trains = st.sets(st.integers(0, 60), max_size=12)


@given(pre=trains, post=trains, share=st.floats(0, 1), post_delay=st.integers(0, 3))
def test_online_is_the_pair_sum(pre, post, share, post_delay):
    circuit = synapse(rule_of(share, post_delay=post_delay), weight=1e-3)
    spikes = [*((n, 0) for n in sorted(pre)), *((n, 1) for n in sorted(post))]
    fired = fed(circuit, spikes, 70) if spikes else []
    law = HebbianStdp(a_plus=0.01, a_minus=0.012, a_hebb=0.008, oja=False)
    late = [(n + post_delay) * 1_000_000 for n in fired]
    total = pair_sum(law, share, [n * 1_000_000 for n in pre], post_ns=late)
    assert fired == sorted(post)
    assert circuit.weights(0)[0] - 1e-3 == pytest.approx(total, abs=1e-9)


@settings(max_examples=10)
@given(st.integers(0, 2**31))
def test_weights_stay_in_their_bounds(seed):
    words = np.random.Generator(np.random.Philox(seed))
    size, ticks = 20, 5000
    wild = rule_of(float(words.random()), low=0.1, high=0.4, post_delay=1)
    circuit = RecurrentCircuit(
        size,
        {"e": Population(size=size, gamma=0.9)},
        projections=[
            Projection(
                source="inputs", target="e", synapses=one_to_one(size), weights=np.full(size, 2.0)
            ),
            joined("e", "e", words.uniform(0.1, 0.4, (size, size)), rule=wild),
        ],
    )
    circuit.feed(*np.nonzero(words.random((ticks, size)) < 0.1))
    circuit.run(ticks)
    assert circuit.counters["weight_writes"] > 100_000
    assert 0.1 <= circuit.weights(1).min() <= circuit.weights(1).max() <= 0.4


@given(seed=st.integers(0, 2**31), at=st.integers(1, 59))
def test_a_new_share_is_not_retroactive(seed, at):
    words = np.random.Generator(np.random.Philox(seed))
    spikes = np.argwhere(words.random((60, 2)) < 0.2)
    one, other = synapse(rule_of(0.2)), synapse(rule_of(0.2))
    for circuit in (one, other):
        circuit.feed(spikes[:, 0], spikes[:, 1])
        circuit.run(at)
    before = other.weights(0)[0]
    other.set_rule(0, rule_of(0.9))
    assert other.weights(0)[0] == before == one.weights(0)[0]


def test_silence_costs_nothing_and_wakes_exactly():
    circuit = alone(Population(size=1000, gamma=LAMBDA), (0.8, 0.3))
    assert fed(circuit, [(0, 0)], 1) == []
    counted = circuit.counters
    circuit.run(1_000_000_000)
    assert circuit.counters == counted
    assert circuit.potentials("e", 100)[0] == pytest.approx(0.8 * math.exp(-5), rel=1e-10)
    circuit.feed(np.array([1_000_000_000]), np.array([1]))
    circuit.run(1_000_000_001)
    assert circuit.potentials("e", 1_000_000_000)[0] == 0.3


@given(rate=st.floats(1e-3, 0.2), target=st.floats(0.01, 0.3), times=st.sampled_from([1.0, 3.0]))
def test_a_threshold_that_falls_faster_than_potentials_leak_is_refused(rate, target, times):
    gamma = 1 - rate * target / 0.3 / (times * 0.999)
    if gamma <= 0:
        return
    if times == 1.0:
        Homeostasis(rate=rate, target=target, gamma=gamma - 1e-3 * (1 - gamma))
    else:
        with pytest.raises(CircuitError, match="fire from nothing"):
            Homeostasis(rate=rate, target=target, gamma=gamma)


def test_old_spikes_leave_the_log_and_are_kept_or_not():
    lines = np.tile(np.arange(4), 5000)
    ticks = np.repeat(np.arange(5000), 4)
    kept, forgotten = (alone(Population(size=1, gamma=0.5), (2.0,) * 4, record=r) for r in (1, 0))
    for circuit in (kept, forgotten):
        circuit.feed(ticks, lines)
        circuit.run(5000)
    assert kept.spikes("e")[0].tolist() == list(range(5000))
    assert kept.spikes("inputs")[1].tolist() == lines.tolist()
    assert forgotten.counters == kept.counters
    assert forgotten.spikes("e")[0].size == 0


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (lambda: Population(size=0, gamma=0.5), "neurons"),
        (lambda: Population(size=1, gamma=1.0), "leak"),
        (lambda: Population(size=1, gamma=0.5, threshold=0.0), "positive"),
        (lambda: Population(size=1, gamma=0.5, threshold=Homeostasis(gamma=0.6)), "law"),
        (lambda: rule_of(0.0, low=9.0), "low < high"),
        (lambda: rule_of(0.0, pre_factor=1.0), "decay factor"),
        (lambda: fed(alone(Population(size=1, gamma=0.5), (1.0,)), [(0, 1)], 1), "lines"),
        (lambda: fed(alone(Population(size=1, gamma=0.5), (1.0,)), [(-1, 0)], 1), "after tick"),
        (lambda: alone(Population(size=1, gamma=0.5)).spikes("x"), "no population"),
        (lambda: alone(Population(size=1, gamma=0.5)).reset(-1), "frame"),
        (lambda: alone(Population(size=1, gamma=0.5), (1.0,)).set_rule(0, rule_of(0)), "no pair"),
        (lambda: alone(Population(size=1, gamma=0.5)).counts("e"), "counts"),
        (lambda: within(joined("e", "e", [[1.0]], delay=0)), "too quick"),
        (lambda: within(joined("x", "e", [[1.0]])), "nowhere"),
        (lambda: within(joined("e", "x", [[1.0]])), "by target"),
        (lambda: within(joined("e", "e", [[1.0, 1.0]])), "must join"),
        (lambda: within(joined("e", "e", [[1.0]], rule=rule_of(0.0)), 3), "share"),
    ],
)
def test_what_cannot_be_built_or_asked_is_named(wrong, match):
    with pytest.raises(CircuitError, match=match):
        wrong()


def within(projection, post_delay=None):
    """Build a circuit of one neuron around a projection, perhaps beside one of another delay."""
    projections = [projection]
    if post_delay:
        late = rule_of(0.0, post_delay=post_delay)
        projections.append(joined("e", "e", [[1.0]], rule=late))
    return RecurrentCircuit(0, {"e": Population(size=1, gamma=0.5)}, projections=projections)
