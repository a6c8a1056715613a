"""Laws of the learners: jobs leave no trace until they are committed, and steps change nothing."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learners import (
    CLASSES,
    FROZEN,
    LIVELY,
    NOTHING,
    SIDE,
    SPIKING,
    Frame,
    every_learner,
    every_learner_that_rests,
    frame_of,
    grown,
    opened,
    run,
)

from simedge.core.streams import Streams
from simedge.learning.errors import LearnerError
from simedge.learning.learner import open_learner
from simedge.learning.ports import Counts
from simedge.learning.settings import (
    LinearSettings,
    SpikingSettings,
)


@every_learner
@given(step=st.integers(1, 40), seed=st.integers(0, 50))
def test_steps_are_bit_equal_to_one_call(settings, step, seed):
    results = []
    for size in (None, step):
        learner = grown(settings, 2)
        for n in (seed, seed + 1):
            operations, counts, macs, value = run(learner.learn(frame_of(n)), size)
        row = run(learner.proxy_row(frame_of(9), address=0, row=0), size)
        results.append((operations.tolist(), counts, macs, value, learner.digest()))
        results[-1] += (row[0].tolist(), row[1], row[3].tolist())
    assert results[0] == results[1]


@every_learner
def test_a_job_does_nothing_before_its_commit(settings):
    learner = grown(settings)
    before = learner.digest()
    prior = np.full((1, CLASSES), 1 / CLASSES)
    learner.proxy_row(frame_of(7), address=3, row=0).commit()
    for begin in (
        lambda: learner.learn(frame_of(8)),
        lambda: learner.proxy_row(frame_of(8), address=3, row=1),
        lambda: learner.kl_step(address=3, target=prior, mask=[True], alpha=1.0, steps=2),
        lambda: learner.set_lambda([0.9] * learner.hidden_layers),
    ):
        begin().discard()
        work = begin()
        work.advance()
        work.discard()
        assert learner.digest() == before
        with pytest.raises(LearnerError, match="over"):
            work.commit()


@every_learner
@given(cut=st.integers(0, 60))
def test_a_discarded_job_leaves_no_trace(settings, cut):
    straight, broken = grown(settings, 3), grown(settings, 3)
    lost = broken.learn(frame_of(77))
    lost.advance(cut)
    lost.discard()
    values = [learner.learn(frame_of(4)).commit() for learner in (straight, broken)]
    assert values[0] == values[1]
    assert straight.digest() == broken.digest()


@every_learner
@given(seed=st.integers(0, 99))
def test_the_order_within_a_volley_cannot_matter(settings, seed):
    frame = frame_of(seed)
    words = np.random.Generator(np.random.Philox(seed))
    order = np.lexsort((words.random(frame.x.size), frame.t_us // 1000))
    shuffled = Frame(
        label=frame.label,
        x=frame.x[order],
        y=frame.y[order],
        t_us=frame.t_us[order],
        p=frame.p[order],
    )
    one, two = grown(settings, 2), grown(settings, 2)
    works = [one.learn(frame), two.learn(shuffled)]
    operations = [work.advance().tolist() for work in works]
    assert operations[0] == operations[1]
    assert works[0].commit() == works[1].commit()
    assert works[0].counts == works[1].counts
    assert one.digest() == two.digest()


@every_learner
def test_observers_and_passes_change_nothing(settings):
    learner, other = grown(settings), grown(settings)
    prepared = learner.prepare([frame_of(n) for n in range(20)])
    first = learner.predict(prepared)
    open_work = learner.learn(frame_of(30))
    open_work.advance(10)
    for n in range(100):
        assert (learner.predict(prepared) == first).all()
        if n < 3:
            assert learner.digest() == other.digest()
    assert open_work.commit() == other.learn(frame_of(30)).commit()
    for n in range(5):
        learner.proxy_row(frame_of(n), address=0, row=n).commit()
    assert learner.digest() == other.digest()
    assert learner.learn(frame_of(31)).commit() == other.learn(frame_of(31)).commit()


@every_learner
def test_a_prediction_is_what_a_pass_says(settings):
    learner, frames = grown(settings, 12), [frame_of(n) for n in range(40, 60)]
    rows = [learner.proxy_row(f, address=0, row=n).commit() for n, f in enumerate(frames)]
    assert all(abs(row.sum() - 1) < 1e-5 and row.dtype == np.float32 for row in rows)
    told = learner.predict(learner.prepare(frames))
    assert told.tolist() == [int(row.argmax()) for row in rows]
    assert learner.predict(learner.prepare([])).shape == (0,)


@every_learner
def test_it_learns_what_it_is_shown(settings):
    learner = opened(settings)
    frames = [frame_of(n) for n in range(CLASSES)]
    losses = []
    for _ in range(30):
        for frame in frames:
            loss = learner.learn(frame).commit().loss
            losses.append(loss)
    assert losses[0] == pytest.approx(math.log(CLASSES))
    assert np.mean(losses[-8:]) < 0.5 * losses[0]
    assert (learner.predict(learner.prepare(frames)) == [f.label for f in frames]).all()


@every_learner_that_rests
def test_a_frame_without_events_costs_and_changes_nothing(settings):
    learner = grown(settings)
    before = learner.dump()
    work = learner.learn(NOTHING)
    assert work.volleys == 0
    assert work.advance().size == 0
    value = work.commit()
    assert work.counts == Counts()
    assert work.macs == {"dense": 0}
    assert (value.loss, value.spikes) == (pytest.approx(math.log(CLASSES)), 0)
    after = learner.dump()
    for name in {"held", "readout", "mean", "weights"} & set(before):
        np.testing.assert_equal(after[name], before[name])
    row = learner.proxy_row(NOTHING, address=0, row=0)
    assert row.commit().tolist() == pytest.approx([1 / CLASSES] * CLASSES)
    assert row.counts == Counts()


def test_volleys_count_synapses_that_were_used():
    learner = opened()
    work = learner.learn(frame_of(1))
    operations = work.advance()
    value = work.commit()
    counts = work.counts
    assert work.volleys == operations.size == counts.volleys
    assert operations.sum() == counts.synaptic_events + counts.plasticity_updates
    assert counts.spikes == value.spikes > 0
    assert min(operations) >= 0
    assert counts.trace_touches > 0
    assert counts.weight_writes > 0
    # Eight-pixel sides, kernel 3, stride 2: 3 x 3 positions of 9 pixels among 64.
    assert counts.synaptic_events == pytest.approx(150 * 81 / 64 * 4, rel=0.2)
    assert work.macs == {"dense": 2 * learner.features * CLASSES}


def test_counts_grow_as_the_work_does():
    learner = grown()
    work = learner.learn(frame_of(1))
    assert work.counts == Counts()
    work.advance(5)
    part = work.counts
    assert 0 < part.synaptic_events < run(work, None)[1].synaptic_events
    assert (part.volleys, part.macs) == (5, 0)


def test_idle_neurons_cost_nothing():
    corner = frame_of(3)
    corner = replace(corner, x=corner.x % 4, y=corner.y % 4)
    costs = []
    for side in (SIDE, 4 * SIDE):
        learner = open_learner(
            SPIKING,
            classes=CLASSES,
            width=side,
            height=side,
            streams=Streams(1),
            device="dev-1",
        )
        work = learner.proxy_row(corner, address=0, row=0)
        costs.append((work.advance().tolist(), work.counts._replace(macs=0)))
        work.discard()
    assert costs[0] == costs[1]


def test_lambda_acts_on_later_frames_only():
    learner, other = grown(), grown()
    assert learner.hidden_layers == 1
    learner.set_lambda([1.0]).commit()
    assert learner.shares == (1.0,)
    held = [x.dump()["held"] for x in (learner, other)]
    assert (held[0] == held[1]).all()
    assert learner.digest() != other.digest()
    works = [x.learn(frame_of(20)).commit() for x in (learner, other)]
    assert works[0].spike_digest != works[1].spike_digest or (
        works[0].weight_digest != works[1].weight_digest
    )


def test_lambda_zero_and_one_differ_from_half():
    digests = set()
    for share in (0.0, 0.5, 1.0):
        learner = opened(
            SpikingSettings(
                layers=(LIVELY,), rule={"kind": "hebbian-stdp", "lambda": share, "a_plus": 0.5}
            )
        )
        digests.add(learner.learn(frame_of(1)).commit().weight_digest)
    assert len(digests) == 3


@pytest.mark.parametrize("values", [[0.5, 0.5], [1.5], [-0.1], [math.nan], []])
def test_a_lambda_that_makes_no_sense_is_refused(values):
    with pytest.raises(LearnerError):
        opened().set_lambda(values)


def test_frozen_and_linear_learners_have_no_lambda():
    assert opened(FROZEN).hidden_layers == opened(LinearSettings()).hidden_layers == 0
    frozen = opened(FROZEN)
    held = frozen.dump()["held"]
    frozen.learn(frame_of(1)).commit()
    assert (frozen.dump()["held"] == held).all()
