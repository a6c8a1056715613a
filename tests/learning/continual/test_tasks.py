"""Laws of streams of tasks and of what is told of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.learning.continual.metrics import (
    backward_transfer,
    forgetting,
    forward_gain,
    forward_transfer,
    mean_accuracy,
)
from simedge.learning.continual.streams import class_tasks, order_of, permuted_tasks, split_groups
from simedge.learning.errors import LearnerError


def stream(seed):
    return Streams(seed).stream("learner", "tasks", "deal")


def test_known_measures():
    table = [[0.9, np.nan], [0.7, 0.8]]
    known = [mean_accuracy(table), backward_transfer(table), forgetting(table)]
    np.testing.assert_allclose(known, [0.75, -0.2, 0.2], atol=1e-12)
    assert forward_gain(table, [0.9, 0.85]) == pytest.approx(-0.05)
    assert forward_transfer([[0.9, 0.6], [0.7, 0.8]], [0.5, 0.5]) == pytest.approx(0.1)
    assert backward_transfer([[0.5]]) == forgetting([[0.5]]) == 0.0


@given(seed=st.integers(0, 999), tasks=st.integers(2, 5))
def test_forgetting_is_at_least_what_backward_transfer_loses(seed, tasks):
    table = np.random.Generator(np.random.Philox(seed)).random((tasks, tasks))
    assert forgetting(table) >= max(0.0, -backward_transfer(table)) - 1e-12


@given(seed=st.integers(0, 999), tasks=st.sampled_from([1, 2, 5, 10]))
def test_every_class_and_item_has_its_turn_once(seed, tasks):
    labels = np.arange(200) % 10
    among = np.arange(0, 200, 3)
    dealt = class_tasks(10, tasks, stream(seed))
    assert dealt == class_tasks(10, tasks, stream(seed))
    assert sorted(c for task in dealt for c in task.classes) == list(range(10))
    items = [task.items(labels, among) for task in dealt]
    np.testing.assert_array_equal(np.sort(np.concatenate(items)), among)
    for task, mine in zip(dealt, items, strict=True):
        np.testing.assert_array_equal(
            np.array(task.classes)[task.targets(labels[mine])], labels[mine]
        )
        features = labels[mine, None] + np.eye(10)[0]
        assert task.seen(features) is features


@given(seed=st.integers(0, 999))
def test_views_are_permutations_and_unlike(seed):
    tasks = permuted_tasks(10, 4, stream(seed), features=64)
    features = np.arange(128.0).reshape(2, 64)
    seen = [task.seen(features) for task in tasks]
    np.testing.assert_array_equal(seen[0], features)
    for one in seen:
        np.testing.assert_array_equal(np.sort(one), features)
    assert len({one.tobytes() for one in seen}) == 4
    again = permuted_tasks(10, 4, stream(seed), features=64)
    np.testing.assert_array_equal(again[3].view, tasks[3].view)


@given(seed=st.integers(0, 999), people=st.integers(1, 30), share=st.floats(0.0, 0.5))
def test_no_person_is_in_two_parts(seed, people, share):
    groups = np.arange(100) % people
    parts = split_groups(groups, (share, share), stream(seed))
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(100))
    names = [set(groups[part].tolist()) for part in parts]
    assert sum(map(len, names)) == people
    np.testing.assert_array_equal(np.sort(order_of(stream(seed), people)), np.arange(people))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: class_tasks(10, 3, stream(1)),
        lambda: permuted_tasks(10, 0, stream(1), features=4),
        lambda: split_groups(np.arange(4), (0.7, 0.6), stream(1)),
        lambda: mean_accuracy([[1.0, 0.0]]),
        lambda: forward_gain([[1.0]], [1.0, 1.0]),
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(LearnerError):
        wrong()
