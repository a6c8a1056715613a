"""The register: a last-writer-wins map of rows, and the weighted mean that is read from it."""

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.protocol.quantiser import quantise
from simedge.protocol.register import Register, Token, Weights, stamp_of
from simedge.protocol.shape import Coding, Shape, address_of

H = 10**9
EXACT = Shape(classes=3, blocks=1, rows=1, coding=Coding(bits=15))
COARSE = Shape(classes=3, blocks=2, rows=4, coding=Coding(bits=4))
ROWS = ((0.7, 0.2, 0.1), (0.1, 0.8, 0.1), (0.3, 0.3, 0.4))


def weights(**changes):
    base = {"age": "none", "half_life_ns": H, "age_max_ns": 100 * H, "floor": 0.0}
    return Weights(**(base | changes))


def token(dev, codes, *, boot=1, seq=1, at=0, n=1, g=0):
    return Token(dev=dev, stamp=stamp_of(boot, seq), captured_ns=at, n=n, g=g, codes=codes)


def filled(*, shape=EXACT, ages=(0, 0, 0), versions=(0, 0, 0), rows=ROWS, samples=(1, 1, 1)):
    register = Register(shape, len(rows))
    for dev, row in enumerate(rows, 1):
        codes = quantise(np.array([row], np.float32), shape)
        register.merge(
            token(dev, codes, at=2 * H - ages[dev - 1], g=versions[dev - 1], n=samples[dev - 1]), 0
        )
    return register


def read(register, how, *, version=0, without=0, now=2 * H, block=0):
    return register.read(
        np.array([block]), now, weights=how, versions=np.array([version]), without=without
    )


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, (0.366666667, 0.433333333, 0.2)),
        ({"age": "half_life"}, (0.471428571, 0.385714286, 0.142857143)),
        ({"age": "poly"}, (0.463636364, 0.381818182, 0.154545455)),
        ({"confidence": "entropy"}, (0.334984834, 0.561211817, 0.103803349)),
        ({"sharpen": 2.0}, (0.371165644, 0.518404908, 0.110429448)),
    ],
)
def test_priors_are_those_of_the_vectors(how, expected):
    register = filled(ages=(0, H, 2 * H), versions=(10, 7, 2))
    reading = read(register, weights(**how), version=10)
    assert reading.rows[0, 0] == pytest.approx(expected, abs=1e-7)
    assert reading.devices.tolist() == [3]
    assert reading.newest_ns.tolist() == [2 * H]


def test_a_device_can_be_left_out():
    reading = read(filled(), weights(), without=1)
    assert reading.rows[0, 0] == pytest.approx((0.2, 0.55, 0.25), abs=1e-7)


def test_eight_bit_rows_give_the_prior_and_the_counts_of_the_vector():
    shape = Shape(classes=3, blocks=1, rows=1, coding=Coding(bits=8))
    register = filled(shape=shape, ages=(0, H, 2 * H))
    reading = read(register, weights(age="half_life", floor=0.001))
    expected = (0.470741217, 0.385280216, 0.143978567)
    assert reading.rows[0, 0] == pytest.approx(expected, abs=1e-9)
    assert quantise(reading.rows[0], shape).tolist() == [[120, 98, 37]]


def test_more_frames_weigh_by_their_root():
    rows = ((1.0, 0.0), (0.0, 1.0))
    shape = Shape(classes=2, blocks=1, rows=1, coding=Coding(bits=15))
    register = filled(shape=shape, rows=rows, samples=(9, 1))
    assert read(register, weights(samples="sqrt")).rows[0, 0] == pytest.approx((0.75, 0.25))


def test_a_version_ahead_of_the_server_counts_as_fresh():
    register = filled(versions=(40, 0, 0))
    expected = read(filled(), weights()).rows
    assert read(register, weights(age="poly"), version=0).rows == pytest.approx(expected)


def test_too_few_or_too_old_rows_make_no_prior():
    register = filled(ages=(0, H, 2 * H))
    assert read(register, weights(quorum=3)).rows.any()
    for how in (weights(quorum=4), weights(age_max_ns=H, quorum=3)):
        reading = read(register, how)
        assert not reading.rows.any()
        assert reading.devices.tolist() == [0]
        assert reading.newest_ns.tolist() == [-1]


def test_rows_without_weight_make_no_prior():
    register = filled(ages=(0, 0, 0))
    assert not read(register, weights(age="half_life", half_life_ns=1), now=2 * H + 60).rows.any()


@given(rows=st.lists(st.lists(st.integers(1, 50), min_size=3, max_size=3), min_size=1, max_size=6))
def test_exact_rows_read_as_their_plain_mean(rows):
    exact = [np.array(row, np.float32) / np.float32(sum(row)) for row in rows]
    reading = read(filled(rows=exact, ages=[0] * 9, versions=[0] * 9, samples=[1] * 9), weights())
    normal = [row.astype(np.float64) / row.astype(np.float64).sum() for row in exact]
    assert reading.rows[0, 0] == pytest.approx(np.mean(normal, axis=0), abs=1e-12)


def spread(*, blocks=2, rows=4):
    """A token of a whole block, or of a half or a quarter of one."""
    level = st.integers(0, 2)
    return level.flatmap(
        lambda lg: st.tuples(
            st.builds(
                address_of,
                st.integers(0, blocks - 1),
                level=st.just(lg),
                part=st.integers(0, 2**lg - 1),
            ),
            st.lists(
                st.sampled_from([(15, 0, 0), (5, 5, 5), (0, 8, 7), (0, 0, 0)]),
                min_size=rows >> lg,
                max_size=rows >> lg,
            ),
            st.integers(1, 3),
            st.tuples(st.integers(1, 2), st.integers(1, 3)),
            st.integers(0, 3),
        )
    )


def merged(parts):
    register = Register(COARSE, 3)
    for address, codes, dev, (boot, seq), at in parts:
        arrived = token(dev, np.array(codes, np.uint16), boot=boot, seq=seq, at=at, n=at, g=at)
        register.merge(arrived, address)
    return register


@given(parts=st.lists(spread(), max_size=12), data=st.data())
def test_order_duplicates_and_batching_do_not_show_in_the_register(parts, data):
    again = data.draw(st.permutations(parts + parts[: len(parts) // 2]))
    assert merged(parts).dump() == merged(again).dump()


@given(parts=st.lists(spread(), max_size=12))
def test_each_row_is_the_one_of_the_greatest_stamp(parts):
    newest = {}
    for address, codes, dev, stamp, at in parts:
        block, first, _ = COARSE.span(address)
        for row, counts in enumerate(codes, first):
            key, value = (dev, block, row), (stamp, counts, at)
            newest[key] = max(newest.get(key, value), value)
    register = merged(parts)
    state = register.dump()
    again = Register(COARSE, 3)
    again.load(msgpack.unpackb(msgpack.packb(state)))
    assert again.dump() == state
    assert set(np.flatnonzero(register.filled_blocks()).tolist()) == {b for _, b, _ in newest}
    empty = ((0, 0), (0, 0, 0), 0)
    for dev in (1, 2, 3):
        for block in (0, 1):
            kept = [newest.get((dev, block, row), empty) for row in range(4)]
            assert register.look(dev, block) == [(stamp_of(*s), list(c)) for s, c, _ in kept]


@given(parts=st.lists(spread(), min_size=1, max_size=12), data=st.data())
def test_every_prior_row_is_a_distribution_above_the_floor(parts, data):
    how = weights(
        age=data.draw(st.sampled_from(["none", "half_life", "poly"])),
        confidence=data.draw(st.sampled_from(["none", "entropy"])),
        samples=data.draw(st.sampled_from(["none", "sqrt"])),
        sharpen=data.draw(st.sampled_from([0.5, 1.0, 2.0, 5.0])),
        quorum=data.draw(st.integers(1, 3)),
        floor=data.draw(st.sampled_from([0.0, 0.001, 0.5, 1.0])),
    )
    reading = merged(parts).read(np.arange(2), 5, weights=how, versions=np.array([1, 2]))
    assert reading.rows.dtype == np.float64
    rows = reading.rows.reshape(-1, 3)
    present = rows.any(axis=1)
    assert rows[present].sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    assert (rows[present] >= how.floor / 3).all()


def test_of_two_contents_under_one_stamp_the_larger_stays():
    small, large = (np.array([[q, 15 - q, 0]] * 4, np.uint16) for q in (3, 12))
    for first, second, changed in ((small, large, True), (large, small, False)):
        register = Register(COARSE, 1)
        assert register.merge(token(1, first), 0).changed
        verdict = register.merge(token(1, second), 0)
        assert (verdict.changed, verdict.conflict) == (changed, True)
        again = register.merge(token(1, large), 0)
        assert (again.changed, again.conflict) == (False, False)
        expected = Register(COARSE, 1)
        expected.merge(token(1, large), 0)
        assert register.dump() == expected.dump()


def test_an_older_stamp_changes_nothing():
    codes = np.array([[15, 0, 0]] * 4, np.uint16)
    register = Register(COARSE, 1)
    register.merge(token(1, codes, boot=2, seq=1), 0)
    before = register.dump()
    assert not register.merge(token(1, codes[::-1] * 0, boot=1, seq=99), 0).changed
    assert register.dump() == before
