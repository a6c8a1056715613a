"""Laws of the surrogate: it is as good as its curve, and draws by name."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learners import CLASSES, frame_of, opened
from pydantic import ValidationError

from simedge.learning.errors import LearnerError
from simedge.learning.reference_settings import CostSettings, CurvePoint, SurrogateSettings
from simedge.learning.surrogate import CURVES, Curve


def flat(accuracy):
    return SurrogateSettings(curve=(CurvePoint(frames=0, accuracy=accuracy),), params=7)


RISING = SurrogateSettings(
    curve=(CurvePoint(frames=0, accuracy=0.25), CurvePoint(frames=40, accuracy=1)),
    costs=CostSettings(conv=10, dense=3),
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
    learner.set_class_prior(None, None, alpha=1.0).commit()
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
