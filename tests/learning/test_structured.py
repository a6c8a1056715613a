"""Laws of the structured recurrent network: closed forms and numbers worked out by hand.

Another implementation joins by one line in `OPENED`; it is then held to every law here, and to
the clocked twin by `test_a_window_played_in_parts_is_the_window_the_twin_plays_at_once`.
"""

import numpy as np
import pytest
from engine import Engine
from hypothesis import given, settings
from hypothesis import strategies as st
from structured import Layer, Network, Twin, modulator_basis

OPENED = {"twin": Twin, "engine": Engine}
every_implementation = pytest.mark.parametrize("opened", OPENED.values(), ids=OPENED.keys())
CHANNELS, NEURONS, CLASSES, TICKS = 4, 5, 3, 25


def close(numbers, tolerance=1e-9):
    return pytest.approx(np.array(numbers), abs=tolerance, rel=0)


def lonely(weights, **constants):
    """Return a network of one neuron, one channel a weight, and two classes that never hear it."""
    forward = np.array([weights], float)
    layer = Layer(forward=forward, recurrent=[[0]], readout=[[0], [0]], feedback=[[np.sqrt(0.5)]])
    basis = np.array([[1, -1]]) / np.sqrt(2)
    return Network(layers=[layer], basis=basis, leak=0.9, **constants)


def drawn(seed, **constants):
    """Return a lively network of two layers, all of it by lot."""
    words = np.random.Generator(np.random.Philox(seed))
    layers = [
        Layer(
            forward=words.normal(0.3, 0.5, (NEURONS, inputs)),
            recurrent=words.normal(0, 0.3, (NEURONS, NEURONS)) * (1 - np.eye(NEURONS)),
            readout=words.normal(0.2, 0.4, (CLASSES, NEURONS)),
            feedback=words.normal(0, 1, (NEURONS, CLASSES - 1)),
            forward_mask=words.random((NEURONS, inputs)) < 0.7,
            recurrent_delay=delay,
            forward_delay=delay - 1,
        )
        for inputs, delay in ((CHANNELS, 1), (NEURONS, 3))
    ]
    basis = modulator_basis(words.normal(size=(CLASSES - 1, CLASSES)))
    lively = {"hidden_rate": 0.05, "margin": 30.0, "homeostasis": (1e-3, 0.02, 0.3, 3.0)}
    return Network(layers=layers, basis=basis, **(lively | constants))


def volleys(seed, density=0.2):
    words = np.random.Generator(np.random.Philox(seed))
    return {n: list(np.flatnonzero(words.random(CHANNELS) < density)) for n in range(TICKS)}


def state(circuit):
    layers = range(2)
    parts = [circuit.scores()]
    for layer in layers:
        parts += [*circuit.weights(layer), *circuit.eligibilities(layer), circuit.thresholds(layer)]
    return np.concatenate([np.ravel(part) for part in parts])


seeds = st.integers(0, 2**32)
gates = st.sampled_from(
    [
        {},
        {"gate": "pre_psi"},
        {"noncausal": 0.2},
        {"noncausal": -0.1},
        {"hold": 7},
        {"balanced": True},
        {"balanced": True, "gate": "pre_psi", "noncausal": 0.1},
    ]
)


@every_implementation
def test_a_hidden_neuron_fires_when_its_leaky_sum_exceeds_one_and_starts_from_nothing(opened):
    circuit = opened(lonely([0.6, 0.7, 0.5, 1.2, 2.5]))
    circuit.play(15, {0: [0], 3: [1], 4: [2], 10: [3], 12: [4]})
    assert circuit.trains == [(0, 3, 0), (0, 10, 0), (0, 12, 0)]
    assert circuit.ledger["neu"] == 5


@every_implementation
def test_the_readout_keeps_what_exceeds_its_threshold_and_fires_again_unasked(opened):
    drives = [0.6, 0.7, 0.5, 1.2, 2.5]
    layer = Layer(
        forward=3 * np.eye(5), recurrent=np.zeros((5, 5)), readout=[drives, [0] * 5],
        feedback=np.zeros((5, 1)),
    )  # fmt: skip
    circuit = opened(Network(layers=[layer], basis=np.array([[1, -1]]) / np.sqrt(2), leak=0.9))
    circuit.play(14, {0: [0], 3: [1], 4: [2], 10: [3], 12: [4]})
    assert [tick for layer, tick, _ in circuit.trains if layer == -1] == [3, 10, 12, 13]
    assert circuit.scores() == close([4 + 0.9e-3 * 0.7374186622, 0])


@every_implementation
def test_thresholds_sink_in_silence_to_the_least_and_rise_with_every_spike(opened):
    net = lonely([5.0], homeostasis=(0.01, 0.1, 0.5, 3.0))
    circuit, arrivals, seen = opened(net), {100: [0], 101: [0], 102: [0]}, {}
    for tick in range(601):
        seen[tick] = circuit.thresholds(0)[0]
        circuit.play(1, arrivals)
    picked = [seen[tick] for tick in (100, 101, 103, 104, 503, 600)]
    assert picked == close([0.9, 0.909, 0.927, 0.926, 0.527, 0.5])


def worked():
    """Return the network of the worked example."""
    layer = Layer(
        forward=[[0.6, 0.6], [1.2, 0]],
        recurrent=[[0, 0.5], [0, 0]],
        readout=[[1.1, 0], [0, 1.1], [0.3, 0.3]],
        feedback=[[1, 0], [0.5, -1]],
    )
    basis = np.array([[1, -1, 0] / np.sqrt(2), [1, 1, -2] / np.sqrt(6)])
    return Network(
        layers=[layer], basis=basis, leak=0.9, trace_decay=0.8, eligibility_decay=0.9,
        hidden_rate=0.1, readout_rate=0.1,
    )  # fmt: skip


WORKED = {0: [0], 1: [1], 3: [0], 5: [0, 1]}


@every_implementation
def test_the_worked_example_fires_and_remembers_as_by_hand(opened):
    circuit = opened(worked())
    circuit.play(6, WORKED)
    fired = {
        (layer, n): [tick for where, tick, who in circuit.trains if (where, who) == (layer, n)]
        for layer, n in ((0, 0), (0, 1), (-1, 0), (-1, 1), (-1, 2))
    }
    assert list(fired.values()) == [[1, 4, 5], [0, 3, 5], [1, 4, 5], [0, 3, 5], [5]]
    assert circuit.scores() == close([3.000230049, 3.0002160441, 1.0004382793])
    forward, recurrent = circuit.eligibilities(0)
    assert forward == close([[3.22308, 2.27385], [3.404601, 0]])
    assert recurrent == close([[0, 2.90385], [0, 0]])
    assert [circuit.ledger[name] for name in ("syn", "neu", "trc", "mac")] == [22, 8, 12, 0]


@every_implementation
def test_the_worked_example_learns_as_by_hand(opened):
    circuit = opened(worked())
    circuit.play(6, WORKED)
    said = circuit.teach(2)
    assert said.errors.tolist() == [-1, 0, 1]
    assert said.broadcast == close([-0.7071067812, -1.2247448714])
    assert said.modulators[0] == close([-0.7071067812, 0.8711914808])
    forward, recurrent, readout = circuit.weights(0)
    assert forward == close([[0.3720938276, 0.4392145246], [1.4966059387, 0]])
    assert recurrent == close([[0, 0.2946667973], [0, 0]])
    assert readout == close([[0.6, 0], [0, 1.1], [0.8, 0.8]])
    # Four hidden synapses, two numbers to two live neurons, three synapses of two readout rows.
    assert (circuit.ledger["mac"], circuit.ledger["wr"]) == (4 + 2 * 2 + 3, 4 + 3)
    assert not any(part.any() for part in circuit.eligibilities(0))


@every_implementation
@pytest.mark.parametrize(("hold", "factor"), [(0, 1.0), (4, 1.23804 / 0.4)])
def test_a_held_modulator_sums_what_is_left_of_the_eligibility(opened, hold, factor):
    net = lonely(
        [0.6], trace_decay=0.8 / 0.729 - 1, eligibility_decay=0.9, hidden_rate=0.1, hold=hold
    )
    circuit = opened(net)
    circuit.play(4, {0: [0], 1: [0]})
    assert circuit.eligibilities(0)[0] == close([[0.8]])
    # One class up, one down: half of B P (1, -1).
    said = circuit.teach(0)
    assert said.modulators[0] == close([1.0])
    assert circuit.weights(0)[0] == close([[0.6 + 0.1 * 0.8 * factor]])


@every_implementation
def test_before_the_threshold_an_arrival_counts_by_its_distance(opened):
    circuit = opened(lonely([0.7], gate="pre_psi", eligibility_decay=1.0))
    circuit.play(1, {0: [0]})
    assert circuit.eligibilities(0)[0] == close([[0.21]])


@every_implementation
@settings(max_examples=15)
@given(seed=seeds, noncausal=st.sampled_from([0.0, 0.2, -0.1]))
def test_an_eligibility_is_a_sum_over_pairs_of_spikes(opened, seed, noncausal):
    net, played = drawn(seed, noncausal=noncausal), volleys(seed)
    circuit = opened(net)
    circuit.play(TICKS, played)
    emitted = {(0, -1): [], (1, -1): []}  # (layer, neuron or channel)
    for layer, tick, neuron in circuit.trains:
        emitted.setdefault((layer, neuron), []).append(tick)
    for index, layer in enumerate(net.layers):
        sources = [
            {j: [n for n in played if j in played[n]] for j in range(CHANNELS)},
            {j: emitted.get((0, j), []) for j in range(NEURONS)},
        ][index]
        own = {j: emitted.get((index, j), []) for j in range(NEURONS)}
        forward = pair_sum(net, own, sources, layer.forward_delay, layer.forward_mask)
        recurrent = pair_sum(net, own, own, layer.recurrent_delay, layer.recurrent_mask)
        got = circuit.eligibilities(index)
        assert got[0] == close(forward)
        assert got[1] == close(recurrent)


def pair_sum(net, posts, arrived, delay, mask):
    total = np.zeros(mask.shape)
    for i, j in np.argwhere(mask):
        arrivals = [n + delay for n in arrived[j] if n + delay < TICKS]
        causal = [(post, pre) for post in posts[i] for pre in arrivals if pre <= post]
        other = [(post, pre) for post in posts[i] for pre in arrivals if post < pre]
        e, x = net.eligibility_decay, net.trace_decay
        total[i, j] = sum(e ** (TICKS - post) * x ** (post - pre) for post, pre in causal)
        total[i, j] += net.noncausal * sum(
            e ** (TICKS - pre) * x ** (pre - post) for post, pre in other
        )
    return total


@every_implementation
@settings(max_examples=15)
@given(seed=seeds, cut=st.integers(0, TICKS), stream=st.booleans(), variant=gates)
def test_a_window_played_in_parts_is_the_window_the_twin_plays_at_once(
    opened, seed, cut, stream, variant
):
    net = drawn(seed, stream=stream, **variant)
    parts, twin = opened(net), Twin(net)
    for window in range(3):
        shift = window * TICKS if stream else 0
        played = {tick + shift: spikes for tick, spikes in volleys(seed + window).items()}
        parts.play(cut, played)
        parts.play(TICKS - cut, played)
        twin.play(TICKS, played)
        assert state(parts) == close(state(twin), 1e-10)
        assert (parts.teach(window) is None) == (twin.teach(window) is None)
    assert parts.trains == twin.trains
    assert parts.ledger == twin.ledger
    assert state(parts) == close(state(twin), 1e-10)


@every_implementation
@settings(max_examples=10)
@given(seed=seeds, variant=gates)
def test_the_order_within_a_volley_changes_no_bit(opened, seed, variant):
    states = []
    for order in (1, -1):
        circuit = opened(drawn(seed, **variant))
        circuit.play(TICKS, {n: spikes[::order] for n, spikes in volleys(seed, 0.6).items()})
        circuit.teach(1)
        states.append((state(circuit).tobytes(), circuit.trains, circuit.ledger))
    assert states[0] == states[1]


@every_implementation
@settings(max_examples=10)
@given(seed=seeds)
def test_asking_for_scores_changes_nothing(opened, seed):
    asked, left = opened(drawn(seed)), opened(drawn(seed))
    for _ in range(TICKS):
        asked.scores()
        for circuit in (asked, left):
            circuit.play(1, volleys(seed))
    assert (state(asked).tobytes(), asked.trains) == (state(left).tobytes(), left.trains)
    assert asked.ledger == left.ledger


@every_implementation
@settings(max_examples=10)
@given(seed=seeds)
def test_a_margin_that_holds_costs_nothing_and_changes_no_bit(opened, seed):
    circuit = opened(drawn(seed, margin=1e-9))
    circuit.play(TICKS, volleys(seed, 0.6))
    before, ledger = circuit.weights(0) + circuit.weights(1), dict(circuit.ledger)
    before = [part.tobytes() for part in before]
    scores = circuit.scores()
    best = int(np.argmax(scores))
    ahead = scores[best] - np.sort(scores)[-2] >= 1e-9
    assert (circuit.teach(best) is None) == ahead
    if ahead:
        after = circuit.weights(0) + circuit.weights(1)
        assert before == [part.tobytes() for part in after]
        assert circuit.ledger == ledger


@every_implementation
@settings(max_examples=10)
@given(seed=seeds)
def test_what_a_window_taught_acts_on_later_windows_only(opened, seed):
    net, other = drawn(seed), drawn(seed)
    for layer in other.layers:
        layer.feedback = -layer.feedback
    one, two = opened(net), opened(other)
    for circuit in (one, two):
        circuit.play(TICKS, volleys(seed))
    assert (one.trains, one.ledger) == (two.trains, two.ledger)
    assert state(one).tobytes() == state(two).tobytes()


@every_implementation
@settings(max_examples=10)
@given(seed=seeds, most=st.sampled_from([0.5, 2.0]))
def test_hidden_weights_stay_within_bounds_and_off_their_masks(opened, seed, most):
    net = drawn(seed, hidden_rate=5.0, most=most)
    for layer in net.layers:
        layer.forward = np.clip(layer.forward, -most, most)
        layer.recurrent = np.clip(layer.recurrent, -most, most)
    circuit = opened(net)
    for label in (0, 1, 2):
        circuit.play(TICKS, volleys(seed))
        circuit.teach(label)
    for index, layer in enumerate(net.layers):
        forward, recurrent, readout = circuit.weights(index)
        for part in (forward, recurrent):
            assert np.abs(part).max() <= most
        assert not forward[~layer.forward_mask].any()
        assert not recurrent[~layer.recurrent_mask].any()
        assert not readout[~layer.readout_mask].any()


@every_implementation
def test_silence_costs_nothing_and_a_wake_finds_what_decay_left(opened):
    circuit = opened(lonely([0.6, 0.5]))
    circuit.play(1, {0: [0]})
    before = dict(circuit.ledger)
    circuit.play(1000, {})
    assert circuit.ledger == before
    quick = opened(lonely([0.6, 0.5]))
    quick.play(4, {0: [0], 2: [1]})  # 0.6 * 0.81 + 0.5 is below one,
    late = opened(lonely([0.6, 0.5]))
    late.play(4, {0: [0], 1: [1]})  # 0.6 * 0.9 + 0.5 is not.
    assert (quick.trains, late.trains) == ([], [(0, 1, 0)])


@every_implementation
def test_balanced_the_worked_example_moves_weights_from_one_source_to_another(opened):
    net = worked()
    net.balanced = True
    circuit = opened(net)
    circuit.play(6, WORKED)
    circuit.teach(2)
    forward, recurrent, _ = circuit.weights(0)
    # Row 0: (3.22308 - 2.27385) / 2 up and down, over 1 + its length; lone synapses stay.
    half = (3.22308 - 2.27385) / 2
    moved = 0.1 * np.sqrt(0.5) * half / (1 + half * np.sqrt(2))
    assert forward == close([[0.6 - moved, 0.6 + moved], [1.2, 0]])
    assert recurrent == close([[0, 0.5], [0, 0]])
