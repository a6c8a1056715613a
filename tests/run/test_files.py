"""Laws of files: whole or not there, whatever the disk or the process does, and sealed."""

import os
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.run.disk import Disk
from simedge.run.errors import StorageError
from simedge.run.eventlog import BLOCK_RECORDS, EventLog, LogReader
from simedge.run.faulty_disk import FaultyDisk
from simedge.run.files import Files, check_stands
from simedge.run.parts import SealError, damaged_parts, json_text, sealed, unsealed
from simedge.run.rundir import RunDirectory, RunDirectoryError, read_status
from simedge.world.storage_fault_settings import StorageFault

RECORDS = 2 * BLOCK_RECORDS + 5
METRICS = "t_s\n" * 5000


class PowerLoss(BaseException):
    """Ends a process at once: nothing that it does afterwards reaches the disk."""


class MortalDisk(Disk):
    """Loses power at its k-th operation: before it, or half-way through a write."""

    def __init__(self, last: int) -> None:
        self.left = last

    def _live(self) -> None:
        self.left -= 1
        if self.left <= 0:
            raise PowerLoss

    def make(self, path):
        self._live()
        super().make(path)

    def create(self, path, *, exclusive=False):
        self._live()
        return super().create(path, exclusive=exclusive)

    def write(self, file, data):
        if self.left == 1:
            super().write(file, data[: len(data) // 2])
        self._live()
        super().write(file, data)

    def sync(self, file):  # noqa: ARG002 -- the port's
        self._live()

    def replace(self, source, target):
        self._live()
        super().replace(source, target)

    def sync_directory(self, path):  # noqa: ARG002 -- the port's
        self._live()

    def remove(self, path):
        self._live()
        super().remove(path)


def whole_life(path, files) -> None:
    """Write everything that a run writes."""
    with RunDirectory(path, scenario="name: x\n", files=files) as made:
        log = EventLog(made.log_path, files=files)
        for i in range(RECORDS):
            log.append(i, 8, "dev", "kind", i, i)
        log.close()
        made.write("metrics.csv", METRICS)
        made.write_json("summary.json", {"schema": 1})
        made.write_provenance({"schema": 1})
        made.set_status("done")


def test_a_process_that_dies_at_any_operation_leaves_what_can_be_read(tmp_path) -> None:
    finished = 0
    for k in range(1, 50):
        path = tmp_path / str(k)
        try:
            whole_life(path, Files(MortalDisk(k)))
            finished += 1
        except PowerLoss:
            pass
        found = {file.name: file for file in path.iterdir()} if path.exists() else {}
        if "metrics.csv" in found:
            assert found["metrics.csv"].read_text() == METRICS
        if "status.json" in found:
            status = read_status(path)
            assert status in {"running", "done"}
            assert (status == "done") <= (damaged_parts(path, events=True) == ())
        if "events.msgpack" in found:
            kept = [record.at for record in LogReader(found["events.msgpack"])]
            assert kept == list(range(len(kept)))
            assert {"metrics.csv"}.isdisjoint(found) or len(kept) == RECORDS
    assert 0 < finished < 49


@pytest.mark.parametrize("kind", ["disk-full", "torn-write", "read-only", "missing-file"])
def test_a_log_that_the_disk_refuses_keeps_whole_records_and_nothing_behind_a_gap(
    tmp_path, kind
) -> None:
    for k in range(1, 8):
        fault = StorageFault(kind=kind, operation=k)
        path, log = tmp_path / str(k), None
        try:
            log = EventLog(path, files=Files(FaultyDisk([fault], Streams(k))))
            for i in range(RECORDS):
                log.append(i, 8, "dev", "kind", i, i)
            log.close()
        except StorageError:
            if log is not None:
                go_on(log)
        kept = [record.at for record in LogReader(path)] if path.exists() else []
        assert kept == list(range(len(kept)))


def go_on(log: EventLog) -> None:
    """Write to a log that has failed, as if nothing had been."""
    with suppress(AssertionError, StorageError):
        log.append(RECORDS, 8, "dev", "kind", 0, 0)
        log.flush()


def test_a_log_that_failed_can_still_say_its_hash(tmp_path) -> None:
    fault = StorageFault(kind="torn-write", operation=2)
    log = EventLog(tmp_path / "log", files=Files(FaultyDisk([fault], Streams(1))))
    log.append(0, 8, "dev", "kind", 0, 0)
    with pytest.raises(StorageError, match="Input/output error"):
        log.flush()
    with pytest.raises(StorageError, match="Input/output error"):
        log.close()
    plain = EventLog()
    plain.append(0, 8, "dev", "kind", 0, 0)
    assert log.close() == plain.close()


def test_a_short_write_is_carried_on(tmp_path, monkeypatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:7]))
    Files().put(tmp_path / "part", bytes(range(100)))
    assert (tmp_path / "part").read_bytes() == bytes(range(100))


def test_a_part_that_cannot_be_written_leaves_the_old_one(tmp_path) -> None:
    Files().put(tmp_path / "part", b"old")
    for kind in ("disk-full", "torn-write", "fsync-error"):
        for k in (1, 2):
            fault = StorageFault(kind=kind, operation=k)
            files = Files(FaultyDisk([fault], Streams(k)))
            with pytest.raises(StorageError):
                files.put(tmp_path / "part", b"new")
            assert (tmp_path / "part").read_bytes() == b"old"
            assert os.listdir(tmp_path) == ["part"]  # noqa: PTH208


def test_a_stale_temporary_file_leaves_no_trace(tmp_path) -> None:
    fault = StorageFault(kind="stale-temp", operation=1)
    Files(FaultyDisk([fault], Streams(1))).put(tmp_path / "part", b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("part", b"new")]


def test_what_was_written_is_missed(tmp_path) -> None:
    Files().put(tmp_path / "part", b"four")
    check_stands(tmp_path / "part", 4)
    with pytest.raises(StorageError, match="has 4 bytes of the 5"):
        check_stands(tmp_path / "part", 5)
    with pytest.raises(StorageError, match="removed while the run went on"):
        check_stands(tmp_path / "gone", 5)


def test_a_run_whose_part_is_gone_is_not_done(tmp_path) -> None:
    made = RunDirectory(tmp_path, scenario="")
    made.write("metrics.csv", "t_s\n")
    (tmp_path / "metrics.csv").unlink()
    with pytest.raises(StorageError, match=r"metrics\.csv"), made:
        made.set_status("done")
    assert read_status(tmp_path) == "failed"


JSON = st.dictionaries(
    st.text(max_size=5).filter(lambda key: key != "crc32"),
    st.integers() | st.text(max_size=9) | st.floats(allow_nan=False, allow_infinity=False),
    max_size=4,
)


@given(JSON)
def test_what_is_sealed_is_read_back(data) -> None:
    assert unsealed(sealed(data).encode()) == data
    assert unsealed(json_text(data).encode()) == data, "what never was sealed is taken as it is"


def test_no_bit_of_a_status_flips_unnoticed(tmp_path) -> None:
    RunDirectory(tmp_path, scenario="", learner="mine:Own").close()
    file = tmp_path / "status.json"
    raw = file.read_bytes()
    for bit in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        file.write_bytes(changed)
        with pytest.raises(RunDirectoryError, match=r"status\.json"):
            read_status(tmp_path)


def test_no_bit_of_a_part_flips_unnoticed(tmp_path) -> None:
    whole_life(tmp_path, Files())
    assert damaged_parts(tmp_path, events=True) == ()
    for name in ("scenario.yaml", "summary.json", "provenance.json"):
        raw = (tmp_path / name).read_bytes()
        for bit in range(0, 8 * len(raw), 7):
            changed = bytearray(raw)
            changed[bit // 8] ^= 1 << bit % 8
            (tmp_path / name).write_bytes(changed)
            assert any(name in line for line in damaged_parts(tmp_path, events=True)), bit
        (tmp_path / name).write_bytes(raw)


def test_what_a_listing_says_leads_nowhere_else(tmp_path) -> None:
    whole_life(tmp_path / "run", Files())
    (tmp_path / "secret").write_text("x")
    told = sealed({"schema": 1, "parts": {"../secret": {"bytes": 1, "sha256": ""}}})
    (tmp_path / "run/provenance.json").write_text(told)
    assert damaged_parts(tmp_path / "run", events=True) == ("secret is missing",)
    (tmp_path / "run/provenance.json").write_text(sealed({"parts": [1]}))
    assert damaged_parts(tmp_path / "run", events=False) == ()


def test_a_broken_seal_has_a_name() -> None:
    with pytest.raises(SealError):
        unsealed(sealed({"a": 1}).replace("1", "2", 1).encode())
    with pytest.raises(ValueError, match="no mapping"):
        unsealed(b"[]")
