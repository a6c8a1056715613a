"""Laws of `simedge run`: data on stdout, the rest on stderr, codes as promised, nothing lost."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simedge.core.errors import SimedgeError
from simedge.run import simulate
from simedge.run.eventlog import LogReader
from simedge.run.result import Progress, Result
from simedge.run.rundir import read_status
from simedge.run.scenario import Scenario
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
COMMAND = [sys.executable, "-m", "simedge_cli"]


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_run_leaves_its_directory_and_prints_a_table(tiny) -> None:
    done = call("run", tiny)
    assert done.exit_code == 0, done.output
    (path,) = (tiny.parent / "runs").iterdir()
    assert path.name.startswith("tiny-s1-")
    assert {part.name for part in path.iterdir()} == {
        "scenario.yaml",
        "status.json",
        "provenance.json",
        "summary.json",
        "metrics.csv",
        "events.msgpack",
    }
    assert read_status(path) == "done"
    for word in ("accuracy", "traffic", "latency", "energy", "dropouts", "convergence"):
        assert word in done.stdout
    assert str(path.relative_to(tiny.parent)) in done.stdout
    assert "simedge run" in done.stdout
    assert done.stderr == ""


def test_json_is_exactly_one_object_and_the_summary(tiny) -> None:
    done = call("run", tiny, "--json", "-o", "here")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == json.loads(Path("here/summary.json").read_text())
    assert done.stdout.count("\n") == 1


def test_quiet_says_nothing(tiny) -> None:
    done = call("run", tiny, "--quiet")
    assert (done.exit_code, done.output) == (0, "")


def test_the_resolved_scenario_runs_again_with_the_same_hash(tiny) -> None:
    first = json.loads(call("run", tiny, "--json", "--seed", 5, "-o", "a").stdout)
    again = json.loads(call("run", "a/scenario.yaml", "--json", "-o", "b").stdout)
    assert first["seed"] == again["seed"] == 5
    assert first["log_sha256"] == again["log_sha256"]
    assert Path("a/events.msgpack").read_bytes() == Path("b/events.msgpack").read_bytes()
    assert Path("a/status.json").read_bytes() == Path("b/status.json").read_bytes()


def test_options_change_the_scenario(tiny) -> None:
    done = call(
        *("run", tiny, "-q", "-o", "a", "--duration", "1 s", "--seed", 3, "--record", "summary"),
        *("--set", "protocol.kind=isolated", "--set", "devices[cam].count=1"),
    )
    assert done.exit_code == 0
    scenario = Scenario.load("a/scenario.yaml")
    assert (scenario.duration, scenario.seed, scenario.devices[0].count) == (10**9, 3, 1)
    assert not scenario.record.events
    assert not Path("a/events.msgpack").exists()
    assert scenario.protocol.kind == "isolated"


def test_a_new_kind_says_on_stderr_what_it_drops(tiny) -> None:
    tiny.write_text(TINY.replace("interval: 4", "kl_steps: 4"))
    done = call("run", tiny, "--json", "--set", "protocol.kind=isolated")
    assert done.exit_code == 0
    assert done.stderr == "note: protocol.kl_steps: dropped, the new kind has no such key\n"
    assert json.loads(done.stdout)["protocol"] == "isolated"


MISTAKES = {
    "no such file": (["run", "nowhere.yaml"], 3, "nowhere.yaml:1:1: no such file"),
    "a directory": (["run", "."], 3, ".: is a directory\n"),
    "a study": (["run", "study_loss"], 3, "(study_loss is a study: simedge study study_loss)"),
    "a broken file": (["run", "bad.yaml"], 3, "bad.yaml:2:1 nam: unknown key"),
    "a bad value": (["run", "tiny.yaml", "--set", "seed=x"], 3, "--set seed: must be a whole"),
    "a bad seed": (["run", "tiny.yaml", "--seed", "-1"], 3, "--seed: must be at least 0, got -1"),
    "a bad duration": (["run", "tiny.yaml", "--duration", "5"], 3, "--duration: a duration needs"),
    "a full directory": (["run", "tiny.yaml", "-o", "."], 3, "must be absent or empty"),
    "no path in a change": (["run", "tiny.yaml", "--set", "seed"], 2, "--set needs path=value"),
    "an unknown option": (["run", "tiny.yaml", "--sed", "1"], 2, "No such option"),
    "no scenario": (["run"], 2, "Missing argument"),
    "an unknown command": (["rnu"], 2, "No such command"),
}


@pytest.mark.parametrize(("words", "code", "text"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_gets_a_message_a_code_and_no_traceback(tiny, words, code, text) -> None:
    (tiny.parent / "bad.yaml").write_text(TINY.replace("name:", "nam:"))
    done = call(*words)
    assert done.exit_code == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tiny.parent / "runs").exists()


def test_a_model_too_large_is_refused_before_anything_is_written(tiny) -> None:
    done = call("run", tiny, "--set", "devices[cam].memory=64 MiB")
    assert done.exit_code == 3
    assert "--set devices[cam].memory: " in done.stderr
    assert not (tiny.parent / "runs").exists()


Runner = Callable[..., object]


def pretend(monkeypatch, run: Runner) -> None:
    monkeypatch.setattr(simulate, "run_async", run)


def summary_of(tiny: Path) -> dict[str, object]:
    return json.loads(call("run", tiny, "--json", "-o", "real").stdout)


def test_a_broken_invariant_fails_the_run_and_is_shown(tiny, monkeypatch) -> None:
    summary = summary_of(tiny)
    summary["invariants"] = {"checked": 9, "broken": ["conservation: cam-1.server: 1 missing"]}

    async def run(_scenario: Scenario, **_options: object) -> Result:
        return Result(summary=summary)

    pretend(monkeypatch, run)
    done = call("run", tiny)
    assert done.exit_code == 1
    assert "conservation: cam-1.server: 1 missing" in done.stdout


@pytest.mark.parametrize(
    ("error", "code"),
    [(SimedgeError("the disk is full"), 1), (KeyboardInterrupt(), 130)],
)
def test_an_error_of_the_run_ends_it_without_a_traceback(tiny, monkeypatch, error, code) -> None:
    async def run(_scenario: Scenario, **_options: object) -> Result:
        raise error

    pretend(monkeypatch, run)
    done = call("run", tiny, "-o", "x")
    assert done.exit_code == code
    assert "Traceback" not in done.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_the_run_to_stop(tiny, monkeypatch, number) -> None:
    summary = summary_of(tiny)
    asked = []

    async def run(_scenario: Scenario, *, stop: Callable[[], bool], **_options: object) -> Result:
        asked.append(stop())
        os.kill(os.getpid(), number)
        await asyncio.sleep(0)
        asked.append(stop())
        return Result(summary=summary, interrupted=True)

    pretend(monkeypatch, run)
    before = signal.getsignal(number)
    done = call("run", tiny)
    assert asked == [False, True]
    assert done.exit_code == 130
    assert "(interrupted)" in done.stdout
    assert signal.getsignal(number) is before


def started(path: Path) -> None:
    for _ in range(600):
        if (path / "events.msgpack").exists():
            return
        time.sleep(0.05)
    pytest.fail("the run never began")


def test_an_interrupted_run_is_finished_and_readable(tiny) -> None:
    words = [*COMMAND, "run", "tiny.yaml", "--duration", "30 d", "-o", "long", "--json"]
    words += ["--set", "evaluate.every=10 h"]
    running = subprocess.Popen(  # noqa: S603  # our own program
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    path = tiny.parent / "long"
    started(path)
    time.sleep(0.3)
    running.send_signal(signal.SIGINT)
    out, error = running.communicate(timeout=60)
    assert running.returncode == 130
    assert read_status(path) == "interrupted"
    summary = json.loads((path / "summary.json").read_text())
    assert json.loads(out) == summary
    assert 0 < summary["virtual_s"] < 30 * 86_400
    assert summary["invariants"]["broken"] == []
    reader = LogReader(path / "events.msgpack")
    assert sum(1 for _ in reader) > 0
    assert reader.damage is None
    assert reader.sha256() == summary["log_sha256"]
    assert b"Traceback" not in error


@pytest.mark.usefixtures("tiny")
def test_a_second_interrupt_aborts_and_leaves_what_was_written() -> None:
    code = (
        "import os, signal, asyncio\n"
        "from simedge.run import simulate\n"
        "async def run(scenario, **_):\n"
        "    os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGINT)\n"
        "    await asyncio.sleep(60)\n"
        "simulate.run_async = run\n"
        "from simedge_cli.main import app; app(['run', 'tiny.yaml'])\n"
    )
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", code], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 130
    assert b"Ctrl-C aborts" in done.stderr
    assert b"Traceback" not in done.stderr


def on_a_terminal(words: list[str], **environment: str) -> str:
    """Run with stdout and stderr on a terminal of 200 columns; return all that it shows."""
    shown, terminal = pty.openpty()
    told = {"TERM": "xterm", "COLUMNS": "200"} | environment
    running = subprocess.Popen(  # noqa: S603  # our own program
        [*COMMAND, *words], stdout=terminal, stderr=terminal, env={**os.environ, **told}
    )
    os.close(terminal)
    pieces = []
    try:
        while piece := os.read(shown, 65_536):
            pieces.append(piece)
    except OSError:
        pass  # the terminal closes with its last writer
    os.close(shown)
    assert running.wait(timeout=60) == 0
    return b"".join(pieces).decode()


@pytest.mark.usefixtures("tiny")
def test_a_terminal_shows_progress_and_colours() -> None:
    shown = on_a_terminal(["run", "tiny.yaml", "--duration", "2 min", "-o", "a"])
    assert "tiny: loading" in shown
    assert "\x1b[" in shown
    assert "real time" in shown
    assert "2/2 up" in shown
    assert "run directory" in shown


@pytest.mark.usefixtures("tiny")
def test_no_color_means_no_colour() -> None:
    for index, shown in enumerate(
        [
            on_a_terminal(["run", "tiny.yaml", "-o", "a"], NO_COLOR="1"),
            on_a_terminal(["run", "tiny.yaml", "-o", "b", "--no-color"]),
        ]
    ):
        assert not any(f"\x1b[3{colour}m" in shown for colour in range(8)), index
        assert "36m" not in shown


@pytest.mark.usefixtures("tiny")
def test_nothing_escapes_when_there_is_no_terminal() -> None:
    done = subprocess.run(  # noqa: S603  # our own program
        [*COMMAND, "run", "tiny.yaml"], capture_output=True, text=True, check=True
    )
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ""


def test_progress_is_one_line_with_all_that_one_asks() -> None:
    from simedge_cli.render import progress_line

    line = progress_line(
        "k20",
        Progress(
            now_ns=30 * 10**9,
            duration_ns=120 * 10**9,
            wall_s=2.0,
            records=5,
            accuracy=0.52,
            bits_up=1_000_000,
            bits_down=2_000,
            devices_up=18,
            devices=20,
        ),
    ).plain
    for text in ("25%", "30 s of 2 min 00 s", "15x real time", "ETA 6 s", "accuracy 52.0 %"):
        assert text in line
    for text in ("up 1.00 Mbit", "down 2.00 kbit", "18/20 up"):
        assert text in line


def test_progress_is_redrawn_at_most_ten_times_a_second(monkeypatch) -> None:
    from rich.console import Console

    from simedge_cli import render

    shown = StringIO()

    def console(*, stderr: bool, no_color: bool) -> Console:
        return Console(file=shown, force_terminal=True, width=200, no_color=no_color or not stderr)

    clock = iter([10.0, 10.01, 10.2])
    monkeypatch.setattr(render, "_console", console)
    monkeypatch.setattr(render.time, "monotonic", lambda: next(clock))
    with render.Screen().watching("tiny") as watch:
        assert watch is not None
        for share in (1, 2, 3):
            watch(progress_at(share))
    told = shown.getvalue()
    assert "tiny: loading" in told
    assert [text in told for text in ("10%", "20%", "30%")] == [True, False, True]


def progress_at(share: int) -> Progress:
    return Progress(
        now_ns=share * 10**9,
        duration_ns=10**10,
        wall_s=1.0,
        records=share,
        accuracy=0.1,
        bits_up=0,
        bits_down=0,
        devices_up=1,
        devices=1,
    )


@pytest.mark.parametrize("words", ["schema", "rules costs", "validate two_devices"])
def test_a_reader_that_goes_away_is_no_error_of_ours(words: str) -> None:
    running = subprocess.Popen(  # noqa: S603  # our own program
        [*COMMAND, *words.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None
    running.stdout.close()
    assert running.stderr is not None
    assert running.stderr.read() == b""
    running.stderr.close()
    assert running.wait(timeout=60) == 1


def test_progress_before_the_first_record_divides_by_nothing() -> None:
    from simedge_cli.render import progress_line

    line = progress_line(
        "k",
        Progress(
            now_ns=0,
            duration_ns=0,
            wall_s=0.0,
            records=0,
            accuracy=None,
            bits_up=0,
            bits_down=0,
            devices_up=1,
            devices=1,
        ),
    ).plain
    assert "ETA -" in line
