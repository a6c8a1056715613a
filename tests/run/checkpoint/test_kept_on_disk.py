"""Whatever happens to the disk or the process, what is left of a run leads to its end."""

import os
import shutil
import tracemalloc
from contextlib import suppress
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saved_worlds import World, told
from typing_extensions import override

import simedge
from simedge.core.errors import SimedgeError
from simedge.run.checkpoint import store
from simedge.run.checkpoint.errors import CheckpointError
from simedge.run.checkpoint.keeper import Keeper
from simedge.run.checkpoint.store import FOLDER, find
from simedge.run.checkpoint.values import Classes, code_named, function_named
from simedge.run.disk import Disk
from simedge.run.errors import StorageError
from simedge.run.invariants import Audit
from simedge.run.rundir import read_status
from simedge.run.scenario import Scenario
from simedge.run.simulate import Run, simulate

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
SMALL = {
    "duration": "700 ms",
    "devices": [{"id": "box", "count": 1, "compute": "cpu-large", "memory": "2 GiB"}],
    "faults": [],
    "checkpoint.every": "300 ms",
}
PARTS = ("state", "arrays", "manifest")
ROOM = 16 << 20


class _Death(BaseException):
    """The process is gone: nobody catches it, and nothing is done after it."""


class DyingDisk(Disk):
    """Dies at its k-th operation; what is written then gets there in part."""

    def __init__(self, last):
        self.left = last

    def _count(self):
        self.left -= 1
        if self.left <= 0:
            raise _Death

    @override
    def make(self, path):
        self._count()
        super().make(path)

    @override
    def create(self, path, *, exclusive=False):
        self._count()
        return super().create(path, exclusive=exclusive)

    @override
    def write(self, file, data):
        if self.left == 1:
            super().write(file, data[: len(data) // 2])
        self._count()
        super().write(file, data)

    @override
    def sync(self, file):
        self._count()
        super().sync(file)

    @override
    def replace(self, source, target):
        self._count()
        super().replace(source, target)

    @override
    def sync_directory(self, path):
        self._count()
        super().sync_directory(path)

    @override
    def remove(self, path):
        self._count()
        super().remove(path)


@pytest.fixture(scope="module")
def tiny(world) -> World:
    return World(world.scenario.vary(SMALL))


@pytest.fixture(scope="module")
def kept(world, tmp_path_factory):
    """Return a run that was stopped with two generations in its directory."""
    out, asked = tmp_path_factory.mktemp("kept") / "run", []

    def enough():
        asked.append(None)
        return len(list((out / FOLDER).glob("manifest-*"))) == 2

    simulate(world.scenario, out=out, stop=enough)
    assert find(out, events=True).turn == 2
    return out


@pytest.fixture
def copy(kept, tmp_path):
    return shutil.copytree(kept, tmp_path / "copy")


def test_a_process_may_die_at_any_operation_of_the_disk(tiny, tmp_path):
    last, resumed, anew = 0, 0, 0
    while True:
        last += 1 if NIGHTLY or last < 3 else 8
        out, disk = tmp_path / f"died-{last}", DyingDisk(last)
        try:
            with patch("simedge.run.simulate.open_disk", lambda *_, disk=disk: disk):
                simulate(tiny.scenario, out=out)
        except _Death:
            if not (out / "status.json").exists():
                continue  # there was no run yet
        words = []
        assert told(simedge.resume(out, say=words.append))[0] == tiny.straight[0], last
        resumed += "goes on from" in words[-1]
        anew += "begins anew" in words[-1]
        if disk.left > 0:
            break
    assert resumed > 1
    assert anew > 1


def _flip(file, share=0.5):
    raw = bytearray(file.read_bytes())
    raw[int(share * len(raw))] ^= 4
    file.write_bytes(raw)


@pytest.mark.parametrize("part", PARTS)
def test_a_flipped_bit_leads_to_the_generation_before(world, copy, part):
    newest = find(copy, events=True)
    _flip(next((copy / FOLDER).glob(f"{part}-{newest.turn % 2}*")))
    words = []
    assert told(simedge.resume(copy, say=words.append)) == world.straight
    assert any("passed over" in word for word in words)
    assert any("goes on from" in word for word in words)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_missing_leads_to_the_generation_before(copy, part):
    newest = find(copy, events=True)
    next((copy / FOLDER).glob(f"{part}-{newest.turn % 2}*")).unlink()
    older = find(copy, events=True)
    assert older.saved.at_ns < newest.saved.at_ns
    assert older.turn == newest.turn - 1


def test_where_nothing_is_whole_the_run_begins_anew(world, copy):
    for file in (copy / FOLDER).iterdir():
        _flip(file)
    words = []
    assert told(simedge.resume(copy, say=words.append)) == world.straight
    assert "begins anew" in words[-1]


def test_a_log_that_is_not_what_it_was_carries_no_checkpoint(world, copy):
    _flip(copy / "events.msgpack", share=0.1)
    assert find(copy, events=True).saved is None
    assert told(simedge.resume(copy)) == world.straight


def test_what_the_log_has_beyond_the_checkpoint_is_cut(world, copy):
    with (copy / "events.msgpack").open("ab") as file:
        file.write(b"half a record")
    result = simedge.resume(copy)
    assert told(result) == world.straight
    assert len(list(result.records)) > 0


@pytest.mark.parametrize("kind", ["disk-full", "read-only", "fsync-error", "torn-write"])
def test_a_disk_that_fails_at_a_checkpoint_can_be_mended(world, tmp_path, kind):
    broken = world.scenario.vary(
        {"faults": [*_plain(world.scenario), {"kind": kind, "operation": 22}]}
    )
    with pytest.raises(StorageError):
        simulate(broken, out=tmp_path / "run")
    assert read_status(tmp_path / "run") in {"failed", "running"}
    assert (
        told(simedge.resume(tmp_path / "run"))[0]["log_sha256"] == world.straight[0]["log_sha256"]
    )


def _plain(scenario):
    return scenario.model_dump(mode="json", by_alias=True, exclude_unset=True)["faults"]


@settings(max_examples=300 if NIGHTLY else 25)
@given(st.data())
def test_no_bytes_bring_a_traceback_or_fill_the_memory(kept, data):
    files = sorted((kept / FOLDER).iterdir())
    file = data.draw(st.sampled_from(files))
    raw = file.read_bytes()
    start = data.draw(st.integers(0, len(raw) - 1))
    stop = data.draw(st.integers(start, min(len(raw), start + 64)))
    changed = raw[:start] + data.draw(st.binary(max_size=64)) + raw[stop:]
    tracemalloc.start()
    try:
        file.write_bytes(changed)
        found = find(kept, events=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        file.write_bytes(raw)
    assert peak < ROOM + 8 * sum(each.stat().st_size for each in files)
    assert found.saved is not None  # the other generation, if not this one


@settings(max_examples=300 if NIGHTLY else 12)
@given(st.data())
def test_a_state_that_somebody_forged_is_refused_or_fits(kept, data):
    found = find(kept, events=True)
    state, arrays = store.packed(found.saved)
    start = data.draw(st.integers(0, len(state) - 1))
    stop = data.draw(st.integers(start, min(len(state), start + 8)))
    forged = state[:start] + data.draw(st.binary(max_size=8)) + state[stop:]
    with Run(Scenario.load(kept / "scenario.yaml"), root=None) as run:
        keeper = _keeper(run)
        with suppress(CheckpointError, *store.WRONG):
            keeper.take_back(store.unpacked(forged, arrays))


def _keeper(run):
    return Keeper(run.driver, [run.tally, Audit()], every_ns=10**9)


def test_nothing_but_data_of_this_package_is_made():
    for name in ("os:system", "builtins:eval", "subprocess:Popen", "simedge.run.disk:Disk"):
        with pytest.raises(CheckpointError):
            Classes([name]).named(0)
        with pytest.raises(CheckpointError):
            function_named(name)
        with pytest.raises(SimedgeError):
            code_named(f"{name}.<locals>.<lambda>", 0)
