"""Laws of the scalar neuron: the lazy form is the clocked one, self-events are exact."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from simedge.neurons.decay import TABLE_TICKS, decay_factor, decay_table, leak_per_tick, power
from simedge.neurons.errors import CircuitError
from simedge.neurons.lif import ExponentialSynapse, LazyNeuron, first_crossing, resets, winners

DRIVE = {0: 0.6, 3: 0.7, 4: 0.5, 10: 1.2, 12: 2.5}


def run_lazily(neuron, drive, ticks):
    """Touch the neuron at drives and self-events only; return its spikes and potentials."""
    spikes, potentials, due = [], {}, neuron.next_self_event()
    for tick in [*sorted(drive), ticks]:
        while due is not None and due < tick:
            potentials[due] = neuron.before_threshold(due)
            if neuron.touch(due):
                spikes.append(due)
            due = neuron.next_self_event()
        if tick < ticks:
            potentials[tick] = neuron.before_threshold(tick, drive[tick])
            if neuron.touch(tick, drive[tick]):
                spikes.append(tick)
            due = neuron.next_self_event()
    return spikes, potentials


def run_clocked(neuron, drive, ticks):
    """Step every tick; return spikes and the least distance to the threshold."""
    u, spikes, margin = neuron.potential, [], math.inf
    for tick in range(ticks):
        u = (neuron.gamma * u if tick else u) + drive.get(tick, 0.0) + (neuron.bias if tick else 0)
        margin = min(margin, abs(u - neuron.theta))
        if u > neuron.theta:
            spikes.append(tick)
            u = u - neuron.theta if neuron.soft else 0.0
    return spikes, margin


@pytest.mark.parametrize(
    ("soft", "spikes", "potentials", "touches"),
    [
        (False, [3, 10, 12], {3: 1.1374, 10: 1.4657205, 12: 2.5}, 5),
        (
            True,
            [3, 10, 12, 13],
            {3: 1.1374, 10: 1.5314384941, 12: 2.9304651802, 13: 1.7374186622},
            6,
        ),
    ],
)
def test_a_known_train_hard_and_soft(soft, spikes, potentials, touches):
    neuron = LazyNeuron(gamma=0.9, soft=soft)
    fired, seen = run_lazily(neuron, DRIVE, 14)
    assert fired == spikes
    assert {tick: seen[tick] for tick in potentials} == pytest.approx(potentials, abs=1e-9)
    assert neuron.touches == touches
    if soft:
        assert neuron.potential == pytest.approx(0.7374186622, abs=1e-9)


def test_a_bias_crosses_when_the_closed_form_says():
    neuron = LazyNeuron(gamma=0.9, bias=0.1, theta=0.6)
    assert neuron.next_self_event() == 9
    assert neuron.before_threshold(9) == pytest.approx(0.6125795110, abs=1e-9)
    assert neuron.before_threshold(8) == pytest.approx(0.5695327900, abs=1e-9)


@given(
    gamma=st.floats(0.5, 0.99),
    bias=st.floats(-0.2, 0.3),
    theta=st.floats(0.3, 2),
    potential=st.floats(-1, 0.29),
)
def test_the_first_crossing_is_that_of_brute_force(gamma, bias, theta, potential):
    neuron = LazyNeuron(gamma=gamma, bias=bias, theta=theta, potential=potential)
    path = [neuron.before_threshold(k) for k in range(1, 2000)]
    assume(min(abs(u - theta) for u in path) > 1e-9)
    brute = next((k for k, u in enumerate(path, 1) if u > theta), None)
    assert first_crossing(neuron, theta) == brute


@given(
    gamma=st.floats(0.5, 0.98),
    bias=st.floats(-0.05, 0.12),
    soft=st.booleans(),
    drive=st.dictionaries(st.integers(0, 99), st.floats(-1, 3), max_size=25),
)
def test_lazy_is_clocked(gamma, bias, soft, drive):
    def neuron():
        return LazyNeuron(gamma=gamma, bias=bias, soft=soft)

    clocked, margin = run_clocked(neuron(), drive, 100)
    assume(margin > 1e-9)
    assert run_lazily(neuron(), drive, 100)[0] == clocked


def test_silence_costs_no_touch_and_wakes_exactly():
    neuron = LazyNeuron(gamma=leak_per_tick(1_000_000, 20_000_000), potential=0.8)
    assert run_lazily(neuron, {}, 1_000_000) == ([], {})
    assert neuron.touches == 0
    assert neuron.before_threshold(100) == pytest.approx(0.8 * math.exp(-5), rel=1e-10)
    assert neuron.before_threshold(1_000_000) == 0.0


def test_the_table_of_decay_meets_the_exponential():
    table = decay_table(0.999)
    assert table.size == TABLE_TICKS + 1
    assert power(table.tolist(), 4096) == pytest.approx(0.999**4096, rel=1e-11)
    assert power(table.tolist(), 5000) == pytest.approx(0.999**5000, rel=1e-11)
    single = np.concatenate([[7.0], table]).astype(np.float32)
    assert decay_factor(single, 1, 4096) == single[-1]
    assert decay_factor(single, 1, 5000) == pytest.approx(0.999**5000, rel=1e-3)


@pytest.mark.parametrize("factor", [0.0, 1.0, -0.5, 1.5])
def test_a_decay_outside_its_range_is_refused(factor):
    with pytest.raises(CircuitError, match="decay factor"):
        decay_table(factor)


@pytest.mark.parametrize(("tick", "constant"), [(0, 1), (1, 0), (-1, 5)])
def test_a_leak_needs_positive_times(tick, constant):
    with pytest.raises(CircuitError, match="positive"):
        leak_per_tick(tick, constant)


def test_a_known_exponential_synapse():
    synapse = ExponentialSynapse(tau_m=20, tau_s=5, current=0.5, potential=0.2)
    assert synapse.amplitude == pytest.approx(3.3333333333, abs=1e-9)
    assert synapse.peak_time == pytest.approx(8.8535030200, abs=1e-9)
    assert synapse.at(synapse.peak_time) == pytest.approx(1.7021369465, abs=1e-9)


@given(current=st.floats(-0.5, 1), potential=st.floats(0.01, 1.5), theta=st.floats(0.3, 2))
def test_a_synaptic_crossing_exists_iff_the_peak_does(current, potential, theta):
    synapse = ExponentialSynapse(tau_m=20, tau_s=5, current=current, potential=potential)
    path = [synapse.at(0.1 * k) for k in range(600)]
    assume(abs(max(path) - theta) > 1e-3)
    crossing = synapse.crossing(theta)
    assert (crossing is not None) == (max(path) > theta)
    if crossing:
        assert synapse.at(crossing) == pytest.approx(theta, abs=1e-9)
        assert synapse.at(crossing - 0.01) < theta


def test_known_winners_and_losers():
    excess = [u - 1.0 for u in (1.2, 1.5, 0.9, 1.5)]
    assert winners(excess, 1) == [1]
    assert winners(excess, 2) == [1, 3]
    assert resets(excess, [1], soft=False) == [0.0, 0.0, None, 0.0]
    assert resets(excess, [1], soft=True) == [0.0, 0.5, None, 0.0]
    with pytest.raises(CircuitError, match="winner"):
        winners(excess, 0)
