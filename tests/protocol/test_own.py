"""Machines of one's own: what they remember comes back, what they do wrong is told."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from simedge.core.own_code import OwnCodeError, OwnFaultError
from simedge.core.streams import Streams
from simedge.protocol.errors import ProtocolError, WireError
from simedge.protocol.machine import LearnerCall, Sample, Send, SetTimer, Started
from simedge.protocol.own import OwnMachine, check_own, open_own_device, open_own_server
from simedge.protocol.own_guard import Guarded
from simedge.protocol.own_settings import OwnProtocolSettings
from simedge.protocol.params import Code
from simedge.protocol.shape import Ground

GROUND = Ground(classes=3, blocks=4, rows=2, pset=bytes(range(32)), tau_ns=10**9, params=3)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | hnp.arrays(np.float32, st.integers(0, 3), elements=st.floats(-1, 1, width=32)),
    lambda parts: (
        st.lists(parts, max_size=3)
        | st.tuples(parts, parts)
        | st.dictionaries(st.integers(0, 3) | st.tuples(st.booleans(), st.text("a")), parts)
    ),
    max_leaves=8,
)


class Mine(OwnMachine):
    def begin(self):
        self.kept = None

    def started(self, now):
        self.kept = now

    def fired(self, timer, now):
        self.sample(f"woken by {timer}", now)

    def said(self):
        return self._said()

    def woken(self, timer, now):
        return self._fired(timer, now)

    def opened(self, message):
        return self._open(message)

    def strange(self, message, src):
        return self._strange(message, src)


def machine(kind=Mine):
    stream = Streams(1).stream("protocol", "cam-1", "own")
    return kind(None, GROUND, dev=1, neighbours=(2,), stream=stream)


def same(one, other):
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other) and one.dtype == other.dtype
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        pairs = zip(one, other, strict=True)
        return type(one) is type(other) and all(same(*pair) for pair in pairs)
    return type(one) is type(other) and one == other


@given(PLAIN)
def test_whatever_is_plain_comes_back_from_a_dump(value):
    one, other = machine(), machine()
    one.kept, other.late = value, "not in the dump"
    other.load(one.dump())
    assert same(other.kept, value)
    assert not hasattr(other, "late")


def test_numbers_of_numpy_come_back_as_numbers_and_objects_are_refused():
    one, other = machine(), machine()
    one.kept = np.float64(0.5)
    other.load(one.dump())
    assert same(other.kept, 0.5)
    one.kept = [object()]
    with pytest.raises(ProtocolError, match="kept has a object"):
        one.dump()


def test_only_known_questions_are_asked_and_frames_may_be_named_by_place():
    one = machine()
    with pytest.raises(ProtocolError, match="no question 'guess'"):
        one.ask("guess")
    one.ask("train", 4)
    one.ask("get_params")
    one.ask("get_params")
    assert [call.op for call in one.said()] == ["train", "get_params"]


def test_a_timer_fires_and_strangers_are_refused():
    one = machine()
    one.handle(Started(boot=1), 0)
    one.wake("nap", 5)
    (timer,) = one.said()
    assert timer == SetTimer(id=timer.id, at=5)
    assert one.woken("nap", 5) == [Sample(metric="woken by nap", value=5.0)]
    message = type("Message", (), {"blk": Code.DELTA, "dev": 3})
    with pytest.raises(WireError):
        one.opened(message)
    assert one.strange(message, 3)
    assert one.strange(message, 2)
    message.dev = 2
    assert not one.strange(message, 2)


class Loose:
    """A machine that says whatever a test wants."""

    def __init__(self, said):
        self.said, self.counters = said, {}

    def handle(self, *_):
        return self.said

    def dump(self):
        return {"said": 1}

    def load(self, state):
        self.said = state["said"]


def guarded(inside, needs=()):
    named = {"kind": "mine:Mine", "file": "mine.py", "dev": 1, "ground": GROUND}
    return Guarded(inside, needs=frozenset(needs), **named)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (None, "must return a list of effects, got None"),
        ([7], "a int is no effect"),
        ([Sample(metric="x", value=float("inf"))], "the sample 'x' must be finite, got inf"),
        ([SetTimer(id="x", at=3)], "the timer 'x' must lie ahead of 3 ns"),
        ([{"cls": "model", "data": "text"}], "a message is bytes, got a str"),
        ([{"cls": "gossip", "data": b""}], "no class of flows 'gossip'"),
        ([{"cls": "model", "data": b"no"}], "a message to 2 is not what the wire takes"),
    ],
)
def test_what_a_machine_says_wrongly_is_told(said, told):
    base = {"dst": 2, "boot": 1, "seq": 1, "reliability": "reliable", "tag": "x"}
    made = said and [send(base | one) if isinstance(one, dict) else one for one in said]
    with pytest.raises(OwnFaultError, match=told):
        guarded(Loose(made)).handle(Started(boot=1), 3)


def send(fields):
    known = {name: value for name, value in fields.items() if name in Send.__annotations__}
    return Send(**known)


def test_a_machine_that_lacks_something_is_no_machine():
    with pytest.raises(OwnFaultError, match="a int, has no method handle"):
        guarded(7)
    bare = Loose([])
    bare.counters = None
    with pytest.raises(OwnFaultError, match="has no dict counters"):
        guarded(bare)
    whole = guarded(Loose([]))
    whole.load({"said": [SetTimer(id="x", at=9)]})
    assert whole.dump() == {"said": 1}
    assert whole.handle(Started(boot=1), 3) == [SetTimer(id="x", at=9)]


def settings(folder, text, kind="mine:Mine"):
    path = folder / "mine.py"
    path.write_text(text, encoding="utf-8")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return OwnProtocolSettings.model_validate({"kind": kind, "file": str(path), "sha256": digest})


OPENS = """class Mine:
    def open_device(self, settings, ground):
        raise ValueError('no')
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("class Mine:\n    def open_device(self): ...\n", r"write def open_device\(self, settings"),
        (f"{OPENS}    def __init__(self, x): ...\n", "must be made without arguments"),
        (f"{OPENS}    needs = 'peers'\n", "needs must be a tuple of names, got 'peers'"),
    ],
)
def test_a_class_that_cannot_open_machines_is_told(tmp_path, text, told):
    with pytest.raises(OwnCodeError, match=told):
        check_own(settings(tmp_path, text))


def test_what_fails_while_it_opens_is_told_with_its_device(tmp_path):
    mine = settings(tmp_path, OPENS)
    check_own(mine)
    given = {"dev": 2, "layers": 1, "stream": None, "neighbours": ()}
    with pytest.raises(OwnFaultError, match="failed on device 2: ValueError: no"):
        open_own_device(mine, GROUND, **given)
    assert open_own_server(mine, GROUND, devices=2, stream=None).handle(Started(boot=1), 0) == []
    odd = settings(tmp_path, f"{OPENS}    training = 'never'\n")
    with pytest.raises(OwnCodeError, match="training must be 'always' or 'on-call'"):
        _ = odd.training
    shut = settings(tmp_path, f"{OPENS}    def __init__(self, x): ...\n")
    with pytest.raises(OwnCodeError, match="must be made without arguments"):
        open_own_device(shut, GROUND, **given)


def test_a_question_has_to_be_among_the_needs():
    one = machine()
    one.ask("get_params")
    (call,) = one.said()
    assert isinstance(call, LearnerCall)
    assert guarded(Loose([call]), ["parameters"]).handle(Started(boot=1), 0) == [call]
    with pytest.raises(OwnFaultError, match=r"add needs = \('parameters',\)"):
        guarded(Loose([call])).handle(Started(boot=1), 0)
