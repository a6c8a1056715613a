"""Laws of validate, schema, doctor and help."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import simedge
from simedge.drivers.tally import DeviceTally, Evaluation, Tally
from simedge.run.schema import schema_text
from simedge.run.summary import summarise
from simedge_cli.commands import app
from simedge_cli.figures import bits, bytes_, joules, percent, seconds
from simedge_cli.table import sections


def call(*words: str):
    return CliRunner().invoke(app, words)


def test_good_files_are_said_to_be_good() -> None:
    done = call("validate", "k20_lossy", "two_devices")
    assert done.exit_code == 0
    assert done.stdout == "k20_lossy: ok\ntwo_devices: ok\n"


@pytest.fixture
def bad(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    text = "simedge: 1\nname: x\nname: y\nduration: 5%0A\nsed: 1\n"
    (tmp_path / "bad.yaml").write_text(text)
    return "bad.yaml"


def test_every_finding_of_every_file_is_printed(bad) -> None:
    done = call("validate", bad, "two_devices", "gone")
    assert done.exit_code == 3
    lines = done.stdout.splitlines()
    assert "bad.yaml:3:1 name: given twice (first in line 2)" in lines
    assert "bad.yaml:5:1 sed: unknown key (did you mean 'seed'?)" in lines
    assert "two_devices: ok" in lines
    assert any(line.startswith("gone:1:1: no such file") for line in lines)


def test_findings_become_annotations(bad) -> None:
    done = call("validate", "--format", "github", bad)
    assert done.exit_code == 3
    lines = done.stdout.splitlines()
    assert "::error file=bad.yaml,line=3,col=1::name: given twice (first in line 2)" in lines
    assert any("'5%250A'" in line for line in lines), "percent signs are escaped"


def test_findings_become_one_json_object(bad) -> None:
    done = call("validate", "--format", "json", bad, "two_devices")
    told = json.loads(done.stdout)
    assert done.exit_code == 3
    assert told["ok"] is False
    assert told["files"] == ["bad.yaml", "two_devices"]
    first = told["problems"][0]
    assert (first["file"], first["line"], first["column"]) == ("bad.yaml", 1, 1)
    assert "name" in {problem["path"] for problem in told["problems"] if problem["line"] == 3}
    assert json.loads(call("validate", "--format", "json", "two_devices").stdout)["ok"] is True


def test_studies_are_checked_as_studies(tmp_path) -> None:
    (tmp_path / "s.yaml").write_text("simedge-study: 1\nscenario: two_devices\nsedes: 3\n")
    done = call("validate", "study_loss", "two_devices", str(tmp_path / "s.yaml"))
    assert done.exit_code == 3
    assert "study_loss: ok\ntwo_devices: ok\n" in done.stdout
    assert "s.yaml:3:1 sedes: unknown key (did you mean 'seeds'?)" in done.stdout


def test_an_unknown_format_is_a_usage_error() -> None:
    assert call("validate", "--format", "xml", "two_devices").exit_code == 2


def test_the_schema_is_printed_as_it_is_committed() -> None:
    assert call("schema").stdout == schema_text()


def test_doctor_names_versions_scenarios_and_missing_extras(monkeypatch) -> None:
    from simedge_cli import doctor

    monkeypatch.setattr(doctor, "find_spec", lambda _name: None)
    done = call("doctor")
    assert done.exit_code == 0
    assert simedge.__version__ in done.stdout
    assert "k20_lossy" in done.stdout
    assert "missing: pip install 'simedge[deep]'" in done.stdout


def test_the_version_is_printed() -> None:
    assert call("--version").stdout.strip() == simedge.__version__


def test_no_command_at_all_shows_the_commands() -> None:
    done = call()
    assert done.exit_code == 2
    for command in ("run", "validate", "schema", "doctor"):
        assert command in done.output


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["validate", "-h"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys; from simedge_cli.main import app\n"
        f"try: app({words})\n"
        "except SystemExit: pass\n"
        "heavy = ('numpy', 'numba', 'simpy', 'networkx', 'ruamel.yaml', 'torch', 'simedge.run')\n"
        "print([m for m in heavy if m in sys.modules], file=sys.stderr)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # ours
    assert "Usage" in done.stdout
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "module", ["typer", "simedge_cli.run", "simedge.core.errors", "simedge.run.scenario", "numba"]
)
def test_an_interrupt_while_loading_is_one_line(module: str, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from simedge_cli.main import app\n"
        f"app(['run', 'two_devices', '-q', '-o', {str(tmp_path / 'out')!r}])\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_the_library_alone_loads_no_command_line() -> None:
    code = (
        "import sys, simedge.run.scenario, simedge.run.simulate\n"
        "print([m for m in ('typer', 'rich', 'click', 'torch') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # ours
    assert done.stdout.strip() == "[]"


def test_a_summary_of_nothing_is_shown_with_dashes() -> None:
    tally = Tally(scenario="s", seed=1, protocol="elal", rule=None, classes=10)
    rows = dict(sections(summarise(tally)))
    assert rows["accuracy"][0] == ("final", "-   (chance 10.0 %)")
    assert rows["energy"][-1] == ("memory", "-")


def test_a_summary_of_something_is_shown_with_its_figures() -> None:
    right = {"a": 50, "b": 90}
    tally = Tally(
        scenario="s",
        seed=1,
        protocol="elal",
        rule=None,
        classes=10,
        duration_ns=10**10,
        wall_s=0.5,
        devices=[DeviceTally(name="a", memory_peak_bytes=2**20), DeviceTally(name="b")],
        evaluations=[Evaluation(at_ns=10**9, items=100, correct=right, before_shift=True)],
    )
    rows = dict(sections(summarise(tally)))
    assert rows["accuracy"] == [
        ("final", "70.0 %   (chance 10.0 %)   devices 50.0 % to 90.0 %"),
        ("", "(a short run: the mean of 1 evaluation, not of 3)"),
        ("before the shift", "70.0 %"),
        ("over time", "70.0 % ▆ 70.0 %"),
    ]
    assert rows["energy"][-1] == ("memory", "at most 1.00 MiB a device")
    assert rows["work"][0] == ("time", "10 s in 0.50 s, 20x real time")
    assert rows["traffic"][-1] == ("to the target", "no target")
    name, told = rows["convergence"][0]
    assert (name, told.endswith("(accuracy: nine tenths of that before the shift)")) == (
        "time to 90 %",
        True,
    )
    cold = dict(sections(summarise(tally), target=0.8, compile_s=0.4))
    assert cold["work"][0] == ("time", "10 s in 0.50 s, of which 400 ms compiling, 100x real time")
    assert cold["traffic"][-1] == ("to the target", "not reached   (accuracy 80.0 %)")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (bits(999), "999 bit"),
        (bits(1e13), "10.00 Tbit"),
        (bytes_(None), "-"),
        (bytes_(1023), "1023 B"),
        (joules(0), "0 J"),
        (joules(1e-6), "1.00 uJ"),
        (joules(1e-12), "1.00e-12 J"),
        (seconds(59.96), "60 s"),
        (seconds(0), "0 s"),
        (seconds(0.0012), "1.2 ms"),
        (percent(None), "-"),
    ],
)
def test_figures_are_written_for_people(shown: str, expected: str) -> None:
    assert shown == expected


def test_a_final_accuracy_of_few_evaluations_says_so() -> None:
    def shown(*times: float) -> str:
        summary = summarise(Tally(scenario="s", seed=1, protocol="elal", rule=None, classes=10))
        summary["accuracy"]["curve"] = [[at_s, 0.5] for at_s in times]
        return " ".join(value for _, rows in sections(summary)[:1] for _, value in rows)

    assert "the mean of 2 evaluations, not of 3" in shown(0.0, 10.0, 19.999999999, 20.0)
    assert "before anything was learned" in shown(0.0)
    assert "short run" not in shown(0.0, 10.0, 20.0, 30.0)
