"""Laws of linear learners that keep earlier tasks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learners import CLASSES, frame_of, opened

from simedge.learning.continual.keeper import Keeper
from simedge.learning.continual.settings import CodeSettings, LanceSettings
from simedge.learning.errors import LearnerError
from simedge.learning.settings import LinearReadoutSettings, LinearSettings

TASK = 12
KEPT = {
    "code-cl": CodeSettings(task=TASK, shown=TASK, aperture=100.0, energy=0.999),
    "lance": LanceSettings(task=TASK, shown=TASK, energy=0.9999),
}
every_kind = pytest.mark.parametrize("kind", KEPT)


def learner_of(kind, centring=0):
    readout = LinearReadoutSettings(centring=centring)
    return opened(LinearSettings(readout=readout, continual=KEPT.get(kind)))


def taught(learner, frames):
    for frame in frames:
        learner.learn(frame).commit()
    return learner


def said(learner, frames):
    """Return the softmax of frames."""
    rows = [learner.proxy_row(f, address=9, row=n).commit() for n, f in enumerate(frames)]
    return np.array(rows)


@every_kind
def test_the_first_task_is_learned_as_ever(kind):
    frames = [frame_of(n) for n in range(TASK)]
    kept, plain = (taught(learner_of(k), frames) for k in (kind, "none"))
    np.testing.assert_array_equal(kept.dump()["readout"], plain.dump()["readout"])
    assert kept.memory()["continual"] > 0
    assert "continual" not in plain.memory()


@every_kind
@settings(max_examples=4)
@given(seed=st.integers(0, 99))
def test_later_tasks_change_less_of_what_is_said_of_the_first(kind, seed):
    first, second = ([frame_of(seed + 100 * t + n) for n in range(TASK)] for t in (1, 2))
    moves = []
    for k in (kind, "none"):
        learner = taught(learner_of(k), first)
        before = said(learner, first)
        moves.append(np.abs(said(taught(learner, second), first) - before).sum())
    assert moves[0] < 0.05 * moves[1]


@every_kind
def test_pulls_and_frames_of_others_are_held_back_too(kind):
    first = [frame_of(n) for n in range(TASK)]
    prior, mask = np.eye(CLASSES)[[0] * 4], [True] * 4
    moves = []
    for k in (kind, "none"):
        learner = taught(learner_of(k), first)
        before = said(learner, first)
        learner.kl_step(address=9, target=prior, mask=mask, alpha=1.0, steps=3).commit()
        learner.train_on(first[:3], [1, 1, 1]).commit()
        moves.append(np.abs(said(learner, first) - before).sum())
    assert moves[0] < 0.05 * moves[1]


@every_kind
@given(at=st.integers(0, 3 * TASK))
@settings(max_examples=3)
def test_a_dump_in_the_middle_goes_on_as_if_nothing_had_been(kind, at):
    frames = [frame_of(n) for n in range(3 * TASK)]
    whole, part = (taught(learner_of(kind, 256), frames[:n]) for n in (None, at))
    again = learner_of(kind, 256)
    again.load(part.dump())
    taught(again, frames[at:])
    np.testing.assert_array_equal(again.dump()["readout"], whole.dump()["readout"])
    assert again.digest() == whole.digest()
    assert again.learn(frames[0]).counts == whole.learn(frames[0]).counts


@every_kind
def test_projections_are_counted(kind):
    learner = learner_of(kind)
    sizes = []
    for n in range(TASK + 1):
        job = learner.learn(frame_of(n))
        job.advance()
        before = job.counts.macs
        job.commit()
        assert job.counts.macs == before
        sizes.append(before)
    assert len(set(sizes[:TASK])) == 1
    assert sizes[TASK] > sizes[0]


def test_work_and_room_are_those_of_the_layer():
    for wish in KEPT.values():
        keeper = Keeper(wish, 20)
        draw = np.random.Generator(np.random.Philox(1))
        for _ in range(2 * TASK + 7):
            keeper.note(draw.normal(size=20).astype(np.float32))
            layer = keeper._layer  # noqa: SLF001 - what it says is compared with what is done
            before, said_macs = layer.tally.macs, keeper.macs(3)
            keeper.changed(np.zeros((3, 20), np.float32), np.ones((3, 20), np.float32))
            assert layer.tally.macs - before == said_macs
            assert layer.state_bytes <= keeper.bytes
        with pytest.raises(LearnerError):
            Keeper(wish, 21).load(keeper.dump())
