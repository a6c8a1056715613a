"""Runs of a study that stopped go on from their checkpoints; what a start of workers takes."""

import shutil
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import simedge
from simedge.run.checkpoint.errors import CheckpointError
from simedge.run.scenario import Scenario
from simedge.study import worker
from simedge.study.engines import crew
from simedge.study.estimate import start_of_workers
from simedge.study.plan import planned
from simedge.study.ready import prepare
from simedge.study.study import Study
from simedge.study.table import Table

SAVING = Scenario.parse("""
simedge: 1
name: tiny
duration: 2 s
sensors: {kind: silent}
devices: [{id: cam, count: 4}]
learner: {kind: linear}
protocol: {kind: elal, interval: 4}
checkpoint: {every: 500 ms}
""")


@pytest.fixture
def counted(monkeypatch):
    """Count the runs that are simulated from their start."""
    count = Counter()
    simulate = simedge.simulate

    def counting(scenario, **options):
        count[scenario.run_name] += 1
        return simulate(scenario, **options)

    monkeypatch.setattr("simedge.run.simulate.simulate", counting)
    return count


def run(what: Study, out: Path | None = None, **options) -> Table:
    with ThreadPoolExecutor(1) as executor:
        return what.run(engine=executor, jobs=1, out=out, **options)


def hashes(table: Table) -> list[tuple[str, str]]:
    return [(row.run, row.log_sha256) for row in table]


@pytest.fixture(scope="module")
def cut_short(tmp_path_factory) -> tuple[Path, str]:
    """Return a study as a kill in the middle of its run leaves it, and the hash of that run."""
    out, left = (tmp_path_factory.mktemp("cut") / name for name in ("s", "left"))

    def look(_: str | None):
        def halted() -> bool:
            places = [] if left.exists() else (out / "runs").glob(".*.part")
            if any(map(worker.has_checkpoint, places)):
                shutil.copytree(out, left)
            return False

        return halted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "_halt", look)
        (row,) = run(Study(SAVING, seeds=1), out)
    assert row.status == "done"
    return left, row.log_sha256


@pytest.mark.parametrize("host", ["another host", "twice killed", "of other code"])
def test_a_run_that_was_killed_goes_on_from_its_checkpoint(
    cut_short, tmp_path, counted, monkeypatch, host
) -> None:
    left, sha256 = cut_short
    out = Path(shutil.copytree(left, tmp_path / "s"))
    (hidden,) = (out / "runs").glob(".*.part")
    what = Study(SAVING, seeds=1)
    name = prepare(what.plan(), None).runs[0].name
    hidden.rename(hidden.with_name(name if host == "twice killed" else f".{name}.other-1.part"))
    if host == "of other code":
        monkeypatch.setattr("simedge.run.checkpoint.stopped.check_maker", refuse)
    (row,) = run(what, out)
    assert (row.status, row.log_sha256) == ("done", sha256)
    assert counted.total() == (1 if host == "of other code" else 0)
    assert [path.name for path in (out / "runs").iterdir()] == [row.run]


def refuse(*_: object) -> list[str]:
    raise CheckpointError("written by other code")


def test_a_run_that_was_stopped_goes_on_and_one_of_another_cell_does_not(tmp_path, counted) -> None:
    what = Study(SAVING.vary({"duration": "20 s"}), seeds=1)

    def look(_: str | None):
        places = tmp_path / "s" / "runs"
        return lambda: any(map(worker.has_checkpoint, places.glob(".*.part")))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "_halt", look)
        (half,) = run(what, tmp_path / "s")
    assert half.status == "interrupted"
    assert half.path is not None
    stranger = half.path.parent / planned(prepare(what.plan(), None).cells, [2])[0].name
    shutil.copytree(half.path, stranger)
    whole = run(Study(SAVING.vary({"duration": "20 s"}), seeds=2), tmp_path / "s")
    assert counted.total() == 2, "the first, and the one whose directory was another's"
    assert hashes(whole) == hashes(run(Study(SAVING.vary({"duration": "20 s"}), seeds=2)))


def test_what_a_start_takes_is_measured_by_a_beginning_that_leaves_nothing(tmp_path) -> None:
    ready = prepare(Study(SAVING, seeds=2).plan(), tmp_path / "s")
    asked = []

    class Slow(ThreadPoolExecutor):
        def submit(self, do, ticket):
            asked.append(ticket)
            time.sleep(0.05)
            return super().submit(do, ticket)

    with Slow(1) as executor:
        assert start_of_workers(ready.missing, crew(executor, jobs=2)) > 2 * 0.05
        assert start_of_workers((), crew(executor, jobs=2)) == 0.0
    assert [(one.warm, one.out) for one in asked] == [(True, None)]
    assert not (tmp_path / "s").exists()
