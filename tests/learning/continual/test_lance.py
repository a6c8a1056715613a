"""Laws of activations that are kept in few directions, and of tasks that share none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.learning.continual.costs import (
    Tally,
    lance_bytes,
    lance_macs,
    plain_bytes,
    plain_macs,
    product_macs,
)
from simedge.learning.continual.lance import calibrated, narrow_product, rank_of, unfolded
from simedge.learning.continual.settings import LanceSettings
from simedge.learning.continual.subspaces import LanceLayer, LowTrace, leading_residual
from simedge.learning.errors import LearnerError

SEEDS = st.integers(0, 999)
SIZES = st.tuples(*[st.integers(1, 6)] * 4)
BASIS = np.array([[1.0, 0.0], [0.0, 0.6], [0.0, 0.8]])


def words(seed):
    return np.random.Generator(np.random.Philox(seed))


def near(value, known, to=1e-9):
    np.testing.assert_allclose(value, known, rtol=0, atol=to)


def made(seed, sizes, energy, *, batches=1):
    """Return batches of activations, errors of the last one, and bases."""
    *shape, outputs = sizes
    draw = words(seed)
    tensors = [draw.normal(size=shape) for _ in range(batches)]
    return tensors, draw.normal(size=(*shape[:2], outputs)), calibrated(tensors, energy)


def test_known_ranks():
    assert [rank_of(np.array([6.0, 3.0, 1.0]), e) for e in (0.5, 0.7, 0.95)] == [1, 2, 3]
    assert rank_of(np.array([6.0, 3.0, 1.0]), 1.0) == 3, "never more than there are"
    assert rank_of(np.zeros(3), 0.7) == 1


def test_a_known_update_of_a_low_trace():
    kept, post = np.array([[1.0, 2.0, -1.0]]) @ BASIS, np.array([[0.5, -1.0]])
    near(kept, [[1.0, 0.4]])
    near(BASIS @ kept[0], [1.0, 0.24, 0.32])
    known = [[0.5, 0.12, 0.16], [-1.0, -0.24, -0.32]]
    near(narrow_product(post, kept, BASIS, tally=Tally()), known)


def test_a_known_low_trace():
    trace = LowTrace(BASIS, 0.5)
    for tick, lines in enumerate([[0], [1], [2], [0, 2]], start=1):
        trace.arrive(np.array(lines), tick)
    near(trace.at(4), [1.125, 1.35])
    assert trace.state_bytes == 8
    assert trace.tally.macs == 8


def test_a_known_gradient_of_a_linear_layer():
    b, l, f = np.ogrid[:3, :2, :3]  # noqa: E741 - the letters of the equation
    tensor = (6 * b + 3 * l + f) / 10 - 0.5
    b, l, o = np.ogrid[:3, :2, :2]  # noqa: E741
    post = ((4 * b + 2 * l + o) % 5) / 4 - 0.4
    bases = calibrated([tensor], 0.9)
    core = bases.core(tensor, tally=Tally())
    assert bases.ranks == (1, 1, 1)
    known = [[0.0182110936, 0.0200560303, 0.0219009670], [0.1639990391, 0.1806135192, 0.1972279993]]
    near(bases.weight_gradient(post, core, tally=Tally()), known)
    near(np.einsum("blo,blf->of", post, tensor), [[0.025, 0.035, 0.045], [0.275, 0.31, 0.345]])
    near(((tensor - bases.restored(core)) ** 2).sum(), 0.3392539354)
    near(lost(bases, [tensor]), 0.6842884905)


def lost(bases, batches):
    """Return the sum over modes of the energy outside the bases, as eigenvalues tell it."""
    total = 0.0
    for mode, rank in enumerate(bases.ranks):
        moment = sum(unfolded(x, mode) @ unfolded(x, mode).T for x in batches)
        values = np.linalg.eigvalsh(moment)
        total += values[: len(values) - rank].sum()
    return total


@given(seed=SEEDS, sizes=SIZES, energy=st.floats(0.0, 1.0))
def test_the_gradient_is_that_of_what_is_kept_and_inside_its_directions(seed, sizes, energy):
    (tensor,), post, bases = made(seed, sizes, energy)
    core = bases.core(tensor, tally=Tally())
    found = bases.weight_gradient(post, core, tally=Tally())
    near(found, np.einsum("blo,blf->of", post, bases.restored(core)), to=1e-11)
    near(found - found @ bases.features @ bases.features.T, 0.0, to=1e-11)


@given(seed=SEEDS, sizes=SIZES, energy=st.floats(0.0, 1.0), batches=st.integers(1, 4))
def test_no_more_is_lost_than_the_modes_discard(seed, sizes, energy, batches):
    tensors, _, bases = made(seed, sizes, energy, batches=batches)
    error = sum(((x - bases.restored(bases.core(x, tally=Tally()))) ** 2).sum() for x in tensors)
    assert error <= lost(bases, tensors) + 1e-9


@given(seed=SEEDS, sizes=SIZES)
def test_full_ranks_lose_nothing(seed, sizes):
    (tensor,), post, bases = made(seed, sizes, 1.0)
    found = bases.weight_gradient(post, bases.core(tensor, tally=Tally()), tally=Tally())
    near(found, np.einsum("blo,blf->of", post, tensor), to=1e-11)


def test_the_mean_is_plain():
    draw = words(4)
    batches = [draw.normal(size=(2, 3, 4)) for _ in range(3)]
    forward, backward = calibrated(batches, 0.6), calibrated(batches[::-1], 0.6)
    for one, other in zip(forward, backward, strict=True):
        near(one @ one.T, other @ other.T)
    assert calibrated([draw.normal(size=(1, 3, 4))], 0.6).batch == pytest.approx(np.ones((1, 1)))


@given(seed=SEEDS, sizes=SIZES, energy=st.floats(0.0, 1.0))
def test_what_is_counted_is_at_most_what_was_published(seed, sizes, energy):
    (tensor,), post, bases = made(seed, sizes, energy)
    *shape, outputs = sizes
    r0, r1, r2 = bases.ranks
    kept, learned = Tally(), Tally()
    bases.weight_gradient(post, bases.core(tensor, tally=kept), tally=learned)
    b, l, f = shape  # noqa: E741
    assert kept.macs == b * l * f * r0 + r0 * l * f * r1 + r0 * r1 * f * r2
    last = product_macs(r0 * l, outputs, (f, r2))
    assert learned.macs == b * l * outputs * r0 + r0 * r1 * r2 * l + min(last)
    projection, gradient = lance_macs(tuple(shape), bases.ranks, outputs)
    assert kept.macs <= projection
    assert learned.macs == gradient - last[0] + min(last)
    assert bases.state_bytes == lance_bytes(tuple(shape), bases.ranks)
    assert tensor.size * 4 == plain_bytes(tuple(shape))
    assert tensor.size * outputs == plain_macs(tuple(shape), outputs)


def test_storage_of_a_transformer_is_as_published():
    inputs = [(128, 197, 192)] * 3 + [(128, 197, 768)]  # of the last block's linear layers
    assert sum(map(plain_bytes, inputs[2:])) / 2**20 == pytest.approx(92.34, abs=0.005)
    assert sum(map(plain_bytes, inputs)) / 2**20 == pytest.approx(129.28, abs=0.005)
    wide = inputs[-1]
    assert plain_bytes(wide) / lance_bytes(wide, (34,) * 3) > 250
    assert plain_bytes(wide) / lance_bytes(wide, (35,) * 3) < 250


def stretched(seed, size, count):
    return words(seed).normal(size=(count, size)) * np.linspace(2.0, 0.1, size)


@given(seed=SEEDS, size=st.integers(2, 9), energy=st.floats(0.3, 0.99), tasks=st.integers(2, 4))
def test_later_tasks_leave_protected_answers_as_they_were(seed, size, energy, tasks):
    layer, draw = LanceLayer(size, LanceSettings(energy=energy)), words(seed)
    for task in range(tasks):
        seen = stretched(seed + task, size, 20)
        basis = layer.begin(seen)
        change = layer.gradient(draw.normal(size=(20, 3)), layer.keep(seen))
        if task:
            assert np.abs(change @ layer.protected).max(initial=0.0) < 1e-12 * 20 * size
            near(change - change @ basis @ basis.T, 0.0, to=1e-10)
            assert basis.shape[1] or layer.protected.shape[1] == size
        layer.finish(seen)
        near(layer.protected.T @ layer.protected, np.eye(layer.protected.shape[1]))


@given(seed=SEEDS, energy=st.floats(0.3, 0.99))
def test_a_first_task_is_learned_whole_and_kept_by_the_rule_of_ranks(seed, energy):
    seen, post = stretched(seed, 8, 30), words(seed).normal(size=(30, 3))
    layer = LanceLayer(8, LanceSettings(energy=energy))
    assert layer.begin(seen) is None
    near(layer.gradient(post, layer.keep(seen)), post.T @ seen)
    assert layer.tally.macs == 30 * 8 * 3
    layer.finish(seen)
    values = np.linalg.eigvalsh(seen.T @ seen)[::-1]
    assert layer.protected.shape[1] == rank_of(values, energy)
    assert layer.state_bytes == 4 * layer.protected.size


@given(seed=SEEDS, energy=st.floats(0.3, 0.99))
def test_protected_directions_hold_more_than_the_energy_of_a_task(seed, energy):
    layer = LanceLayer(8, LanceSettings(energy=energy))
    for task in range(3):
        seen = stretched(seed + task, 8, 30)
        layer.begin(seen)
        layer.finish(seen)
        moment = seen.T @ seen
        residual = moment - layer.protected @ layer.protected.T @ moment
        left = np.linalg.norm(residual, "nuc") / np.linalg.norm(moment, "nuc")
        assert 1 - left > energy - 1e-9


@given(seed=SEEDS, decay=st.floats(0.1, 1.0))
def test_a_low_trace_is_the_trace_in_its_directions(seed, decay):
    draw = words(seed)
    basis = np.linalg.qr(draw.normal(size=(6, 3)))[0]
    trace, whole, tick = LowTrace(basis, decay), np.zeros(6), 0
    for gap in draw.integers(0, 5, size=10).tolist():
        lines = np.flatnonzero(draw.random(6) < 0.4)
        whole, tick = whole * decay**gap, tick + gap
        whole[lines] += 1.0
        trace.arrive(lines, tick)
        near(trace.at(tick), basis.T @ whole, to=1e-12)
    near(trace.at(tick + 3), basis.T @ whole * decay**3, to=1e-12)


def test_where_all_is_taken_nothing_is_learned():
    layer = LanceLayer(3, LanceSettings(energy=1.0))
    layer.begin(np.eye(3))
    layer.finish(np.eye(3))
    assert layer.begin(np.eye(3)).shape == (3, 0)
    near(layer.gradient(np.ones((3, 2)), layer.keep(np.eye(3))), np.zeros((2, 3)))
    assert leading_residual(np.zeros((3, 3)), np.empty((3, 0)), 0.9).shape == (3, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: calibrated([], 0.7),
        lambda: calibrated([np.ones((2, 3))], 0.7),
        lambda: calibrated([np.ones((2, 3, 4)), np.ones((2, 3, 5))], 0.7),
        lambda: calibrated([np.ones((2, 3, 4))], 0.7).core(np.ones((2, 3, 3)), tally=Tally()),
        lambda: LanceLayer(3, LanceSettings()).finish(np.eye(3)),
        lambda: [layer.begin(np.eye(3)) for layer in [LanceLayer(3, LanceSettings())] * 2],
        lambda: [
            layer.begin(np.eye(4)) or layer.finish(np.eye(4))
            for layer in [LanceLayer(3, LanceSettings())]
        ],
        lambda: LowTrace(BASIS, 1.5),
        lambda: LowTrace(BASIS, 0.5).at(-1),
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(LearnerError):
        wrong()
