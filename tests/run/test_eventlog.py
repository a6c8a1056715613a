"""Laws of the event log: one hash per history, and every whole record survives a cut."""

import struct
from pathlib import Path
from zlib import crc32

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core.records import Order
from simedge.run.eventlog import (
    BLOCK_RECORDS,
    EventLog,
    LogError,
    LogReader,
    LogRecord,
    framed_plainly,
    pack,
)
from simedge.run.logblock import frame_block

VECTOR = LogRecord(20_000_000, 5, "dev03", "received", 5, b"\x01\x02")
VECTOR_HASH = "d9f0a98611963b59502df6a11bf072787c4fe79ad3af128724f8efd88cf4d757"

ATOMS = st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8) | st.binary(max_size=8)
RECORDS = st.builds(
    LogRecord,
    at=st.integers(0, 2**63 - 1),
    order=st.integers(0, 11),
    target=st.text(max_size=8),
    kind=st.text(max_size=8),
    subject=ATOMS,
    detail=ATOMS | st.lists(ATOMS, min_size=2, max_size=4).map(tuple),
)


def filled(records, path: Path | None = None) -> EventLog:
    log = EventLog(path)
    for record in records:
        log.append(*record)
    return log


def many(count: int) -> list[LogRecord]:
    return [LogRecord(i, 5, "dev", "sent", f"uid-{i}", (i, "x")) for i in range(count)]


def test_the_vector_packs_frames_and_hashes_to_the_byte(tmp_path) -> None:
    log = filled([VECTOR], tmp_path / "log")
    assert log.close() == VECTOR_HASH
    body = pack(VECTOR).hex()
    assert body == "96ce01312d0005a56465763033a8726563656976656405c4020102"
    assert (tmp_path / "log").read_bytes().hex() == "1b000000a2c27fe3" + body


@given(st.lists(RECORDS, max_size=8))
def test_what_is_appended_is_read_back(records: list[LogRecord]) -> None:
    log = filled(records)
    reader = log.reader()
    assert list(reader) == records
    assert reader.damage is None
    assert reader.sha256() == log.sha256()


@pytest.mark.parametrize("count", [0, 1, BLOCK_RECORDS - 1, BLOCK_RECORDS, 2 * BLOCK_RECORDS + 1])
def test_flushing_and_storing_never_change_the_hash(tmp_path, count: int) -> None:
    records = many(count)
    plain = filled(records).close()
    flushed = EventLog(tmp_path / "log")
    silent = EventLog(events=False)
    for index, record in enumerate(records):
        flushed.append(*record)
        silent.append(*record)
        if index % 300 == 0:
            flushed.flush()
            silent.flush()
            assert flushed.sha256()
    assert flushed.close() == silent.close() == plain
    reader = LogReader(tmp_path / "log")
    assert list(reader) == records
    assert reader.sha256() == plain
    assert flushed.records == silent.records == count


ANYTHING = st.recursive(
    st.integers(-(2**63), 2**64 - 1) | st.text(max_size=300) | st.binary(max_size=70_000),
    lambda inner: st.lists(inner, max_size=20),
    max_leaves=30,
)


@given(st.lists(ANYTHING, max_size=20))
def test_a_block_cut_natively_is_what_record_by_record_gives(values) -> None:
    packed, bodies = msgpack.packb(values), [msgpack.packb(value) for value in values]
    skip = len(packed) - len(b"".join(bodies))
    framed = frame_block(packed, skip=skip, records=len(values))
    assert framed == framed_plainly(bodies)


@pytest.mark.parametrize("size", [0, 31, 32, 255, 256, 65_535, 65_536])
@pytest.mark.parametrize("make", [lambda n: "x" * n, bytes, lambda n: [1] * n])
def test_every_width_of_a_length_is_walked(size: int, make) -> None:
    body = msgpack.packb(make(size))
    assert frame_block(b"\x91" + body, skip=1, records=1) == framed_plainly([body])


@pytest.mark.parametrize("value", [0.5, None, True, {"a": 1}, [1, {}]])
def test_what_is_no_part_of_a_record_is_not_cut(value: object) -> None:
    assert frame_block(msgpack.packb([1, value]), skip=1, records=2) is None


def test_order_and_content_change_the_hash() -> None:
    one, two = many(2)
    hashes = {filled(h).close() for h in ([], [one], [one, two], [two, one], [one, one])}
    assert len(hashes) == 5


@given(st.lists(RECORDS, min_size=1, max_size=4), st.data())
def test_a_log_cut_anywhere_is_readable_up_to_its_last_whole_record(records, data) -> None:
    raw = b"".join(_framed(record) for record in records)
    cut = data.draw(st.integers(0, len(raw) - 1))
    reader = LogReader(raw[:cut])
    read = list(reader)
    ends = [sum(len(_framed(r)) for r in records[: i + 1]) for i in range(len(records))]
    assert read == records[: sum(end <= cut for end in ends)]
    assert (reader.damage is None) == (cut in {0, *ends})


@given(st.lists(RECORDS, min_size=1, max_size=3), st.data())
def test_a_flipped_bit_ends_the_reading_and_nothing_wrong_is_read(records, data) -> None:
    raw = bytearray(b"".join(_framed(record) for record in records))
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= 1 << data.draw(st.integers(0, 7))
    reader = LogReader(bytes(raw))
    read = list(reader)
    assert read == records[: len(read)]
    assert len(read) < len(records)
    assert reader.damage is not None


def _framed(record: LogRecord) -> bytes:
    body = pack(record)
    return struct.pack("<II", len(body), crc32(body)) + body


@pytest.mark.parametrize(
    ("body", "why"),
    [(b"\xc1", "no msgpack"), (b"\x93\x01\x02\x03", "another shape"), (b"\x05", "another shape")],
)
def test_a_whole_frame_around_nonsense_ends_the_reading(body: bytes, why: str) -> None:
    reader = LogReader(_framed(VECTOR) + struct.pack("<II", len(body), crc32(body)) + body)
    assert list(reader) == [VECTOR]
    assert why in str(reader.damage)
    assert reader.sha256() == VECTOR_HASH


def test_an_absurd_length_is_not_read() -> None:
    reader = LogReader(b"\xff" * 4_096)
    assert list(reader) == []
    assert "4294967295 bytes" in str(reader.damage)


@pytest.mark.parametrize(
    "value", [0.5, None, True, {"a": 1}, [1], (1, 0.5), (1, (2,)), Order.FRAME]
)
def test_what_would_tie_the_hash_to_a_platform_is_refused(value: object) -> None:
    log = EventLog()
    with pytest.raises(LogError, match="ints, text and bytes"):
        log.append(0, 0, "dev", "kind", 0, value)
    with pytest.raises(LogError, match="ints, text and bytes"):
        log.append(0, 0, "dev", "kind", value, 0)
    assert log.records == 0


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, "\ud800"])
@pytest.mark.parametrize("before", [0, 3, BLOCK_RECORDS - 1])
def test_what_msgpack_cannot_hold_is_named_when_its_block_is_packed(before, value) -> None:
    log = filled(many(before))

    def append_and_pack() -> None:
        log.append(0, 0, "dev", "culprit", value, 0)
        log.sha256()

    with pytest.raises(LogError, match="'culprit'"):
        append_and_pack()
    rest = [VECTOR] * 3
    for record in rest:
        log.append(*record)
    assert log.close() == filled([*many(before), *rest]).close()
    assert list(log.reader()) == [*many(before), *rest]


def test_a_detail_of_one_value_is_stored_bare() -> None:
    as_tuple, bare = EventLog(), EventLog()
    as_tuple.append(0, Order.FRAME, "dev", "kind", 1, (7,))
    bare.append(0, 8, "dev", "kind", 1, 7)
    assert as_tuple.close() == bare.close()


def test_a_log_on_disk_is_readable_while_it_grows(tmp_path) -> None:
    log = filled(many(3), tmp_path / "log")
    assert [r.at for r in log.reader()] == [0, 1, 2]
    log.append(*VECTOR)
    log.close()
    log.close()
    assert len(list(log.reader())) == 4


def test_a_log_without_records_has_no_reader() -> None:
    with pytest.raises(LogError, match="hash alone"):
        EventLog(events=False).reader()


def test_a_log_never_overwrites_another(tmp_path) -> None:
    (tmp_path / "log").write_bytes(b"")
    with pytest.raises(FileExistsError):
        EventLog(tmp_path / "log")
