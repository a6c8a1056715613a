"""Laws of `simedge run --resume`: a run that was stopped by force ends as if nothing had been."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from io import StringIO

import pytest
from saved_worlds import TEXT
from typer.testing import CliRunner

from simedge.run.result import Result
from simedge.run.rundir import read_status
from simedge.run.scenario import Scenario
from simedge.run.simulate import simulate
from simedge_cli.commands import app
from simedge_cli.render import Screen

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
LONG = {"duration": "20 s", "learner": {"kind": "linear"}}


@pytest.fixture(scope="module")
def long():
    return Scenario.parse(TEXT).vary({**LONG, "checkpoint.every": None})


@pytest.fixture(scope="module")
def straight(long):
    return {**simulate(long).summary, "wall_s": 0}


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT] if NIGHTLY else [signal.SIGKILL])
def test_whoever_stops_it_another_process_ends_it(long, straight, tmp_path, number) -> None:
    path, out = tmp_path / "long.yaml", tmp_path / "run"
    path.write_text(long.dump())
    running = subprocess.Popen(  # noqa: S603 -- our own code
        [sys.executable, "-m", "simedge_cli", "run", str(path), "-o", str(out), "--quiet",
         "--checkpoint", "1 s"],
        stderr=subprocess.PIPE,
    )  # fmt: skip
    while running.poll() is None and not (out / "checkpoint" / "manifest-1.json").exists():
        time.sleep(0.01)
    running.send_signal(number)
    running.communicate(timeout=60)
    assert running.returncode == {signal.SIGKILL: -9, signal.SIGINT: 130}[number]
    assert read_status(out) == {signal.SIGKILL: "running", signal.SIGINT: "interrupted"}[number]
    done = call("run", "--resume", out, "--json")
    assert done.exit_code == 0, done.output
    assert "goes on from" in done.stderr
    assert {**json.loads(done.stdout), "wall_s": 0} == straight
    again = call("run", "--resume", out, "--quiet")
    assert again.exit_code == 0
    assert "has ended" in again.stderr


@pytest.mark.parametrize(
    "words", [(), ("k20_lossy", "--resume", "x"), ("--resume", "x", "--seed", "2")]
)
def test_a_scenario_or_a_run_but_not_both(words) -> None:
    done = call("run", *words)
    assert done.exit_code == 2
    assert "or --resume RUN_DIR alone" in done.stderr


def test_what_is_no_run_is_bad_input(tmp_path) -> None:
    done = call("run", "--resume", tmp_path)
    assert done.exit_code == 3
    assert "no run directory" in done.stderr


def test_a_period_that_is_none_is_named(tmp_path) -> None:
    done = call("run", "two_devices", "--checkpoint", "often", "-o", tmp_path / "run")
    assert done.exit_code == 3
    assert "--checkpoint" in done.stderr


def shown(result: Result, *, scenario: str = "tiny.yaml") -> str:
    """Return all that is shown of a result."""
    with redirect_stdout(StringIO()) as out:
        Screen().show(result, scenario=scenario)
    return out.getvalue()


def test_after_an_interrupt_the_next_command_goes_on(long, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("simedge.run.simulate.SLICE_RECORDS", 8)
    for every, end in (
        (None, "(begins anew: it ran without --checkpoint)\n"),
        ("1 s", "stopped\n"),
    ):
        out = tmp_path / f"stopped{'' if every else '-bare'}"
        varied = long.vary(
            {"duration": "2 s", "sensors": {"kind": "silent"}, "checkpoint.every": every}
        )
        said = shown(simulate(varied, out=out, stop=lambda: True))
        line = next(line for line in said.splitlines(keepends=True) if "--resume" in line)
        assert f"simedge run --resume {out}" in line
        assert line.endswith(end)
    done = call("run", "--resume", out)
    assert "--set protocol.kind=isolated\n" in done.stdout
    assert f"simedge run {out}/scenario.yaml --set" in done.stdout
    assert "go on with it" not in done.stdout
