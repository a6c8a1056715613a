"""A bare array is the array's own memory, by index alone."""

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from simedge.core.native_bare import bare
from simedge.core.native_cache import jit_is_off, native_leaf


@native_leaf
def turn_around(whole, into):
    """Write numbers in reverse."""
    source, target = bare(whole), bare(into)
    for n in range(whole.size):
        target[n] = source[whole.size - 1 - n]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint32])
def test_a_bare_array_is_read_and_written_where_it_lies(dtype):
    held, into = np.arange(5, dtype=dtype), np.zeros(5, dtype)
    turn_around(held, into)
    assert into.tolist() == [4, 3, 2, 1, 0]


@pytest.mark.skipif(jit_is_off(), reason="Python indexes whatever has an index")
@pytest.mark.parametrize("wrong", [np.zeros((2, 2)), np.zeros(8)[::2]])
def test_what_is_not_one_row_without_gaps_has_no_address(wrong):
    with pytest.raises(TypingError, match="bare"):
        turn_around(wrong, np.zeros(4))


@pytest.mark.skipif(jit_is_off(), reason="nothing is compiled")
def test_an_address_is_compiled_where_no_cache_has_it():
    @njit
    def second(held):
        return bare(held)[1]

    assert second(np.array([3.0, 4.0])) == 4.0
