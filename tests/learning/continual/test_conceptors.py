"""Laws of conceptors and of projections outside them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.learning.continual.code_cl import CodeLayer, Free
from simedge.learning.continual.conceptors import (
    CEILING,
    FLOOR,
    capacity,
    conceptor,
    conjunction,
    correlation,
    disjunction,
    grown,
    kept_share,
    negation,
    overlap,
    spectrum,
    trimmed,
    widened,
)
from simedge.learning.continual.costs import code_bytes, code_macs, free_bytes
from simedge.learning.continual.settings import CodeSettings
from simedge.learning.errors import LearnerError

SEEDS = st.integers(0, 999)
X1, X2 = np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[0.0, 1.0], [1.0, -1.0]])
PLAIN = CodeSettings(energy=0.0, least=0.0)


def words(seed):
    return np.random.Generator(np.random.Philox(seed))


def rows(seed, count=9, size=5):
    return words(seed).normal(size=(count, size))


def orthonormal(seed, size, count):
    return np.linalg.qr(words(seed).normal(size=(size, count)))[0]


def stream(name="m"):
    return Streams(1).stream("learner", name, "free")


def near(value, known, to=1e-9):
    np.testing.assert_allclose(value, known, rtol=0, atol=to)


def layer_after(*batches, **wishes):
    layer = CodeLayer(batches[0].shape[1], CodeSettings(**wishes), stream())
    for batch in batches:
        layer.begin(batch)
        layer.finish(batch)
    return layer


def test_known_conceptors():
    one, other = (conceptor(correlation(x), 2.0) for x in (X1, X2))
    near(one, [[0.7272727273, 0.1818181818], [0.1818181818, 0.5454545455]])
    near(spectrum(one)[0], [0.4330847293, 0.8396425434])
    near(other, [[0.5454545455, -0.1818181818], [-0.1818181818, 0.7272727273]])
    near(conjunction(one, other), 0.4 * np.eye(2))
    near(disjunction(one, other), 0.8571428571 * np.eye(2))
    near(overlap(one, other), 0.6285714286)
    near(widened(one, 1.1), [[0.7577285994, 0.1714318098], [0.1714318098, 0.5862967895]])
    near(np.array([[1.0, 2.0]]) @ negation(one), [[-0.0909090909, 0.7272727273]])


@given(seed=SEEDS, aperture=st.sampled_from([0.5, 2.0, 6.0]), factor=st.floats(1.05, 3.0))
def test_a_wider_conceptor_is_that_of_the_wider_aperture(seed, aperture, factor):
    moment = correlation(rows(seed))
    near(widened(conceptor(moment, aperture), factor), conceptor(moment, factor * aperture))


@given(seed=SEEDS, aperture=st.sampled_from([0.5, 2.0, 4.0]))
def test_or_is_the_conceptor_of_both_correlations(seed, aperture):
    one, other = correlation(rows(seed)), correlation(rows(seed + 1000))
    both = disjunction(conceptor(one, aperture), conceptor(other, aperture))
    near(both, conceptor(one + other, aperture))


@given(seed=SEEDS, count=st.integers(1, 4))
def test_or_of_few_inputs_is_so_too_but_for_the_floor(seed, count):
    one, other = correlation(rows(seed, count, 8)), correlation(rows(seed + 1000, count, 8))
    both = disjunction(conceptor(one, 2.0), conceptor(other, 2.0))
    near(both, conceptor(one + other, 2.0), to=2e-7)


@given(seed=SEEDS, count=st.integers(1, 9))
def test_and_commutes_and_is_within_its_bounds(seed, count):
    one, other = (conceptor(correlation(rows(s, count)), 2.0) for s in (seed, seed + 1000))
    both = conjunction(one, other)
    near(both, conjunction(other, one))
    values = spectrum(both)[0]
    assert values.min() >= FLOOR - 1e-15
    assert values.max() <= CEILING + 1e-15
    assert 0 <= overlap(one, other) <= 1 + 1e-6


@given(seed=SEEDS, common=st.integers(0, 2))
def test_and_of_hard_projectors_projects_on_what_is_common(seed, common):
    basis = orthonormal(seed, 7, 6)
    left, right = basis[:, :3], basis[:, 3 - common : 6 - common]
    shared = basis[:, 3 - common : 3]
    near(conjunction(left @ left.T, right @ right.T), shared @ shared.T, to=2e-7)


@given(seed=SEEDS, target=st.floats(0.0, 0.999))
def test_growth_reaches_its_target_and_goes_no_step_too_far(seed, target):
    batch = rows(seed)
    small = conceptor(correlation(batch), 0.3)
    found = grown(small, batch, target=target)
    assert kept_share(found, batch) >= target - 1e-12
    if kept_share(small, batch) < target:
        assert kept_share(widened(found, 1 / 1.1), batch) < target + 1e-12
        assert capacity(found) > capacity(small)


@given(seed=SEEDS, share=st.integers(2, 6))
def test_what_was_seen_evenly_is_left_alone_but_for_a_65th(seed, share):
    basis = orthonormal(seed, 6, share)
    stored, gradient = conceptor(basis @ basis.T, 8.0), words(seed).normal(size=(4, 6))
    left = np.linalg.norm(gradient @ negation(stored) @ basis)
    near(left / np.linalg.norm(gradient @ basis), 1 / 65, to=1e-12)


@given(seed=SEEDS, count=st.integers(1, 3))
def test_projecting_at_commit_is_projecting_each_event(seed, count):
    layer = layer_after(rows(seed, count, 12), aperture=3.0)
    post, pre = words(seed).normal(size=(20, 4)), words(seed + 1).normal(size=(20, 12))
    each = sum(layer.project(np.outer(a, x)) for a, x in zip(post, pre, strict=True))
    near(layer.project(post.T @ pre), each, to=1e-10)
    near(each, post.T @ pre @ negation(layer.stored), to=1e-10)


@given(seed=SEEDS, first=st.integers(1, 12), second=st.integers(1, 12))
def test_a_stored_conceptor_is_or_without_its_weak_directions(seed, first, second):
    batches = rows(seed, first, 8), rows(seed + 1000, second, 8)
    layer = layer_after(*batches, energy=0.0)
    one, other = (conceptor(correlation(batch), 6.0) for batch in batches)
    one_values, one_vectors = trimmed(one, 0.2)
    both = disjunction((one_vectors * one_values) @ one_vectors.T, other)
    values, vectors = trimmed(both, 0.2)
    near(layer.stored, (vectors * values) @ vectors.T, to=1e-7)
    assert layer.rank == len(values)


@settings(max_examples=10)
@given(seed=SEEDS, count=st.integers(1, 60))
def test_what_is_counted_is_what_the_formulas_say(seed, count):
    layer = layer_after(rows(seed, count, 52), rows(seed + 1, count, 52), free=7, overlap=0.0)
    layer.project(np.ones((3, 52)))
    layer.project(np.ones((3, 52)))
    assert layer.tally.macs == 2 * code_macs(3, 52, layer.rank)
    own = free_bytes(52, 7) if layer.overlap > 0 else 0
    assert layer.state_bytes == code_bytes(52, layer.rank) + own


@given(seed=SEEDS, stop=st.booleans())
def test_gradients_of_free_dimensions_are_those_of_finite_differences(seed, stop):
    free = Free(orthonormal(seed, 6, 3), stream(), stop=stop)
    weights, target = words(seed).normal(size=(4, 6)), words(seed + 1).normal(size=(4, 6))
    fixed = weights @ free.basis @ free.basis.T

    def loss(now):
        held = fixed if stop else now @ free.basis @ free.basis.T
        made = now + now @ free.basis @ free.mix @ free.basis.T - held
        return ((made - target) ** 2).sum() / 2

    near(loss(weights), ((free.effective(weights) - target) ** 2).sum() / 2)
    in_weights, in_mix = free.gradients(weights, free.effective(weights) - target)
    for array, known in ((weights, in_weights), (free.mix, in_mix)):
        place, before = (1, 2), array[1, 2]
        array[place] = before + 1e-6
        ahead = loss(weights)
        array[place] = before - 1e-6
        behind = loss(weights)
        array[place] = before
        near((ahead - behind) / 2e-6, known[place], to=1e-6)


def test_a_task_gets_free_dimensions_only_where_it_meets_what_was_seen():
    basis = orthonormal(3, 60, 60)
    here, there = (words(5).normal(size=(99, 10)) @ part.T for part in np.split(basis, 6, 1)[:2])
    layer = CodeLayer(60, CodeSettings(free=5), stream())
    assert layer.begin(here) is None, "nothing is stored yet"
    layer.finish(here)
    assert layer.begin(there) is None
    layer.finish(there)
    free = layer.begin(np.vstack([here, there]))
    assert layer.overlap > 0.5
    weights = words(1).normal(size=(4, 60))
    assert free is not None
    near(free.basis.T @ free.basis, np.eye(5))
    np.testing.assert_array_equal(layer.effective(weights, 1), weights)
    np.testing.assert_array_equal(layer.effective(weights), free.effective(weights))
    narrow = layer_after(rows(1, 9, 50), rows(1, 9, 50))
    assert narrow.overlap > 0.5
    np.testing.assert_array_equal(narrow.effective(weights[:, :50]), weights[:, :50])


@settings(max_examples=20)
@given(seed=SEEDS)
def test_a_layer_answers_an_old_task_as_before_or_nearly(seed):
    old, new = rows(seed, 4, 10), rows(seed + 1, 30, 10)
    layer = layer_after(old, aperture=8.0)
    wanted, moved = words(seed).normal(size=(30, 3)), []
    for project in (layer.project, lambda gradient: gradient):
        weights = np.zeros((3, 10))
        for _ in range(20):
            weights -= 0.05 * project((new @ weights.T - wanted).T @ new / 30)
        moved.append(np.linalg.norm(old @ weights.T))
    assert moved[0] < 0.2 * moved[1]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: conceptor(np.eye(2), 0.0),
        lambda: widened(np.eye(2), 0.0),
        lambda: correlation(np.zeros((0, 3))),
        lambda: grown(np.eye(2), X1, target=1.0),
        lambda: grown(np.eye(2), X1, target=0.5, factor=1.0),
        lambda: grown(np.zeros((2, 2)), X1, target=0.99, factor=1.0 + 1e-9),
        lambda: CodeLayer(2, PLAIN, stream()).finish(X1),
        lambda: [CodeLayer(2, PLAIN, stream()).effective(X1, 0)],
        lambda: layer_after(X1).begin(np.ones((3, 5))),
        lambda: [layer.begin(X1) for layer in [CodeLayer(2, PLAIN, stream())] * 2],
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(LearnerError):
        wrong()


def test_silence_takes_no_room():
    assert kept_share(np.eye(3), np.zeros((2, 3))) == 1.0
    layer = layer_after(np.zeros((4, 3)), rows(1, 4, 3))
    assert layer.overlap == 0.0
    np.testing.assert_array_equal(CodeLayer(3, PLAIN, stream()).stored, np.zeros((3, 3)))
