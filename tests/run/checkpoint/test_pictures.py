"""A picture laid over a fresh build is what was pictured: values, who holds whom, what is cut."""

from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core.records import Order
from simedge.core.streams import Streams
from simedge.drivers.tally import Sample, Tally
from simedge.learning.ports import Counts
from simedge.run.checkpoint.errors import CheckpointError
from simedge.run.checkpoint.overlay import lay
from simedge.run.checkpoint.survey import Survey

ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**200), 2**200),
    st.floats(allow_nan=False),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.fractions(),
    st.just(Decimal("1.50")),
    st.just(Order.FRAME),
    st.just(range(3, 9, 2)),
    st.just(slice(1, None)),
    st.just(np.float32(0.1)),
    st.just(np.dtype("<i4")),
    st.just(Sample(1, "a", "b", 0.5)),
    st.just(Counts(volleys=3)),
    st.just(Tally),
)
KEYS = st.one_of(st.integers(), st.text(max_size=3), st.tuples(st.integers(), st.text(max_size=2)))
DATA = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.lists(inner, max_size=3).map(lambda items: deque(items, maxlen=5)),
        st.dictionaries(KEYS, inner, max_size=3),
        st.dictionaries(KEYS, inner, max_size=3).map(OrderedDict),
        st.sets(KEYS, max_size=4),
        st.frozensets(st.integers(), max_size=4),
        st.lists(st.integers(0, 9)).map(Counter),
        st.lists(st.floats(width=32, allow_nan=False), max_size=5).map(
            lambda v: np.array(v, "<f4")
        ),
    ),
    max_leaves=12,
)


class House:
    """What a build makes: a few things that others hold too."""

    def __init__(self):
        self.rows = np.zeros((3, 4))
        self.row = self.rows[1]
        self.shelf = []
        self.other = self.shelf
        self.call = partial(self.put, 1)

        count = 0

        def up():
            nonlocal count
            count += 1
            return count

        self.up = up
        self.streams = Streams(1)
        self.one = self.streams.stream

    def put(self, *things):
        self.shelf.append(things)


def again(house):
    """Return a fresh house that the picture of this one is laid over."""
    fresh = House()
    survey = Survey([fresh])
    lay(house.survey.picture(), survey)
    assert survey.picture().digest() == house.survey.picture().digest()
    return fresh


@pytest.fixture
def house():
    return Surveyed(House())


class Surveyed:
    """A house, and the survey that was made when it was built."""

    def __init__(self, house):
        self.house, self.survey = house, Survey([house])


def same(one, two):
    """Whether two values are equal, type by type and in order."""
    if type(one) is not type(two):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == two.dtype and one.tobytes() == two.tobytes()
    if isinstance(one, dict):
        pairs = zip(one.items(), two.items(), strict=True)
        return len(one) == len(two) and all(same(a, c) and same(b, d) for (a, b), (c, d) in pairs)
    if isinstance(one, list | tuple | deque):
        return len(one) == len(two) and all(map(same, one, two))
    return bool(one == two)


@given(DATA)
def test_any_data_comes_back(data):
    house = House()
    held = Surveyed(house)
    house.shelf.append(data)
    house.late = {"data": data}
    fresh = again(held)
    assert same(fresh.shelf[0], data)
    assert same(fresh.late["data"], data)
    if isinstance(data, list | dict | deque | np.ndarray):
        assert fresh.late["data"] is fresh.shelf[0]


def test_who_held_one_thing_holds_one_thing(house):
    old = house.house
    old.row[2], old.rows[0, 0] = 7.0, 1.0
    old.put("a")
    old.call("b")
    old.fresh_view = old.rows[:, 1]
    grown = np.arange(6)
    old.new = [grown, grown[2:4], old.shelf]
    old.new.append(old.new)
    old.words = defaultdict(list, x=old.new)
    assert [old.up(), old.up()] == [1, 2]
    fresh = again(house)
    assert fresh.rows[1, 2] == 7.0
    fresh.row[3], fresh.fresh_view[0] = 5.0, 4.0
    assert fresh.rows[1, 3] == 5.0
    assert fresh.rows[0, 1] == 4.0
    fresh.new[0][2] = 99
    assert fresh.new[1][0] == 99
    assert fresh.new[2] is fresh.shelf is fresh.other
    assert fresh.new[3] is fresh.new is fresh.words["x"]
    assert fresh.words["y"] == []
    fresh.call("c")
    assert fresh.shelf == [("a",), (1, "b"), (1, "c")]
    assert fresh.up() == 3


def test_what_is_gone_is_gone(house):
    del house.house.other
    house.house.shelf.append(Fraction(1, 3))
    fresh = again(house)
    assert not hasattr(fresh, "other")
    assert fresh.shelf == [Fraction(1, 3)]


def test_what_is_rebuilt_is_called_as_the_build_calls_it(house):
    old = house.house
    old.shelf.append(old.streams.stream)
    assert again(house).shelf[0]("link", "a", "loss").key == old.one("link", "a", "loss").key
    picture = house.survey.picture()
    old.shelf[0] = old.streams.raw
    with pytest.raises(CheckpointError, match="raw of what is rebuilt"):
        house.survey.picture()
    forged = [
        (n, packed.replace(b"\xa6stream", b"\xa3raw"), *at) for n, packed, *at in picture.nodes
    ]
    picture.nodes = forged
    with pytest.raises(CheckpointError, match="raw of Streams is called by nobody"):
        lay(picture, Survey([House()]))


def test_another_build_takes_no_picture(house):
    other = House()
    other.rows = np.ones((3, 4))
    with pytest.raises(CheckpointError, match="another than the one that was saved"):
        lay(house.survey.picture(), Survey([other]))


@pytest.mark.parametrize("thing", [open, lambda: None, House(), object(), iter([])])
def test_what_is_no_data_has_no_picture(house, thing):
    house.house.shelf.append([thing])
    with pytest.raises(
        CheckpointError, match=r"nothing that is built again: .* in list in list in"
    ):
        house.survey.picture()
