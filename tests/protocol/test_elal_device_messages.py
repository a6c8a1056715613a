"""A device by itself: what it takes from the server, what it refuses, what a crash leaves."""

import dataclasses

import msgpack
import numpy as np
import pytest

from simedge.protocol.machine import (
    LearnerCall,
    LearnerDone,
    Note,
    Received,
    Restarted,
    Sample,
    Send,
    SendOutcome,
    SetLambda,
    SetTimer,
    TimerFired,
)
from simedge.protocol.shape import Ground
from simedge.protocol.wire import Message, Report, encode

S = 10**9
MS = 10**6
GROUND = Ground(classes=3, blocks=4, rows=2, pset=bytes(range(32)), tau_ns=S)
ROWS = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], np.float32)


def all_of(kind, effects):
    return [effect for effect in effects if isinstance(effect, kind)]


def only(kind, effects):
    (effect,) = all_of(kind, effects)
    return effect


def causes(effects):
    return [note.detail[0] for note in all_of(Note, effects) if note.kind == "refused"]


def steps(effects):
    return [call.args for call in all_of(LearnerCall, effects) if call.op == "kl_step"]


# ---------------------------------------------------------------------------------------- messages
def test_older_priors_do_not_replace_newer_ones(open_lone):
    lone = open_lone()
    fresh = only(Sample, lone.prior(ROWS, g=2, after=500 * MS, t_us=0))
    assert fresh.metric == "prior_age_s"
    assert fresh.value == pytest.approx(0.5)
    assert dict(fresh.labels) == {"block": 0, "boot": 1, "version": 2}
    for older in (2, 1):
        assert causes(lone.prior(ROWS, g=older)) == ["stale_prior"]
    assert all_of(Sample, lone.prior(ROWS, g=1, boot=2))
    assert causes(lone.prior(ROWS, g=3, boot=1)) == ["stale_prior"]
    assert lone.machine.counters["stale_prior"] == 3


def test_messages_of_others_from_the_future_or_out_of_order_are_refused(open_lone):
    lone = open_lone()
    lone.reply(0)
    report = Report(boot=1, max_seq=0, received=0, hold_us=0).pack()
    assert causes(lone.hear(3, report, src=2)) == ["stranger"]
    assert causes(lone.hear(3, report, t_us=lone.now // 1_000 + 1_001)) == ["future"]
    assert causes(lone.hear(3, report, seq=50)) == []
    assert causes(lone.hear(3, report, seq=50)) == ["duplicate"]
    assert causes(lone.hear(3, report, seq=49)) == ["stale"]
    assert causes(lone.hear(5, b"items", seq=51)) == ["refused"]
    assert causes(lone.hear(6, bytes(4), seq=52)) == ["refused"]
    join = encode(Message(kind=4, dev=2, boot=1, seq=1, t_us=0, payload=bytes(40)))
    assert causes(lone.tell(Received(data=join, src=0))) == ["stranger"]
    assert causes(lone.tell(Received(data=b"noise", src=0))) == ["corrupt"]
    other = Report(boot=2, max_seq=0, received=0, hold_us=0).pack()
    assert causes(lone.hear(3, other)) == ["stale_boot"]


def test_clocks_of_their_own_may_be_two_seconds_apart(open_lone):
    lone = open_lone(ground=dataclasses.replace(GROUND, shared_clock=False))
    ahead = lone.now // 1_000 + 2_000_000
    (sample,) = lone.prior(ROWS, g=1, t_us=ahead)
    assert sample.value == 0
    assert causes(lone.prior(ROWS, g=2, t_us=ahead + 3_000)) == ["future"]


def test_reports_tell_losses_and_round_trips(open_lone):
    lone = open_lone()
    lone.reply(0)
    lone.passed()
    sent = lone.now
    timer, rtt, fail = lone.hear(
        3, Report(boot=1, max_seq=1, received=1, hold_us=30_000).pack(), after=80 * MS
    )
    assert timer == SetTimer(id="report", at=lone.now + 15 * S)
    assert (rtt.metric, rtt.value) == ("rtt_s", pytest.approx(0.05))
    assert (fail.metric, fail.value) == ("fail", 0.0)
    assert sent + 80 * MS == lone.now
    assert only(Sample, lone.hear(3, Report(boot=1, max_seq=1, received=1, hold_us=0).pack()))


def test_missing_reports_count_as_losses(open_lone):
    lone = open_lone()
    lone.reply(0)
    expected = 0.0
    for wait in (15, 5, 5):
        timer, sample = lone.tell(TimerFired(id="report"), after=wait * S)
        expected = 0.8 * expected + 0.2
        assert timer == SetTimer(id="report", at=lone.now + 5 * S)
        assert sample.value == pytest.approx(expected)


def test_a_have_vector_says_which_versions_are_held(open_lone):
    lone = open_lone()
    lone.reply(0)
    lone.prior(ROWS, g=256, blk=3)
    send, timer = lone.tell(TimerFired(id="have"), after=10 * S)
    assert (send.cls, lone.read(send).payload) == ("have", bytes([0, 0, 0, 1]))
    assert timer == SetTimer(id="have", at=lone.now + 10 * S)


# ---------------------------------------------------------------------------------------- restarts
def test_late_events_are_counted_and_ignored(open_lone):
    lone = open_lone()
    for event in (
        TimerFired(id="have"),
        TimerFired(id="unknown"),
        LearnerDone(call=99, value=None),
        SendOutcome(tag=1, ok=False),
    ):
        assert lone.tell(event) == []
    assert lone.machine.counters == {"late_event": 4}


def test_a_restart_with_its_state_keeps_knowledge_but_not_what_was_on_its_way(open_lone):
    lone = open_lone()
    lone.reply(0)
    lone.prior(ROWS, g=9, blk=3)
    lone.passed()
    call = only(LearnerCall, lone.frames())
    state = msgpack.unpackb(msgpack.packb(lone.machine.dump()))
    shares, join, timer = lone.tell(Restarted(boot=2, checkpoint=state))
    assert shares.args == SetLambda(values=(0.5, 0.5))
    assert (join.boot, join.seq, timer.id) == (2, 1, "join")
    assert lone.tell(LearnerDone(call=call.call, value=ROWS)) == []
    lone.reply(0, g=2)
    effects = lone.passed()
    token = lone.read(only(Send, effects))
    assert (token.boot, token.seq, token.blk, token.g) == (2, 1, 0, 0)
    assert lone.read(only(Send, lone.passed())).blk == 1
    assert lone.tell(TimerFired(id="have"), after=10 * S)[0].data


def test_a_wiped_device_remembers_nothing_but_its_boot(open_lone):
    lone = open_lone()
    lone.reply(0)
    lone.prior(ROWS, g=9, blk=2)
    lone.passed()
    fresh = open_lone(started=False)
    before = lone.machine.counters.copy()
    lone.tell(Restarted(boot=2, checkpoint=None))
    lone.reply(0, g=2, seq=1)
    token = lone.read(only(Send, lone.passed()))
    assert (token.boot, token.g, token.n, token.blk) == (2, 0, 3, 2)
    assert lone.machine.counters == before
    wiped, new = lone.machine.dump(), fresh.machine.dump()
    assert wiped["priors"] == new["priors"]


def test_a_boot_below_that_of_the_state_is_raised(open_lone):
    lone = open_lone()
    lone.reply(3, lowest=5)
    _, join, _ = lone.tell(Restarted(boot=2, checkpoint=lone.machine.dump()))
    assert join.boot == 6
