"""Tokens that are sent again: how often, what for, and until when."""

import dataclasses
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.core.streams import Streams, unit_float
from simedge.protocol.machine import (
    CancelTimer,
    LinkStatus,
    Restarted,
    Sample,
    Send,
    SetTimer,
    TimerFired,
)
from simedge.protocol.shape import Ground
from simedge.protocol.transport import wire_bits
from simedge.protocol.wire import Report

MS = 10**6
S = 10**9
TOKENS = 250
QUIET = {"prior_period": "2000 s", "report_period": "2000 s", "have_period": "2000 s"}
LATER = np.array([[0.2, 0.4, 0.4], [0.1, 0.8, 0.1]], np.float32)


def of(kind, effects):
    return [effect for effect in effects if isinstance(effect, kind)]


def tokens(effects):
    return [send for send in of(Send, effects) if send.cls == "token"]


def answer(lone, seq, *, highest=None, boot=1, **fields):
    report = Report(boot=boot, max_seq=highest or seq, received=seq, hold_us=0)
    return lone.hear(3, report.pack(), g=seq, **fields)


@pytest.fixture
def joined(open_lone):
    """Return a device that has joined, whose tokens are sent again three times at most."""
    lone = open_lone(arq=3)
    lone.reply(0)
    return lone


@given(
    loss=st.floats(0, 0.6),
    answer_loss=st.floats(0, 0.5),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=12)
def test_a_token_is_sent_as_often_as_the_losses_of_both_ways_say(world, loss, answer_loss, seed):
    class Wide(world):
        """So many blocks that no token is overtaken by another of its block."""

        ground = Ground(classes=3, blocks=TOKENS, rows=1, pset=bytes(32), tau_ns=200 * MS)

    stream = Streams(seed).stream("test", "arq", "losses")
    lost = {"token": loss, "report": answer_loss}

    def fate(send, count):
        return [] if unit_float(stream.words(count)[0]) < lost.get(send.cls, 0) else [10 * MS]

    run = Wide({"arq": 255, "interval": 1, **QUIET}, devices=1, fate=fate)
    run.frames(TOKENS, every=40 * MS)
    run.run(1_000 * S)
    sends = [send for _, _, send in run.sent("token")]
    first = {send["seq"] for send in sends if send["resend"] == 0}
    assert len(first) == TOKENS
    reached = (1 - loss) * (1 - answer_loss)
    error = sqrt(1 - reached) / reached / sqrt(TOKENS)
    assert abs(len(sends) / TOKENS - 1 / reached) <= 6 * error
    machine = run.machines[1]
    assert machine.counters.get("token_resent", 0) == len(sends) - TOKENS
    assert machine.dump()["tokens"][1] == [], "each was answered in the end"
    assert len({send["data"] for send in sends}) == TOKENS


def test_waits_double_and_end_with_the_last_resend(joined):
    (sent,) = tokens(effects := joined.passed())
    timer = next(each for each in of(SetTimer, effects) if each.id.startswith("token"))
    assert timer.at == joined.now + S
    waits = []
    for resend in range(1, 4):
        effects = joined.tell(TimerFired(id=timer.id), after=timer.at - joined.now)
        assert tokens(effects) == [dataclasses.replace(sent, resend=resend)]
        if of(SetTimer, effects):
            (timer,) = of(SetTimer, effects)
            waits.append(timer.at - joined.now)
    assert waits == [2 * S, 4 * S]
    assert not of(SetTimer, effects)
    assert answer(joined, 1) != [], "an answer that comes too late is still a report"
    assert joined.machine.counters["token_resent"] == 3


def test_an_answer_ends_the_wait_and_measures_the_way(joined):
    (sent,) = tokens(joined.passed())
    effects = answer(joined, sent.seq, after=30 * MS)
    assert [each.id for each in of(CancelTimer, effects)] == ["token-2"]
    assert [each.value for each in of(Sample, effects) if each.metric == "rtt_s"] == [0.03]
    assert not of(CancelTimer, answer(joined, sent.seq))


def test_the_answer_to_a_resent_token_measures_nothing(joined):
    joined.passed()
    joined.tell(TimerFired(id="token-2"), after=S)
    effects = answer(joined, 1)
    assert of(CancelTimer, effects)
    assert "rtt_s" not in {each.metric for each in of(Sample, effects)}


def test_a_newer_token_takes_the_place_of_an_older_one(joined):
    for _ in range(5):  # four blocks: the fifth is of the block of the first
        effects = joined.passed(LATER)
    (sent,) = tokens(effects)
    assert not of(CancelTimer, answer(joined, 1, highest=5)), "nobody waits for it any more"
    (again,) = tokens(joined.tell(TimerFired(id="token-2"), after=S))
    assert (again.seq, again.data, again.resend) == (5, sent.data, 1)


def test_every_sending_of_a_token_is_weighed(joined):
    (sent,) = tokens(joined.passed())
    before = joined.machine.dump()["post"][1]
    joined.tell(TimerFired(id="token-2"), after=S)
    assert joined.machine.dump()["post"][1] == before + wire_bits(sent.data)


def test_nothing_is_sent_again_while_there_is_no_way(joined):
    joined.passed()
    joined.tell(LinkStatus(other=0, up=False))
    assert tokens(joined.tell(TimerFired(id="token-2"), after=S)) == []
    joined.tell(LinkStatus(other=0, up=True))
    (again,) = tokens(joined.tell(TimerFired(id="token-2"), after=S))
    assert again.resend == 1


@pytest.mark.parametrize("raised", ["crash", "reply"])
def test_no_token_of_an_older_boot_is_sent_again(joined, raised):
    joined.passed()
    if raised == "crash":
        joined.tell(Restarted(boot=2, checkpoint=joined.machine.dump()))
        assert joined.machine.dump()["tokens"][1] == []
    else:
        joined.reply(3, lowest=5)
        assert tokens(joined.tell(TimerFired(id="token-2"), after=S)) == []
    assert not of(CancelTimer, answer(joined, 1, boot=2 if raised == "crash" else 5))


def test_a_server_answers_each_token_whatever_becomes_of_it(open_desk):
    desk = open_desk(arq=1)
    desk.join()
    answers = []
    for seq in (1, 3, 2, 3):
        (report,) = of(Send, desk.token(seq=seq, t_us=0))
        message = desk.read(report)
        known = Report.unpack(message.payload)
        answers.append((message.g, known.max_seq, known.received))
    assert answers == [(1, 1, 1), (3, 3, 2), (2, 3, 3), (3, 3, 3)]
    assert desk.machine.counters == {"joins": 1, "stale": 1, "duplicate": 1}


def test_without_resends_a_token_is_answered_by_the_next_report_only(open_desk):
    desk = open_desk()
    desk.join()
    assert of(Send, desk.token()) == []
