"""Laws of the delta rule and of the pull of a prior."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.learning.rules.delta import (
    add_outer,
    kl_gradient,
    kl_terms,
    pull,
    room_for,
    score,
    softmax,
    softmax_in_place,
)

Z, PRIOR = np.array([1.0, 0.0, -1.0]), np.array([0.2, 0.5, 0.3])


def near(value, known):
    return np.testing.assert_allclose(value, known, atol=1e-9)


def test_known_gradients():
    own = softmax(Z)
    near(own, [0.6652409558, 0.2447284711, 0.0900305732])
    near(kl_terms(own, PRIOR), [0.4779529504, 0.5162956447])
    near(kl_gradient(Z, PRIOR), [0.4652409558, -0.2552715289, -0.2099694268])
    near(kl_gradient(Z, PRIOR, 0.5), [0.1532401955, -0.0964020571, -0.0568381384])
    change = -0.1 * 0.5 * np.outer(kl_gradient(Z, PRIOR), [2, 5])
    near(change[0], [-0.0465240956, -0.1163102389])
    near(change[1], [0.0255271529, 0.0638178822])
    near(change[2], [0.0209969427, 0.0524923567])


def test_task_and_prior_add_and_sum_to_zero():
    both = np.array([-1.0, 0.0, 1.0]) - 0.5 * kl_gradient(Z, PRIOR)
    near(both, [-1.2326204779, 0.1276357645, 1.1049847134])
    near(both.sum(), 0)


@given(seed=st.integers(0, 999), sharpness=st.sampled_from([0.5, 1.0, 2.0]))
def test_the_gradient_is_that_of_finite_differences(seed, sharpness):
    words = np.random.Generator(np.random.Philox(seed))
    scores, prior = words.normal(size=4), softmax(words.normal(size=4))
    for c in range(4):
        step = np.eye(4)[c] * 1e-5
        ahead, behind = (kl_terms(softmax(scores + s, sharpness), prior)[0] for s in (step, -step))
        slope = (ahead - behind) / 2e-5
        assert kl_gradient(scores, prior, sharpness)[c] == pytest.approx(slope, abs=1e-6)


def arrays(seed, features=7, rows=5, classes=3):
    words = np.random.Generator(np.random.Philox(seed))
    readout = words.normal(size=(classes, features)).astype(np.float32)
    seen = words.normal(size=(rows, features)).astype(np.float32)
    return readout, seen, softmax(words.normal(size=(rows, classes)))


@given(seed=st.integers(0, 999), steps=st.integers(1, 5), rows=st.integers(1, 5))
def test_steps_at_once_are_steps_one_by_one(seed, steps, rows):
    readout, seen, prior = arrays(seed, rows=rows)
    slow = readout.astype(float)
    for _ in range(steps):
        error = prior - softmax(seen @ slow.T)
        slow += 0.3 * error.T @ seen / prior.shape[0]
    pull(readout, seen, (prior, 0.3, steps), room_for(rows, 3))
    np.testing.assert_allclose(readout, slow, atol=1e-5)


def test_a_pull_brings_the_prior_nearer():
    readout, seen, prior = arrays(1)
    before = kl_terms(softmax(seen @ readout.T.astype(float)), prior)[0]
    pull(readout, seen, (prior, 0.3, 4), room_for(5, 3))
    assert kl_terms(softmax(seen @ readout.T.astype(float)), prior)[0] < before


@given(seed=st.integers(0, 999))
def test_kernels_are_their_equations(seed):
    readout, seen, _ = arrays(seed)
    out = np.zeros(3, np.float32)
    score(readout, seen[0], out)
    np.testing.assert_allclose(out, readout @ seen[0], atol=1e-5)
    expected = softmax(out.astype(float))
    softmax_in_place(out)
    np.testing.assert_allclose(out, expected, atol=1e-6)
    moved = readout.copy()
    add_outer(moved, seen[0], out)
    np.testing.assert_allclose(moved - readout, np.outer(out, seen[0]), atol=1e-6)


def test_what_was_never_seen_is_left_alone():
    readout, error = np.ones((2, 700), np.float32), np.array((0.5, -2.0), np.float32)
    feature = np.zeros(700, np.float32)
    feature[[3, 699]] = 1.0, -1.0
    add_outer(readout, feature, error)
    np.testing.assert_array_equal(readout, 1 + np.outer(error, feature))
