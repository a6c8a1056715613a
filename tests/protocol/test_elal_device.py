"""A device by itself: how it joins, passes, sends and steps."""

import dataclasses

import numpy as np
import pytest

from simedge.protocol.errors import ProtocolError
from simedge.protocol.machine import (
    CancelTimer,
    Checkpoint,
    FrameLearned,
    LearnerCall,
    LearnerDone,
    LinkStatus,
    Note,
    ProxyPass,
    Sample,
    Send,
    SetLambda,
    SetTimer,
    TimerFired,
)
from simedge.protocol.quantiser import decode_rows, quantise
from simedge.protocol.shape import Ground, address_of
from simedge.protocol.wire import Join

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


# ---------------------------------------------------------------------------------------- joining
def test_a_device_sets_its_shares_and_asks_to_join(open_lone):
    lone = open_lone()
    shares, join, timer = lone.first
    assert shares.args == SetLambda(values=(0.5, 0.5))
    assert (join.dst, join.cls, join.boot, join.seq, join.resend) == (0, "join", 1, 1, 0)
    assert timer == SetTimer(id="join", at=S)
    expected = Join(pset=GROUND.pset, classes=3, rows=2, blocks=4)
    assert Join.unpack(lone.read(join).payload) == expected


def test_joins_are_repeated_byte_by_byte_at_doubling_intervals(open_lone):
    lone = open_lone()
    first = only(Send, lone.first)
    waits = []
    for resend in range(1, 9):
        before = lone.now
        due = lone.machine.dump()["timers"][0][1]
        again, timer = lone.tell(TimerFired(id="join"), after=due - before)
        assert again == dataclasses.replace(first, resend=resend)
        waits.append((timer.at - lone.now) // S)
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]
    assert lone.machine.counters == {"join_resent": 8}


def test_nothing_is_passed_or_sent_before_the_join_is_accepted(open_lone):
    lone = open_lone()
    assert lone.frames(7) == [Checkpoint(), Checkpoint()]
    note, cancel, report, have = lone.reply(0)
    assert note == Note(kind="joined", subject=1, detail=(0,))
    assert cancel == CancelTimer(id="join")
    assert report == SetTimer(id="report", at=lone.now + 15 * S)
    assert have == SetTimer(id="have", at=lone.now + 10 * S)
    assert only(LearnerCall, lone.frames(2)).op == "proxy_pass"
    assert lone.reply(0) == []


@pytest.mark.parametrize("status", [1, 2])
def test_a_refused_device_stops_asking_and_learns_alone(open_lone, status):
    lone = open_lone()
    effects = lone.reply(status)
    assert only(Note, effects).detail == (status,)
    assert only(CancelTimer, effects).id == "join"
    assert lone.frames(3) == [Checkpoint()]
    assert lone.tell(TimerFired(id="join"), after=S) == []
    assert lone.machine.counters == {"late_event": 1}


def test_a_device_that_finds_the_server_full_keeps_asking(open_lone):
    lone = open_lone()
    assert lone.reply(4) == []
    assert only(Send, lone.tell(TimerFired(id="join"), after=S)).resend == 1


def test_a_device_whose_boot_was_lost_takes_the_lowest_accepted(open_lone):
    lone = open_lone()
    join, _ = lone.reply(3, lowest=5)
    assert (join.boot, join.seq, join.resend) == (5, 1, 0)
    assert causes(lone.reply(3, lowest=5, g=5)) == ["stale_boot"]
    assert only(Note, lone.reply(0, lowest=5, g=5)).subject == 5


def test_a_forgotten_device_joins_again_once(open_lone):
    lone = open_lone()
    assert lone.reply(5) == []
    lone.reply(0)
    join, _ = lone.reply(5)
    assert (join.cls, join.seq, join.resend) == ("join", 2, 0)
    assert lone.reply(5) == []
    assert lone.frames(3) == [Checkpoint()]


def test_replies_to_another_boot_are_ignored(open_lone):
    lone = open_lone()
    assert causes(lone.reply(0, g=2)) == ["stale_boot"]
    assert lone.frames(3) == [Checkpoint()]


# ------------------------------------------------------------------------------------------ passes
def test_blocks_are_passed_in_turn_from_an_own_start(open_lone):
    lone = open_lone(dev=6)
    lone.reply(0)
    asked = []
    for _ in range(5):
        call = only(LearnerCall, lone.frames())
        asked.append(call.args)
        lone.tell(LearnerDone(call=call.call, value=ROWS))
    assert asked == [
        ProxyPass(address=block, first=2 * block, count=2) for block in (2, 3, 0, 1, 2)
    ]


def test_parts_are_passed_one_by_one(open_lone):
    lone = open_lone(dev=1, part_level=1)
    assert Join.unpack(lone.read(only(Send, lone.first)).payload).part_level == 1
    lone.reply(0)
    asked = []
    for _ in range(2):
        call = only(LearnerCall, lone.frames())
        asked.append(call.args)
        lone.tell(LearnerDone(call=call.call, value=ROWS[:1]))
    assert asked == [
        ProxyPass(address=address_of(0, level=1, part=1), first=1, count=1),
        ProxyPass(address=address_of(1, level=1, part=0), first=2, count=1),
    ]


def test_a_pass_that_is_still_out_is_not_overtaken(open_lone):
    lone = open_lone()
    lone.reply(0)
    call = only(LearnerCall, lone.frames())
    assert lone.frames() == [Checkpoint()]
    assert lone.machine.counters["pass_overrun"] == 1
    assert only(Send, lone.tell(LearnerDone(call=call.call, value=ROWS))).cls == "token"
    assert only(LearnerCall, lone.frames()).args.address == 3


def test_a_token_says_what_was_seen_when_and_after_how_much(open_lone):
    lone = open_lone()
    lone.reply(0)
    call = only(LearnerCall, lone.frames())
    called_us = lone.now // 1_000
    lone.tell(FrameLearned(n=2, loss=1.0, correct=False))
    effects = lone.tell(LearnerDone(call=call.call, value=ROWS), after=S)
    send = only(Send, effects)
    token = lone.read(send)
    assert (send.dst, send.cls, send.boot, send.seq) == (0, "token", 1, 1)
    assert (token.kind, token.dev, token.blk, token.g, token.n) == (1, 6, 2, 0, 5)
    assert token.t_us == called_us
    assert (token.rows == quantise(ROWS, lone.shape)).all()


def test_a_token_names_the_version_of_the_prior_held(open_lone):
    lone = open_lone()
    lone.reply(0)
    lone.prior(ROWS, g=7, blk=2)
    assert lone.read(only(Send, lone.passed())).g == 7


def test_nothing_is_sent_over_a_link_known_to_be_down(open_lone):
    lone = open_lone()
    lone.reply(0)
    assert lone.tell(LinkStatus(other=3, up=False)) == []
    assert lone.tell(LinkStatus(other=0, up=False)) == []
    assert not all_of(Send, lone.passed())
    assert lone.tell(TimerFired(id="have"), after=10 * S) == [
        SetTimer(id="have", at=lone.now + 10 * S)
    ]
    lone.tell(LinkStatus(other=0, up=True))
    assert lone.read(only(Send, lone.passed())).n == 6


@pytest.mark.parametrize("value", [None, ROWS[:1]])
def test_a_pass_without_all_its_rows_is_the_learners_error(open_lone, value):
    lone = open_lone()
    lone.reply(0)
    call = only(LearnerCall, lone.frames())
    with pytest.raises(ProtocolError, match="must return 2 rows"):
        lone.tell(LearnerDone(call=call.call, value=value))


# ---------------------------------------------------------------------------------- towards priors
def test_without_a_prior_no_step_is_made(open_lone):
    lone = open_lone()
    lone.reply(0)
    assert steps(lone.passed()) == []


def test_a_held_prior_pulls_on_its_rows_after_the_token(open_lone):
    lone = open_lone(kl=8, kl_steps=4)
    lone.reply(0)
    lone.prior([(0.7, 0.2, 0.1), (0, 0, 0)], g=1, blk=2)
    effects = lone.passed()
    kinds = [e.cls if isinstance(e, Send) else getattr(e, "op", None) for e in effects]
    assert [k for k in kinds if k] == ["token", "kl_step", "set_lambda"]
    (step,) = steps(effects)
    assert (step.alpha, step.steps) == (8.0, 4)
    (part,) = step.parts
    assert part.address == 2
    assert part.mask.tolist() == [True, False]
    codes = quantise(np.array([(0.7, 0.2, 0.1)], np.float32), lone.shape)
    assert part.target[0] == pytest.approx(decode_rows(codes, lone.shape)[0])
    assert not part.target[1].any()
    found = {e.metric: e.value for e in all_of(Sample, effects)}
    own, prior = ROWS[0].astype(float), part.target[0]
    assert found["kl_forward"] == pytest.approx(float((prior * np.log(prior / own)).sum()))
    assert found["kl_reverse"] == pytest.approx(float((own * np.log(own / prior)).sum()))


def test_a_step_counts_as_applied_when_it_is_done(open_lone):
    lone = open_lone()
    lone.reply(0)
    lone.prior(ROWS, g=1, blk=2)
    call = next(c for c in all_of(LearnerCall, lone.passed()) if c.op == "kl_step")
    done = lone.tell(LearnerDone(call=call.call, value=None))
    assert done == [Note(kind="applied", subject=2, detail=(1,))]
    assert lone.tell(LearnerDone(call=call.call, value=None)) == []
    assert lone.machine.counters == {"late_event": 1}


def test_a_prior_is_not_used_beyond_its_age(open_lone):
    lone = open_lone(age_max="5 s")
    lone.reply(0)
    lone.prior(ROWS, g=1, blk=2)
    lone.now += 5 * S
    assert steps(lone.passed()) == []


def test_steps_can_go_over_all_blocks_passed_before(open_lone):
    lone = open_lone(kl_blocks="held")
    lone.reply(0)
    for block in (1, 2, 3):
        lone.prior(ROWS, g=1, blk=block)

    def one_call():
        effects = lone.passed()
        (step,) = steps(effects)
        (call,) = [c.call for c in all_of(LearnerCall, effects) if c.op == "kl_step"]
        notes = lone.tell(LearnerDone(call=call, value=None))
        assert all(note.kind == "applied" for note in notes)
        return [part.address for part in step.parts], [note.subject for note in notes]

    assert one_call() == ([2], [2])
    assert one_call() == ([2, 3], [2, 3])


def test_without_weight_no_step_is_made(open_lone):
    lone = open_lone(kl=0)
    lone.reply(0)
    lone.prior(ROWS, g=1, blk=2)
    assert steps(lone.passed()) == []


def test_the_policy_acts_after_every_pass_on_the_bits_of_the_period(open_lone):
    lone = open_lone(gamma=1.0, beta=0.0, c_ref=8.0)
    lone.reply(0)
    first = lone.passed()
    assert all_of(LearnerCall, first)[-1].op == "set_lambda"
    assert [n.subject for n in all_of(Note, first) if n.kind == "action"] == [1]
    lone.prior(ROWS, g=1, blk=0)
    second = lone.passed()
    token = only(Send, second)
    rewards = [e.value for e in all_of(Sample, second) if e.metric == "policy_reward"]
    prior_bytes = len(token.data)  # same rows, same envelope but for small integers
    assert rewards[0] == pytest.approx(-1.0 - (len(token.data) + prior_bytes + 56), abs=3)


def test_fixed_shares_are_set_once(open_lone):
    lone = open_lone(policy={"kind": "fixed", "lambda": [0.2, 0.9]})
    assert lone.first[0].args == SetLambda(values=(0.2, 0.9))
    lone.reply(0)
    assert not [c for c in all_of(LearnerCall, lone.passed()) if c.op == "set_lambda"]
    assert not all_of(LearnerCall, open_lone(layers=0).first)
