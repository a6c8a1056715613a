"""Single draws and chains of stays in native code, beside numpy's generator and a plain loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core import native_bare, philox
from simedge.core.philox import draw, follow, follower, single
from simedge.core.streams import Streams, exponential_ns
from simedge.core.tables import exponential_table

words64 = st.integers(0, 2**64 - 1)
keys = st.tuples(words64, words64)
ways = st.sampled_from([draw, getattr(draw, "py_func", draw)])


def block(key, counter):
    return tuple(Streams(1).raw(key, sum(w << 64 * i for i, w in enumerate(counter)), 1).tolist())


@given(keys, st.tuples(words64, words64, words64, words64), ways)
def test_a_block_is_that_of_numpy_with_and_without_the_compiler(key, counter, way):
    room = np.array([*key, *counter, 0, 0, 0, 0], np.uint64)
    with np.errstate(over="ignore"):  # a key wraps around
        way(room)
    assert tuple(room[6:].tolist()) == block(key, counter)


@given(keys, st.tuples(words64, words64, words64, words64))
def test_the_quick_draw_is_the_slow_one(key, counter):
    streams = Streams(1)
    slow = streams._interpreted(key, counter)  # noqa: SLF001 -- the twin under test
    assert streams.one(key, counter) == slow == block(key, counter)


def followed(key, means, until):
    number, kind, begin, end = 0, 0, 0, 0
    while end <= until:
        number, kind, begin = number + 1, 1 - kind, end
        end += max(1, exponential_ns(block(key, (0, number, 0, 0))[0], means[kind]))
    return number, kind, begin, end


@given(keys, st.tuples(*[st.integers(1, 2**40)] * 2), st.integers(0, 20))
def test_stays_follow_each_other_as_in_a_plain_loop(key, means, stays):
    until = stays * max(means)
    expected = followed(key, means, until)
    state = (*key, 0, 0, 0, 0, until, *means)
    for way in (follow, getattr(follow, "py_func", follow)):
        room = np.array(state, np.uint64)
        with np.errstate(over="ignore"):
            way(room, np.array(exponential_table(), np.uint64))
        assert tuple(room[2:6].tolist()) == expected
    quick = follower(exponential_table())
    assert quick is None or quick(state) == expected


@pytest.mark.parametrize(("kernel", "maker"), [("draw", single), ("follow", follower)])
def test_where_the_interpreter_runs_the_kernels_there_is_no_quick_way(kernel, maker, monkeypatch):
    plain = getattr(philox, kernel)
    monkeypatch.setattr(philox, kernel, getattr(plain, "py_func", plain))
    assert maker(*([exponential_table()] if maker is follower else [])) is None


def test_plain_python_takes_an_array_for_its_address():
    array = np.zeros(3)
    assert native_bare._itself(array) is array  # noqa: SLF001 -- what stands in for `bare`
