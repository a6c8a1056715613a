"""Learners whose synapses remember: a window is the clocked rule's, its work what is counted."""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learners import CLASSES, NOTHING, S_TLLR, TESS, frame_of, grown, opened, run

from simedge.core.streams import Streams
from simedge.learning.errors import LearnerError
from simedge.learning.learner import open_learner
from simedge.learning.rules.delta import softmax
from simedge.learning.rules.optimiser import Adam
from simedge.learning.rules.s_tllr import s_tllr
from simedge.learning.rules.stack import Stack
from simedge.learning.rules.tess import tess

KINDS = {"tess": TESS, "s-tllr": S_TLLR}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def with_rule(kind, **changes):
    return kind.model_copy(update={"rule": kind.rule.model_copy(update=changes)})


def params_of(learner):
    return learner.get_params().commit()


def clocked(learner):
    """Return the slow twin of a learner; its readout is still to be turned to bins of time."""
    shop = learner.shop
    lazy = shop.take()
    stack = Stack(layers=lazy.layers(), readout=lazy.readout(), neuron=lazy.neuron)
    first = {"first_active": shop.body.first_active}
    rule = shop.settings
    if rule.kind == "tess":
        return tess(stack, squash=rule.squash, **first)
    return s_tllr(stack, signal=rule.signal, feedback=shop.body.feedback, **first)


def run_clocked(learner, frame):
    """Return the twin's window and gradient, flat; each bin is read by its own weights."""
    shop, twin, steps = learner.shop, clocked(learner), []
    readout, ticks = twin.stack.readout, shop.body.camera.ticks
    weights, bias = shop.readout.by_bins()

    def turn_to(tick):
        part = sum(first <= tick for first in shop.readout.since) - 1
        readout.weights[:] = weights[part].reshape(-1, CLASSES).T
        readout.bias[:] = bias[part]

    def after(window):
        steps.append(np.concatenate([held.weights.T.ravel() for held in window.layers]))
        turn_to(ticks - len(left) + 1)
        left.pop()

    left = [None] * (ticks - shop.body.first_active)
    turn_to(0)
    window = twin.run(arrivals(learner, frame), np.eye(CLASSES)[frame.label], commit=after)
    assert not left
    return window, np.sum(steps, axis=0)


def arrivals(learner, frame):
    prepared, camera = learner.prepare([frame]), learner.shop.body.camera
    ticks = np.repeat(prepared.tick, np.diff(prepared.start))
    found = np.zeros((camera.ticks, camera.lines))
    found[ticks, prepared.line] = 1.0
    return found


@every_kind
@given(seed=st.integers(0, 99), late=st.sampled_from([0, 30]))
@settings(max_examples=8)
def test_a_frame_is_learned_as_on_the_clock(kind, seed, late):
    exact = with_rule(kind, mode="exact", first_active=late * 1_000_000)
    learner = grown(exact, frames=3)
    shop, frame = learner.shop, frame_of(seed)
    assert shop.body.first_active == late // 5
    window, gradient = run_clocked(learner, frame)
    hidden, known = deepcopy(shop.hidden), shop.readout.dump()
    hidden.take(gradient)
    counts = np.concatenate([part.sum(axis=0) for part in bins_of(learner, window.spikes[-1])])
    error = softmax(window.logits.sum(axis=0))
    loss = -np.log(error[frame.label])
    error[frame.label] -= 1.0
    step = 2.0 * np.outer((counts - known["mean"]) / known["length"], error)
    work = learner.learn(frame)
    learned = work.commit()
    np.testing.assert_allclose(shop.hidden.weights, hidden.weights, rtol=0, atol=1e-7)
    taken = known["weights"] - step.ravel()
    np.testing.assert_allclose(shop.readout.weights, taken, rtol=0, atol=1e-9)
    assert learned.loss == pytest.approx(loss)
    assert learned.spikes == sum(int(train.sum()) for train in window.spikes) == work.counts.spikes


def bins_of(learner, spikes):
    """Cut trains, (ticks, neurons), into the bins of the readout."""
    bins, ticks = learner.shop.readout.settings.bins, len(spikes)
    return [spikes[np.arange(ticks) * bins // ticks == part] for part in range(bins)]


@every_kind
@given(data=st.data())
@settings(max_examples=10)
def test_mean_and_length_are_those_of_the_counts_that_were_learned(kind, data):
    learner = opened(kind)
    readout, seen = learner.shop.readout, []
    for seed in data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=6)):
        frame = NOTHING if seed == 9 else frame_of(seed)
        counts = learner.shop.seen(0, None).counts
        if frame is not NOTHING:
            heard = learner.shop.body.heard(learner.prepare([frame]), 0)
            counts = readout.count(learner.shop.take().see(heard).trains[-1])
        learner.learn(frame).commit()
        seen += [counts] * bool(counts.any())
    mean = np.mean(seen, axis=0) if seen else np.zeros(readout.features)
    away = [
        np.sqrt(((one - (np.mean(seen[:n], axis=0) if n else 0.0)) ** 2).sum())
        for n, one in enumerate(seen)
    ]
    np.testing.assert_allclose(readout.mean, mean, rtol=0, atol=1e-9)
    assert readout.length == pytest.approx(np.mean(away) if seen else 0.0)


def test_frames_of_a_batch_make_one_step_of_their_mean_gradient():
    learner = opened(with_rule(S_TLLR, batch=3, rate=0.01))
    shop, gradients = learner.shop, []
    before = shop.hidden.weights.copy()
    for n in range(3):
        assert np.array_equal(shop.hidden.weights, before)
        stack, heard = shop.take(), shop.body.heard(learner.prepare([frame_of(n)]), 0)
        shop.play(stack, heard, frame_of(n).label)
        gradients.append(stack.gradient.copy())
        works = run(learner.learn(frame_of(n)), None)
        assert (works[1].weight_writes > before.size) == (n == 2)
    twin = Adam(rate=0.01)
    twin.step([before], [np.mean(gradients, axis=0)])
    np.testing.assert_allclose(shop.hidden.weights, before, rtol=0, atol=1e-12)


def test_standardised_weights_keep_a_mean_of_0_and_hidden_weights_without_a_rate_stay():
    learner = grown(TESS)
    for layer in learner.shop.take().layers():
        np.testing.assert_allclose(layer.weights.mean(axis=1), 0.0, atol=1e-12)
    frozen = opened(with_rule(TESS, rate=0.0))
    before = frozen.shop.hidden.weights.copy()
    _, counts, _, _ = run(frozen.learn(frame_of(0)), None)
    assert counts.plasticity_updates == 0
    assert np.array_equal(frozen.shop.hidden.weights, before)
    assert frozen.shop.readout.weights.any()
    assert frozen.memory(0)["moments"] == frozen.memory(0)["gradients"] == 0


@every_kind
@given(seed=st.integers(0, 99), cut=st.integers(1, 20))
@settings(max_examples=10)
def test_volleys_take_what_the_counts_say(kind, seed, cut):
    work = grown(kind, frames=3).learn(frame_of(seed))
    first = work.advance(cut)
    counts = work.counts
    assert (counts.volleys, counts.macs) == (cut, 0) or cut >= work.volleys
    assert first.sum() == counts.synaptic_events + counts.neuron_updates + counts.trace_touches
    rest = work.advance()
    spent = work.counts
    total = spent.synaptic_events + spent.neuron_updates + spent.trace_touches
    assert first.sum() + rest.sum() == total
    assert spent.synaptic_events >= 16 * frame_of(seed).x.size // 2  # some share a line and tick
    assert spent.weight_writes > 16 * 128
    assert spent.macs > 0
    work.discard()


def test_what_is_only_looked_at_is_cheaper_than_what_is_learned():
    learner = grown(TESS)
    looked = run(learner.proxy_row(frame_of(7), address=0, row=0), None)[1]
    learned = run(learner.learn(frame_of(7)), None)[1]
    assert looked.spikes == learned.spikes
    assert looked.synaptic_events == learned.synaptic_events
    assert looked.weight_writes == looked.plasticity_updates == 0
    assert 0 < looked.macs == learner.shop.readout_size < learned.macs


@given(share=st.floats(0.0, 1.0))
@settings(max_examples=10)
def test_a_share_sets_what_late_terms_count(share):
    other = S_TLLR.neuron.model_copy(update={"post_gain": 2.0 * share - 1.0})
    given_, known = opened(S_TLLR), opened(S_TLLR.model_copy(update={"neuron": other}))
    given_.set_lambda([share, share]).commit()
    assert given_.shares == pytest.approx((share, share))
    assert given_.learn(frame_of(3)).commit() == known.learn(frame_of(3)).commit()


def test_half_a_share_has_no_late_terms_and_each_layer_its_own():
    shares = [(0.5, 0.5), (0.5, 1.0), (1.0, 0.5)]
    weights, macs = [], []
    for pair in shares:
        learner = opened(S_TLLR)
        learner.set_lambda(pair).commit()
        for n in range(2):
            _, counts, _, _ = run(learner.learn(frame_of(n)), None)
        weights.append(learner.shop.take().layers())
        macs.append(counts.macs)
    assert macs[0] < min(macs[1:])
    low = [[layer.weights.tobytes() for layer in found] for found in weights]
    assert len({pair[0] for pair in low}) > 1


@pytest.mark.parametrize("values", [(), (0.5,), (0.5, 1.1), (-0.1, 0.5)])
def test_a_share_that_makes_no_sense_is_refused(values):
    with pytest.raises(LearnerError, match="lambda"):
        opened(S_TLLR).set_lambda(values)


def test_without_being_asked_for_there_is_no_share():
    learner = opened(TESS)
    gains = learner.shop.gains
    assert (learner.hidden_layers, learner.shares) == (0, ())
    learner.set_lambda([]).commit()
    assert learner.shop.gains == gains
    with pytest.raises(LearnerError, match="0 hidden layers"):
        learner.set_lambda([0.5])


@every_kind
def test_a_prior_moves_the_readout_alone_and_towards_it(kind):
    learner = grown(kind)
    hidden, target = learner.shop.hidden.weights.copy(), np.array([[0.1, 0.1, 0.7, 0.1]])
    first = learner.proxy_row(frame_of(5), address=7, row=0).commit()
    step = learner.kl_step(address=7, target=target, mask=[True], alpha=1.0, steps=3)
    assert step.commit() == 1
    said = learner.proxy_row(frame_of(5), address=7, row=0).commit()
    assert abs(said - target[0]).sum() < abs(first - target[0]).sum()
    assert np.array_equal(learner.shop.hidden.weights, hidden)


@every_kind
@given(seed=st.integers(0, 40))
@settings(max_examples=5)
def test_a_slope_is_that_of_the_loss_and_a_step_on_others_goes_down_it(kind, seed):
    learner, frame = grown(kind), frame_of(seed)
    loss, slope = learner.slope(frame).commit()
    assert loss == pytest.approx(learner.loss_on([frame]).commit())
    before = params_of(learner).astype(np.float64)
    size = learner.shop.readout_size
    order = np.argsort(-abs(slope[:size]))[:3]
    for place in order.tolist():
        ends = []
        for step in (0.05, -0.05):
            moved = before.copy()
            moved[place] += step
            learner.set_params(moved).commit()
            ends.append(learner.loss_on([frame]).commit())
        assert (ends[0] - ends[1]) / 0.1 == pytest.approx(slope[place], rel=0.02, abs=1e-5)
    learner.set_params(before).commit()
    said = learner.predict(learner.prepare([frame])).tolist()
    assert list(learner.train_on([frame], [frame.label]).commit()) == said
    step = learner.learning_rate * slope
    np.testing.assert_allclose(params_of(learner)[:size], (before - step)[:size], atol=1e-5)


@every_kind
def test_what_holds_and_pulls_frames_is_added_to_learning(kind):
    held, free, pulled = grown(kind), grown(kind), grown(kind)
    before, zeros = params_of(held), np.zeros(held.params)
    held.hold(anchor=zeros, rho=0.1)
    prior = np.full((CLASSES, CLASSES), 1 / CLASSES)
    pulled.set_class_prior(prior, np.ones(CLASSES, bool), alpha=1.0).commit()
    seen = learner_sees(free, frame_of(8))
    error = seen.chances - 1 / CLASSES
    moved = free.shop.readout.gradient(error[None], seen.counts[None])
    works = [run(learner.learn(frame_of(8)), None) for learner in (held, free, pulled)]
    weights = [one.shop.readout.weights for one in (held, free, pulled)]
    size = held.shop.readout_size
    away = 2.0 * 0.1 * before[:size]
    np.testing.assert_allclose(weights[0], weights[1] - away, rtol=0, atol=1e-5)
    np.testing.assert_allclose(weights[2], weights[1] - 2.0 * moved, rtol=0, atol=1e-9)
    assert works[0][1].macs == works[1][1].macs + size
    assert works[2][1].macs == works[1][1].macs + 2 * size
    held.hold(sparsity=0.5)
    held.learn(frame_of(9)).commit()
    assert np.count_nonzero(params_of(held)[:size] == 0) >= size // 2


def learner_sees(learner, frame):
    shop, shown = learner.shop, learner.prepare([frame])
    stack = shop.take()
    return shop.seen(frame.label, stack.see(shop.body.heard(shown, 0)))


def test_memory_is_that_of_the_stack_and_its_optimiser():
    terms = opened(S_TLLR).memory(kept_rows=5)
    lines, (low, high) = 128, S_TLLR.hidden
    hidden, features = lines * low + low * high, 2 * high
    assert terms == {
        "parameters": 4 * (hidden + features * CLASSES + features + 1 + CLASSES * (low + high)),
        "state": 4 * 4 * (low + high),
        "traces": 4 * 2 * (lines + low),
        "gradients": 4 * hidden,
        "moments": 8 * hidden,
        "features": 4 * 5 * features,
    }
    terms, learned, features = opened(TESS).memory(0), hidden + low + high, 3 * high
    assert terms["parameters"] == 4 * (hidden + learned + features * (CLASSES + 1) + 1)
    assert terms["moments"] == 8 * learned


def test_devices_share_a_start_only_if_asked_to():
    for shared in (True, False):
        kind = S_TLLR.model_copy(update={"shared_start": shared})
        one, other = (opened(kind, device=name).shop for name in ("a", "b"))
        same = np.array_equal(one.hidden.weights, other.hidden.weights)
        told = np.array_equal(one.body.feedback[0], other.body.feedback[0])
        assert same == told == shared


def test_learners_of_one_run_share_what_they_play_on_and_nothing_they_know():
    pools, side = {}, {"classes": CLASSES, "width": 8, "height": 8, "streams": Streams(1)}
    one, other = (open_learner(TESS, device=name, pools=pools, **side) for name in ("a", "b"))
    assert one.shop.body is other.shop.body
    before = other.digest()
    one.learn(frame_of(1)).commit()
    assert other.digest() == before != one.digest()
    other.load(one.dump())
    assert other.learn(frame_of(2)).commit() == one.learn(frame_of(2)).commit()
    with pytest.raises(LearnerError, match="another learner"):
        other.load(opened(TESS.model_copy(update={"hidden": (4,)})).dump())


def test_a_dark_frame_pulls_to_nothing():
    learner = grown(TESS)
    learner.set_class_prior(np.eye(CLASSES), np.ones(CLASSES, bool), alpha=1.0).commit()
    before = params_of(learner)
    learner.learn(NOTHING).commit()
    assert not learner.slope(NOTHING).commit()[1].any()
    assert np.array_equal(params_of(learner), before)


def test_frames_that_are_played_together_are_learned_as_alone():
    pools, side = {}, {"classes": CLASSES, "width": 8, "height": 8, "streams": Streams(1)}
    names = "abc"
    apart = [open_learner(TESS, device=name, **side) for name in names]
    beside = [open_learner(TESS, device=name, pools=pools, **side) for name in names]
    for first in (0, 3):
        frames = [frame_of(first + n) for n in range(3)]
        works = [learner.learn(frame) for learner, frame in zip(beside, frames, strict=True)]
        with ThreadPoolExecutor(1) as executor:
            beside[0].run_together(works, executor)
        alone = [
            learner.learn(frame).commit() for learner, frame in zip(apart, frames, strict=True)
        ]
        assert [work.commit() for work in works] == alone
    assert [one.digest() for one in beside] == [one.digest() for one in apart]
