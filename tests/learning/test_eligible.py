"""Laws of learners whose synapses remember, behind the port of devices."""

from dataclasses import dataclass

import numpy as np
import pytest

import simedge
from simedge.core.streams import Streams
from simedge.learning.eligible import STllrLearner, TessLearner


class SmallSTllr(STllrLearner):
    __slots__ = ()
    hidden = (24,)
    tick_ns = 5_000_000
    rate = 0.02


class SmallTess(TessLearner):
    __slots__ = ()
    hidden = (24,)
    tick_ns = 5_000_000
    rate = 0.02


KINDS = [SmallSTllr, SmallTess]


@dataclass
class Frame:
    label: int
    x: np.ndarray
    y: np.ndarray
    t_us: np.ndarray
    p: np.ndarray


def frame_of(seed, label):
    """Return a frame whose events are in the columns of its class."""
    words = np.random.Generator(np.random.Philox(seed))
    return Frame(
        label=label,
        x=(2 * label + words.integers(0, 3, 60)).astype(np.uint16),
        y=words.integers(0, 8, 60).astype(np.uint16),
        t_us=np.sort(words.integers(0, 50_000, 60)),
        p=words.integers(0, 2, 60).astype(np.uint8),
    )


def learner_of(kind):
    return kind(classes=3, width=8, height=8, streams=Streams(1), device="a", span_ns=50_000_000)


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_what_it_is_shown_and_a_copy_does_the_same(kind):
    learner, frames = learner_of(kind), [frame_of(seed, seed % 3) for seed in range(60)]
    taught = [learner.learn(frame).commit() for frame in frames]
    assert np.mean([one.correct for one in taught[-20:]]) > 0.8
    assert np.mean([one.loss for one in taught[-20:]]) < np.mean([one.loss for one in taught[:9]])
    other = learner_of(kind)
    other.load(learner.dump())
    assert other.digest() == learner.digest()
    assert other.learn(frames[0]).commit() == learner.learn(frames[0]).commit()
    before = learner.digest()
    assert learner.predict(frames[:6]).tolist() == [0, 1, 2, 0, 1, 2]
    assert learner.digest() == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_prior_moves_the_readout_alone(kind):
    learner, frame = learner_of(kind), frame_of(5, 1)
    hidden, target = learner.weights.copy(), np.array([[0.1, 0.1, 0.8]])
    first = learner.proxy_row(frame, address=7, row=0).commit()
    step = learner.kl_step(address=7, target=target, mask=[True], alpha=1.0, steps=3)
    assert step.commit() == 1
    assert learner.proxy_row(frame, address=7, row=0).commit()[2] > first[2]
    assert np.array_equal(learner.weights, hidden)


@pytest.mark.parametrize("kind", KINDS)
def test_runs_work_with_it(kind):
    scenario = simedge.load("two_devices").vary({"duration": "1 s"})
    first, again = (simedge.simulate(scenario, learner=kind) for _ in range(2))
    assert first.summary["rule"] == kind.rule
    assert first.summary["log_sha256"] == again.summary["log_sha256"]
