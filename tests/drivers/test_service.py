"""Laws of devices that a server predicts for: who is not reached is not answered."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import lossy, run

from simedge.drivers.journal import Journal
from simedge.drivers.observer import Observer
from simedge.drivers.tally import Tally
from simedge.sensors.registry import open_sensor

RAW = {"kind": "centralised"}
KINDS = st.sampled_from(["crash", "pause", "partition"])


def raw(faults):
    values = {"protocol": RAW, "faults": faults, "evaluate": {"every": "500 ms", "items": 20}}
    return lossy(duration="5 s").vary(values)


def fault(kind, *, at_s, span_s):
    spell = {"kind": kind, "at": f"{at_s} s", "for": f"{span_s} s"}
    if kind == "partition":
        return spell | {"groups": [["cam-1"], ["cam-2", "box", "server"]]}
    return spell | {"server": True} | ({"state": "kept"} if kind == "crash" else {})


def rights(result):
    """Return who had how many right, by time of evaluation."""
    found = {}
    for record in result.records:
        if record.kind == "evaluated":
            found.setdefault(record.at, {})[record.target] = record.detail[0]
    return found


@settings(max_examples=6)
@given(KINDS, st.integers(1, 2), st.integers(1, 2))
def test_who_is_not_reached_has_nothing_right_and_all_others_are_told_the_same(kind, at_s, span_s):
    found = rights(run(raw([fault(kind, at_s=at_s, span_s=span_s)])))
    assert len(found) == 11
    gone = {"cam-1"} if kind == "partition" else {"cam-1", "cam-2", "box-1", "box-2"}
    for at, right in found.items():
        off = at_s * 10**9 <= at < (at_s + span_s) * 10**9
        told = {right[name] for name in right if not (off and name in gone)}
        assert len(told) == (not off or kind == "partition")
        assert all(told)
        assert not off or {right[name] for name in gone} == {0}


class Seen(NamedTuple):
    number: int
    name: str
    predictor: object
    up: bool = True


class Counted:
    def __init__(self):
        self.asked = 0

    def prepare(self, frames):
        return frames

    def predict(self, frames):
        self.asked += 1
        return np.array([frame.label for frame in frames])


@given(st.lists(st.sampled_from([0, 1, None]), min_size=1, max_size=6))
def test_a_predictor_is_asked_once_however_many_devices_it_serves(served):
    both = Counted(), Counted()
    names = ["server", *(f"cam-{i + 1}" for i in range(len(served)))]
    seen = [
        Seen(i + 1, names[i + 1], None if by is None else both[by]) for i, by in enumerate(served)
    ]
    tally = Tally(scenario="s", seed=1, protocol="centralised", rule=None, classes=10)
    with ThreadPoolExecutor(1) as executor:
        Observer(
            seen,
            open_sensor(lossy().sensors, 1),
            items=20,
            every_ns=1,
            duration_ns=10,
            journal=Journal(lambda *_: None, names, tally),
            executor=executor,
        ).evaluate(5)
    assert [each.asked for each in both] == [int(0 in served), int(1 in served)]
    right = [tally.evaluations[0].correct[name] for name in names[1:]]
    assert right == [0 if by is None else 20 for by in served]
