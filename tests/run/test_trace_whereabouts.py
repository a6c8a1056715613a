"""Where trace files lie: in the scenario's folder, in the package, or where the user points."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import simedge
from simedge.run.scenario import Scenario, check
from simedge.run.traced import check_traces
from simedge.run.whereabouts import LostFileError, find_trace
from simedge_cli.commands import app

TINY = """\
simedge: 1
name: tiny
duration: 4 s
sensors: {kind: digits, size: 10, rate: 8 Hz, proxy: {blocks: 4, rows: 4}}
devices: [{id: cam, count: 2}]
learner: {kind: linear}
protocol: {kind: elal, interval: 4}
evaluate: {every: 4 s, items: 20}
links:
  default:
    profile: lte
    trace:
      file: FILE
"""
GOOD = "t_s,rate_bps\n0,100000\n2,50000\n"


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def house(tmp_path, monkeypatch):
    """Return a folder with a scenario and a trace; the user stands elsewhere."""
    folder, elsewhere = tmp_path / "house", tmp_path / "elsewhere"
    (folder / "nets").mkdir(parents=True)
    elsewhere.mkdir()
    (folder / "nets" / "slow.csv").write_text(GOOD)
    monkeypatch.chdir(elsewhere)
    return folder


def write(folder: Path, file: str, text: str = TINY) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(text.replace("FILE", file))
    return path


def test_a_trace_is_looked_for_beside_its_scenario(house):
    scenario = Scenario.load(write(house, "nets/slow.csv"))
    assert scenario.links.default.trace.file == str((house / "nets" / "slow.csv").resolve())
    assert call("validate", house / "tiny.yaml").exit_code == 0


def test_a_file_where_the_user_stands_is_not_taken_for_one_beside_the_scenario(house):
    Path("mine.csv").write_text(GOOD)
    (problem,) = check(write(house, "mine.csv"))
    assert "no such trace" in problem.message
    assert (problem.place.line, problem.path) == (13, "links.default.trace.file")


@pytest.mark.parametrize("file", ["../out.csv", "nets/../../out.csv", "ABSOLUTE", "nets/way.csv"])
def test_a_path_that_leads_out_of_the_folder_is_refused(house, file):
    out = house.parent / "out.csv"
    out.write_text(GOOD)
    (house / "nets" / "way.csv").symlink_to(out)
    (problem,) = check(write(house, file.replace("ABSOLUTE", str(out))))
    assert "leads out of the scenario's own folder" in problem.message


def test_from_outside_the_file_a_path_is_that_of_the_user(house):
    Path("mine.csv").write_text(GOOD)
    path = write(house, "nets/slow.csv")
    said = call("run", path, "--set", "links.default.trace.file=mine.csv", "-o", "run", "-q")
    assert said.exit_code == 0, said.output
    found = Scenario.load("run/scenario.yaml").links.default.trace.file
    assert found == str(Path("mine.csv").resolve())
    assert call("replay", "mine.csv", "--scenario", path, "-q", "-o", "again").exit_code == 0


def test_a_bundled_name_means_the_bundled_trace_wherever_the_user_stands(house):
    Path("synthetic-lte").write_text("no trace")
    (house / "synthetic-lte").write_text("no trace")
    path = write(house, "synthetic-lte")
    assert Scenario.load(path).links.default.trace.file == "synthetic-lte"
    assert check(path) == ()


def test_a_run_directory_runs_again_from_anywhere(house, monkeypatch, tmp_path):
    first = simedge.simulate(Scenario.load(write(house, "nets/slow.csv")), out="run")
    run = Path("run").resolve()
    monkeypatch.chdir(tmp_path)
    assert call("replay", run).exit_code == 0
    again = call("run", run / "scenario.yaml", "-o", "second", "--json", "-q")
    assert json.loads(again.stdout)["log_sha256"] == first.summary["log_sha256"]
    assert (run / "scenario.yaml").read_bytes() == Path("second/scenario.yaml").read_bytes()
    assert call("validate", run / "scenario.yaml").exit_code == 0


def test_a_trace_that_has_changed_is_named_and_nothing_runs(house):
    simedge.simulate(Scenario.load(write(house, "nets/slow.csv")), out="run")
    (house / "nets" / "slow.csv").write_text(GOOD + "3,7\n")
    for words in (("replay", "run"), ("run", "run/scenario.yaml", "-o", "second")):
        said = call(*words)
        assert said.exit_code == 3, said.output
        assert "slow.csv: the trace has changed: its SHA-256 is " in said.stderr
    assert not Path("second").exists()
    said = call("validate", "run/scenario.yaml")
    assert said.exit_code == 3
    assert "links.default.trace.file: " in said.stdout
    assert "the trace has changed" in said.stdout


def test_a_trace_that_is_gone_may_be_put_beside_the_scenario(house):
    simedge.simulate(Scenario.load(write(house, "nets/slow.csv")), out="run")
    (house / "nets" / "slow.csv").unlink()
    said = call("replay", "run")
    assert said.exit_code == 3
    assert "no such trace" in said.stderr
    Path("run/slow.csv").write_text(GOOD)
    assert call("replay", "run").exit_code == 0


def test_another_file_than_that_of_the_run_is_asked_for_by_its_name_alone(house):
    simedge.simulate(Scenario.load(write(house, "nets/slow.csv")), out="run")
    Path("mine.csv").write_text(GOOD + "3,7\n")
    kept = Scenario.load("run/scenario.yaml")
    other = kept.vary({"links.default.trace.file": "mine.csv"})
    assert other.links.default.trace.sha256 is None
    assert kept.vary({"seed": 2}).links.default.trace.sha256 is not None
    change = "links.default.trace.file=mine.csv"
    said = call("run", "run/scenario.yaml", "-q", "-o", "second", "--set", change)
    assert said.exit_code == 0, said.output


def test_equal_traces_give_equal_names_of_runs_wherever_they_lie(house, tmp_path):
    first = Scenario.load(write(house, "nets/slow.csv"))
    other = tmp_path / "flat"
    other.mkdir()
    (other / "slow.csv").write_text(GOOD)
    second = Scenario.load(write(other, "slow.csv"))
    runs = [simedge.simulate(scenario, root=Path("runs")).path for scenario in (first, second)]
    assert runs[1].name == runs[0].name + "-2"
    (other / "slow.csv").write_text(GOOD + "3,7\n")
    assert not simedge.simulate(second, root=Path("runs")).path.name.startswith(runs[0].name)


def test_two_directions_with_files_of_their_own_are_both_known(house):
    (house / "down.up").write_text("5\n7\n")
    text = TINY + "      down: down.up\n"
    path = write(house, "nets/slow.csv", text)
    simedge.simulate(Scenario.load(path), out="run")
    trace = Scenario.load("run/scenario.yaml").links.default.trace
    assert trace.sha256 == sha256(GOOD.encode()).hexdigest()
    assert trace.down_sha256 == sha256(b"5\n7\n").hexdigest()
    told = json.loads(Path("run/provenance.json").read_text())["traces"]
    assert told == [
        {
            "file": str((house / "down.up").resolve()),
            "sha256": trace.down_sha256,
            "bytes": 4,
            "format": "mahimahi",
            "rows": 2,
        },
        {
            "file": str((house / "nets" / "slow.csv").resolve()),
            "sha256": trace.sha256,
            "bytes": len(GOOD),
            "format": "csv",
            "rows": 2,
        },
    ]
    (house / "down.up").write_text("5\n3\n")
    (house / "tiny.yaml").write_text(text.replace("FILE", "nets/slow.csv"))
    (problem,) = check(path)
    assert problem.path == "links.default.trace.down"
    assert f"{house.resolve()}/down.up:2: the times are not sorted" in problem.message


@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_trace_that_is_missing_is_said_with_its_place(house, command):
    path = write(house, "nets/lost.csv")
    said = call(command, path)
    assert said.exit_code == 3
    assert f"{path}:13:13 links.default.trace.file: no such trace" in said.output
    assert "Traceback" not in said.output


def test_a_bad_trace_is_said_with_its_place_and_its_line(house):
    (house / "bad.csv").write_text("t_s,rate_bps\n0,5\n1,-5\n")
    path = write(house, "bad.csv")
    said = call("validate", path)
    assert said.exit_code == 3
    where = (house / "bad.csv").resolve()
    what = "rate_bps must not be negative, got -5"
    assert said.stdout == f"{path}:13:13 links.default.trace.file: {where}:3: {what}\n"
    ran = call("run", path, "-o", "out")
    assert ran.exit_code == 3
    assert f"{where}:3: {what}" in ran.stderr
    assert not Path("out").exists()


def test_an_override_of_links_is_checked_like_the_default(house):
    text = TINY.replace("FILE", "nets/slow.csv")
    text += "  overrides: [{devices: [cam-2], trace: {file: nets/none.csv}}]\n"
    (house / "tiny.yaml").write_text(text)
    (problem,) = check(house / "tiny.yaml")
    assert problem.path == "links.overrides[0].trace.file"


def test_what_links_cannot_take_from_a_trace_is_found_before_a_run(house):
    text = TINY.replace("profile: lte", "profile: lte\n    loss: {kind: trace}")
    scenario = Scenario.load(write(house, "nets/slow.csv", text))
    found = [text for _, _, text in check_traces(scenario)]
    assert len(found) == 1
    assert "tells no losses" in found[0]


def test_a_tiny_scenario_without_traces_is_what_it_was():
    for name in ("two_devices", "k20_lossy"):
        assert check(name) == ()
        assert check_traces(Scenario.load(name)) == []


@given(st.text(max_size=40))
def test_whatever_a_path_is_it_is_found_or_refused(name):
    for folder in (None, Path(__file__).parent):
        try:
            found = find_trace(name, folder, known=False)
        except LostFileError:
            continue
        assert Path(found).is_file() or "/" not in found
