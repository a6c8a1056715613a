"""Laws of the surrogate: it is as good as its curve, and draws by name."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learners import CLASSES, frame_of, opened
from pydantic import ValidationError

from simedge.core.streams import Streams
from simedge.learning.curves import CURVES, Curve
from simedge.learning.errors import LearnerError
from simedge.learning.learner import open_learner
from simedge.learning.reference_settings import (
    CostSettings,
    CurvePoint,
    DeepSettings,
    SurrogateSettings,
)


def flat(accuracy):
    return SurrogateSettings(curve=(CurvePoint(frames=0, accuracy=accuracy),), params=7)


RISING = SurrogateSettings(
    curve=(CurvePoint(frames=0, accuracy=0.25), CurvePoint(frames=40, accuracy=1)),
    costs=CostSettings(conv=10, dense=3, learning_conv=30, learning_dense=9),
    params=7,
)
ITEMS = [frame_of(n, events=5) for n in range(400)]


@given(accuracy=st.floats(0, 1))
@settings(max_examples=20, deadline=None)
def test_it_is_right_as_often_as_its_curve_says(accuracy):
    learner = opened(flat(accuracy))
    items = learner.prepare(ITEMS)
    five_sigma = 5 * np.sqrt(accuracy * (1 - accuracy) / len(items))
    right = (learner.predict(items) == items).mean()
    assert abs(right - accuracy) <= five_sigma + 1e-9
    rows = np.array([row.commit() for row in learner.pass_rows(items, address=1)])
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
    if accuracy > 1 / CLASSES + 0.01:
        assert abs((rows.argmax(axis=1) == items).mean() - accuracy) <= five_sigma + 1e-9


@given(
    points=st.dictionaries(st.integers(0, 99), st.floats(0, 1), min_size=1), at=st.integers(0, 120)
)
def test_a_curve_goes_through_its_points_and_never_beyond_them(points, at):
    ordered = sorted(points.items())
    curve = Curve(ordered)
    assert [curve.at(frames) for frames, _ in ordered] == [value for _, value in ordered]
    assert min(points.values()) - 1e-12 <= curve.at(at) <= max(points.values()) + 1e-12


def test_it_learns_by_its_own_frames_alone_and_never_forgets_an_item():
    learner, seen = opened(RISING), learner_items()
    right = [learner.predict(seen) == seen]
    for n in range(40):
        learned = learner.learn(frame_of(n)).commit()
        assert learned.loss > 0
        right.append(learner.predict(seen) == seen)
    assert all((after >= before).all() for before, after in pairwise(right))
    assert right[-1].all()


def learner_items():
    return opened(RISING).prepare(ITEMS[:100])


def test_devices_draw_apart_and_a_dump_brings_a_device_back():
    one, other = opened(RISING), opened(RISING, device="dev-2")
    items = one.prepare(ITEMS)
    assert (one.predict(items) != other.predict(items)).any()
    one.learn(frame_of(1)).commit()
    one.proxy_row(frame_of(2), address=3, row=1).commit()
    twin = opened(RISING)
    twin.load(one.dump())
    assert twin.digest() == one.digest()
    target = np.full((2, CLASSES), 1 / CLASSES)
    for learner in (one, twin):
        step = learner.kl_step(address=3, target=target, mask=[True, True], alpha=1.0)
        assert step.macs == {"dense": 6}
        assert step.commit() == 1
    assert twin.learn(frame_of(5)).commit() == one.learn(frame_of(5)).commit()


def test_an_unlabelled_item_is_of_the_same_class_for_all():
    hidden = frame_of(3)
    hidden.label = -1
    one, other = opened(RISING), opened(RISING, device="dev-2")
    assert one.prepare([hidden]).tolist() == other.prepare([hidden]).tolist()


def test_it_costs_what_was_asked_for_and_its_parameters_have_their_size():
    learner = opened(RISING)
    assert learner.learn(frame_of(1)).macs == {"conv": 30, "dense": 9}
    assert learner.slope(frame_of(1)).commit()[1].shape == (7,)
    assert learner.loss_on(ITEMS[:2]).macs == {"conv": 20, "dense": 6}
    assert learner.get_params().commit().shape == (learner.params,) == (7,)
    assert learner.set_params(np.ones(7)).commit() is None
    assert len(learner.train_on(ITEMS[:3], [0, 1, 2]).commit()) == 3
    learner.hold()
    prior = np.eye(CLASSES), np.ones(CLASSES, bool)
    learner.set_class_prior(*prior, alpha=1.0).commit()
    learner.learn(frame_of(1)).commit()
    table = learner.class_table(0, CLASSES).commit()
    assert np.flatnonzero(table.sum(axis=1) > 0).tolist() == [frame_of(1).label]
    assert not learner.class_table(0, CLASSES).commit().any()
    assert learner.memory()["parameters"] == 28


def test_what_makes_no_sense_is_refused():
    learner = opened(RISING)
    bad = frame_of(1)
    bad.label = CLASSES
    for act in (
        lambda: learner.learn(bad),
        lambda: learner.set_params(np.ones(8)),
        lambda: learner.set_lambda([0.5]),
        lambda: learner.kl_step(address=0, target=np.ones((1, 9)), mask=[True], alpha=1),
        lambda: learner.kl_step(address=0, target=np.ones((1, 4)), mask=[True], alpha=-1),
    ):
        with pytest.raises(LearnerError):
            act()
    point = CurvePoint(frames=3, accuracy=0.5)
    for curve in ((), (point, point)):
        with pytest.raises(ValidationError):
            SurrogateSettings(curve=curve)


def test_recorded_curves_ascend():
    for points in CURVES.values():
        assert [frames for frames, _ in points] == sorted({frames for frames, _ in points})


@pytest.mark.parametrize("rows", [0, 32])
def test_it_costs_what_the_deep_learner_costs_that_its_curve_is_from(rows):
    side, wish = {"width": 16, "height": 16}, {"classes": 10, "streams": Streams(1)}
    deep = open_learner(DeepSettings(), device="dev-1", **side, **wish)
    surrogate = open_learner(SurrogateSettings(), device="dev-1", **side, **wish)
    assert surrogate.params == deep.params
    batch, told = [frame_of(n) for n in range(DeepSettings().rule.batch)], []
    for learner in (deep, surrogate):
        works = []
        for frame in batch:
            works.append(learner.learn(frame))
            works[-1].commit()
        pull = learner.proxy_row(batch[0], address=0, row=0)
        pull.commit()
        told.append(
            [
                *(
                    sum(work.macs[kind] for work in works) / len(batch)
                    for kind in ("conv", "dense")
                ),
                sum(work.counts.weight_writes for work in works) / len(batch),
                *pull.macs.values(),
                sum(learner.memory(rows).values()),
                sum(learner.memory().values()) - sum(learner.memory(0).values()),
            ]
        )
    np.testing.assert_allclose(*told, rtol=1e-3)
