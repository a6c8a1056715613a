"""Rows about labels: who is told what, what the learner is told, and who never hears itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.protocol.asks import ClassTable
from simedge.protocol.elal_publishing import weights_of
from simedge.protocol.errors import ProtocolError
from simedge.protocol.machine import (
    FrameLearned,
    LearnerCall,
    LearnerDone,
    Note,
    Restarted,
    Sample,
    Send,
)
from simedge.protocol.quantiser import decode_rows, quantise
from simedge.protocol.register import Register, Token
from simedge.protocol.settings import ElalSettings
from simedge.protocol.shape import Coding, Ground, Shape
from simedge.protocol.wire import Join

MS = 10**6
S = 10**9
GROUND = Ground(classes=3, blocks=2, rows=2, pset=bytes(range(32)), tau_ns=S)
SHAPE = Shape(classes=3, blocks=2, rows=2, coding=Coding(bits=8))
TABLE = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], np.float32)
PRIOR = [(0.7, 0.2, 0.1), (0, 0, 0)]

opinions = st.lists(st.integers(0, 9), min_size=3, max_size=3)
tables = st.lists(opinions, min_size=4, max_size=4)


def of(kind, effects):
    return [effect for effect in effects if isinstance(effect, kind)]


def pulls(effects):
    return [call.args for call in of(LearnerCall, effects) if call.op == "set_class_prior"]


def shares(raw):
    rows = np.array(raw, np.float32)
    return rows / np.maximum(rows.sum(axis=1, keepdims=True), 1)


@pytest.fixture
def lone(open_lone):
    """Return a device that has joined, whose rows are about three labels in blocks of two."""
    lone = open_lone(ground=GROUND, dev=6, x_mode="class", kl=4, kl_steps=2, age_max="50 s")
    lone.reply(0)
    return lone


@given(classes=st.integers(2, 700))
@settings(max_examples=50)
def test_blocks_hold_all_classes_and_fit_a_datagram(classes):
    elal = ElalSettings(x_mode="class")
    blocks, rows = elal.extent(classes=classes, blocks=5, rows=4)
    assert (blocks - 1) * rows < classes <= blocks * rows
    elal.shape(classes=classes, blocks=blocks, rows=rows)
    assert ElalSettings().extent(classes=classes, blocks=5, rows=4) == (5, 4)
    assert elal.extent(classes=400, blocks=1, rows=1) == (8, 56)
    assert elal.extent(classes=101, blocks=1, rows=1) == (2, 64)


def test_a_join_says_what_rows_are_about_and_both_ends_must_mean_the_same(lone, open_desk):
    (join,) = of(Send, lone.first)
    assert Join.unpack(lone.read(join).payload).x_mode == 1
    desk = open_desk(x_mode="class")
    for x_mode, status in ((1, 0), (0, 1), (2, 1)):
        (reply,) = of(Send, desk.join(x_mode=x_mode))
        assert desk.read(reply).payload[0] == status


def test_tables_are_asked_for_in_turn_and_rows_beyond_the_classes_are_absent(lone):
    asked, said = [], []
    for table in (TABLE, TABLE[:1], TABLE):
        (call,) = of(LearnerCall, lone.frames())
        asked.append(call.args)
        (send,) = of(Send, lone.tell(LearnerDone(call=call.call, value=table)))
        said.append(lone.read(send).rows.any(axis=1).tolist())
    spans = [ClassTable(first=0, count=2), ClassTable(first=2, count=1)]
    assert asked == [*spans, spans[0]]
    assert said == [[True, True], [True, False], [True, True]]


def test_parts_beyond_the_last_class_have_no_turn(open_lone):
    lone = open_lone(ground=GROUND, dev=3, x_mode="class", part_level=1)
    lone.reply(0)
    asked = []
    for _ in range(4):
        (call,) = of(LearnerCall, lone.frames())
        asked.append(call.args.first)
        lone.tell(LearnerDone(call=call.call, value=TABLE[:1]))
    assert asked == [0, 1, 2, 0]


def test_a_table_of_another_shape_is_the_learners_error(lone):
    (call,) = of(LearnerCall, lone.frames())
    with pytest.raises(ProtocolError, match="must return 2 rows"):
        lone.tell(LearnerDone(call=call.call, value=TABLE[:1]))


def test_frames_are_pulled_to_what_is_held_from_its_arrival_to_its_age(lone):
    effects = lone.prior(PRIOR, g=1, blk=0)
    (pull,) = pulls(effects)
    codes = quantise(np.array(PRIOR, np.float32), SHAPE)
    assert pull.mask.tolist() == [True, False, False]
    assert pull.target[0] == pytest.approx(decode_rows(codes, SHAPE)[0])
    assert not pull.target[1:].any()
    assert (pull.alpha, pull.steps) == (4.0, 2)
    (call,) = of(LearnerCall, effects)
    done = lone.tell(LearnerDone(call=call.call, value=None))
    assert done == [Note(kind="applied", subject=0, detail=(2,))]
    assert pulls(lone.tell(FrameLearned(n=1, loss=1.0, correct=True))) == []
    (gone,) = pulls(lone.tell(FrameLearned(n=1, loss=1.0, correct=True), after=51 * S))
    assert not gone.mask.any()
    assert not gone.target.any()
    assert pulls(lone.tell(FrameLearned(n=1, loss=1.0, correct=True))) == []


def test_the_policy_sees_how_far_labels_are_from_their_prior(lone):
    lone.prior(PRIOR, g=1, blk=0)
    effects = lone.passed(TABLE)
    assert lone.read(of(Send, effects)[0]).g == 1
    found = {each.metric: each.value for each in of(Sample, effects)}
    prior = decode_rows(quantise(np.array(PRIOR, np.float32), SHAPE), SHAPE)[0]
    own = TABLE[0].astype(float)
    assert found["kl_reverse"] == pytest.approx(float((own * np.log(own / prior)).sum()))
    assert [n for n in of(Note, effects) if n.kind == "action"]


def test_labels_that_were_not_seen_are_not_compared(lone):
    lone.prior(PRIOR, g=1, blk=0)
    effects = lone.passed(np.array([[0, 0, 0], [0.1, 0.1, 0.8]], np.float32))
    assert not {each.metric for each in of(Sample, effects)} & {"kl_forward", "kl_reverse"}


def test_without_weight_no_frame_is_pulled(open_lone):
    lone = open_lone(ground=GROUND, x_mode="class", kl=0)
    lone.reply(0)
    assert pulls(lone.prior(PRIOR, g=1, blk=0)) == []


def test_after_a_crash_the_learner_is_told_again_what_is_held(lone):
    (before,) = pulls(lone.prior(PRIOR, g=1, blk=0))
    state = lone.machine.dump()
    (again,) = pulls(lone.tell(Restarted(boot=2, checkpoint=state)))
    assert again.target.tolist() == before.target.tolist()
    lone.machine.load(state)
    assert pulls(lone.tell(FrameLearned(n=1, loss=1.0, correct=True))) == [], "it was not lost"
    assert pulls(lone.tell(Restarted(boot=2, checkpoint=None))) == []


# ---------------------------------------------------------------------------------------- no echo
@given(
    said=st.lists(tables, min_size=2, max_size=4),
    own=tables,
    confidence=st.sampled_from(["none", "entropy"]),
)
@settings(max_examples=50)
def test_what_a_device_is_told_is_read_as_if_it_had_said_nothing(said, own, confidence):
    elal = ElalSettings(x_mode="class", confidence=confidence, quorum=1)
    weights = weights_of(elal, GROUND)

    def reading(first):
        register = Register(SHAPE, len(said))
        for dev, raw in enumerate([first, *said[1:]], 1):
            codes = quantise(shares(raw[:2]), SHAPE)
            register.merge(Token(dev=dev, stamp=1, captured_ns=dev, n=1, g=0, codes=codes), 0)
        return register, register.read_others(0, 10, weights=weights, version=0)

    register, told = reading(said[0])
    _, changed = reading(own)
    assert (told.rows[0] == changed.rows[0]).all(), "bit for bit"
    for dev in range(1, len(said) + 1):
        plain = register.read(
            np.array([0]), 10, weights=weights, versions=np.array([0]), without=dev
        )
        assert told.rows[dev - 1] == pytest.approx(plain.rows[0], abs=1e-12)
        assert told.devices[dev - 1] == plain.devices[0]
        assert told.newest_ns[dev - 1] == plain.newest_ns[0]


def collected(desk, tokens):
    """Return what each device is told after all have said something of the first block."""
    for dev in tokens:
        desk.join(dev, x_mode=1)
    for dev, rows in tokens.items():
        desk.token(rows, dev=dev)
    return {send.dst: desk.read(send).rows for send in of(Send, desk.publish())}


@given(first=tables, second=tables, other=tables)
@settings(max_examples=30)
def test_no_device_hears_itself(open_desk, first, second, other):
    told = [
        collected(open_desk(x_mode="class"), {1: shares(own[:2]), 2: shares(other[:2])})
        for own in (first, second)
    ]
    heard = [rows.get(1, np.zeros((2, 3))).tolist() for rows in told]
    assert heard[0] == heard[1]
    said = quantise(shares(other[:2]), SHAPE).any(axis=1)
    assert np.any(heard[0], axis=1).tolist() == said.tolist()


def test_a_single_device_is_never_told_anything(open_desk):
    desk = open_desk(x_mode="class", devices=1)
    assert collected(desk, {1: TABLE}) == {}
    assert of(Send, desk.have([0, 0, 0, 0])) == []


def test_a_have_vector_is_answered_with_what_was_written_for_its_sender(open_desk):
    desk = open_desk(x_mode="class")
    told = collected(desk, {1: TABLE, 2: TABLE[::-1]})
    for dev in (1, 2):
        (again,) = of(Send, desk.have([0, 0, 0, 0], dev=dev))
        assert (again.resend, desk.read(again).rows.tolist()) == (1, told[dev].tolist())


def test_a_device_that_was_told_something_is_told_when_it_is_gone(open_desk):
    desk = open_desk(x_mode="class")
    collected(desk, {1: TABLE, 2: TABLE})
    desk.token([(0, 0, 0)] * 2, dev=2)
    told = {send.dst: desk.read(send).rows.any() for send in of(Send, desk.publish())}
    assert told == {1: False, 2: True}


@given(plan=st.lists(st.booleans(), min_size=1, max_size=8))
@settings(max_examples=6)
def test_machines_reloaded_after_every_event_say_the_same(world, plan):
    class Labels(world):
        ground = GROUND

        def carry_out(self, number, effect, now):
            if isinstance(effect, LearnerCall) and effect.op == "class_table":
                value = self.rows(number, effect.args)
                self.at(now + MS, number, LearnerDone(call=effect.call, value=value))
            elif not (isinstance(effect, LearnerCall) and effect.op == "set_class_prior"):
                super().carry_out(number, effect, now)
            else:
                self.at(now + MS, number, LearnerDone(call=effect.call, value=None))

    def fate(send, count):
        return [10 * MS] if send.cls == "join" or plan[count % len(plan)] else []

    runs = [Labels({"x_mode": "class"}, devices=3, fate=fate, reload=each) for each in (0, 1)]
    for run in runs:
        run.frames(16)
        run.run(2 * S)
    sends = [[(now, number, send) for now, number, send in run.of("Send")] for run in runs]
    assert sends[0] == sends[1]


def test_messages_of_a_restarted_server_are_news(open_desk):
    desk = open_desk(x_mode="class")
    told = collected(desk, {1: TABLE, 2: TABLE[::-1]})
    desk.machine.handle(Restarted(boot=2, checkpoint=desk.machine.dump()), desk.now)
    again = {send.dst: desk.read(send) for send in of(Send, desk.publish())}
    assert {dev: each.rows.tolist() for dev, each in again.items()} == {
        dev: rows.tolist() for dev, rows in told.items()
    }
    assert {each.boot for each in again.values()} == {2}
