"""The server by itself: joins, merges, publications, reports, repairs."""

import dataclasses
import hashlib
import zlib

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.protocol.machine import (
    Checkpoint,
    FrameLearned,
    LearnerDone,
    LinkStatus,
    Note,
    Restarted,
    Sample,
    Send,
    SendOutcome,
    SetTimer,
    TimerFired,
)
from simedge.protocol.shape import Ground, address_of, part_of
from simedge.protocol.wire import (
    Reply,
    Report,
)

S = 10**9
MS = 10**6
GROUND = Ground(classes=3, blocks=4, rows=2, pset=bytes(range(32)), tau_ns=S)
LEFT, RIGHT = [(1, 0, 0)] * 2, [(0, 0, 1)] * 2


def all_of(kind, effects):
    return [effect for effect in effects if isinstance(effect, kind)]


def only(kind, effects):
    (effect,) = all_of(kind, effects)
    return effect


def causes(effects):
    return [note.detail[0] for note in all_of(Note, effects) if note.kind == "refused"]


def status_of(desk, effects):
    reply = desk.read(only(Send, effects))
    assert reply.kind == 4
    return Reply.unpack(reply.payload), reply.g


# ---------------------------------------------------------------------------------------- joining
def test_a_server_starts_its_two_clocks(open_desk):
    desk = open_desk()
    assert desk.first == [SetTimer(id="publish", at=2 * S), SetTimer(id="report", at=5 * S)]


def test_a_join_of_the_same_proxy_set_is_accepted_each_time(open_desk):
    desk = open_desk()
    for _ in range(2):
        assert status_of(desk, desk.join(boot=3)) == (Reply(status=0, lowest_boot=3), 3)
    assert desk.machine.counters == {"joins": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"pset": bytes(32)},
        {"classes": 4},
        {"rows": 4},
        {"blocks": 2},
        {"x_mode": 1},
        {"level": 7},
        {"level": 2},
    ],
)
def test_a_join_of_anything_else_is_refused(open_desk, change):
    desk = open_desk()
    assert status_of(desk, desk.join(**change))[0] == Reply(status=1, lowest_boot=1)
    assert causes(desk.token()) == ["stranger"]


def test_a_full_server_says_so(open_desk):
    assert status_of(desk := open_desk(devices=1), desk.join(2))[0].status == 4


def test_a_lost_boot_is_answered_with_one_that_nobody_used(open_desk):
    desk = open_desk()
    desk.join(boot=4)
    reply, g = status_of(desk, desk.join(boot=2))
    assert (reply, g) == (Reply(status=3, lowest_boot=5), 2)


def test_strangers_are_told_to_join_at_most_once_a_second(open_desk):
    desk = open_desk()
    effects = desk.token()
    assert causes(effects) == ["stranger"]
    assert status_of(desk, effects) == (Reply(status=5, lowest_boot=1), 1)
    assert all_of(Send, desk.token()) == []
    assert all_of(Send, desk.token(dev=2))
    assert all_of(Send, desk.token(after=S))
    assert all_of(Send, desk.token(dev=9)) == []


def test_other_versions_are_told_so_at_most_once_a_second(open_desk):
    desk = open_desk()
    body = msgpack.packb([2, "some later version"])
    data = body + zlib.crc32(body).to_bytes(4, "big")
    effects = desk.raw(data)
    assert causes(effects) == ["bad_version"]
    assert status_of(desk, effects)[0].status == 2
    assert all_of(Send, desk.raw(data)) == []
    assert all_of(Send, desk.raw(data, src=9)) == []


def test_who_speaks_for_another_is_a_stranger_without_an_answer(open_desk):
    desk = open_desk()
    desk.join()
    effects = desk.token(src=2)
    assert causes(effects) == ["stranger"]
    assert all_of(Send, effects) == []
    assert causes(desk.hear(5, b"", dev=0, src=0)) == ["stranger"]


# ---------------------------------------------------------------------------------------- merging
def test_a_token_is_merged_once(open_desk):
    desk = open_desk()
    desk.join()
    note, latency, staleness = desk.token(g=0, after=250 * MS)
    assert note == Note(kind="merged", subject=1, detail=(0,))
    assert (latency.metric, latency.value) == ("token_latency_s", pytest.approx(0.25))
    assert (staleness.metric, staleness.value) == ("staleness_versions", 0)
    before = desk.machine.register.dump()
    assert causes(desk.token(RIGHT, seq=1, blk=1)) == []
    assert causes(desk.token(seq=1, t_us=1_000)) == ["duplicate"]
    assert desk.machine.register.dump() != before


def test_refusals_come_in_their_order(open_desk):
    desk = open_desk()
    desk.join(boot=2)
    desk.token(boot=2, seq=5)
    ahead = desk.now // 1_000 + 10_000
    assert causes(desk.token(dev=2, t_us=ahead, boot=1)) == ["stranger"]
    assert causes(desk.token(t_us=ahead, boot=1)) == ["future"]
    assert causes(desk.token(boot=1)) == ["stale_boot"]
    assert causes(desk.token(boot=2, seq=5, t_us=1_000)) == ["duplicate"]
    assert causes(desk.token(boot=2, seq=4)) == ["stale"]
    assert causes(desk.hear(6, b"", boot=2)) == ["refused"]
    assert causes(desk.raw(bytes(2_000))) == ["oversize"]


def test_two_contents_under_one_stamp_leave_the_larger(open_desk):
    desk = open_desk()
    desk.join()
    desk.token(RIGHT)
    effects = desk.token(LEFT, seq=1, t_us=1_000)
    assert only(Note, effects).kind == "merged"
    assert causes(desk.token(RIGHT, seq=1, t_us=1_000)) == ["duplicate"]
    assert desk.machine.counters == {"joins": 1, "conflict": 2, "duplicate": 1}


def test_a_later_boot_needs_no_join_of_its_own(open_desk):
    desk = open_desk()
    desk.join()
    desk.token(seq=7)
    assert only(Note, desk.token(RIGHT, boot=2, seq=1)).kind == "merged"
    refused = desk.token(boot=1, seq=8)
    assert causes(refused) == ["stale_boot"]
    assert [e.cls for e in refused if isinstance(e, Send)] == ["reply"], "it is told the next"


def test_staleness_counts_versions_since_the_base(open_desk):
    desk = open_desk()
    desk.join()
    for _ in range(3):
        desk.token()
        desk.publish()
    staleness = [s.value for s in all_of(Sample, desk.token(g=1))][-1]
    assert staleness == 2
    assert [s.value for s in all_of(Sample, desk.token(g=40))][-1] == 0


def test_age_starts_at_arrival_where_clocks_differ(open_desk):
    desk = open_desk(ground=dataclasses.replace(GROUND, shared_clock=False), age_weight="none")
    desk.join()
    latency, _ = all_of(Sample, desk.token(t_us=desk.now // 1_000 + 1_500_000))
    assert latency.value == 0
    assert causes(desk.token(t_us=desk.now // 1_000 + 2_500_000)) == ["future"]


# ------------------------------------------------------------------------------------- publishing
def test_a_changed_block_is_published_to_all_who_joined(open_desk):
    desk = open_desk(sharpen=1.0)
    for dev, rows in ((1, LEFT), (2, RIGHT), (3, None)):
        desk.join(dev)
        if rows:
            desk.token(rows, dev=dev, blk=2)
    checkpoint, timer, note, *rest = desk.publish()
    assert checkpoint == Checkpoint()
    assert timer == SetTimer(id="publish", at=desk.now + 2 * S)
    sends = all_of(Send, rest)
    assert [(send.dst, send.cls, send.seq, send.resend) for send in sends] == [
        (dev, "prior", 1, 0) for dev in (1, 2, 3)
    ]
    assert len({send.data for send in sends}) == 1
    digest = hashlib.sha256(sends[0].data).digest()
    assert note == Note(kind="published", subject=2, detail=(1, digest))
    prior = desk.read(sends[0])
    assert (prior.blk, prior.g, prior.n, prior.t_us) == (2, 1, 2, desk.now // 1_000)
    assert prior.rows.tolist() == [[128, 0, 127]] * 2
    assert only(Sample, rest).metric == "published_age_s"
    assert desk.publish() == [Checkpoint(), SetTimer(id="publish", at=desk.now + 2 * S)]


def test_blocks_take_turns_within_the_budget(open_desk):
    desk = open_desk(prior_budget=2)
    desk.join()
    published = []
    for round_ in range(4):
        for block in (3, 1, 0) if round_ < 2 else (0, 1):
            desk.token(blk=block)
        published.append([n.subject for n in all_of(Note, desk.publish()) if n.kind == "published"])
    assert published == [[0, 1], [3, 0], [1, 0], [1, 0]]


def test_devices_with_parts_get_one_part_a_tick(open_desk):
    desk = open_desk()
    desk.join(1)
    desk.join(2, level=1)
    parts = []
    for _ in range(2):
        desk.token()
        sends = all_of(Send, desk.publish())
        assert [send.dst for send in sends] == [1, 2]
        assert desk.read(sends[0]).blk == 0
        parts.append(desk.read(sends[1]).blk)
    assert parts == [address_of(0, level=1, part=0), address_of(0, level=1, part=1)]
    again = [desk.read(send).blk for send in desk.have([0, 0, 0, 0], dev=2)]
    assert again == parts


@given(level=st.integers(0, 1), turns=st.lists(st.sets(st.integers(0, 3)), max_size=12))
@settings(max_examples=30)
def test_no_part_of_a_block_is_left_out_whatever_else_changes(open_desk, level, turns):
    desk = open_desk(prior_budget=1)
    desk.join(1, level=level)
    said = {block: [] for block in range(4)}
    for changed in [*turns, *[set()] * 4]:
        for block in changed:
            desk.token(blk=block)
        for send in all_of(Send, desk.publish()):
            block, _, part = part_of(desk.read(send).blk)
            said[block].append(part)
    for parts in said.values():
        assert parts == [count % 2**level for count in range(len(parts))]


def test_a_block_without_rows_in_use_is_published_as_absent(open_desk):
    desk = open_desk(quorum=2)
    desk.join()
    desk.token()
    effects = desk.publish()
    assert not desk.read(only(Send, effects)).rows.any()
    assert all_of(Sample, effects) == []


def test_publishing_to_nobody_is_no_error(open_desk):
    desk = open_desk()
    desk.join()
    desk.token()
    state = desk.machine.dump()
    state["members"]["members"] = []
    desk.machine.load(state)
    effects = desk.publish()
    assert all_of(Send, effects) == []
    assert [note.kind for note in all_of(Note, effects)] == ["published"]


# ------------------------------------------------------------------------------ reports and repairs
def test_reports_tell_each_device_what_arrived(open_desk):
    desk = open_desk()
    desk.join(1)
    desk.join(2)
    desk.token(seq=9)
    desk.token(seq=7)
    desk.now += 5 * S
    timer, first, second = desk.machine.handle(TimerFired(id="report"), desk.now)
    assert timer == SetTimer(id="report", at=desk.now + 5 * S)
    report = Report.unpack(desk.read(first).payload)
    assert report == Report(boot=1, max_seq=9, received=2, hold_us=5_001_000)
    assert Report.unpack(desk.read(second).payload).max_seq == 0
    assert (second.dst, second.cls, second.seq) == (2, "report", 2)


def test_a_new_boot_is_reported_as_empty(open_desk):
    desk = open_desk()
    desk.join()
    desk.token(seq=9)
    desk.join(boot=2)
    desk.now += 5 * S
    _, send = desk.machine.handle(TimerFired(id="report"), desk.now)
    report = Report.unpack(desk.read(send).payload)
    assert (report.boot, report.max_seq, report.received) == (2, 0, 0)


def test_what_a_have_vector_lacks_is_sent_again_byte_by_byte(open_desk):
    desk = open_desk(repair_max=2)
    desk.join()
    for block in (0, 1, 3):
        desk.token(blk=block)
    first = {desk.read(s).blk: s for s in all_of(Send, desk.publish())}
    again = desk.have([1, 0, 0, 0])
    assert again == [dataclasses.replace(first[block], resend=1) for block in (1, 3)]
    assert [send.resend for send in desk.have([0, 0, 0, 0])] == [1, 2]
    assert desk.have([1, 1, 0, 1]) == []
    assert desk.machine.counters["repairs"] == 4
    desk.join(2)
    assert [send.resend for send in desk.have([0, 0, 0, 0], dev=2)] == [0, 0]


def test_old_have_vectors_are_not_answered(open_desk):
    desk = open_desk()
    desk.join()
    desk.token()
    desk.publish()
    assert len(desk.have([0, 0, 0, 0], seq=5)) == 1
    assert causes(desk.have([0, 0, 0, 0], seq=5)) == ["duplicate"]
    assert causes(desk.have([0, 0, 0, 0], seq=4)) == ["stale"]


# ---------------------------------------------------------------------------------------- restarts
def test_a_restored_server_publishes_all_it_holds_under_its_new_boot(open_desk):
    desk = open_desk()
    desk.join()
    desk.token(blk=1)
    desk.publish()
    state = msgpack.unpackb(msgpack.packb(desk.machine.dump()))
    timers = desk.machine.handle(Restarted(boot=2, checkpoint=state), desk.now)
    assert [timer.id for timer in timers] == ["publish", "report"]
    assert desk.have([0, 0, 0, 0]) == []
    prior = desk.read(only(Send, desk.publish()))
    assert (prior.boot, prior.seq, prior.blk, prior.g) == (2, 1, 1, 2)


def test_a_wiped_server_knows_nobody_and_nothing(open_desk):
    desk = open_desk()
    desk.join()
    desk.token(blk=1)
    desk.machine.handle(Restarted(boot=2, checkpoint=None), desk.now)
    assert all_of(Send, desk.publish()) == []
    effects = desk.token()
    assert causes(effects) == ["stranger"]
    assert desk.read(only(Send, effects)).boot == 2


def test_what_does_not_concern_a_server_is_counted(open_desk):
    desk = open_desk()
    assert desk.machine.handle(LinkStatus(other=1, up=False), 1) == []
    for event in (
        FrameLearned(n=1, loss=0.0, correct=True),
        LearnerDone(call=1, value=None),
        SendOutcome(tag=0, ok=True),
        TimerFired(id="publish"),
        TimerFired(id="unknown"),
    ):
        assert desk.machine.handle(event, 1) == []
    assert desk.machine.counters == {"late_event": 5}


def test_float_rows_travel_in_messages_of_any_length(open_desk):
    desk = open_desk(coding={"bits": 15})
    desk.join()
    assert only(Note, desk.token([(0.2, 0.3, 0.5)] * 2)).kind == "merged"
    assert desk.read(only(Send, desk.publish())).rows.dtype == np.float32
