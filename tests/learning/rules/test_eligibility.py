"""Laws of S-TLLR and TESS on the clock: known vectors, identities, what is local to what."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.learning.errors import LearnerError
from simedge.learning.rules.basis import basis
from simedge.learning.rules.bptt import Bptt
from simedge.learning.rules.eligibility import EligibleLayer, Neuron, Synapses
from simedge.learning.rules.ledger import Ledger
from simedge.learning.rules.optimiser import Adam, Plain
from simedge.learning.rules.pseudo_derivative import FORMS, pseudo_derivative
from simedge.learning.rules.s_tllr import feedback_of, s_tllr
from simedge.learning.rules.stack import Readout, Stack
from simedge.learning.rules.standardisation import standardised, unstandardised
from simedge.learning.rules.tess import local_bases, tess

X = np.array([[1, 0], [0, 1], [1, 1], [1, 0]], float)
W = np.array([[0.5, 0.4], [0.7, -0.3]])
O = np.array([[1.0, -0.5], [-0.5, 1.0]])  # noqa: E741 - its name in the equations
Y = np.array([0.0, 1.0])


def near(value, known, atol=1e-9):
    return np.testing.assert_allclose(value, known, rtol=0, atol=atol)


def generator(seed):
    return np.random.Generator(np.random.Philox(seed))


def small(neuron, weights=W, readout=O):
    layer = Synapses(weights=weights)
    return Stack(
        layers=[layer], readout=Readout(weights=readout, bias=np.zeros(len(readout))), neuron=neuron
    )


def drawn(seed, *, sizes=(6, 5, 4), classes=3, ticks=25, **neuron):
    words = generator(seed)
    layers = [
        Synapses(weights=words.normal(size=(b, a)) * 1.5 / np.sqrt(a) * 2)
        for a, b in pairwise(sizes)
    ]
    readout = Readout(weights=words.normal(size=(classes, sizes[-1])), bias=np.zeros(classes))
    stack = Stack(layers=layers, readout=readout, neuron=Neuron(**neuron))
    arrivals = (words.random((ticks, sizes[0])) < 0.3).astype(float)
    return stack, arrivals, np.eye(classes)[int(words.integers(classes))]


def one_neuron(neuron):
    layer = EligibleLayer(Synapses(weights=np.array([[0.5, 0.4]])), neuron)
    gradient, seen = layer.synapses.zeros(), []
    arrivals = np.array([[1, 0], [0, 1], [0, 0], [1, 1], [0, 1]], float)
    for arrived, modulator in zip(arrivals, (0, 0, 1, -0.5, 0.25), strict=True):
        layer.advance(arrived, Ledger())
        layer.contribute(np.array([modulator]), gradient, Ledger())
        seen.append((layer.potential[0], layer.psi[0], layer.past[0]))
    return np.array(seen).T, gradient.weights[0]


def test_one_neuron_by_both_lags():
    (u, psi, past), code = one_neuron(Neuron())
    near(u, [0.5, 0.65, 0.025, 0.9125, 0.55625])
    near(psi, [0.27, 0.285, 0.1275, 0.20625, 0.286875])
    near(past, [0, 0.27, 0.339, 0.1953, 0.24531])
    near(code, [0.053851171875, 0.087709218750])
    paper = one_neuron(Neuron(lag="paper"))[1]
    near(paper, [-0.024268828125, 0.058651218750])
    near(paper, one_neuron(Neuron(post_gain=-0.2))[1], 1e-12)
    near(one_neuron(Neuron(post_gain=0.0))[1], [-0.043798828125, 0.051386718750])


@pytest.mark.parametrize(
    ("signal", "post_gain", "known"),
    [
        (
            "backprop",
            0.0,
            [[0.901835127858, 0.880223584289], [-0.690687347143, -0.556365522859]],
        ),
        (
            "backprop",
            -1.0,
            [[0.283373506713, 0.133369300286], [-0.402552537428, -0.103838050286]],
        ),
        ("dfa", -1.0, [[0.075566268457, 0.035565146743], [-0.161021014971, -0.041535220114]]),
    ],
)
def test_known_gradients(signal, post_gain, known):
    feedback = [np.array([[0.3, -0.2], [-0.1, 0.4]])]
    rule = s_tllr(small(Neuron(post_gain=post_gain)), signal=signal, feedback=feedback)
    near(rule.run(X, Y).layers[0].weights, known)


def test_known_standardisation():
    weights, gain = np.array([[1.0, 2.0, 4.0]]), np.ones(1)
    near(standardised(weights, gain)[0], [-0.503949031056, -0.125987257764, 0.629936288820])
    change, _ = unstandardised(weights, gain, np.array([[1.0, 0.0, 0.0]]))
    near(change[0], [0.107991134989, -0.161983102899, 0.053991967910])


@given(seed=st.integers(0, 999), rows=st.integers(1, 3), columns=st.integers(2, 6))
def test_standardisation_is_differentiated(seed, rows, columns):
    words = generator(seed)
    weights, gain = words.normal(size=(rows, columns)), words.normal(size=rows)
    sent = words.normal(size=(rows, columns))
    change, gains = unstandardised(weights, gain, sent)
    step = np.zeros_like(weights)
    step[0, 0] = 1e-6
    ends = [(standardised(weights + s, gain) * sent).sum() for s in (step, -step)]
    near(change[0, 0], (ends[0] - ends[1]) / 2e-6, 1e-5)
    near(gains, (standardised(weights, np.ones(rows)) * sent).sum(axis=1), 1e-12)
    near(standardised(weights, gain).mean(axis=1), 0, 1e-9)


@given(seed=st.integers(0, 9999), leak=st.sampled_from([0.0, 0.5, 0.9]))
def test_the_top_layer_has_its_exact_gradient_and_lower_ones_only_without_leak(seed, leak):
    stack, arrivals, target = drawn(seed, leak=leak, pre_decay=leak, post_gain=0.0)
    mine = s_tllr(stack).run(arrivals, target)
    exact = Bptt(stack=stack, loss="tick").run(arrivals, target)
    near(mine.layers[1].weights, exact.layers[1].weights, 1e-12)
    near(mine.readout.weights, exact.readout.weights, 1e-12)
    if leak == 0.0:
        near(mine.layers[0].weights, exact.layers[0].weights, 1e-12)


def test_with_leak_a_lower_layer_has_another_gradient():
    stack, arrivals, target = drawn(1, leak=0.5, pre_decay=0.5, post_gain=0.0)
    mine = s_tllr(stack).run(arrivals, target).layers[0].weights
    exact = Bptt(stack=stack, loss="tick").run(arrivals, target).layers[0].weights
    assert np.abs(mine - exact).max() > 1e-3


@given(seed=st.integers(0, 999), first=st.integers(1, 20))
def test_nothing_is_learned_before_the_first_active_tick(seed, first):
    stack, arrivals, target = drawn(seed)
    late = s_tllr(stack, first_active=first).run(arrivals, target)
    told = s_tllr(stack).run(arrivals, target, active=np.arange(len(arrivals)) >= first)
    near(late.layers[0].weights, told.layers[0].weights, 0)
    none = s_tllr(stack, first_active=len(arrivals)).run(arrivals, target)
    assert not none.layers[0].weights.any()
    assert np.array_equal(none.potentials[0], late.potentials[0])
    whole = s_tllr(stack).run(arrivals, target)
    assert not np.array_equal(late.readout.bias, whole.readout.bias)


@given(seed=st.integers(0, 999))
def test_online_gradients_are_the_same_until_a_step_is_taken(seed):
    stack, arrivals, target = drawn(seed)
    total = [held.zeros() for held in stack.layers]

    def add(window):
        for one, other in zip(total, window.layers, strict=True):
            one.weights += other.weights

    s_tllr(stack, first_active=3).run(arrivals, target, commit=add)
    whole = s_tllr(stack, first_active=3).run(arrivals, target)
    near(total[0].weights, whole.layers[0].weights, 1e-12)
    near(total[1].weights, whole.layers[1].weights, 1e-12)


def local_case():
    x = np.zeros((12, 2))
    x[0, 0] = x[1, 1] = x[7, 0] = x[7, 1] = 1
    return x, np.array([[0.5, 0.4], [0.9, -0.8]]), np.array([[1.0, -1.0], [-1.0, 1.0]]) / 2


LOCAL = {
    1.0: [[-0.435228893731, -0.380089919531], [0.305008720218, 0.221575661508]],
    0.0: [[-0.394663455994, -0.266910298024], [0.267380268031, 0.127469510833]],
    -1.0: [[-0.354098018258, -0.153730676518], [0.229751815844, 0.033363360158]],
}
GATED = [[-0.333130811427, -0.247124071085], [0.230981299936, 0.134245460836]]


@pytest.mark.parametrize("post_gain", LOCAL)
def test_known_local_gradients(post_gain):
    x, weights, one = local_case()
    stack = small(Neuron(post_gain=post_gain), weights)
    window = tess(stack, bases=[one]).run(x, np.array([1.0, 0.0]))
    assert np.argwhere(window.spikes[0]).tolist() == [[0, 1], [1, 0], [7, 0]]
    near(window.layers[0].weights, LOCAL[post_gain])


def test_known_local_gradients_of_executed_ticks_alone():
    x, weights, one = local_case()
    rule = tess(small(Neuron(post_gain=1.0), weights), bases=[one])
    window = rule.run(x, np.array([1.0, 0.0]), active=x.any(axis=1))
    near(window.layers[0].weights, GATED)


@given(seed=st.integers(0, 999))
def test_a_layer_that_teaches_itself_hears_nothing_from_above(seed):
    stack, arrivals, target = drawn(seed)
    before = tess(stack).run(arrivals, target).layers[0].weights
    stack.layers[1].weights[...] += 1.0
    stack.readout.weights[...] -= 2.0
    assert np.array_equal(tess(stack).run(arrivals, target).layers[0].weights, before)


def test_a_pooled_signal_is_spread_over_its_cell():
    wide = local_bases([8], 3, cells=[4])[0]
    narrow = basis(3, 2) / 2
    spikes = generator(0).random(8)
    near(wide @ spikes, narrow @ spikes.reshape(2, 4).mean(axis=1), 1e-12)
    near((wide.T @ np.ones(3)).reshape(2, 4), np.tile((narrow.T @ np.ones(3))[:, None] / 4, 4))


@pytest.mark.parametrize(
    ("form", "area"),
    [("triangle", 0.3), ("rational", 0.02), ("logistic", 1.0), ("lorentz", np.pi / 10)],
)
def test_pseudo_derivatives_have_the_areas_they_should(form, area):
    x = np.linspace(-50, 50, 200_001)
    assert np.trapezoid(pseudo_derivative(form, x), x) == pytest.approx(area, rel=2e-2)
    assert pseudo_derivative("spike", np.array([0.0, 1e-9])).tolist() == [0.0, 1.0]
    assert set(FORMS) == {"triangle", "rational", "logistic", "lorentz", "spike"}


def test_bias_and_recurrence_and_leaky_readouts_learn():
    words = generator(3)
    layer = Synapses(
        weights=words.normal(size=(4, 6)),
        recurrent=words.normal(size=(4, 4)),
        bias=words.normal(size=4) * 0.1,
    )
    readout = Readout(weights=words.normal(size=(2, 4)), bias=np.zeros(2), leak=0.8)
    stack = Stack(layers=[layer], readout=readout, neuron=Neuron())
    arrivals = (words.random((20, 6)) < 0.3).astype(float)
    window = s_tllr(stack).run(arrivals, Y)
    assert all(array.any() for array in window.layers[0].arrays())
    seen = np.zeros(2)
    for n, spikes in enumerate(window.spikes[0]):
        seen = 0.8 * seen + readout.weights @ spikes
        near(window.logits[n], seen, 1e-12)
    assert window.predicted == int(np.argmax(window.logits.sum(axis=0)))


@given(seed=st.integers(0, 999), signal=st.sampled_from(["backprop", "dfa"]), late=st.booleans())
def test_the_ledger_is_the_formula(seed, signal, late):
    stack, arrivals, target = drawn(seed, post_gain=-1.0 if late else 0.0)
    feedback = feedback_of(stack.posts, 3, Streams(seed).stream("learner", "a", "feedback"))
    rule = s_tllr(stack, signal=signal, feedback=feedback, first_active=5)
    rule.run(arrivals, target)
    synapses, active, classes = 6 * 5 + 5 * 4, len(arrivals) - 5, 3
    told = synapses if signal == "backprop" else classes * (5 + 4)
    assert rule.ledger.mac == active * ((1 + late) * synapses + told + classes * 4)
    assert rule.ledger.syn == len(arrivals) * (synapses + classes * 4)
    assert rule.ledger.neu == len(arrivals) * 9
    assert (np.abs(feedback[0]) <= np.sqrt(6 / 5)).all()
    local = tess(stack)
    local.run(arrivals, target)
    each = (1 + late) * synapses + 2 * classes * 9 + classes * 4
    assert local.ledger.mac == len(arrivals) * each
    weights_and_gradients = 2 * (synapses + classes * 4 + classes)
    for one in (rule, local):
        assert one.ledger.trc == len(arrivals) * (6 + 5 + 5 + 4)
        assert one.ledger.mem == 4 * (weights_and_gradients + 4 * 9 + (6 + 5) + classes)
        one.run(np.concatenate([arrivals, arrivals]), target)
        assert one.ledger.mem == 4 * (weights_and_gradients + 4 * 9 + (6 + 5) + classes)


def test_steps_go_down():
    weights, slope = [np.array([1.0, -2.0])], [np.array([0.5, 4.0])]
    Plain(rate=0.1).step(weights, slope)
    near(weights[0], [0.95, -2.4])
    adam = Adam(rate=0.1)
    adam.step(weights, slope)
    near(weights[0], [0.85, -2.5], 1e-6)
    adam.step(weights, [np.zeros(2)])
    assert (weights[0] < [0.85, -2.5]).all()
    assert (adam.slots, Plain(rate=0.0).slots) == (2, 0)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Neuron(leak=1.5), "leak"),
        (lambda: Neuron(threshold=0.0), "threshold"),
        (lambda: Neuron(form="square"), "form"),
        (lambda: Synapses(weights=np.zeros(3)), "weights"),
        (lambda: Synapses(weights=W, recurrent=np.zeros((1, 1))), "recurrent"),
        (lambda: Synapses(weights=W, bias=np.zeros(1)), "bias"),
        (lambda: Readout(weights=O, bias=np.zeros(1)), "readout"),
        (lambda: Readout(weights=O, bias=np.zeros(2), leak=1.0), "leak"),
        (lambda: small(Neuron(), readout=np.zeros((2, 3))), "fit"),
        (lambda: Stack(layers=[], readout=None, neuron=Neuron()), "layer"),
        (lambda: s_tllr(small(Neuron()), signal="dfa"), "feedback"),
        (lambda: s_tllr(small(Neuron()), first_active=-1), "first active"),
        (lambda: tess(small(Neuron()), bases=[np.zeros((2, 3))]), "bases"),
        (lambda: local_bases([5], 2, cells=[2]), "cells"),
        (lambda: Plain(rate=-1.0), "rate"),
        (lambda: standardised(np.ones((1, 1)), np.ones(1)), "2 weights"),
        (lambda: basis(1, 4), "classes"),
        (lambda: basis(2, 0), "width"),
    ],
)
def test_what_cannot_be_is_refused_by_name(make, word):
    with pytest.raises(LearnerError, match=word):
        make()
