"""Eight numbers at a time give what one at a time gives, bit for bit."""

import numba
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simedge.neurons.lanes import LANES, add_scaled_lanes, take_in_lanes

numbers = st.lists(st.floats(-4, 4, width=32), min_size=LANES, max_size=LANES)


@numba.njit
def add_scaled(total, factor, part):
    add_scaled_lanes(total, np.uint64(1), factor, part, np.uint64(2))


@numba.njit
def take_in(total, part, low, high):
    take_in_lanes(total, np.uint64(1), part, np.uint64(2), low, high)


def padded(values, first):
    return np.array([9.0] * first + values + [9.0], np.float32)


@given(numbers, numbers, st.floats(-2, 2, width=32))
def test_products_are_rounded_before_they_are_added(totals, parts, factor):
    total, part, factor = padded(totals, 1), padded(parts, 2), np.float32(factor)
    want = [np.float32(a) + factor * np.float32(b) for a, b in zip(totals, parts, strict=True)]
    add_scaled(total, factor, part)
    assert total.tobytes() == padded(want, 1).tobytes()


@given(numbers, numbers, st.floats(-2, 0, width=32), st.floats(0, 2, width=32))
def test_changes_are_added_clipped_and_cleared(totals, parts, low, high):
    total, part = padded(totals, 1), padded(parts, 2)
    low, high = np.float32(low), np.float32(high)
    sums = [np.float32(a) + np.float32(b) for a, b in zip(totals, parts, strict=True)]
    take_in(total, part, low, high)
    assert np.array_equal(total, padded([min(high, max(low, value)) for value in sums], 1))
    assert np.array_equal(part, padded([0.0] * LANES, 2))
