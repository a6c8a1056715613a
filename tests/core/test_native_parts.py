"""Parts of kernels: plain from Python, compiled into those who call them."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core import native_parts
from simedge.core.native_cache import native_part, native_sums


@native_part
def doubled(values, i):
    return 2 * values[i]


@native_part
def doubled_twice(values, i):
    values[i] = doubled(values, i)
    return doubled(values, i)


@native_sums
def total(values):
    result = np.float32(0)
    for value in values:
        result += value
    return result


@numba.njit
def kernel(values):
    result = np.float32(0)
    for i in range(values.size):
        result += doubled_twice(values, i)
    return result + total(values)


def plainly(values):
    return 6 * values.sum()


@given(st.lists(st.integers(-50, 50), max_size=40))
def test_compiled_or_not_a_part_does_the_same(numbers):
    values = np.array(numbers, np.float32)
    expected = plainly(values)
    called = values.copy()
    result = sum(doubled_twice(called, i) for i in range(called.size)) + total(called)
    assert result == pytest.approx(expected)
    assert kernel(values.copy()) == pytest.approx(expected)


def test_another_numba_compiles_parts_its_own_way(monkeypatch):
    monkeypatch.setattr(native_parts, "_NEEDED", ("no_such_method",))

    @native_part
    def tripled(value):
        return 3 * value

    @numba.njit
    def outer(value):
        return tripled(value) + 1

    assert outer(5) == 16


def test_a_part_has_no_address_and_else_the_usual_code_generator():
    real = numba.core.registry.cpu_target.target_context.codegen()
    library = native_parts._PartLibrary(real, "part")  # noqa: SLF001 - what numba sees of a part
    assert library.get_pointer_to_function("anything") == 0
    assert library.codegen.magic_tuple() == real.magic_tuple()
