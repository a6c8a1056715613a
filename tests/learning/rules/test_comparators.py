"""Laws of what rules are compared with: exact gradients, identities, known vectors."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.learning.errors import LearnerError
from simedge.learning.rules.backprop import TwoLayers
from simedge.learning.rules.bptt import Bptt
from simedge.learning.rules.costs import backprop, bptt, dense, e_prop
from simedge.learning.rules.e_prop import EProp
from simedge.learning.rules.eligibility import Neuron, Synapses
from simedge.learning.rules.ledger import Ledger
from simedge.learning.rules.s_tllr import s_tllr
from simedge.learning.rules.stack import Readout, Stack

X = np.array([[1, 0], [0, 1], [1, 1], [1, 0]], float)
Y = np.array([0.0, 1.0])


def near(value, known, atol=1e-9):
    return np.testing.assert_allclose(value, known, rtol=0, atol=atol)


def generator(seed):
    return np.random.Generator(np.random.Philox(seed))


def known_stack(**neuron):
    layer = Synapses(
        weights=np.array([[0.5, 0.4], [0.7, -0.3]]),
        recurrent=np.array([[0.0, 0.3], [-0.2, 0.0]]),
    )
    readout = Readout(weights=np.array([[1.0, -0.5], [-0.5, 1.0]]), bias=np.zeros(2))
    return Stack(layers=[layer], readout=readout, neuron=Neuron(**neuron))


def test_known_gradients_through_time_and_of_eligibilities():
    window = Bptt(stack=known_stack(), loss="tick").run(X, Y)
    layer = window.layers[0]
    near(layer.weights, [[0.982350649473, 0.796168786097], [-0.825889056340, -0.550762408802]])
    near(layer.recurrent, [[0.679998408672, 0.433491470997], [-0.678562415752, -0.217114225193]])
    known = [2.452723428581, 0.182425523806]
    near(window.readout.weights, [known, [-one for one in known]])
    layer = EProp(stack=known_stack()).run(X, Y).layers[0]
    near(layer.weights, [[0.950539343841, 0.766859309467], [-0.880406783305, -0.576006767681]])
    near(layer.recurrent, [[0.669133610360, 0.415046792680], [-0.692127892503, -0.228793107322]])
    other = s_tllr(known_stack(post_gain=0.0)).run(X, Y).layers[0]
    near(layer.weights, other.weights, 1e-12)
    near(layer.recurrent, other.recurrent, 1e-12)


def drawn(seed, sizes, *, looped=True, leak=None, form="triangle"):
    words = generator(seed)
    layers = [
        Synapses(
            weights=words.normal(size=(b, a)),
            recurrent=words.normal(size=(b, b)) * 0.5 if looped else None,
        )
        for a, b in pairwise(sizes)
    ]
    readout = Readout(
        weights=words.normal(size=(3, sizes[-1])), bias=words.normal(size=3), leak=leak
    )
    neuron = Neuron(leak=0.7, pre_decay=0.7, post_gain=0.0, form=form)
    stack = Stack(layers=layers, readout=readout, neuron=neuron)
    arrivals = (words.random((12, sizes[0])) < 0.4).astype(float)
    return stack, arrivals, np.eye(3)[int(words.integers(3))], words


@given(seed=st.integers(0, 999), loss=st.sampled_from(["sum", "tick"]))
def test_smooth_spikes_have_the_gradients_of_finite_differences(seed, loss):
    stack, arrivals, target, words = drawn(seed, (3, 4, 3), form="logistic")
    stack.layers[0].bias = words.normal(size=4) * 0.1
    rule = Bptt(stack=stack, loss=loss, reset_gradient=True, smooth=True)
    window = rule.run(arrivals, target)
    held = [
        *(
            (a, b)
            for one, two in zip(stack.layers, window.layers, strict=True)
            for a, b in zip(one.arrays(), two.arrays(), strict=True)
        ),
        (stack.readout.weights, window.readout.weights),
        (stack.readout.bias, window.readout.bias),
    ]
    for array, slope in held:
        place = tuple(int(words.integers(n)) for n in array.shape)
        value, ends = array[place], []
        for step in (1e-5, -1e-5):
            array[place] = value + step
            ends.append(rule.cost(arrivals, target))
        array[place] = value
        assert slope[place] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-6, rel=1e-6)


def test_through_time_is_what_torch_says():
    torch = pytest.importorskip("torch")
    stack, arrivals, target, _ = drawn(3, (4, 5), looped=True)

    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(context, excess):
            context.save_for_backward(excess)
            return (excess > 0).double()

        @staticmethod
        def backward(context, sent):
            (excess,) = context.saved_tensors
            return sent * 0.3 * torch.clamp(1 - excess.abs(), min=0)

    held = stack.layers[0]
    weights = torch.tensor(held.weights, requires_grad=True)
    looped = torch.tensor(held.recurrent, requires_grad=True)
    u, o, logits = torch.zeros(5).double(), torch.zeros(5).double(), 0
    for x in torch.tensor(arrivals):
        u = 0.7 * (u - 0.6 * o.detach()) + weights @ x + looped @ o
        o = Spike.apply(u - 0.6)
        logits = logits + torch.tensor(stack.readout.weights) @ o
        logits = logits + torch.tensor(stack.readout.bias)
    label = torch.tensor([int(target.argmax())])
    torch.nn.functional.cross_entropy(logits[None], label).backward()
    window = Bptt(stack=stack).run(arrivals, target)
    near(window.layers[0].weights, weights.grad.numpy(), 1e-10)
    near(window.layers[0].recurrent, looped.grad.numpy(), 1e-10)


@given(seed=st.integers(0, 999))
def test_without_recurrence_eligibilities_are_exact(seed):
    stack, arrivals, target, _ = drawn(seed, (4, 5), looped=False)
    window = EProp(stack=stack).run(arrivals, target)
    exact = Bptt(stack=stack, loss="tick").run(arrivals, target)
    near(window.layers[0].weights, exact.layers[0].weights, 1e-12)
    near(window.readout.weights, exact.readout.weights, 1e-12)
    near(window.readout.bias, exact.readout.bias, 1e-12)


def leaky_gradient(stack, arrivals, target):
    """Gradient through a leaky readout and a layer without recurrence, tick by tick, backwards."""
    window = Bptt(
        stack=Stack(
            layers=stack.layers,
            readout=Readout(weights=stack.readout.weights, bias=stack.readout.bias),
            neuron=stack.neuron,
        )
    ).forward(arrivals)
    spikes, u = window.spikes[0], window.potentials[0]
    kappa, logits, sent = stack.readout.leak, [], np.zeros(3)
    for o in spikes:
        sent = kappa * sent + stack.readout.weights @ o + stack.readout.bias
        logits.append(sent)
    after, change, back = np.zeros(u.shape[1]), np.zeros(stack.layers[0].weights.shape), np.zeros(3)
    for n in range(len(u) - 1, -1, -1):
        chances = np.exp(logits[n] - logits[n].max())
        back = chances / chances.sum() - target + kappa * back
        psi = 0.3 * np.maximum(1 - np.abs(u[n] - 0.6), 0)
        after = stack.readout.weights.T @ back * psi + 0.7 * after
        change += np.outer(after, arrivals[n])
    return change


@given(seed=st.integers(0, 999), leak=st.sampled_from([0.3, 0.9]))
def test_filtered_eligibilities_are_exact_under_a_leaky_readout(seed, leak):
    stack, arrivals, target, _ = drawn(seed, (4, 5), looped=False, leak=leak)
    window = EProp(stack=stack).run(arrivals, target)
    near(window.layers[0].weights, leaky_gradient(stack, arrivals, target), 1e-11)


@given(seed=st.integers(0, 999))
def test_adaptive_thresholds_have_their_part_in_eligibilities(seed):
    """One neuron, one line: the recursion written out by the chain rule."""
    words = generator(seed)
    layer = Synapses(weights=np.array([[1.1]]))
    readout = Readout(weights=words.normal(size=(2, 1)), bias=np.zeros(2))
    stack = Stack(layers=[layer], readout=readout, neuron=Neuron(leak=0.8))
    arrivals = (words.random((20, 1)) < 0.7).astype(float)
    beta, rho = 0.4, 0.9
    rule = EProp(stack=stack, adaptation=beta, adaptation_decay=rho, scaled=True)
    window = rule.run(arrivals, Y)
    u = o = a = du = do = da = total = 0.0
    for x in arrivals[:, 0]:
        a, da = rho * a + o, rho * da + do
        u, du = 0.8 * (u - 0.6 * o) + 1.1 * x, 0.8 * du + x
        excess = u - 0.6 - beta * a
        o = float(excess > 0)
        do = 0.3 / 0.6 * max(0.0, 1 - abs(excess) / 0.6) * (du - beta * da)
        z = readout.weights[:, 0] * o
        chances = np.exp(z) / np.exp(z).sum()
        total += float((readout.weights[:, 0] * (chances - Y)).sum()) * do
    near(window.layers[0].weights[0, 0], total, 1e-12)


def test_drawn_feedback_and_rates_change_what_is_learned():
    stack, arrivals, target, words = drawn(2, (4, 5), looped=True)
    plain = EProp(stack=stack).run(arrivals, target).layers[0]
    other = EProp(stack=stack, feedback=words.normal(size=(5, 3))).run(arrivals, target).layers[0]
    rated = EProp(stack=stack, rate_gain=0.5, rate_target=0.1).run(arrivals, target).layers[0]
    assert not np.allclose(plain.weights, other.weights)
    assert not np.allclose(plain.recurrent, rated.recurrent)


def frames(seed, feedback=None):
    words = generator(seed)
    net = TwoLayers(
        hidden=words.normal(size=(5, 4)),
        hidden_bias=words.normal(size=5),
        readout=words.normal(size=(3, 5)),
        readout_bias=words.normal(size=3),
        feedback=feedback,
    )
    return net, words.normal(size=(6, 4)), np.eye(3)[words.integers(3, size=6)], words


@given(seed=st.integers(0, 999))
def test_back_propagation_is_finite_differences(seed):
    net, inputs, target, words = frames(seed)
    for array, slope in zip(net.parameters, net.gradients(inputs, target), strict=True):
        place = tuple(int(words.integers(n)) for n in array.shape)
        value, ends = array[place], []
        for step in (1e-6, -1e-6):
            array[place] = value + step
            ends.append(net.loss(inputs, target))
        array[place] = value
        assert slope[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-6)


@given(seed=st.integers(0, 999))
def test_direct_feedback_by_the_readout_is_back_propagation(seed):
    net, inputs, target, words = frames(seed)
    exact = net.gradients(inputs, target)
    net.feedback = net.readout.copy()
    for mine, known in zip(net.gradients(inputs, target), exact, strict=True):
        near(mine, known, 1e-12)
    net.feedback = words.normal(size=(3, 5))
    other = net.gradients(inputs, target)
    near(other[2], exact[2], 1e-12)
    assert not np.allclose(other[0], exact[0])


def test_ledgers_are_the_formulas():
    net, inputs, target, _ = frames(1)
    ledger = Ledger()
    net.gradients(inputs, target, ledger)
    assert ledger.mac == 6 * (2 * sum(dense((4, 5, 3)).macs) + backprop(dense((4, 5, 3))).macs)
    assert ledger.mem == 4 * 6 * 8
    stack, arrivals, wished, _ = drawn(1, (3, 4, 5), looped=False)
    classes, readout = stack.classes, stack.readout.weights.size
    own = 3 * 4 + 4 * 5 + sum(a.size for held in stack.layers for a in [held.bias] if a is not None)
    for ticks in (6, 12):
        ledger = Ledger()
        Bptt(stack=stack).run(arrivals[:ticks], wished, ledger)
        cost = bptt(dense((3, 4, 5)), ticks)
        assert ledger.mac == cost.macs + 2 * ticks * readout
        assert ledger.mem == 4 * (cost.words + 2 * (own + readout + classes))
    stack, arrivals, wished, _ = drawn(1, (4, 5), looped=True)
    for adaptation, extra in ((0.0, 0), (0.1, 2 * 45)):
        ledger = Ledger()
        EProp(stack=stack, adaptation=adaptation).run(arrivals, wished, ledger)
        cost, classes = e_prop(5 * 4 + 5 * 5, 4 + 5, len(arrivals)), stack.classes
        assert ledger.mac == cost.macs + len(arrivals) * (extra + 5 * classes)
        assert ledger.trc == len(arrivals) * (4 + 5)
        weights_and_gradients = 2 * (45 + 6 * classes)
        state = 5 * 5 + classes
        assert ledger.mem == 4 * (cost.words + weights_and_gradients + state)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Bptt(stack=drawn(0, (2, 3), leak=0.5)[0]), "memory"),
        (lambda: Bptt(stack=drawn(0, (2, 3))[0], smooth=True), "logistic"),
        (lambda: EProp(stack=drawn(0, (2, 3, 3))[0]), "one layer"),
        (lambda: EProp(stack=drawn(0, (2, 3))[0], feedback=np.zeros((3, 4))), "feedback"),
        (lambda: EProp(stack=drawn(0, (2, 3))[0], adaptation_decay=2.0), "adaptation"),
        (lambda: frames(0, np.zeros((2, 2))), "feedback"),
    ],
)
def test_what_cannot_be_is_refused_by_name(make, word):
    with pytest.raises(LearnerError, match=word):
        make()
