"""Laws of `simedge study`: it goes on where it stopped, and its exit code says how it stands."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simedge.study import engines, ready
from simedge.study.engines import ExecutorCrew
from simedge.study.worker import Outcome, carry_out
from simedge_cli.commands import app

TINY = """\
simedge: 1
name: tiny
duration: 2 s
sensors: {kind: silent}
devices: [{id: cam, count: 2}]
learner: {kind: linear}
protocol: {kind: elal, interval: 4}
"""
STUDY = """\
simedge-study: 1
name: delays
scenario: tiny.yaml
factors:
  links.default.delay: [5 ms, 80 ms]
seeds: 2
metrics: [counts.kernel_events]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return where a study lies whose runs are done in this process."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "delays.yaml").write_text(STUDY)
    executor = ThreadPoolExecutor(1)
    monkeypatch.setattr(ready, "crew", lambda *_a, **_k: ExecutorCrew(executor, 1))
    return tmp_path


def call(*words: object):
    return CliRunner().invoke(app, ["study", *map(str, words)])


def test_a_study_leaves_its_directory_and_prints_a_table_and_then_runs_nothing(folder) -> None:
    first = call("delays.yaml")
    assert first.exit_code == 0, first.output
    (out,) = (folder / "runs").iterdir()
    assert out.name.startswith("delays-")
    names = {path.name for path in out.iterdir()}
    assert names == {"study.yaml", "index.csv", "summary.json", "runs"}
    assert "delays: 4 planned, 4 done" in first.stdout
    assert "80 ms" in first.stdout
    assert "± is the standard deviation over seeds" in first.stdout
    assert "\x1b" not in first.output
    stamps = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/*")}
    again = call("delays.yaml", "--resume")
    assert again.exit_code == 0
    assert "4 of 4 runs are there" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in out.glob("runs/*/*")} == stamps


def test_json_is_a_line_a_run_and_then_the_summary(folder) -> None:
    done = call("delays.yaml", "-o", "s", "--json", "--seeds", "1,4", "--duration", "1 s")
    *runs, summary = map(json.loads, done.stdout.splitlines())
    assert [line["status"] for line in runs] == ["done"] * 4
    assert {line["seed"] for line in runs} == {1, 4}
    assert {line["summary"]["virtual_s"] for line in runs} == {1.0}
    assert summary == json.loads((folder / "s" / "summary.json").read_text())
    again = call("delays.yaml", "-o", "s", "--json", "--seeds", "1,4", "--duration", "1 s")
    assert len(again.stdout.splitlines()) == 5
    other = call("delays.yaml", "-o", "s")
    assert other.exit_code == 3
    assert 'scenario.duration: "1 s" there, "2 s" asked for' in other.stderr


def test_a_dry_run_counts_and_writes_nothing(folder) -> None:
    done = call("delays.yaml", "--dry-run")
    assert "2 cells x 2 seeds = 4 runs" in done.stdout
    assert "4 left, about" in done.stdout
    assert json.loads(call("delays.yaml", "--dry-run", "--json").stdout)["left"] == 4
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nowhere.yaml",), 3, "no such file or bundled study"),
        (("delays.yaml", "--set", "duratio=1 s"), 3, "did you mean 'duration'"),
        (("delays.yaml", "--set", "duration"), 2, "--set needs path=value"),
        (("delays.yaml", "--seeds", "many"), 2, "a count or a list"),
        (("delays.yaml", "--seeds", "3,3"), 3, "given twice"),
        (("delays.yaml", "--resume"), 3, "no study to go on with"),
        (("delays.yaml", "--seeds", "9" * 5000), 2, "a count or a list"),
        (("delays.yaml", "--seeds", "9" * 20), 3, "there must be 1 to 10,000 seeds"),
        (("delays.yaml", "--set", "seed=4"), 2, "--seeds 3,4,7"),
        (("delays.yaml", "--scheduler", "tcp://h:1"), 2, "--engine dask"),
        (("delays.yaml", "-o", "/proc/none"), 1, "a directory cannot be made here"),
        (("delays.yaml", "--engine", "abacus"), 2, "abacus"),
        (("tiny.yaml",), 3, "unknown key"),
    ],
)
def test_mistakes_have_codes_and_words(folder, words, code, said) -> None:
    done = call(*words)
    assert (done.exit_code, said in done.stderr) == (code, True), done.output
    assert not (folder / "runs").exists()


@pytest.mark.usefixtures("folder")
def test_what_was_left_out_is_told_with_its_reason(monkeypatch) -> None:
    gone = Outcome(status="missing", reason="the executor takes no more runs")
    monkeypatch.setattr(engines, "carry_out", lambda _ticket: gone)
    done = call("delays.yaml", "--seeds", "1")
    assert done.exit_code == 1
    assert done.stderr.count(": the executor takes no more runs") == 2
    assert "missing: tiny-s1-" in done.stderr


@pytest.mark.usefixtures("folder")
def test_a_failed_run_is_told_and_the_others_are_done(monkeypatch) -> None:
    def failing(ticket):
        if "5 ms" in ticket.scenario:
            return Outcome(status="failed", reason="too short")
        return carry_out(ticket)

    with monkeypatch.context() as patch:
        patch.setattr(engines, "carry_out", failing)
        done = call("delays.yaml")
    assert done.exit_code == 1
    assert "2 done, 2 failed" in done.stdout
    assert "too short" in done.stderr
    assert call("delays.yaml").exit_code == 1
    assert "--retry-failed" in call("delays.yaml").stderr
    assert call("delays.yaml", "--retry-failed").exit_code == 0


def test_an_interrupt_finishes_the_directory_and_progress_is_for_terminals(folder) -> None:
    text = STUDY.replace("seeds: 2", "seeds: 1\nset: {duration: 100 d, evaluate.every: 1 d}")
    (folder / "delays.yaml").write_text(text)
    words = ["study", "delays.yaml", "-o", "s", "--jobs", "1"]
    command = [sys.executable, "-m", "simedge_cli", *words]
    leader, follower = pty.openpty()
    with subprocess.Popen(  # noqa: S603 -- this interpreter
        command, stdout=follower, stderr=follower, start_new_session=True
    ) as run:
        os.close(follower)
        while not list((folder / "s").glob("runs/.*/events.msgpack")):
            assert run.poll() is None
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to all of them
        shown = b""
        while chunk := read(leader):
            shown += chunk
    os.close(leader)
    assert run.returncode == 130, shown
    assert b"0/2 runs" in shown
    assert b"Traceback" not in shown
    assert b"the same command goes on" in shown
    counts = json.loads((folder / "s" / "summary.json").read_text())["runs"]
    assert (counts["interrupted"], counts["missing"]) == (1, 1)
    assert not list((folder / "s").glob("runs/.*"))


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""
