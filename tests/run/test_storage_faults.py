"""Laws of a failing disk: the history stays, nothing is half, and what is wrong has a name."""

import json
import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from typing import get_args

import pytest
from typer.testing import CliRunner

import simedge
from simedge.run import provenance
from simedge.run import simulate as simulating
from simedge.run.disk import Disk, OpenFile
from simedge.run.errors import RunDirectoryError, StorageError
from simedge.run.eventlog import LogReader
from simedge.run.faulty_disk import FaultyDisk, open_disk
from simedge.run.parts import damaged_parts, unsealed
from simedge.run.replay import replay
from simedge.run.rundir import RunDirectory, read_status
from simedge.run.scenario import Scenario
from simedge.world.storage_fault_settings import StorageFault, StorageKind
from simedge_cli.commands import app

TINY = """
simedge: 1
name: tiny
duration: 1 s
sensors: {kind: digits, size: 10, rate: 4 Hz, proxy: {blocks: 2, rows: 2}}
devices: [{id: cam, count: 1}]
links: {default: {profile: ethernet}}
learner: {kind: linear}
protocol: {kind: elal, interval: 2}
evaluate: {every: 1 s, items: 10}
"""
PLAIN = Scenario.parse(TINY)
KINDS = get_args(StorageKind)
UNNOTICED = {"bit-flip", "missing-file"}  # by the run: its readers find it
NEVER = 10**9
PARTS = {"scenario.yaml", "status.json", "metrics.csv", "summary.json", "provenance.json"}
ALL = PARTS | {"events.msgpack"}


def failing(kind: str, operation: int) -> Scenario:
    return PLAIN.model_copy(update={"faults": (StorageFault(kind=kind, operation=operation),)})


@pytest.fixture(scope="module")
def clean():
    return simedge.simulate(PLAIN)


@pytest.fixture(scope="module")
def operations(tmp_path_factory) -> int:
    """How many operations an undisturbed run has."""
    with pytest.MonkeyPatch.context() as patch:
        disks = watched_disks(patch)
        path = tmp_path_factory.mktemp("runs") / "run"
        simedge.simulate(failing("disk-full", NEVER), out=path)
    assert replay(path).equal
    return disks[0].operations


def watched_disks(patch) -> list[FaultyDisk]:
    disks: list[FaultyDisk] = []

    def opened(faults, seed):
        disks.append(open_disk(faults, seed))
        return disks[-1]

    patch.setattr(simulating, "open_disk", opened)
    return disks


def attempt(scenario, path):
    """Return the result, or what ended the run."""
    try:
        return simedge.simulate(scenario, out=path), None
    except StorageError as error:
        return None, str(error)


def without_wall(summary):
    return {key: value for key, value in summary.items() if key != "wall_s"}


@pytest.mark.parametrize("kind", KINDS)
def test_whenever_the_disk_fails_the_run_is_as_ever_or_ends_as_failed(
    tmp_path, operations, clean, kind, monkeypatch
) -> None:
    # What takes long and differs in nothing is done once, and nobody pulls the plug.
    text, known = PLAIN.dump(), provenance.versions()
    monkeypatch.setattr(Scenario, "dump", lambda _: text)
    monkeypatch.setattr(provenance, "versions", lambda: known)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    assert operations > 30
    failures = 0
    for k in range(1, operations + 1):
        path = tmp_path / str(k)
        result, error = attempt(failing(kind, k), path)
        nothing_is_half(path, kind)
        if result is None:
            failures += 1
            ended_as_failed(path, error, kind)
            begins_like(clean, path)
        else:
            assert without_wall(result.summary) == without_wall(clean.summary)
            as_written(path, kind)
    assert (failures > 0) == (kind not in {"bit-flip", "stale-temp"})


def nothing_is_half(path, kind) -> None:
    found = {file.name for file in path.iterdir()} if path.exists() else set()
    assert {name for name in found if name[0] != "."} <= ALL
    if kind == "bit-flip":
        return
    for name in found & {"status.json", "provenance.json"}:
        unsealed((path / name).read_bytes())
    if "summary.json" in found:
        assert json.loads((path / "summary.json").read_bytes())["invariants"]["broken"] == []
    if "scenario.yaml" in found:
        Scenario.load(path / "scenario.yaml")
    if "metrics.csv" in found:
        assert (path / "metrics.csv").read_text().endswith("\n")
    if kind != "read-only":
        assert not {name for name in found if name.endswith(".part")}


def ended_as_failed(path, error, kind) -> None:
    assert str(path) in error
    assert "; " in error, "it says how to mend it"
    if not path.exists() or not any(path.iterdir()):
        return  # nothing has begun
    if kind == "read-only" and not (path / "status.json").exists():
        return
    status = read_status(path)
    assert status == "failed" or (kind == "read-only" and status == "running")


def begins_like(clean, path) -> None:
    if (path / "events.msgpack").exists():
        kept = list(LogReader(path / "events.msgpack"))
        assert kept == list(clean.records)[: len(kept)]


def as_written(path, kind) -> None:
    """A directory that is said to be done is whole, or its readers say what is not."""
    wrong = complaints(path)
    assert not wrong or kind in UNNOTICED
    if not wrong:
        assert read_status(path) == "done"
        assert {file.name for file in path.iterdir() if file.name[0] != "."} == ALL


def complaints(path) -> list[str]:
    """Say what readers find wrong, each naming the part."""
    log = LogReader(path / "events.msgpack")
    try:
        status = read_status(path)
        count = len(list(log))
    except (RunDirectoryError, OSError) as error:
        return [str(error)]
    assert status == "done"
    assert count or log.damage
    return [*damaged_parts(path, events=True), *filter(None, [log.damage])]


@pytest.mark.parametrize("kind", KINDS)
def test_an_operation_that_never_comes_changes_nothing(tmp_path, clean, kind) -> None:
    result, _ = attempt(failing(kind, NEVER), tmp_path / "run")
    assert result.summary["log_sha256"] == clean.summary["log_sha256"]
    assert list(result.records) == list(clean.records)


def test_without_a_directory_there_is_no_disk_to_fail(clean) -> None:
    result = simedge.simulate(failing("disk-full", 1))
    assert without_wall(result.summary) == without_wall(clean.summary)


def test_faults_are_the_same_as_yaml_and_as_python() -> None:
    text = TINY + "faults: [{kind: torn-write, storage: true, operation: 7}]\n"
    (fault,) = Scenario.parse(text).faults
    assert fault == StorageFault(kind="torn-write", operation=7)
    assert Scenario.parse(text).hash8 == failing("torn-write", 7).hash8
    varied = PLAIN.vary({"faults": [{"kind": "torn-write", "operation": 7}]})
    assert varied == failing("torn-write", 7)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("{kind: disk-full}", "operation: is missing"),
        ("{kind: disk-full, operation: 0}", "operation"),
        ("{kind: disk-full, operation: 3, at: 5 s}", "at: unknown key"),
        ("{kind: disk-ful, operation: 3}", "did you mean 'disk-full'"),
        ("{kind: bit-flip, operation: 3}, {kind: bit-flip, operation: 4}", "two faults are called"),
    ],
)
def test_what_makes_no_sense_is_refused(fault, why) -> None:
    with pytest.raises(simedge.SimedgeError, match=why):
        Scenario.parse(TINY + f"faults: [{fault}]\n")


def test_two_faults_strike_one_after_the_other(tmp_path) -> None:
    faults = [
        {"kind": "fsync-error", "operation": 19, "name": "first"},
        {"kind": "disk-full", "operation": 20, "name": "then"},
    ]
    result, error = attempt(PLAIN.vary({"faults": faults}), tmp_path / "run")
    assert result is None
    assert "events.msgpack: Input/output error" in error
    said = unsealed((tmp_path / "run/status.json").read_bytes())
    assert said["status"] == "failed"
    assert said["reason"] == "the disk took nothing more", "the word that lay ready"


def test_the_command_ends_with_a_message_and_no_traceback(tmp_path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY + "faults: [{kind: disk-full, operation: 25}]\n")
    words = ["run", str(tmp_path / "tiny.yaml"), "-q", "-o", str(tmp_path / "run")]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 1
    assert said.stderr.startswith(f"error: {tmp_path / 'run'}/")
    assert "No space left on device; make room there" in said.stderr
    assert said.stderr.count("\n") == 1
    assert read_status(tmp_path / "run") == "failed"
    again = CliRunner().invoke(app, ["replay", str(tmp_path / "run")])
    assert again.exit_code == 0, "what was kept of it comes again"


@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize("change", ["flip", "remove"])
def test_a_part_that_was_changed_or_removed_is_named(tmp_path, name, change) -> None:
    simedge.simulate(PLAIN, out=tmp_path / "run")
    part = tmp_path / "run" / name
    if change == "flip":
        raw = bytearray(part.read_bytes())
        raw[len(raw) // 2] ^= 1
        part.write_bytes(raw)
    else:
        part.unlink()
    said = CliRunner().invoke(app, ["replay", str(tmp_path / "run")])
    assert said.exit_code in {3, 4}
    assert name in said.stderr or (name == "events.msgpack" and "the log " in said.stderr)
    assert "Traceback" not in said.output


class FullLog(Disk):
    """Keeps the event log on the device that is always full."""

    def create(self, path, *, exclusive=False) -> OpenFile:
        if path.name != "events.msgpack":
            return super().create(path, exclusive=exclusive)
        return OpenFile(path, os.open("/dev/full", os.O_WRONLY))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device")  # noqa: PTH110
def test_a_device_that_is_full_ends_the_run_as_failed(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(simulating, "open_disk", lambda *_: FullLog())
    result, error = attempt(PLAIN, tmp_path / "run")
    assert result is None
    assert error.startswith(f"{tmp_path}/run/events.msgpack: No space left on device; make room")
    assert read_status(tmp_path / "run") == "failed"


def test_a_limit_on_file_sizes_ends_the_run_as_failed(tmp_path) -> None:
    longer = PLAIN.vary({"duration": "8 s"})
    whole = simedge.simulate(longer, out=tmp_path / "whole")
    size = (tmp_path / "whole/events.msgpack").stat().st_size
    assert size == max(file.stat().st_size for file in (tmp_path / "whole").iterdir())
    with files_up_to(size - 1):
        result, error = attempt(longer, tmp_path / "run")
    assert result is None
    assert "events.msgpack: File too large; a limit on the size" in error
    assert read_status(tmp_path / "run") == "failed"
    kept = list(LogReader(tmp_path / "run/events.msgpack"))
    assert kept == list(whole.records)[:-1]
    assert replay(tmp_path / "run").difference is None


@contextmanager
def files_up_to(size: int):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_directory_that_may_not_be_written_is_bad_input(tmp_path) -> None:
    tmp_path.chmod(0o555)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(RunDirectoryError, match="Permission denied"):
        simedge.simulate(PLAIN, out=tmp_path / "run")


def test_of_many_processes_one_gets_the_directory(tmp_path) -> None:
    code = (
        "import sys; from pathlib import Path; sys.stdin.read(1)\n"
        "from simedge.run.rundir import RunDirectory, RunDirectoryError\n"
        "try: made = RunDirectory(Path(sys.argv[1]), scenario=sys.argv[2])\n"
        "except RunDirectoryError as error: print(error, flush=True)\n"
        "else: print('mine', flush=True)\n"
        "sys.stdin.read()\n"
    )
    path = tmp_path / "run"
    others = [
        subprocess.Popen(  # noqa: S603  # our own
            [sys.executable, "-c", code, str(path), str(i)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(3)
    ]
    for other in others:
        other.stdin.write("x")
        other.stdin.flush()
    said = [other.stdout.readline().strip() for other in others]
    for other in others:
        other.communicate()
    assert said.count("mine") == 1
    assert all("another run writes here" in line for line in said if line != "mine")
    assert (path / "scenario.yaml").read_text() == str(said.index("mine"))
    with pytest.raises(RunDirectoryError, match="absent or empty"):
        RunDirectory(path, scenario="")
