"""Rules that skip silence are the clocked ones, and the compiled kernel is its slow twin."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.learning.errors import LearnerError
from simedge.learning.rules.delta import softmax
from simedge.learning.rules.eligibility import Neuron, Synapses
from simedge.learning.rules.lazy_stack import heard_of
from simedge.learning.rules.optimiser import Adam, Plain
from simedge.learning.rules.pseudo_derivative import pseudo_derivative
from simedge.learning.rules.s_tllr import lazy_s_tllr, s_tllr
from simedge.learning.rules.silence import eligible_sums, past_sums, ticks_near_threshold
from simedge.learning.rules.stack import Readout, Stack
from simedge.learning.rules.tess import lazy_tess, local_bases, tess

TICKS, CLASSES, SIZES = 40, 3, (6, 5, 4)


def near(value, known, atol=1e-10):
    return np.testing.assert_allclose(value, known, rtol=0, atol=atol)


def generator(seed):
    return np.random.Generator(np.random.Philox(seed))


def drawn(seed, *, mode="exact", density=0.02, **neuron):
    """Return a stack with strong inhibition, arrivals, targets that change, the first tick."""
    words = generator(seed)
    looped = words.random() < 0.5
    layers = [
        Synapses(
            weights=words.normal(size=(b, a)) * 1.2,
            recurrent=words.normal(size=(b, b)) * 0.5 if looped else None,
        )
        for a, b in pairwise(SIZES)
    ]
    readout = Readout(
        weights=words.normal(size=(CLASSES, SIZES[-1])), bias=words.normal(size=CLASSES) * 0.3
    )
    law = {
        "leak": 0.8,
        "threshold": float(words.choice([0.6, 1.0, 1.3])),
        "pre_decay": float(words.choice([0.5, 1.0])),
        "post_decay": float(words.choice([0.2, 0.8])),
        "post_gain": float(words.choice([-1.0, 0.0, 1.0])),
        "form": "spike" if mode == "spike" else "triangle",
    }
    stack = Stack(layers=layers, readout=readout, neuron=Neuron(**(law | neuron)))
    arrivals = (words.random((TICKS, SIZES[0])) < density).astype(float)
    targets = np.array([words.dirichlet(np.ones(CLASSES)) for _ in range(2)])
    first, turn = int(words.choice([0, 7, 20])), int(words.integers(1, TICKS))
    return stack, arrivals, (targets, turn), first


def both(stack, *, first, local, mode, seed=0):
    words = generator(seed + 1)
    given_ = {"first_active": first}
    if local:
        squash = str(words.choice(["softmax", "identity"]))
        clocked = tess(stack, squash=squash, **given_)
        return clocked, lazy_tess(stack, squash=squash, ticks=TICKS, mode=mode, **given_)
    feedback = [words.normal(size=(CLASSES, post)) for post in stack.posts]
    given_ |= {"signal": str(words.choice(["dfa", "signed-dfa"])), "feedback": feedback}
    return s_tllr(stack, **given_), lazy_s_tllr(stack, ticks=TICKS, mode=mode, **given_)


def hear(arrivals):
    ticks, lines = np.nonzero(arrivals)
    return heard_of(ticks, lines, count=TICKS)


def clock_of(targets, turn):
    return np.where((np.arange(TICKS) < turn)[:, None], targets[0], targets[1])


def gradients(window):
    return [
        *(a for held in window.layers for a in held.arrays()),
        window.readout.weights,
        window.readout.bias,
    ]


def found(lazy):
    readout = lazy.readout(gradient=True)
    held = [a for one in lazy.layers(lazy.gradient) for a in one.arrays()]
    return [*held, readout.weights, readout.bias]


def run_both(seed, local, mode):
    stack, arrivals, (targets, turn), first = drawn(seed, mode=mode)
    clocked, lazy = both(stack, first=first, local=local, mode=mode, seed=seed)
    window = clocked.run(arrivals, clock_of(targets, turn))
    return window, lazy, lazy.learn(hear(arrivals), targets, (0, turn))


@given(seed=st.integers(0, 9999), local=st.booleans(), mode=st.sampled_from(["exact", "spike"]))
def test_skipping_silence_changes_nothing(seed, local, mode):
    window, lazy, seen = run_both(seed, local, mode)
    for mine, known in zip(found(lazy), gradients(window), strict=True):
        near(mine, known)
    near(seen.scores, window.logits.sum(axis=0))
    near(seen.counts, window.spikes[-1].sum(axis=0))
    assert seen.predicted == window.predicted
    for (ticks, neurons), train in zip(seen.trains, window.spikes, strict=True):
        assert np.array_equal(np.stack([ticks, neurons], axis=1), np.argwhere(train))


@pytest.mark.parametrize("local", [False, True])
def test_more_than_half_of_the_ticks_are_skipped(local):
    executed = [run_both(seed, local, "exact")[1].executed for seed in range(20)]
    assert np.mean(executed) < 0.5 * TICKS * (len(SIZES) - 1)


def test_potentials_below_the_reach_of_silence_occur():
    lowest = min(p.min() for seed in range(9) for p in run_both(seed, True, "exact")[0].potentials)
    assert lowest < 0.6 - 1.0


KNOWN = {
    1.0: [[-0.435228893731, -0.380089919531], [0.305008720218, 0.221575661508]],
    0.0: [[-0.394663455994, -0.266910298024], [0.267380268031, 0.127469510833]],
    -1.0: [[-0.354098018258, -0.153730676518], [0.229751815844, 0.033363360158]],
}
GATED = [[-0.333130811427, -0.247124071085], [0.230981299936, 0.134245460836]]


def known_case(post_gain, mode):
    layer = Synapses(weights=np.array([[0.5, 0.4], [0.9, -0.8]]))
    stack = Stack(
        layers=[layer],
        readout=Readout(weights=np.zeros((2, 2)), bias=np.zeros(2)),
        neuron=Neuron(post_gain=post_gain),
    )
    rule = lazy_tess(stack, ticks=12, bases=[np.array([[1.0, -1.0], [-1.0, 1.0]]) / 2], mode=mode)
    heard = heard_of(np.array([0, 1, 7, 7]), np.array([0, 1, 0, 1]), count=12)
    rule.learn(heard, np.array([1.0, 0.0]))
    return rule


@pytest.mark.parametrize(
    ("post_gain", "mode", "known"),
    [*((gain, "exact", known) for gain, known in KNOWN.items()), (1.0, "gated", GATED)],
)
def test_known_local_gradients(post_gain, mode, known):
    rule = known_case(post_gain, mode)
    near(rule.layers(rule.gradient)[0].weights, known, 1e-11)
    assert rule.mode == mode


@given(seed=st.integers(0, 999), local=st.booleans())
def test_gated_learns_in_executed_ticks_alone(seed, local):
    stack, arrivals, (targets, _), first = drawn(seed)
    top = Readout(weights=np.ones((CLASSES, SIZES[1])), bias=stack.readout.bias)
    alone = [replace(stack.layers[0], recurrent=None)]
    stack = replace(stack, layers=alone, readout=top)
    clocked, lazy = both(stack, first=first, local=local, mode="gated", seed=seed)
    window = clocked.run(arrivals, targets[0])
    u, spikes = window.potentials[0], window.spikes[0]
    threshold = stack.neuron.threshold
    again = 0.8 * (u - threshold * spikes) > threshold
    executed = arrivals.any(axis=1)
    executed[1:] |= again[:-1].any(axis=1)
    executed &= np.arange(TICKS) >= first
    lazy.learn(hear(arrivals), targets[0])
    for mine, known in zip(
        found(lazy), gradients(clocked.run(arrivals, targets[0], active=executed)), strict=True
    ):
        near(mine, known)


class Slow:
    """The same rule in numpy: gaps closed with the pre trace held, one outer product a time."""

    def __init__(self, held, neuron, silent, mode):
        self.held, self.neuron, self.silent, self.mode = held, neuron, silent, mode
        post, pre = held.weights.shape
        self.u, self.past, self.psi, self.o = (np.zeros(post) for _ in range(4))
        self.q, self.loop, self.last = np.zeros(pre), np.zeros(post), -1
        self.gradient = held.zeros()

    def add(self, vector, q, loop):
        self.gradient.weights += np.outer(vector, q)
        if self.gradient.recurrent is not None:
            self.gradient.recurrent += np.outer(vector, loop)

    def close(self, now, first):
        gap, n = now - self.last - 1, self.neuron
        if gap <= 0:
            return
        met = np.zeros_like(self.u)
        for i, u in enumerate(self.u):
            reached = ticks_near_threshold(u, n.leak, n.threshold, gap)
            if self.mode == "spike":
                reached = (1, 0)
            start = max(1, first - self.last)
            flat, bent = eligible_sums((n.leak, n.threshold, n.pre_decay), reached, start)
            met[i] = flat + bent * u
            flat, bent = past_sums((n.leak, n.threshold, n.post_decay), reached, gap)
            kept = n.post_decay**gap * self.past[i] + n.post_decay ** (gap - 1) * self.psi[i]
            self.past[i] = kept + flat + bent * u
        self.add(self.silent * n.pre_gain * met * (self.mode == "exact"), self.q, self.loop)
        self.q, self.loop = n.pre_decay**gap * self.q, n.pre_decay**gap * self.loop
        self.u = n.leak**gap * self.u
        self.psi = pseudo_derivative(n.form, self.u - n.threshold)
        self.o = np.zeros_like(self.o)
        self.last = now - 1

    def step(self, now, x, first):
        self.close(now, first)
        n = self.neuron
        self.past = n.post_decay * self.past + self.psi
        self.x, self.looped = x, self.o
        self.q, self.loop = n.pre_decay * self.q + x, n.pre_decay * self.loop + self.o
        u = n.leak * self.u + self.held.weights @ x
        if self.held.recurrent is not None:
            u = u + self.held.recurrent @ self.o
        self.psi = pseudo_derivative(n.form, u - n.threshold)
        self.o = (u > n.threshold).astype(float)
        self.u, self.last = u - n.threshold * self.o, now

    def teach(self, modulator):
        n = self.neuron
        self.add(modulator * n.pre_gain * self.psi, self.q, self.loop)
        self.add(modulator * n.past_gain * self.past, self.x, self.looped)


def slow_local(stack, arrivals, target, first, mode):
    bases = local_bases(stack.posts, CLASSES)
    silent = [b.T @ (1 / CLASSES - target) for b in bases]
    layers = [
        Slow(held, stack.neuron, told, mode)
        for held, told in zip(stack.layers, silent, strict=True)
    ]
    for n, x in enumerate(arrivals):
        for one, told in zip(layers, bases, strict=True):
            again = one.last == n - 1 and (
                (stack.neuron.leak * one.u > stack.neuron.threshold).any()
                or (one.held.recurrent is not None and one.o.any())
            )
            if x.any() or again:
                one.step(n, x, first)
                if n >= first:
                    one.teach(told.T @ (softmax(told @ one.o) - target))
                x = one.o  # noqa: PLW2901 -- what the next layer hears
            else:
                x = np.zeros_like(one.o)  # noqa: PLW2901
    for one in layers:
        one.close(TICKS, first)
    return [a for one in layers for a in one.gradient.arrays()]


@given(seed=st.integers(0, 9999), mode=st.sampled_from(["exact", "gated", "spike"]))
def test_the_kernel_is_its_slow_twin(seed, mode):
    stack, arrivals, (targets, _), first = drawn(seed, mode=mode)
    lazy = lazy_tess(stack, ticks=TICKS, mode=mode, first_active=first)
    lazy.learn(hear(arrivals), targets[0])
    known = slow_local(stack, arrivals, targets[0], first, mode)
    for mine, slow in zip(found(lazy), known, strict=False):
        near(mine, slow, 1e-12)


@given(seed=st.integers(0, 999), local=st.booleans())
def test_order_within_a_tick_and_queries_change_nothing(seed, local):
    stack, arrivals, (targets, turn), first = drawn(seed, density=0.1)
    _, lazy = both(stack, first=first, local=local, mode="exact", seed=seed)
    ticks, lines = np.nonzero(arrivals)
    first_seen = lazy.learn(hear(arrivals), targets, (0, turn))
    once = [a.copy() for a in lazy.gradients]
    order = np.lexsort((-lines, ticks))
    for _ in range(3):
        seen = lazy.see(heard_of(ticks[order], lines[order], count=TICKS))
        near(seen.scores, first_seen.scores, 1e-12)
    assert all(np.array_equal(a, b) for a, b in zip(once, lazy.gradients, strict=True))
    lazy.forget()
    lazy.learn(heard_of(ticks[order], lines[order], count=TICKS), targets, (0, turn))
    for mine, known in zip(lazy.gradients, once, strict=True):
        near(mine, known, 1e-12)


@given(seed=st.integers(0, 999))
def test_a_layer_that_teaches_itself_hears_nothing_from_above(seed):
    stack, arrivals, (targets, _), _ = drawn(seed)
    first = lazy_tess(stack, ticks=TICKS)
    first.learn(hear(arrivals), targets[0])
    stack.layers[1].weights[...] += 1.0
    other = lazy_tess(stack, ticks=TICKS)
    other.learn(hear(arrivals), targets[0])
    mine, known = other.layers(other.gradient)[0], first.layers(first.gradient)[0]
    assert np.array_equal(mine.weights, known.weights)


@given(seed=st.integers(0, 999), local=st.booleans())
def test_the_ledger_is_the_formula(seed, local):
    stack, arrivals, (targets, _), first = drawn(seed, post_gain=-1.0)
    stack = replace(stack, layers=[replace(one, recurrent=None) for one in stack.layers])
    clocked, lazy = both(stack, first=first, local=local, mode="exact", seed=seed)
    trains = [arrivals, *clocked.run(arrivals, targets[0]).spikes]
    lazy.learn(hear(arrivals), targets[0])
    mac = int(trains[-1][first:].sum()) * CLASSES
    syn = int(trains[-1].sum()) * CLASSES
    reset = {depth: np.zeros(TICKS, bool) for depth in range(len(SIZES) - 1)}
    everyone = np.zeros(TICKS, bool)
    window = clocked.run(arrivals, targets[0])
    for depth, (u, o) in enumerate(zip(window.potentials, window.spikes, strict=True)):
        v = stack.neuron.threshold
        reset[depth][1:] = (stack.neuron.leak * (u - v * o) > v).any(axis=1)[:-1]
        reset[depth] |= trains[depth].any(axis=1)
        everyone |= reset[depth]
    executed = 0
    for depth, post in enumerate(stack.posts):
        ran = reset[depth] if local else everyone
        live = (np.cumsum(trains[depth], axis=0) > 0).sum(axis=1)
        each = live + trains[depth].sum(axis=1) + (2 if local else 1) * CLASSES
        mac += int(each[ran & (np.arange(TICKS) >= first)].sum()) * post
        syn += int(trains[depth].sum()) * post
        executed += int(ran.sum())
    assert (lazy.ledger.mac, lazy.ledger.syn) == (mac, syn)
    assert lazy.executed == executed
    lazy.commit(Plain(rate=0.1))
    assert lazy.ledger.wr == sum(a.size for a in lazy.parameters)


def test_silence_costs_nothing_but_the_gap():
    stack, arrivals, (targets, _), _ = drawn(1)
    lazy = lazy_tess(stack, ticks=TICKS)
    lazy.learn(hear(0 * arrivals), targets[0])
    assert (lazy.ledger.syn, lazy.ledger.neu, lazy.ledger.mac) == (0, 0, 0)
    assert lazy.ledger.trc == 4 * sum(SIZES[1:])


@pytest.mark.parametrize("standardise", [False, True])
def test_steps_bring_the_loss_down(standardise):
    stack, arrivals, (targets, _), _ = drawn(4, density=0.2)
    lazy = lazy_s_tllr(
        stack,
        ticks=TICKS,
        feedback=[generator(9).normal(size=(CLASSES, post)) for post in stack.posts],
        standardise=standardise,
    )
    label = int(np.argmax(targets[0]))
    before = softmax(lazy.see(hear(arrivals)).scores / TICKS)[label]
    optimiser = Adam(rate=0.02)
    for _ in range(20):
        lazy.learn(hear(arrivals), np.eye(CLASSES)[label])
        lazy.commit(optimiser)
    assert softmax(lazy.see(hear(arrivals)).scores / TICKS)[label] > before
    assert not any(a.any() for a in lazy.gradients)
    lazy.adopt([np.zeros_like(a) for a in lazy.parameters])
    assert not lazy.see(hear(arrivals)).scores.any()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"mode": "fast"}, "mode"),
        ({"mode": "spike"}, "form spike"),
        ({"ticks": 0}, "ticks"),
        ({"bases": [np.zeros((2, 2))] * 2}, "feedback"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change, word):
    stack = drawn(0)[0]
    with pytest.raises(LearnerError, match=word):
        lazy_tess(stack, **({"ticks": TICKS} | change))


def test_what_has_no_closed_form_is_refused():
    stack = drawn(0)[0]
    for other, word in (
        (replace(stack, neuron=Neuron(form="lorentz")), "triangle"),
        (replace(stack, readout=replace(stack.readout, leak=0.5)), "leaky"),
        (
            replace(
                stack, layers=[replace(o, bias=np.zeros(len(o.weights))) for o in stack.layers]
            ),
            "bias",
        ),
    ):
        with pytest.raises(LearnerError, match=word):
            lazy_tess(other, ticks=TICKS)
    for ticks in ([3, 2], [0, TICKS], [-1, 0]):
        with pytest.raises(LearnerError, match="arrivals"):
            heard_of(np.array(ticks), np.array([0, 0]), count=TICKS)
    with pytest.raises(LearnerError, match="parts"):
        lazy_tess(stack, ticks=TICKS).learn(hear(np.zeros((TICKS, 6))), np.ones((1, 3)), (1,))
    wrong = np.zeros((2, 1)), np.zeros((2, 3))
    with pytest.raises(LearnerError, match="readouts must have shapes"):
        lazy_tess(stack, ticks=TICKS).learn(hear(np.zeros((TICKS, 6))), np.ones(3), readouts=wrong)
    with pytest.raises(LearnerError, match="parameters"):
        lazy_tess(stack, ticks=TICKS).adopt([np.zeros(2)] * 3)
    with pytest.raises(LearnerError, match="9 gains for 2 layers"):
        lazy_tess(stack, ticks=TICKS).set_past_gains([1.0] * 9)
