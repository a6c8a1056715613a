"""Laws of watching: the records of the run, in order, no faster than they are taken."""

import asyncio

import pytest

import simedge
from simedge.core.errors import SimedgeError
from simedge.run import simulate as simulating
from simedge.run.eventlog import LogReader
from simedge.run.rundir import read_status
from simedge.run.stream import StreamedTwiceError


@pytest.fixture(autouse=True)
def many_slices(monkeypatch):
    monkeypatch.setattr(simulating, "SLICE_RECORDS", 16)


async def taken(watched, count=None):
    records = []
    async for record in watched:
        records.append(record)
        if len(records) == count:
            break
    return records


async def hash_of(scenario, seed):
    watched = simedge.stream(scenario, seed=seed)
    await taken(watched)
    return watched.result.summary["log_sha256"]


def read(path):
    reader = LogReader(path / "events.msgpack")
    records = list(reader)
    assert reader.damage is None
    return records


@pytest.fixture(scope="module")
def straight(small):
    return simedge.simulate(small)


def test_the_records_are_those_of_simulate_in_order(small, straight, tmp_path) -> None:
    watched = simedge.stream(small, out=tmp_path / "run")
    assert asyncio.run(taken(watched)) == list(straight.records) == read(tmp_path / "run")
    assert watched.result.summary["log_sha256"] == straight.summary["log_sha256"]
    assert not watched.result.interrupted
    assert watched.progress.now_ns <= small.duration
    assert read_status(tmp_path / "run") == "done"


def test_a_slow_consumer_holds_the_run(small, monkeypatch) -> None:
    # Slices of one kernel record: whoever has seen a log record knows where the run stands.
    monkeypatch.setattr(simulating, "SLICE_RECORDS", 1)

    async def slowly():
        watched = simedge.stream(small)
        async for record in watched:
            before = watched.progress
            await asyncio.sleep(0)
            assert watched.progress is before
            assert record.at == before.now_ns
            if record.at > small.duration // 20:
                return

    asyncio.run(slowly())


def test_no_more_than_a_slice_is_ever_held(small, monkeypatch) -> None:
    most = 0

    class Counted(simulating.Run):
        def __init__(self, *args, tap, **options):
            def counting(record):
                nonlocal most, ahead
                ahead += 1
                most = max(most, ahead)
                tap(record)

            super().__init__(*args, tap=counting, **options)

    ahead = 0
    monkeypatch.setattr("simedge.run.stream.Run", Counted)
    per_slice = []

    async def counting():
        nonlocal ahead
        watched, slice_ = simedge.stream(small), None
        async for _ in watched:
            if watched.progress is not slice_:
                slice_ = watched.progress
                per_slice.append(ahead)
            ahead -= 1

    asyncio.run(counting())
    assert ahead == 0
    assert most == max(per_slice)
    assert len(per_slice) > 3


def test_leaving_the_loop_finishes_the_directory_at_once(small, straight, tmp_path) -> None:
    async def leave():
        watched = simedge.stream(small, out=tmp_path / "run")
        records = await taken(watched, 10)
        # Not one turn of the event loop later.
        return records, watched.result, read_status(tmp_path / "run")

    records, result, status = asyncio.run(leave())
    assert status == "interrupted"
    assert result.interrupted
    assert result.summary["invariants"]["broken"] == []
    every = list(straight.records)
    assert records == every[:10]
    kept = read(tmp_path / "run")
    assert kept == every[: len(kept)]


def test_an_error_in_the_loop_finishes_the_directory(small, tmp_path) -> None:
    async def stumble():
        async for _ in simedge.stream(small, out=tmp_path / "run"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(stumble())
    assert read_status(tmp_path / "run") == "interrupted"


@pytest.mark.parametrize("asleep", [True, False], ids=["in the body", "between slices"])
def test_cancelling_the_task_finishes_the_directory(small, tmp_path, asleep) -> None:
    async def look(began):
        async for _ in simedge.stream(small, out=tmp_path / "run"):
            began.set()
            if asleep:
                await asyncio.sleep(3600)

    async def cancel():
        began = asyncio.Event()
        task = asyncio.create_task(look(began))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert read_status(tmp_path / "run") == "interrupted"

    asyncio.run(cancel())


def test_stop_ends_it_after_the_slice_and_close_at_once(small, tmp_path) -> None:
    async def stop():
        watched = simedge.stream(small, out=tmp_path / "stopped")
        count = 0
        async for _ in watched:
            watched.stop()
            count += 1
        assert count == len(list(watched.result.records)) > 1

    async def close():
        async with simedge.stream(small, out=tmp_path / "closed") as watched:
            count = 0
            async for _ in watched:
                await watched.aclose()
                count += 1
            assert count == 1

    asyncio.run(stop())
    asyncio.run(close())
    assert read_status(tmp_path / "stopped") == read_status(tmp_path / "closed") == "interrupted"


def test_nothing_happens_before_someone_looks(small, tmp_path) -> None:
    async def nobody():
        async with simedge.stream(small, out=tmp_path / "run") as watched:
            pass
        assert watched.result is None

    asyncio.run(nobody())
    assert not (tmp_path / "run").exists()


def test_a_history_is_handed_out_once(small) -> None:
    async def twice():
        watched = simedge.stream(small)
        await taken(watched, 1)
        with pytest.raises(StreamedTwiceError, match="once"):
            await taken(watched, 1)

    asyncio.run(twice())


def test_a_run_that_fails_is_marked_as_failed(small, tmp_path, monkeypatch) -> None:
    def broken(self):
        yield self.progress()
        raise SimedgeError("out of luck")

    monkeypatch.setattr(simulating.Run, "slices", broken)
    with pytest.raises(SimedgeError, match="out of luck"):
        asyncio.run(taken(simedge.stream(small, out=tmp_path / "run")))
    assert read_status(tmp_path / "run") == "failed"


def test_runs_side_by_side_have_the_hashes_of_runs_alone(small) -> None:
    async def together():
        watched = [hash_of(small, seed) for seed in (1, 2)]
        plain = simedge.run_async(small, seed=3)
        *hashes, third = await asyncio.gather(*watched, plain)
        return [*hashes, third.summary["log_sha256"]]

    alone = [simedge.simulate(small, seed=seed).summary["log_sha256"] for seed in (1, 2, 3)]
    assert asyncio.run(together()) == alone


def test_other_tasks_go_on_between_slices(small) -> None:
    async def beside():
        beats = 0

        async def beat():
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(beat())
        await taken(simedge.stream(small))
        task.cancel()
        return beats

    assert asyncio.run(beside()) > 3


def test_cancelling_run_async_finishes_the_directory(small, straight, tmp_path) -> None:
    async def cancel():
        going = asyncio.Event()
        running = simedge.run_async(small, out=tmp_path / "run", watch=lambda _: going.set())
        task = asyncio.create_task(running)
        await going.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert read_status(tmp_path / "run") == "interrupted"
    kept = read(tmp_path / "run")
    assert kept == list(straight.records)[: len(kept)]
    assert (tmp_path / "run" / "summary.json").exists()


def test_cancelling_a_run_that_has_come_to_its_end_leaves_it_done(small, tmp_path) -> None:
    async def cancel():
        def watch(progress):
            if progress.now_ns == small.duration:
                task.cancel()

        late = small.vary({"evaluate.every": "6 s"})
        task = asyncio.create_task(simedge.run_async(late, out=tmp_path / "run", watch=watch))
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert read_status(tmp_path / "run") == "done"


def test_simulate_works_inside_a_running_loop(small, straight) -> None:
    async def inside():
        return simedge.simulate(small).summary["log_sha256"]

    assert asyncio.run(inside()) == straight.summary["log_sha256"]
