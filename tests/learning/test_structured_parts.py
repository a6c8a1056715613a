"""Laws of the structured network's parts: margin, modulators, balanced rows, who hears whom."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structured import balance, hinge, modulator_basis, small_world

seeds = st.integers(0, 2**32)


def close(numbers):
    return pytest.approx(np.array(numbers), abs=1e-9, rel=0)


def words_of(seed):
    return np.random.Generator(np.random.Philox(seed))


def measured(graph):
    """Return mean path length and clustering of an undirected graph."""
    reach, length = np.eye(len(graph), dtype=bool), np.zeros(graph.shape)
    while not reach.all():
        length += ~reach
        reach = reach | (reach.astype(int) @ graph > 0)
    degree = graph.sum(1)
    triangles = np.diagonal(np.linalg.matrix_power(graph.astype(int), 3))
    return length.sum() / (len(graph) * (len(graph) - 1)), np.mean(
        triangles / degree / (degree - 1)
    )


@pytest.mark.parametrize(
    ("scores", "label", "errors"),
    [
        ([5, 3, 4], 0, [0.5, 0, -0.5]),
        ([6, 3, 4], 0, [0, 0, 0]),
        ([3, 3, 3], 1, [-1, 1, 0]),
        ([1, 4, 4], 0, [1, -1, 0]),
    ],
)
def test_the_margin_asks_for_the_label_against_its_best_rival(scores, label, errors):
    assert hinge(np.array(scores, float), label, 2.0).tolist() == errors


@given(seed=seeds, classes=st.integers(2, 11), data=st.data())
def test_full_width_broadcasts_the_errors_themselves(seed, classes, data):
    width = data.draw(st.integers(1, classes - 1))
    words = np.random.Generator(np.random.Philox(seed))
    basis = modulator_basis(words.normal(size=(width, classes)))
    assert basis @ basis.T == close(np.eye(width))
    assert basis.sum(1) == close(np.zeros(width))
    errors = hinge(words.normal(size=classes), 1, 2.0)
    if width == classes - 1:
        assert basis.T @ (basis @ errors) == close(errors)


@given(seed=seeds)
def test_a_balanced_row_sums_to_nothing_is_shorter_than_one_and_keeps_its_order(seed):
    words = np.random.Generator(np.random.Philox(seed))
    mask = words.random((5, 9)) < 0.6
    rows = words.exponential(10.0 ** words.integers(-3, 4), (5, 9)) * mask
    even = balance(rows, mask)
    assert even.sum(1) == close(np.zeros(5))
    assert (np.linalg.norm(even, axis=1) < 1).all()
    assert not even[~mask].any()
    for row, flat, there in zip(rows, even, mask, strict=True):
        assert (np.argsort(row[there], kind="stable") == np.argsort(flat[there])).all()


@given(seed=seeds, neurons=st.integers(12, 40), share=st.sampled_from([0.0, 0.1, 1.0]))
def test_every_neuron_hears_ten_others_and_never_itself(seed, neurons, share):
    mask = small_world(neurons, 10, share, words_of(seed).random((neurons, 10, 2)))
    assert mask.sum(1).tolist() == [10] * neurons
    assert not mask.diagonal().any()
    ring = small_world(neurons, 10, 0.0, np.ones((neurons, 10, 2)))
    assert (mask == ring).all() or share > 0


def test_a_tenth_of_long_ways_shortens_paths_and_keeps_neighbourhoods():
    seen = {}
    for share in (0.0, 0.1, 1.0):
        graphs = [small_world(100, 10, share, words_of(n).random((100, 10, 2))) for n in range(5)]
        seen[share] = np.mean([measured(mask | mask.T) for mask in graphs], axis=0)
    assert seen[0.0] == pytest.approx((5.45, 0.667), abs=0.005)
    assert seen[0.1] == pytest.approx((2.40, 0.499), abs=0.05)
    assert seen[1.0] == pytest.approx((1.82, 0.187), abs=0.02)
