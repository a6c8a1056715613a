"""The quantiser: exact vectors, and the laws of a fair apportionment."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from simedge.protocol.errors import ProtocolError, WireError
from simedge.protocol.quantiser import (
    decode_rows,
    pack_rows,
    present_rows,
    quantise,
    unpack_rows,
)
from simedge.protocol.shape import Coding, Shape

VECTORS = [
    ((0.5, 0.25, 0.125, 0.125), 4, (7, 4, 2, 2)),
    ((0.25, 0.25, 0.25, 0.25), 4, (4, 4, 4, 3)),
    ((1 / 3, 1 / 3, 1 / 3), 1, (1, 0, 0)),
    ((0.7, 0.2, 0.1), 8, (178, 51, 26)),
    ((0.34, 0.33, 0.33), 8, (87, 84, 84)),
    ((0.05, 0.4, 0.05, 0.3, 0.1, 0.1), 4, (1, 6, 1, 5, 1, 1)),
]


def shape_of(classes, *, bits=8, top=0, rows=4):
    return Shape(classes=classes, blocks=2, rows=rows, coding=Coding(bits=bits, top=top))


@st.composite
def coded(draw, *, tops=(0, 15)):
    """A shape and rows of probabilities for it, some of them absent."""
    classes = draw(st.integers(2, 40))
    top = min(draw(st.integers(*tops)), classes - 1)
    shape = shape_of(classes, bits=draw(st.integers(1, 12)), top=top)
    raw = draw(
        hnp.arrays(np.int64, (draw(st.integers(1, 5)), classes), elements=st.integers(0, 1000))
    ).astype(np.float64)
    rows = raw / np.maximum(raw.sum(axis=1, keepdims=True), 1)
    return shape, rows.astype(draw(st.sampled_from([np.float32, np.float64])))


def slow_counts(units, whole):
    """Largest remainder in plain integers: the oracle of the vectorised form."""
    total = sum(units)
    if total == 0:
        return [0] * len(units)
    counts = [u * whole // total for u in units]
    order = sorted(range(len(units)), key=lambda i: (-(units[i] * whole % total), i))
    for i in order[: whole - sum(counts)]:
        counts[i] += 1
    return counts


def slow_row(row, shape):
    units = [round(float(p) * 2**30) for p in row]  # round is half to even
    top, whole = shape.coding.top, shape.coding.total
    if top == 0:
        return slow_counts(units, whole)
    if not sum(units):
        return [0] * shape.width
    listed = sorted(sorted(range(len(units)), key=lambda i: (-units[i], i))[:top])
    buckets = [units[i] for i in listed]
    return listed + slow_counts([*buckets, sum(units) - sum(buckets)], whole)


@pytest.mark.parametrize(("row", "bits", "counts"), VECTORS)
def test_rows_become_the_counts_of_the_vectors(row, bits, counts):
    codes = quantise(np.array([row], np.float32), shape_of(len(row), bits=bits))
    assert codes.tolist() == [list(counts)]


def test_decoded_counts_are_the_probabilities_of_the_vector():
    shape = shape_of(4, bits=4)
    decoded = decode_rows(np.array([[7, 4, 2, 2]], np.uint16), shape)
    expected = [0.459677419, 0.266129032, 0.137096774, 0.137096774]
    assert decoded[0] == pytest.approx(expected, abs=1e-9)


@given(coded())
def test_vectorised_apportioning_equals_plain_integers(case):
    shape, rows = case
    assert quantise(rows, shape).tolist() == [slow_row(row, shape) for row in rows]


@given(coded())
def test_counts_sum_to_the_whole_or_the_row_is_absent(case):
    shape, rows = case
    codes = quantise(rows, shape)
    sums = codes[:, shape.coding.top :].sum(axis=1, dtype=np.int64)
    absent = ~rows.any(axis=1)
    assert (sums == np.where(absent, 0, shape.coding.total)).all()
    assert (present_rows(codes, shape) == ~absent).all()
    assert (quantise(rows, shape) == codes).all()


@given(coded())
def test_decoding_errs_by_little_and_gives_distributions(case):
    shape, rows = case
    decoded = decode_rows(quantise(rows, shape), shape)
    present = rows.any(axis=1)
    bound = 1.5 / shape.coding.total + 1e-5
    assert decoded[present].sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    assert (decoded[present] > 0).all()
    assert (decoded[~present] == 0).all()
    normal = rows.astype(np.float64)[present]
    normal /= normal.sum(axis=1, keepdims=True)
    errors = np.abs(decoded[present] - normal)
    if shape.coding.top == 0:
        assert (errors <= bound).all()
        return
    listed = quantise(rows, shape)[present, : shape.coding.top].astype(int)
    assert (np.take_along_axis(errors, listed, axis=1) <= bound).all()
    tails = np.abs(
        np.take_along_axis(decoded[present] - normal, listed, axis=1).sum(axis=1)
    )  # what the listed classes gain in all, the tail loses
    assert (tails <= bound).all()


@given(coded(tops=(0, 0)))
def test_more_probable_classes_never_get_fewer_counts(case):
    shape, rows = case
    for row, counts in zip(rows, quantise(rows, shape).tolist(), strict=True):
        units = [round(float(p) * 2**30) for p in row]
        pairs = sorted(zip(units, counts, strict=True))
        for (u, q), (v, r) in pairwise(pairs):
            assert u == v or q <= r


@given(coded(tops=(0, 0)))
def test_a_decoded_dense_row_encodes_to_itself(case):
    shape, rows = case
    codes = quantise(rows, shape)
    assert (quantise(decode_rows(codes, shape), shape) == codes).all()


@given(coded())
def test_payloads_unpack_to_the_codes_they_were_packed_from(case):
    shape, rows = case
    codes = quantise(rows, shape)
    payload = pack_rows(codes, shape)
    assert len(payload) == shape.payload_bytes(len(rows))
    assert (unpack_rows(payload, len(rows), shape) == codes).all()


def test_float_rows_travel_as_they_are_and_decode_normalised():
    shape = shape_of(3, bits=15)
    rows = np.array([[0.5, 0.25, 0.25], [0.7, 0.2, 0.1], [0, 0, 0]], np.float32)
    payload = pack_rows(quantise(rows, shape), shape)
    codes = unpack_rows(payload, 3, shape)
    assert codes.dtype == np.float32
    assert (codes == rows).all()
    decoded = decode_rows(codes, shape)
    assert decoded[:2].sum(axis=1) == pytest.approx(1.0, abs=1e-15)
    assert not decoded[2].any()
    for wrong in (np.nan, np.inf, -0.1, 0.6):
        bad = rows.copy()
        bad[0, 0] = wrong
        with pytest.raises(WireError, match="malformed"):
            unpack_rows(bad.astype("<f4").tobytes(), 3, shape)


@pytest.mark.parametrize(
    "row", [(0.5, 0.5, 0.1), (-0.1, 0.6, 0.5), (np.nan, 0.5, 0.5), (np.inf, 0, 0), (0, 0, 1e-9)]
)
def test_rows_that_are_no_distributions_are_the_learners_error(row):
    with pytest.raises(ProtocolError, match="rows must"):
        quantise(np.array([row]), shape_of(3))


@pytest.mark.parametrize("rows", [np.full(3, 1 / 3), np.full((2, 4), 0.25)])
def test_rows_of_another_shape_are_the_learners_error(rows):
    with pytest.raises(ProtocolError, match=r"rows must be \[R, 3\]"):
        quantise(rows, shape_of(3))


def test_sums_may_miss_one_by_a_thousandth():
    shape = shape_of(2)
    assert quantise(np.array([[0.5, 0.4991]]), shape).sum() == 255
    with pytest.raises(ProtocolError, match=r"sum to 1 within 0\.001"):
        quantise(np.array([[0.5, 0.4989]]), shape)


def top_row(*fields):
    """One row of C = 5, top 2, at 4 bits: two classes of 3 bits, three counts of 4 bits."""
    bits = "".join(f"{v:0{w}b}" for v, w in zip(fields, (3, 3, 4, 4, 4), strict=True))
    return int(bits.ljust(24, "0"), 2).to_bytes(3, "big")


@pytest.mark.parametrize(
    "payload",
    [
        top_row(1, 2, 7, 5, 3)[:2],
        top_row(1, 2, 7, 5, 3) + b"\0",
        top_row(1, 2, 7, 5, 2),
        top_row(2, 1, 7, 5, 3),
        top_row(2, 2, 7, 5, 3),
        top_row(2, 5, 7, 5, 3),
        top_row(0, 1, 0, 0, 0),
        top_row(1, 2, 7, 5, 3)[:2] + b"\xff",
    ],
    ids=["short", "long", "sum", "descending", "twice", "class", "absent", "padding"],
)
def test_rows_that_no_quantiser_makes_are_malformed(payload):
    shape = shape_of(5, bits=4, top=2)
    fine = unpack_rows(top_row(1, 2, 7, 5, 3), 1, shape)
    assert fine.tolist() == [[1, 2, 7, 5, 3]]
    with pytest.raises(WireError, match="malformed"):
        unpack_rows(payload, 1, shape)


@given(raw=st.binary(max_size=12), top=st.integers(0, 3), bits=st.integers(1, 12))
def test_whatever_unpacks_packs_to_the_same_bytes(raw, top, bits):
    shape = shape_of(4, bits=bits, top=top)
    payload = raw.ljust(shape.payload_bytes(2), b"\0")[: shape.payload_bytes(2)]
    try:
        codes = unpack_rows(payload, 2, shape)
    except WireError:
        return
    assert pack_rows(codes, shape) == payload
