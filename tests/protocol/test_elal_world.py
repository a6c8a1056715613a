"""Laws of machines together, over links that lose, delay, duplicate, reorder and corrupt."""

import copy
import dataclasses

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.protocol.machine import (
    FrameLearned,
    LearnerCall,
    Received,
    Restarted,
    Started,
)
from simedge.protocol.opening import open_device
from simedge.protocol.settings import IsolatedSettings
from simedge.protocol.shape import Coding, Shape
from simedge.protocol.wire import Kind, decode

MS = 10**6
S = 10**9
SHAPE = Shape(classes=3, blocks=2, rows=2, coding=Coding(bits=8))

fates = st.lists(st.lists(st.integers(1, 900), max_size=3), min_size=1, max_size=12)
"""Delays in ms of the copies of each message in turn: none is a loss, two a duplication."""


def fate_of(plan):
    return lambda _send, count: [MS * delay for delay in plan[count % len(plan)]]


def read(data):
    return decode(data, SHAPE)


def test_on_clean_links_devices_join_share_and_step(world):
    run = world(devices=3)
    run.frames(40)
    run.run(4 * S)
    assert [m.counters for m in run.machines.values()] == [{"joins": 3}, {}, {}, {}]
    assert len(run.sent("token")) == sum(1 for e in run.of("Note", 0) if e[2]["kind"] == "merged")
    applied = {number for _, number, note in run.of("Note") if note["kind"] == "applied"}
    assert applied == {1, 2, 3}
    assert len(run.sent("join")) == 3
    assert {len(run.sent("have", dev)) for dev in (1, 2, 3)} == {5}


@given(plan=fates)
@settings(max_examples=30)
def test_no_update_waits_for_the_network(world, plan):
    run = world(fate=fate_of(plan))
    run.frames(20)
    run.run(3 * S)
    checkpoints = [now for now, _, _ in run.of("Checkpoint", 1)]
    assert checkpoints == [100 * MS * period for period in range(1, 11)]


@given(plan=fates)
@settings(max_examples=30)
def test_reloading_machines_after_every_event_changes_nothing(world, plan):
    straight, reloaded = world(fate=fate_of(plan)), world(fate=fate_of(plan), reload=True)
    for run in (straight, reloaded):
        run.frames(16)
        run.run(S)
        run.crash(1, state=run.machines[1].dump(), lasting=50 * MS)
        run.run(2 * S)
    assert straight.log == reloaded.log
    for number, machine in straight.machines.items():
        state = machine.dump()
        assert msgpack.unpackb(msgpack.packb(state)) == state
        assert reloaded.machines[number].dump() == state


@given(plan=fates)
@settings(max_examples=30)
def test_versions_rise_at_every_device_and_numbers_at_every_sender(world, plan):
    run = world(fate=fate_of(plan))
    run.frames(16)
    run.run(S)
    run.crash(2, state=run.machines[2].dump())
    run.run(1_500 * MS)
    run.crash(0, state=None)
    run.run(3 * S)
    held, highest, first_bytes = {}, {}, {}
    restarts = {2: S, 0: 1_500 * MS}
    for _, number, sample in run.of("Sample"):
        if sample["metric"] == "prior_age_s":
            labels = dict(sample["labels"])
            key = (number, labels["block"])
            version = (labels["boot"], labels["version"])
            assert held.get(key, (0, 0)) < version
            held[key] = version
            assert sample["value"] >= 0
    for now, number, send in run.of("Send"):
        message = read(send["data"])
        restarted = restarts.get(number, 4 * S)
        assert now == restarted or message.boot == (2 if now > restarted else 1)
        name = (number, message.kind, message.boot)
        stamp = (*name, message.seq)
        assert first_bytes.setdefault(stamp, send["data"]) == send["data"]
        if send["resend"] == 0 and not (message.kind == Kind.PRIOR and stamp in highest.values()):
            assert highest.get(name, (0, 0, 0, 0)) < stamp
            highest[name] = stamp


@given(plan=fates)
@settings(max_examples=30)
def test_no_merged_token_is_from_the_future_and_none_counts_twice(world, plan):
    run = world(fate=fate_of(plan))
    run.frames(20)
    run.run(3 * S)
    sent = len(run.sent("token"))
    merged = [note for _, _, note in run.of("Note", 0) if note["kind"] == "merged"]
    assert len(merged) <= sent
    latencies = [s["value"] for _, _, s in run.of("Sample", 0) if s["metric"] == "token_latency_s"]
    assert all(value >= 0.001 for value in latencies)
    assert run.machines[0].counters.get("conflict", 0) == 0
    assert run.machines[0].counters.get("future", 0) == 0


@given(data=st.data())
@settings(max_examples=30)
def test_equal_machines_answer_an_event_equally_and_touch_nothing_else(world, data):
    run = world()
    run.frames(20)
    run.run(data.draw(st.integers(1, 30)) * 100 * MS)
    (_, _, number, _), event, _ = run.queue[0]
    machine = run.machines[number]
    state = copy.deepcopy(machine.dump())
    twins = [run.open(number), run.open(number)]
    for twin in twins:
        twin.load(state)
    now = run.queue[0][0][0]
    answers = [repr(twin.handle(event, now)) for twin in twins]
    assert answers[0] == answers[1]
    assert twins[0].dump() == twins[1].dump()
    assert machine.dump() == state


@given(noise=st.binary(max_size=60), flips=st.sets(st.integers(0, 400), min_size=1, max_size=2))
@settings(max_examples=30)
def test_what_is_malformed_or_corrupt_changes_counters_only(world, noise, flips):
    run = world()
    run.frames(8)
    run.run(S)
    tokens = [send["data"] for _, _, send in run.of("Send") if send["cls"] in {"token", "prior"}]
    broken = bytearray(tokens[-1])
    for bit in flips:
        broken[bit // 8 % len(broken)] ^= 1 << bit % 8
    for machine in run.machines.values():
        before = machine.dump()
        effects = machine.handle(Received(data=noise, src=0), S)
        if bytes(broken) != tokens[-1]:
            effects += machine.handle(Received(data=bytes(broken), src=1), S)
        after = machine.dump()
        assert {type(e).__name__ for e in effects} == {"Note"}
        counters = [state.pop("counters") for state in (before, after)]
        assert counters[0] != counters[1]
        for state in (before, after):
            state["post"] = state["post"][0]  # bits that arrived are counted, whatever they are
        assert before == after


def test_without_links_a_device_asks_its_learner_what_an_isolated_one_does(world):
    run = world({"policy": {"kind": "fixed"}}, fate=lambda _send, _count: [])
    run.frames(40)
    run.run(9 * S)
    stream = Streams(3).stream("policy", "cam-1", "noise")
    alone = open_device(IsolatedSettings(interval=2), world.ground, dev=1, layers=2, stream=stream)
    effects = alone.handle(Started(boot=1), 0)
    for _ in range(40):
        effects += alone.handle(FrameLearned(n=1, loss=1.0, correct=True), S)
    calls = [dataclasses.asdict(effect) for effect in effects if isinstance(effect, LearnerCall)]
    assert calls
    for dev in (1, 2):
        assert [call for _, _, call in run.of("LearnerCall", dev)] == calls
    assert {send["cls"] for _, _, send in run.of("Send")} == {"join"}


def test_a_wiped_server_is_joined_again_and_learns_all_anew(world):
    run = world()
    run.frames(60)
    run.run(S)
    run.crash(0, state=None)
    run.run(4 * S)
    assert {dev for _, dev, send in run.sent("join") if send["boot"] == 1} == {1, 2}
    assert [len(run.sent("join", dev)) for dev in (1, 2)] == [2, 2]
    newest = [
        dict(s["labels"]) for _, dev, s in run.of("Sample", 1) if s["metric"] == "prior_age_s"
    ]
    assert newest[-1]["boot"] == 2


def test_a_lost_prior_is_mended_by_a_have_vector(world):
    lost = []

    def fate(send, _count):
        if send.cls == "prior" and send.dst == 1 and send.resend == 0:
            lost.append(send.data)
            return []
        return [10 * MS]

    run = world(fate=fate)
    run.frames(8)
    run.run(4 * S)
    repaired = [send["data"] for _, _, send in run.sent("prior") if send["resend"]]
    assert repaired
    assert set(repaired) <= set(lost)
    held = run.machines[1].dump()["priors"]["stamp"]
    assert held == run.machines[2].dump()["priors"]["stamp"]


@given(lost=st.sets(st.integers(1, 12), max_size=6), spared=st.data())
@settings(max_examples=40)
def test_less_loss_never_makes_a_row_older(world, lost, spared):
    less = lost - {spared.draw(st.sampled_from(sorted(lost)))} if lost else lost

    def ages(gone):
        def fate(send, _count):
            return [] if send.cls == "token" and send.seq in gone else [10 * MS]

        run = world(fate=fate, devices=1)
        run.frames(24)
        found = []
        for tick in range(1, 20):
            run.run(tick * 100 * MS)
            plainly = run.machines[0].dump()["register"]["facts"]
            found.append(bytes(plainly[2]))
        return found

    for more, fewer in zip(ages(lost), ages(less), strict=True):
        captured = [np.frombuffer(each, "<i8").reshape(-1, 3)[:, 0] for each in (more, fewer)]
        assert (captured[1] >= captured[0]).all()


@pytest.mark.parametrize("state", ["kept", "wiped"])
def test_no_older_boot_replaces_a_row_of_a_newer_one(world, state):
    kept = []

    def fate(send, _count):
        if send.cls == "token" and send.boot == 1 and send.seq > 3:
            kept.append(send)
            return [2 * S]  # arrives long after the restart
        return [10 * MS]

    run = world(fate=fate, devices=1)
    run.frames(60)
    run.run(S)
    run.crash(1, state=run.machines[1].dump() if state == "kept" else None)
    run.run(4 * S)
    assert kept
    assert run.machines[0].counters["stale_boot"] == len(kept)


def test_a_single_device_hears_itself(world):
    run = world({"floor": 0.0, "quorum": 1}, devices=1)
    run.frames(20)
    run.run(2 * S)
    tokens = {read(s["data"]).blk: read(s["data"]).rows.tolist() for _, _, s in run.sent("token")}
    priors = {read(s["data"]).blk: read(s["data"]).rows.tolist() for _, _, s in run.sent("prior")}
    assert tokens == priors


def test_a_restarted_machine_takes_any_dump_of_its_kind(world):
    run = world()
    run.frames(10)
    run.run(S)
    for number, machine in run.machines.items():
        state = machine.dump()
        twin = run.open(number)
        effects = twin.handle(Restarted(boot=7, checkpoint=state), 2 * S)
        again = machine.handle(Restarted(boot=7, checkpoint=state), 2 * S)
        assert [type(e) for e in effects] == [type(e) for e in again]
