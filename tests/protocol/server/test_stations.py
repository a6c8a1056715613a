"""What devices that work for a server refuse, count and blame their learner for."""

import numpy as np
import pytest

from simedge.protocol.asks import RawFrame, Slope, Trained
from simedge.protocol.errors import ProtocolError
from simedge.protocol.machine import (
    LearnerCall,
    LearnerDone,
    LinkStatus,
    Received,
    Send,
    SendOutcome,
    Started,
    TimerFired,
)
from simedge.protocol.opening import open_device
from simedge.protocol.params import Code, Parcel, bytes_of, send_params
from simedge.protocol.post import Post
from simedge.protocol.wire import Kind, Reply, Status

MS, S = 10**6, 10**9
AVERAGE = {"kind": "fedavg", "frames": 4, "fraction": 1.0, "wait": "wait_all"}
BUFFER = {"kind": "fedbuff", "frames": 4}
DESCENT = {"kind": "centralised", "mode": "gradient", "batch": 4}
RAW = {"kind": "centralised", "uploads_max": 1}


class Desk:
    """A device that joined, and a server that is hand-written messages to it."""

    def __init__(self, pump, arm):
        self.world = pump(arm, devices=1)
        while not self.machine.dump()["tools"]["joining"]["joined"]:
            self.world.run(S, steps=1)
        self.post = Post(0)
        self.post.sender.reboot(2)
        self.now = self.world.now

    @property
    def machine(self):
        return self.world.machines[1]

    def tell(self, event, *, after=MS):
        self.now += after
        return self.machine.handle(event, self.now)

    def hear(self, parcel, *, src=0):
        return self.tell(Received(data=send_params(self.post, parcel, dst=1).data, src=src))

    def give(self, version, **fields):
        values = bytes_of(np.full(3, version, np.float32))
        parcel = {"code": Code.MODEL, "payload": values, "g": version, "captured_ns": self.now}
        return self.hear(Parcel(**(parcel | fields)))

    def answer(self, ask, value):
        return self.tell(LearnerDone(call=ask.call, value=value))


def calls(effects, *ops):
    found = [effect for effect in effects if isinstance(effect, LearnerCall)]
    assert tuple(each.op for each in found) == ops
    return found


@pytest.fixture
def desk(pump):
    return lambda arm: Desk(pump, arm)


def begun(station, version=1):
    """Give a model and take it up; return the call for work."""
    (ask,) = calls(station.give(version), "set_params")
    (work,) = [e for e in station.answer(ask, None) if isinstance(e, LearnerCall)]
    return work


# --------------------------------------------------------------------------------------- messages
def test_a_device_hears_its_server_alone_once_and_in_time(desk):
    station = desk(AVERAGE)
    model = {"code": Code.MODEL, "payload": bytes_of(np.ones(3, np.float32))}
    station.hear(Parcel(**model, captured_ns=0), src=9)
    station.give(1, captured_ns=station.now + 3600 * S)
    report = station.post.write(Kind.REPORT, station.now, payload=bytes(16))
    sent = station.post.send(report, dst=1, cls="report")
    station.tell(Received(data=sent.data, src=0))
    sound = send_params(station.post, Parcel(**model, captured_ns=0), dst=1)
    for _ in range(2):
        station.tell(Received(data=sound.data, src=0))
    station.tell(Received(data=b"noise", src=0))
    causes = ("stranger", "future", "refused", "duplicate", "corrupt")
    assert [station.machine.counters[cause] for cause in causes] == [1] * 5


@pytest.mark.parametrize("arm", [AVERAGE, RAW])
def test_contents_of_another_code_are_malformed(desk, arm):
    station = desk(arm)
    station.give(1, code=Code.DELTA)
    assert station.machine.counters["malformed"] == 1


@pytest.mark.parametrize("arm", [AVERAGE, RAW])
def test_what_nobody_waits_for_is_counted_as_late(desk, arm):
    station = desk(arm)
    before = station.machine.dump()
    late = [TimerFired(id="x"), LearnerDone(call=99, value=None), SendOutcome(tag=99, ok=True)]
    assert [station.tell(event) for event in late] == [[]] * 3
    assert station.tell(LinkStatus(other=7, up=False)) == []
    after = station.machine.dump()
    assert after["tools"].pop("counters")["late_event"] == 3
    del before["tools"]["counters"]
    assert after == before


def test_who_was_told_off_says_nothing_until_it_has_joined_again(desk):
    station = desk({**AVERAGE, "hail_period": "2 s"})
    work = begun(station)
    effects = station.tell(TimerFired(id="hail"), after=3 * S)
    assert [(e.id, e.at) for e in effects] == [("hail", station.now + 2 * S)], "it is at work"
    upload = station.answer(calls(station.answer(work, Trained(4, 0.5)), "get_params")[0], ONES)
    (sent,) = [e for e in upload if isinstance(e, Send)]
    station.tell(SendOutcome(tag=sent.tag, ok=True))
    effects = station.tell(TimerFired(id="hail"), after=3 * S)
    assert [e.cls for e in effects if isinstance(e, Send)] == ["join"]
    assert [e.id for e in effects if not isinstance(e, Send)] == ["join"]


ONES = np.ones(3, np.float32)


def test_a_hail_while_joining_is_silent(desk):
    station = desk(AVERAGE)
    boot = station.machine.dump()["tools"]["joining"]["sent"][1]
    payload = Reply(status=Status.JOIN_FIRST, lowest_boot=1).pack()
    reply = station.post.write(Kind.JOIN, station.now, payload=payload, g=boot)
    data = station.post.send(reply, dst=1, cls="reply").data
    effects = station.tell(Received(data=data, src=0))
    assert [e.cls for e in effects if isinstance(e, Send)] == ["join"]
    assert station.tell(TimerFired(id="hail"), after=11 * S) == []


# --------------------------------------------------------------------------------- work overtaken
@pytest.mark.parametrize(
    ("arm", "value"), [(AVERAGE, Trained(4, 0.5)), (DESCENT, Slope(4, 0.5, ONES))]
)
def test_work_is_given_up_for_a_newer_model_and_not_for_the_same(desk, arm, value):
    station = desk(arm)
    work = begun(station)
    assert not [e for e in station.give(1) if isinstance(e, LearnerCall)]
    assert station.machine.dump()["work"]["next"] is None
    station.give(2)
    twin = open_device(station.world.settings, station.world.ground, dev=1, layers=2, stream=None)
    twin.load(station.machine.dump())
    assert twin.dump() == station.machine.dump()
    (ask,) = calls(station.answer(work, value), "set_params")
    assert ask.args.values.tolist() == [2.0] * 3
    assert station.machine.counters["superseded"] == 1


def test_a_model_that_comes_while_the_own_is_read_is_taken_up_instead(desk):
    station = desk(BUFFER)
    (read,) = calls(station.answer(begun(station), Trained(4, 0.5)), "get_params")
    station.give(2)
    calls(station.answer(read, ONES), "set_params")
    assert station.machine.counters["superseded"] == 1


def test_a_learner_that_answers_nonsense_is_to_blame(desk):
    for arm, text in ((AVERAGE, "how many frames"), (DESCENT, "its loss")):
        station = desk(arm)
        work = begun(station)
        with pytest.raises(ProtocolError, match=text):
            station.answer(work, ONES)
    station = desk(DESCENT)
    work = begun(station)
    with pytest.raises(ProtocolError, match=r"shape \(3,\)"):
        station.answer(work, Slope(4, 0.5, np.ones(5, np.float32)))
    station = desk(RAW)
    (take,) = _open_takes(station)
    with pytest.raises(ProtocolError, match="contents and its label"):
        station.tell(LearnerDone(call=take, value=ONES))


# ------------------------------------------------------------------------------------- raw frames
def _open_takes(station):
    _, opened = station.machine.dump()["tools"]["asking"]
    return [call for call, op in opened if op == "take_frame"]


def test_a_frame_without_a_way_is_dropped_and_one_that_was_lost_is_not_sent_again(desk):
    station = desk(RAW)
    (take,) = _open_takes(station)
    sends = [e for e in station.tell(LearnerDone(call=take, value=FRAME)) if isinstance(e, Send)]
    assert [each.cls for each in sends] == ["frame"]
    assert not _open_takes(station), "one is on its way, as many as may be"
    calls(station.tell(SendOutcome(tag=sends[0].tag, ok=False)), "take_frame")
    assert station.machine.counters["frame_lost"] == 1
    station.tell(LinkStatus(other=0, up=False))
    (take,) = _open_takes(station)
    assert station.tell(LearnerDone(call=take, value=FRAME)) == []
    assert station.machine.counters["frame_unsent"] == 1
    calls(station.tell(LinkStatus(other=0, up=True)), "take_frame")


FRAME = RawFrame(b"abc", 1)


def test_who_sends_frames_is_busy_and_has_no_timer(desk):
    station = desk({**RAW, "hail_period": "2 s"})
    station.hear(Parcel(code=Code.PREDICTION, payload=b"\0\1", enc=0, captured_ns=0))
    effects = station.tell(TimerFired(id="hail"), after=3 * S)
    assert [e.id for e in effects] == ["hail"]
    state = station.machine.dump()
    state["tools"]["timers"] = [["step", station.now]]
    station.machine.load(state)
    assert station.tell(TimerFired(id="step")) == []
    assert station.machine.counters["late_event"] == 1


def test_who_has_no_hidden_layer_sets_no_share(desk):
    world = desk(AVERAGE).world
    machine = open_device(world.settings, world.ground, dev=1, layers=0, stream=None)
    effects = machine.handle(Started(boot=1), 0)
    assert not [e for e in effects if isinstance(e, LearnerCall)]
    assert [e.cls for e in effects if isinstance(e, Send)] == ["join"]


@pytest.mark.parametrize("failed", [False, True])
def test_an_upload_counts_as_given_up_only_if_it_waited_for_its_next_try(desk, failed):
    station = desk(BUFFER)
    (read,) = calls(station.answer(begun(station), Trained(4, 0.5)), "get_params")
    (upload,) = [e for e in station.answer(read, ONES) if isinstance(e, Send)]
    if failed:
        station.tell(SendOutcome(tag=upload.tag, ok=False))
    station.give(2)
    assert station.machine.counters.get("given_up", 0) == failed
