"""Laws of engines: workers compute alone, die alone, and are replaced."""

import os
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest

import simedge
from simedge.run.scenario import Scenario
from simedge.study import engines
from simedge.study.engines import Processes, crew
from simedge.study.errors import MissingExtraError, StudyError
from simedge.study.study import Study
from simedge.study.worker import ONE_THREAD

TINY = Scenario.parse("""
simedge: 1
name: tiny
duration: 2 s
sensors: {kind: silent}
devices: [{id: cam, count: 2}]
learner: {kind: linear}
protocol: {kind: elal, interval: 4}
""")
OS = "__import__('os')"


def test_a_worker_dies_alone_and_is_replaced(monkeypatch) -> None:
    monkeypatch.setattr(engines, "carry_out", eval)
    hands = Processes(1)
    try:
        with pytest.raises(BrokenExecutor):
            ask(hands, f"{OS}.kill({OS}.getpid(), 9)").result()
        names = ", ".join(f"'{name}'" for name in ONE_THREAD)
        told = ask(hands, f"[{OS}.environ[name] for name in ({names},)]")
        assert told.result() == ["1"] * len(ONE_THREAD)
        # Ctrl-C goes to all processes of a terminal: a worker leaves it to the one that leads.
        assert ask(hands, f"{OS}.kill({OS}.getpid(), {int(signal.SIGINT)})").result() is None
        assert ask(hands, f"{OS}.getpid()").result() != os.getpid()
    finally:
        hands.close()
    assert {name: os.environ.get(name) for name in ONE_THREAD} != ONE_THREAD


def ask(hands: Processes, expression: str) -> "Future[object]":
    return hands.submit(expression)


def test_workers_give_the_runs_that_one_process_gives() -> None:
    study = Study(TINY, seeds=2)
    with ThreadPoolExecutor(1) as executor:
        here = study.run(engine=executor, jobs=1)
    there = study.run(engine="processes", jobs=1)
    assert [row.log_sha256 for row in here] == [row.log_sha256 for row in there]
    assert [row.status for row in there] == ["done"] * 2


def test_engines_that_are_not_there_are_named(monkeypatch) -> None:
    with pytest.raises(StudyError, match="known: processes, dask"):
        crew("threads")
    with pytest.raises(StudyError, match="at least 1"):
        crew("processes", jobs=-1)
    with pytest.raises(StudyError, match="engine='dask'"):
        crew("processes", scheduler="tcp://x:1")

    def absent(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(engines.importlib, "import_module", absent)
    with pytest.raises(MissingExtraError, match=r"pip install 'simedge\[dask\]'"):
        crew("dask")


@pytest.mark.parametrize("address", ["foo", "tcp://", "nosuch://h:1", "tcp://h:x", "h:99999"])
def test_what_is_no_address_is_refused_before_anybody_waits_for_it(address) -> None:
    pytest.importorskip("distributed", reason="extra dask is not installed")
    with pytest.raises(StudyError, match="no address of a Dask scheduler"):
        crew("dask", scheduler=address)


@pytest.mark.filterwarnings("ignore")  # Dask's own
def test_a_scheduler_that_does_not_answer_ends_the_study(monkeypatch) -> None:
    pytest.importorskip("distributed", reason="extra dask is not installed")
    monkeypatch.setattr(engines, "_CONNECT", "0.1 s")
    with pytest.raises(StudyError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        crew("dask", scheduler="tcp://127.0.0.1:1")


class Murderer(threading.Thread):
    """Kills the first process that begins a run; its id is in the name where it works."""

    def __init__(self, runs: Path) -> None:
        super().__init__(daemon=True)
        self.runs = runs
        self.killed = 0

    def run(self) -> None:
        while not self.killed:
            for part in self.runs.glob(".*.part"):
                self.killed = int(part.suffixes[-2].rpartition("-")[2])
                os.kill(self.killed, signal.SIGKILL)
                break
            time.sleep(0.005)


@pytest.mark.filterwarnings("ignore")  # Dask's own, as its workers come and go
def test_a_dask_worker_that_is_killed_loses_nothing_and_nothing_is_there_twice(tmp_path) -> None:
    pytest.importorskip("distributed", reason="extra dask is not installed")
    study = Study(TINY.vary({"duration": "10 min"}), seeds=3)
    murderer = Murderer(tmp_path / "s" / "runs")
    murderer.start()
    table = study.run(engine="dask", jobs=2, out=tmp_path / "s")
    assert murderer.killed
    assert [row.status for row in table] == ["done"] * 3, [row.reason for row in table]
    names = sorted(path.name for path in (tmp_path / "s" / "runs").iterdir() if path.name[0] != ".")
    assert names == sorted(row.run for row in table)
    alone = simedge.simulate(TINY.vary({"duration": "10 min"}), seed=3)
    assert table[-1].log_sha256 == alone.summary["log_sha256"]
