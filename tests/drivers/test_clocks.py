"""Clocks that are wrong: what is judged by them changes, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import lossy, records_of, run

from simedge.drivers.clock import Clock, Clocked
from simedge.protocol.machine import CancelTimer, SetTimer, Started, TimerFired
from simedge.run.scenario import Scenario
from simedge.world.clock_fault_settings import ClockDriftFault, ClockJumpFault, ClockOffsetFault

S = 10**9
TURNS = st.lists(
    st.tuples(st.sampled_from(["step", "drift"]), st.integers(-800_000, 900_000)), max_size=6
)


@given(TURNS, st.integers(0, 10 * S), st.integers(1, S))
def test_a_clock_never_stands_for_long_and_its_inverse_is_the_first_time(turns, at, ahead):
    clock, now = Clock(), 0
    for i, (way, by) in enumerate(turns):
        now = i * 10**6
        getattr(clock, way)(by, now)
    later = now + at
    assert clock.shown(later + 10) > clock.shown(later) or clock.shown(later + 10) == 0
    due = clock.shown(later) + ahead
    when = clock.when(due)
    assert when > later
    assert clock.shown(when) >= due > clock.shown(when - 1)


class Bell:
    """Sets a timer a second from what it believes to be now, and remembers what it was told."""

    def __init__(self):
        self.counters = {}
        self.told = []

    def handle(self, event, now):
        self.told.append(now)
        if isinstance(event, TimerFired):
            return [CancelTimer(id="bell")]
        return [SetTimer(id="bell", at=now + S)]

    def dump(self):
        return {"told": list(self.told)}

    def load(self, state):
        self.told = list(state["told"])


def clocked():
    machine = Clocked(Bell())
    assert machine.handle(Started(boot=1), 0) == [SetTimer(id="bell", at=S)]
    return machine


def jump(by):
    return ClockJumpFault(kind="clock-jump", at=0, devices=1, by=by)


def test_timers_go_by_the_clock_of_the_device():
    machine = clocked()
    assert machine.turn(jump("300 ms"), S // 2, begins=True) == [
        SetTimer(id="bell", at=S * 7 // 10)
    ]
    assert machine.turn(jump("9 s"), S // 2, begins=True) == [SetTimer(id="bell", at=S // 2 + 1)]
    machine.handle(TimerFired(id="bell"), S // 2 + 1)
    assert machine.turn(jump("-9 s"), S, begins=True) == []


def test_what_a_drift_has_gained_stays_and_an_offset_goes():
    machine = clocked()
    drift = ClockDriftFault(kind="clock-drift", at=0, devices=1, ppm=500_000)
    machine.turn(drift, 0, begins=True)
    (timer,) = machine.turn(drift, S // 2, begins=False)
    assert timer.at == S * 3 // 4
    offset = ClockOffsetFault(kind="clock-offset", at=0, devices=1, by="-1 s")
    (late,) = machine.turn(offset, S // 2, begins=True)
    assert late.at == S * 7 // 4
    assert machine.turn(offset, S // 2, begins=False) == [timer]


DOWN = """
simedge: 1
name: down
duration: 2 s
sensors: {kind: poisson, rate: 8 Hz, size: 8, proxy: {blocks: 2, rows: 2}}
devices: [{id: box, count: 2, compute: cpu-large, memory: 2 GiB}]
topology: {kind: complete}
links: {default: {profile: wifi-air}}
learner: {kind: surrogate}
protocol: {kind: draco, interval: 2, window: 200 ms}
faults:
- {kind: clock-offset, at: 1 s, devices: [box-2], by: 611 ms}
- {kind: crash, at: 600 ms, devices: [box-2], state: wiped}
evaluate: {every: 1 min, items: 10}
"""


def test_the_clock_of_a_device_that_is_down_wakes_nobody():
    """A crash takes the timers: who sets the clock then must not set them again."""
    result = run(Scenario.parse(DOWN))
    assert result.summary["invariants"]["broken"] == []


STILL = {
    "protocol__age_clock": "arrival",
    "protocol__have_period": "60 s",
    "protocol__report_period": "60 s",
    "links": {"default": {"profile": "ethernet"}},  # joins are not lost, so that none is repeated
    "faults": [],
    "duration": "4 s",
}


def merges(result):
    kinds = {"merged", "published", "applied", "frame-learned"}
    return [
        (r.at, r.target, r.kind, r.subject, r.detail if r.kind != "published" else r.detail[0])
        for r in records_of(result)
        if r.kind in kinds
    ]


WRONG = [
    {"kind": "clock-offset", "by": "700 ms"},
    {"kind": "clock-offset", "by": "-400 ms", "for": "1 s"},
    {"kind": "clock-drift", "ppm": 100_000},
    {"kind": "clock-jump", "by": "3 s"},
]


@pytest.fixture(scope="module", name="right")
def _right():
    return merges(run(lossy(**STILL)))


@pytest.mark.parametrize("wrong", WRONG, ids=lambda fault: fault["kind"])
def test_who_goes_by_arrival_does_not_mind_wrong_clocks(wrong, right):
    """Weights, order and versions: the digests of what is learned from priors are all equal."""
    fault = wrong | {"devices": ["cam"], "at": "1234 ms"}
    assert merges(run(lossy(**(STILL | {"faults": [fault]})))) == right


def test_a_device_whose_clock_is_ahead_is_not_believed_and_one_behind_believes_nobody():
    ahead = {"kind": "clock-offset", "devices": ["cam-1"], "by": "1 h", "at": 0}
    behind = {"kind": "clock-offset", "devices": ["cam-2"], "by": "-1 h", "at": 0, "name": "b"}
    still = {"links": STILL["links"], "duration": "3 s"}
    records = records_of(run(lossy(faults=[ahead, behind], **still)))
    future = {r.target for r in records if r.kind == "refused" and r.detail == "future"}
    assert future == {"server", "cam-2"}
    merged = {r.subject.split("/")[0] for r in records if r.kind == "merged"}
    assert merged == {"box-1", "box-2"}
