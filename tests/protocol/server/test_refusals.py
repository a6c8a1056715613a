"""What servers refuse, drop and count; and what learners may not answer."""

import dataclasses
import zlib

import msgpack
import numpy as np
import pytest

from simedge.core.streams import Streams
from simedge.protocol.errors import ProtocolError
from simedge.protocol.hub import House
from simedge.protocol.machine import (
    Forgotten,
    FrameLearned,
    LearnerCall,
    LearnerDone,
    LinkStatus,
    Note,
    Received,
    Restarted,
    RolledBack,
    Send,
    SendOutcome,
    SetTimer,
    Started,
    TimerFired,
)
from simedge.protocol.opening import open_server
from simedge.protocol.params import OPAQUE, Code, read_message, shape_on
from simedge.protocol.serving import open_scheme
from simedge.protocol.wire import Kind, Reply, Status

S = 10**9
ALL = {"kind": "fedavg", "fraction": 1.0, "wait": "wait_all"}
ASYNC = {"kind": "fedasync"}
BUFFER = {"kind": "fedbuff", "buffer": 9}
RAW = {"kind": "centralised"}
FRAME = {"code": Code.FRAME, "enc": OPAQUE}


def replies(desk, effects):
    """Return (status, lowest boot) of the replies in effects."""
    sends = [e for e in effects if isinstance(e, Send) and e.cls == "reply"]
    found = [Reply.unpack(read_message(e.data, shape_on(desk.ground)).payload) for e in sends]
    return [(reply.status, reply.lowest_boot) for reply in found]


def asked(effects):
    return [e for e in effects if isinstance(e, LearnerCall)]


# ----------------------------------------------------------------------------------------- joins
def test_who_speaks_of_another_proxy_set_or_shape_is_no_member(counter):
    desk = counter(ASYNC, join=False)
    for wrong in ({"pset": bytes(32)}, {"classes": 5}, {"rows": 3}):
        assert replies(desk, desk.join(1, **wrong)) == [(Status.MISMATCH, 1)]
    effects = desk.say(1, [1, 1])
    assert replies(desk, effects) == [(Status.JOIN_FIRST, 1)]
    assert replies(desk, desk.say(1, [1, 1])) == [], "once a second"
    assert (desk.version, desk.counters["stranger"]) == (0, 2)


def test_a_full_server_says_so(counter):
    desk, wider = counter(ASYNC, devices=2), counter(ASYNC, devices=3)
    desk.posts = wider.posts
    assert replies(desk, desk.join(3)) == [(Status.FULL, 1)]


def test_an_older_boot_is_told_the_next_and_its_messages_are_dropped(counter):
    desk = counter(ASYNC)
    old = desk.write(1, [9, 9])
    assert replies(desk, desk.join(1, boot=4)) == [(Status.ACCEPTED, 4)]
    assert replies(desk, desk.hear(old, 1)) == [(Status.BOOT_TOO_LOW, 5)]
    assert replies(desk, desk.hear(old, 1)) == [], "once a second"
    assert (desk.version, desk.counters["stale_boot"]) == (0, 2)
    assert replies(desk, desk.join(1, boot=2)) == [(Status.BOOT_TOO_LOW, 5)]


def test_after_the_last_boot_there_is_no_next(counter):
    desk = counter(ASYNC)
    last = 2**32 - 1
    assert replies(desk, desk.join(1, boot=last)) == [(Status.ACCEPTED, last)]
    assert replies(desk, desk.join(1, boot=2)) == [(Status.BOOT_TOO_LOW, last)]


def test_a_message_of_another_version_is_answered_at_most_once_a_second(counter):
    desk = counter(ASYNC)
    body = msgpack.packb([2, 4, 1, 1, 1, 0, 0, 0, 0, 0, bytes(40)])
    data = body + zlib.crc32(body).to_bytes(4, "big")
    assert replies(desk, desk.hear(data, 1)) == [(Status.VERSION, 1)]
    assert replies(desk, desk.hear(data, 1)) == []
    assert desk.counters["bad_version"] == 2


def test_messages_from_the_future_or_of_other_protocols_are_dropped(counter):
    desk = counter(ASYNC)
    desk.say(1, [9, 9], captured_ns=desk.now + 3600 * S)
    post = desk.posts[1]
    have = post.write(Kind.REPORT, desk.now, payload=bytes(2))
    desk.hear(post.send(have, dst=0, cls="have").data, 1)
    assert (desk.version, desk.counters["future"], desk.counters["refused"]) == (0, 1, 1)


# -------------------------------------------------------------------------------- what is too late
@pytest.mark.parametrize("arm", [ALL, ASYNC, BUFFER, RAW])
def test_what_nobody_waits_for_is_counted_and_changes_nothing(counter, arm):
    desk = counter(arm)
    before = desk.machine.dump()
    events = [
        TimerFired(id="give-1"),
        LearnerDone(call=99, value=None),
        SendOutcome(tag=99, ok=True),
        FrameLearned(n=1, loss=0.5, correct=1),
    ]
    assert [desk.tell(event) for event in events] == [[]] * 4
    assert desk.counters["late_event"] == 4
    after = desk.machine.dump()
    del before["house"]["counters"], after["house"]["counters"]
    assert after == before
    assert desk.tell(Forgotten(other=9)) == []


@pytest.mark.parametrize("arm", [ALL, ASYNC, BUFFER])
def test_schemes_that_ask_nothing_and_set_no_timer_take_answers_as_late(counter, arm):
    desk = counter(arm, join=False)
    house = House(desk.ground, devices=3)
    stream = Streams(3).stream("policy", "server", "choice")
    scheme = open_scheme(desk.settings, house, stream)
    assert scheme.done("train_on", (1,), 5) == []
    if arm is not ALL:
        assert scheme.timer("round", 5) == []
    assert house.refusals.counters["late_event"] == 1 + (arm is not ALL)


def test_a_withdrawn_model_that_fails_is_not_sent_again(counter):
    desk = counter({"kind": "fedavg", "fraction": 1.0, "m_min": 1}, join=False)
    desk.tell = lambda event, **_: _told(desk, event)  # what it sends does not arrive yet
    effects = [e for dev in (1, 2) for e in desk.join(dev)]
    desk.now += 10 * S
    effects += desk.machine.handle(TimerFired(id="gather"), desk.now)
    tags = {e.dst: e.tag for e in effects if isinstance(e, Send) and e.cls == "model"}
    assert sorted(tags) == [1, 2]
    desk.machine.handle(LinkStatus(other=2, up=False), desk.now)
    desk.say(1, [4, 4])
    assert desk.version == 1, "the round is over without the other"
    effects = desk.machine.handle(SendOutcome(tag=tags[2], ok=False), desk.now)
    assert not [e for e in effects if isinstance(e, SetTimer)]
    assert desk.counters["model_failed"] == 1


def _told(desk, event):
    desk.now += 1
    return desk.machine.handle(event, desk.now)


def test_a_rollback_brings_an_old_model_back_and_drops_what_knows_better(counter):
    desk = counter(ASYNC)
    kept = desk.machine.dump()
    desk.say(1, [1, 1], g=0)
    assert desk.version == 1
    desk.tell(RolledBack(state=kept))
    assert (desk.version, desk.model) == (0, [0.0, 0.0])
    effects = desk.say(2, [5, 5], g=1)
    assert desk.models(effects) == [(2, 0)]
    assert (desk.version, desk.counters["unknown_version"]) == (0, 1)


# ----------------------------------------------------------------------------------------- rounds
def test_a_second_answer_in_a_round_counts_no_more(counter):
    desk = counter(ALL)
    desk.say(1, [1, 1])
    desk.say(1, [9, 9])
    assert desk.counters["duplicate"] == 1
    assert desk.models(desk.say(1, [9, 9], g=7)) == [], "its part of the round is done"
    assert desk.counters["unknown_version"] == 1
    desk.say(2, [1, 1])
    desk.say(3, [1, 1])
    assert desk.model == [1.0, 1.0]


def test_a_round_without_anybody_waits_for_the_first_to_come_back(counter):
    desk = counter(ALL)
    for dev in (1, 2, 3):
        desk.tell(LinkStatus(other=dev, up=False))
    assert desk.counters["void_rounds"] == 1
    effects = desk.tell(LinkStatus(other=2, up=True))
    assert desk.models(effects) == [(2, 1)]


@pytest.mark.parametrize("wrong", [{"code": Code.DELTA}, {"n": 0}])
def test_an_answer_of_another_kind_is_malformed(counter, wrong):
    desk = counter(ALL)
    desk.say(1, [1, 1], **wrong)
    assert desk.counters["malformed"] == 1


# --------------------------------------------------------------------------------------- buffers
def test_work_of_who_is_away_stays_with_it_and_its_place_goes_to_another(counter):
    desk = counter({**BUFFER, "training_max": 1})
    assert desk.models(desk.tell(LinkStatus(other=1, up=False))) == [(2, 0)]
    assert desk.models(desk.tell(LinkStatus(other=1, up=True))) == []
    assert desk.machine.dump()["scheme"]["busy"] == [2, 1], "it was at work, and still is"
    desk.tell(LinkStatus(other=1, up=False))
    assert desk.models(desk.join(1)) == [], "nothing goes where there is no way"
    desk.tell(LinkStatus(other=1, up=True))
    desk.tell(Forgotten(other=1))
    assert 1 not in desk.machine.dump()["scheme"]["busy"]


def test_an_idle_device_whose_link_comes_back_waits_for_its_turn(counter):
    desk = counter({**BUFFER, "training_max": 1})
    for up in (False, True, False):
        desk.tell(LinkStatus(other=3, up=up))
    assert desk.machine.dump()["scheme"]["idle"].count(3) == 1
    desk.join(2)
    desk.join(2)
    assert desk.machine.dump()["scheme"]["idle"].count(2) == 1


def test_who_joined_while_its_link_was_down_has_its_turn_when_it_is_up(counter):
    desk = counter(BUFFER, join=False)
    desk.tell(LinkStatus(other=3, up=False))
    assert desk.models(desk.join(3)) == []
    assert desk.models(desk.tell(LinkStatus(other=3, up=True))) == [(3, 0)]


def test_a_link_that_comes_back_brings_no_second_model(counter):
    desk = counter(ASYNC)
    for up in (False, True):
        assert desk.models(desk.tell(LinkStatus(other=3, up=up))) == []
    assert desk.models(desk.say(3, [1, 1])) == [(3, 1)]


def test_an_idle_device_may_send_and_is_handed_work_once(counter):
    desk = counter({**BUFFER, "training_max": 1})
    desk.say(2, [1, 1], code=Code.DELTA)
    assert desk.machine.dump()["scheme"]["idle"].count(2) == 1
    effects = desk.say(2, [1, 1], code=Code.DELTA, g=7)
    assert desk.models(effects) == [(2, 0)]
    assert 2 not in desk.machine.dump()["scheme"]["idle"]
    desk.say(1, [1, 1])
    assert desk.counters["malformed"] == 1


# ------------------------------------------------------------------------------------- raw frames
def test_frames_beyond_the_backlog_are_dropped(counter):
    desk = counter({**RAW, "backlog_max": 2}, devices=2)
    for _ in range(3):
        desk.say(1, b"a\0\1", **FRAME)
    assert desk.counters["overrun"] == 1
    (ask,) = asked(desk.say(2, b"b\0\2", **FRAME))
    assert ask.args.frames == (b"a", b"b")


def test_a_step_with_a_deadline_waits_no_longer_for_who_is_silent(counter):
    desk = counter({**RAW, "step_deadline": "2 s"}, devices=2)
    timers = [e for e in desk.say(1, b"a\0\1", **FRAME) if isinstance(e, SetTimer)]
    assert [(t.id, t.at) for t in timers] == [("step", desk.now + 2 * S)]
    assert not [e for e in desk.say(1, b"c\0\1", **FRAME) if isinstance(e, SetTimer)]
    desk.now = timers[0].at
    (ask,) = asked(desk.tell(TimerFired(id="step"), after=0))
    assert (ask.args.frames, ask.args.labels) == ((b"a",), (1,))


def test_a_prediction_for_who_is_gone_is_not_sent(counter):
    desk = counter(RAW, devices=2)
    desk.say(1, b"a\0\1", **FRAME)
    (ask,) = asked(desk.say(2, b"b\0\2", **FRAME))
    desk.tell(LinkStatus(other=1, up=False))
    served = desk.tell(LearnerDone(call=ask.call, value=(3, 1)))
    assert [e.dst for e in served if isinstance(e, Send)] == [2]


@pytest.mark.parametrize("data", [b"", b"\1", b"abc\0\1"])
def test_frames_of_a_wrong_size_or_kind_are_malformed(counter, data):
    desk = counter(RAW)
    desk.machine = open_server(
        desk.settings, dataclasses.replace(desk.ground, frame_bytes=2), devices=3, stream=None
    )
    (ask,) = desk.tell(Started(boot=1))
    desk.tell(LearnerDone(call=ask.call, value=np.zeros(2, np.float32)))
    desk.join(1)
    desk.say(1, data, **FRAME)
    desk.say(1, [1.0, 1.0])
    assert desk.counters["malformed"] == 2


def test_a_learner_that_answers_nonsense_is_to_blame(counter):
    desk = counter({**RAW, "serve": "device", "serve_every": 1}, devices=1)
    (ask,) = asked(desk.say(1, b"a\0\1", **FRAME))
    with pytest.raises(ProtocolError, match="a class for each"):
        desk.tell(LearnerDone(call=ask.call, value=(1, 2)))
    desk = counter({**RAW, "serve": "device", "serve_every": 1}, devices=1)
    (ask,) = asked(desk.say(1, b"a\0\1", **FRAME))
    (ask,) = asked(desk.tell(LearnerDone(call=ask.call, value=(1,))))
    with pytest.raises(ProtocolError, match="array of shape"):
        desk.tell(LearnerDone(call=ask.call, value=np.zeros(9)))


def test_what_a_server_needs_is_asked_for(counter):
    with pytest.raises(ProtocolError, match="stream"):
        counter(ALL, stream=False)
    desk = counter(ASYNC)
    machine = open_server(desk.settings, desk.ground, devices=3, stream=None)
    (ask,) = machine.handle(Started(boot=1), 0)
    with pytest.raises(ProtocolError, match=r"shape \(2,\)"):
        machine.handle(LearnerDone(call=ask.call, value=np.zeros(5)), 1)
    with pytest.raises(ProtocolError, match="frame_ns"):
        dataclasses.replace(desk.ground, frame_ns=-1)


def test_refusals_are_notes(counter):
    desk = counter(ASYNC)
    effects = desk.machine.handle(Received(data=b"?", src=3), desk.now + 1)
    assert effects == [Note(kind="refused", subject=3, detail=("corrupt",))]


@pytest.mark.parametrize("arm", [ASYNC, BUFFER])
def test_a_server_that_comes_back_gives_everyone_the_model(counter, arm):
    desk = counter(arm)
    effects = desk.tell(Restarted(boot=2, checkpoint=desk.machine.dump()))
    assert desk.models(effects) == [(1, 0), (2, 0), (3, 0)]


@pytest.mark.parametrize("arm", [ASYNC, BUFFER])
def test_who_joins_again_at_work_gets_its_model_again(counter, arm):
    desk = counter(arm)
    assert desk.models(desk.join(2)) == [(2, 0)]
    desk.say(2, [1, 1], code=Code.GRADIENT)
    assert desk.counters["malformed"] == 1
