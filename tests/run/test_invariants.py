"""Laws of the checks: a right run passes, and each planted error is found and named."""

from typing import Any

import pytest

from simedge.drivers.tally import Counts, DeviceTally, Flow, LinkTally, Tally
from simedge.run import invariants
from simedge.run.eventlog import LogRecord
from simedge.run.invariants import Audit, check_bill, check_records, check_tally

UID = "cam-1/server/token/1/{}/0/0"


def right() -> Tally:
    flow = {"offered": 10, "duplicated": 1, "delivered": 5, "lost": 2, "queue_drop": 1, "down": 1}
    flow |= {"queued": 1, "in_service": 0, "in_flight": 1}
    octets = {key: 100 * value for key, value in flow.items()}
    whole = flow | {"in_flight": 0, "reassembly": 1}
    link = LinkTally(
        name="cam-1.server",
        fragments=Flow(**flow),
        octets=Flow(**octets),
        datagrams=Flow(**whole),
    )
    device = DeviceTally(
        name="cam-1",
        busy_ns=5,
        on_ns=10,
        memory_peak_bytes=3,
        memory_limit_bytes=4,
        frames_arrived=10,
        frames_learned=5,
        frames_dropped=2,
        frames_lost=2,
        frames_waiting=1,
    )
    counts = Counts(
        frames_arrived=10, frames_learned=5, frames_dropped=2, tokens_sent=3, tokens_accepted=3
    )
    return Tally(
        scenario="s",
        seed=1,
        protocol="elal",
        rule=None,
        classes=10,
        counts=counts,
        devices=[device],
        links=[link],
    )


def test_a_right_run_breaks_nothing() -> None:
    checked, breaches = check_tally(right())
    assert breaches == []
    assert checked >= 8


PLANTED = {
    "a fragment that vanished": (("links", 0, "fragments", "delivered"), 4, "conservation"),
    "a byte too many": (("links", 0, "octets", "lost"), 201, "conservation"),
    "a datagram counted twice": (("links", 0, "datagrams", "reassembly"), 2, "conservation"),
    "a frame that vanished": (("devices", 0, "frames_waiting"), 0, "frames"),
    "more work than time": (("devices", 0, "busy_ns"), 11, "power"),
    "energy out of nothing": (("devices", 0, "radio_fj"), -1, "power"),
    "memory above the limit": (("devices", 0, "memory_peak_bytes"), 5, "memory"),
    "a total that no device knows of": (("counts", "frames_learned"), 6, "totals"),
    "a token that nobody sent": (("counts", "tokens_accepted"), 4, "tokens"),
}


@pytest.mark.parametrize(("path", "value", "law"), PLANTED.values(), ids=PLANTED.keys())
def test_each_planted_error_is_found_and_named(path: tuple[Any, ...], value: int, law: str) -> None:
    tally = right()
    node: Any = tally
    for step in path[:-1]:
        node = node[step] if isinstance(step, int) else getattr(node, step)
    setattr(node, path[-1], value)
    _, breaches = check_tally(tally)
    assert [breach.law for breach in breaches] == [law]
    assert breaches[0].line().startswith(f"{law}: {breaches[0].culprit}: ")


def test_a_device_without_a_limit_may_hold_anything() -> None:
    tally = right()
    tally.devices[0].memory_limit_bytes = 0
    tally.devices[0].memory_peak_bytes = 10**12
    assert check_tally(tally)[1] == []


def sent(
    at: int, seq: int, *, link: str = "cam-1.server", boot: int = 1, cause: str = "payload"
) -> LogRecord:
    uid = f"cam-1/server/token/{boot}/{seq}/0/0"
    return LogRecord(at, 5, link, "sent", uid, (0, cause, 100, 128))


def told(at: int, seq: int, *, to: str, boot: int = 1) -> LogRecord:
    uid = f"server/{to}/prior/{boot}/{seq}/0/0"
    return LogRecord(at, 5, f"server.{to}", "sent", uid, (1, "payload", 100, 128))


def received(at: int, seq: int) -> LogRecord:
    return LogRecord(at, 5, "server", "received", UID.format(seq), 100)


def merged(at: int, seq: int) -> LogRecord:
    return LogRecord(at, 5, "server", "merged", UID.format(seq), 0)


def published(at: int, version: int, block: int = 3) -> LogRecord:
    return LogRecord(at, 7, "server", "published", block, (version, b"digest"))


def power(at: int, kind: str, boot: int, target: str = "cam-1") -> LogRecord:
    return LogRecord(at, 0, target, kind, boot, "kept")


RIGHT = [
    LogRecord(0, 8, "cam-1", "frame-arrived", 0, 700),
    sent(1, 1),
    sent(2, 1, link="box-1.server"),
    received(3, 1),
    received(3, 1),
    merged(3, 1),
    published(4, 1),
    published(4, 1, block=4),
    published(5, 2),
    power(6, "crashed", 1),
    power(7, "restarted", 2),
    sent(8, 1, boot=2),
    power(9, "crashed", 1, "server"),
    power(10, "restarted", 2, "server"),
    published(11, 1),
    LogRecord(12, 5, "cam-1", "received", "odd", 0),
]


def test_a_right_log_breaks_nothing() -> None:
    odd = LogRecord(0, 5, "x.y", "sent", "odd", (0, "payload", 0, 0))
    assert check_records([odd, *RIGHT]) == []


def test_a_message_may_reach_somebody_late() -> None:
    first = [told(seq, seq, to="cam-1") for seq in (1, 2, 3)]
    late = [told(9, seq, to="box-1") for seq in (3, 1, 2)]
    again = [told(10, seq, to="box-1", boot=2) for seq in (1, 2)]
    assert check_records([*first, *late, told(10, 4, to="box-1"), *again]) == []


def test_tries_of_a_hop_are_no_new_messages() -> None:
    assert check_records([sent(1, 1), sent(1, 1, cause="retransmission"), sent(2, 2)]) == []


WRONG = {
    "time that falls": ([sent(5, 1), sent(4, 2)], "time"),
    "a sequence number used again": ([sent(1, 1), sent(2, 1)], "seq rises"),
    "a sequence number that falls": ([sent(1, 2), sent(2, 1)], "seq rises"),
    "a message told late, and then again": (
        [told(1, 2, to="cam-1"), told(2, 2, to="box-1"), told(3, 2, to="box-1")],
        "seq rises",
    ),
    "a new message below one that was told late": (
        [told(1, 2, to="cam-1"), told(2, 2, to="box-1"), told(3, 1, to="box-1")],
        "seq rises",
    ),
    "a message out of nothing": ([received(1, 1)], "causality"),
    "a token that counts twice": ([sent(1, 1), merged(2, 1), merged(3, 1)], "once"),
    "a version that falls": ([published(1, 2), published(2, 1)], "version rises"),
    "a crash of what is down": ([power(1, "crashed", 1), power(2, "crashed", 1)], "power"),
    "a restart of what is up": ([power(1, "restarted", 2)], "power"),
    "a boot used again": (
        [power(i, kind, 2) for i, kind in enumerate(["crashed", "restarted"] * 2)],
        "boot rises",
    ),
}


@pytest.mark.parametrize(("records", "law"), WRONG.values(), ids=WRONG.keys())
def test_each_broken_law_of_the_log_is_found_with_its_record(records, law: str) -> None:
    breaches = check_records(records)
    assert [breach.law for breach in breaches] == [law]
    assert f"(record {len(records) - 1})" in breaches[0].finding


def test_the_bill_is_the_sum_of_what_was_sent() -> None:
    audit = Audit()
    for record in RIGHT:
        audit.take(
            record.at, record.target, record.kind, subject=record.subject, detail=record.detail
        )
    tally = right()
    tally.bits_up, tally.bits_down, tally.bits_preinstalled = 3 * 8 * 128, 500, 500
    assert check_bill(tally, audit) is None
    tally.bits_up += 1
    breach = check_bill(tally, audit)
    assert breach is not None
    assert breach.law == "bill"


def test_breaches_are_listed_up_to_a_limit() -> None:
    breaches = check_records(received(i, i) for i in range(500))
    assert len(breaches) == 100


def test_a_very_long_run_is_audited_in_bounded_memory(monkeypatch) -> None:
    monkeypatch.setattr(invariants, "_WATCHED_MAX", 3)
    records = [r for i in range(1, 9) for r in (sent(i, i), received(i, i), merged(i, i))]
    assert check_records(records) == []


def test_subjects_and_details_of_any_shape_are_taken() -> None:
    odd = [
        LogRecord(0, 5, "a.b", "sent", 5, 7),
        LogRecord(0, 5, "a.b", "sent", "a/b/c/d/x/0/0", (0, "payload")),
        LogRecord(0, 5, "server", "published", "block", "version"),
        LogRecord(0, 0, "cam-1", "crashed", "boot", 0),
        LogRecord(0, 0, "cam-1", "restarted", "boot", 0),
    ]
    assert check_records(odd) == []
