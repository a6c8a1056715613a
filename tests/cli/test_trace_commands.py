"""Laws of `trace` and of `replay` over traces: what is printed, what is refused, what it costs."""

import json

import pytest
from typer.testing import CliRunner

import simedge
from simedge.run.scenario import Scenario
from simedge.world.traces.source import open_trace
from simedge_cli.commands import app

TINY = """
simedge: 1
name: tiny
duration: 12 s
sensors: {kind: digits, size: 10, rate: 8 Hz, proxy: {blocks: 4, rows: 4}}
devices: [{id: cam, count: 2}, {id: box, count: 1}]
links:
  default: {profile: lte, loss: {kind: gilbert-elliott, mean: 20%, burst: 200 ms}}
  overrides: [{devices: [box], profile: wifi-air}]
learner: {kind: linear}
protocol: {kind: elal, interval: 4}
evaluate: {every: 4 s, items: 20}
"""
OURS = "t_s,rate_bps,delay_s,loss\n0,200000,0.1,0\n2,0,,\n5,400000,0.2,0.5\n6,,,0\n"


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def ours(tmp_path):
    path = tmp_path / "ours.csv"
    path.write_text(OURS)
    return path


def test_inspect_says_what_a_trace_is_like(ours, tmp_path):
    (tmp_path / "few.up").write_text("0\n500\n3000\n")
    said = call("trace", "inspect", ours, tmp_path / "few.up")
    assert said.exit_code == 0, said.output
    head, first, second, *curves = said.stdout.splitlines()
    assert head.split()[:4] == ["trace", "format", "direction", "length"]
    assert first.split()[:3] == ["ours.csv", "csv", "-"]
    assert "3 s" in first
    assert second.split()[:3] == ["few.up", "mahimahi", "-"]
    assert len(curves) == 2
    data = json.loads(call("trace", "inspect", ours, "--json").stdout)["traces"]
    assert [trace["outages"] for trace in data] == [1]


def test_a_trace_that_is_none_is_exit_3_with_its_line(tmp_path):
    path = tmp_path / "bad.up"
    path.write_text("5\n4\n")
    for words in (("inspect", path), ("fit", path), ("convert", path, tmp_path / "o.csv")):
        said = call("trace", *words)
        assert said.exit_code == 3
        assert f"{path}:2: the times are not sorted" in said.stderr
    assert not (tmp_path / "o.csv").exists()
    assert call("trace", "inspect", tmp_path / "none").exit_code == 3


def test_a_format_can_be_named(tmp_path):
    path = tmp_path / "odd"
    path.write_text("1\n2\n")
    assert call("trace", "inspect", path, "--from", "two-column").exit_code == 3
    assert call("trace", "inspect", path, "--from", "mahimahi").exit_code == 0


def test_convert_goes_by_the_name_of_the_output_and_overwrites_nothing(ours, tmp_path):
    assert call("trace", "convert", ours, tmp_path / "made.up").exit_code == 0
    assert open_trace(tmp_path / "made.up").format == "mahimahi"
    assert call("trace", "convert", tmp_path / "made.up", tmp_path / "back.csv").exit_code == 0
    assert open_trace(tmp_path / "back.csv").format == "csv"
    assert call("trace", "convert", ours, tmp_path / "back.csv").exit_code == 3
    said = call("trace", "convert", ours, tmp_path / "no" / "folder.csv")
    assert said.exit_code == 3
    assert f"folder.csv: cannot be written: no folder {tmp_path / 'no'}" in said.stderr
    assert call("trace", "convert", ours, "-").stdout == OURS


def test_a_fit_is_a_link_block_that_a_scenario_takes(ours):
    said = call("trace", "fit", ours)
    assert said.exit_code == 0, said.output
    assert "not reproduced" in said.stdout
    block = "".join(f"    {line}\n" for line in said.stdout.splitlines())
    text = TINY.replace("  default: {profile: lte, loss", f"  default:\n{block}  old: {{x").split(
        "\n"
    )
    kept = "\n".join(line for line in text if not line.startswith("  old:"))
    fitted = Scenario.parse(kept).links.default
    assert fitted.loss.kind == "gilbert-elliott"
    assert fitted.up == fitted.down > 0


def test_a_replay_says_what_changes_and_what_it_cannot_do(scenario, ours, tmp_path):
    said = call("replay", ours, "--scenario", scenario, "-o", tmp_path / "out")
    assert said.exit_code == 0, said.output
    assert "replay mode time" in said.stdout
    assert "up: rate, delay, loss of ours.csv" in said.stdout
    assert "not reproduced" in said.stdout
    for name in ("accuracy, final", "traffic up", "share lost", "token latency p95", "age of"):
        assert name in said.stdout
    again = call("replay", tmp_path / "out")
    assert again.exit_code == 0, again.output
    kept = Scenario.load(tmp_path / "out" / "scenario.yaml")
    assert [o.devices for o in kept.links.overrides] == [("box",), ("cam", "box")]


def test_json_is_the_summary_of_the_replayed_run_with_its_twin(scenario, ours, tmp_path):
    said = call("replay", ours, "--scenario", scenario, "--json", "-o", tmp_path / "out")
    data = json.loads(said.stdout)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    replay = data.pop("replay")
    assert {**data, "wall_s": 0} == {**summary, "wall_s": 0}
    own = simedge.simulate(Scenario.parse(TINY)).summary
    assert replay["synthetic"]["log_sha256"] == own["log_sha256"]
    assert replay["mode"] == "time"


def test_links_of_others_stay_as_they_were(scenario, ours, tmp_path):
    out = tmp_path / "out"
    said = call("replay", ours, "--scenario", scenario, "--links", "cam-1", "--quiet", "-o", out)
    assert said.exit_code == 0, said.output
    assert Scenario.load(out / "scenario.yaml").links.overrides[-1].devices == ("cam-1",)
    assert call("replay", ours, "--scenario", scenario, "--links", "cm").exit_code == 3


def test_a_file_for_each_direction_goes_by_its_suffix(scenario, tmp_path):
    for name in ("t.down", "t.up"):
        (tmp_path / name).write_text("10\n20\n40\n")
    out = tmp_path / "out"
    files = (tmp_path / "t.down", tmp_path / "t.up")
    assert call("replay", *files, "--scenario", scenario, "--quiet", "-o", out).exit_code == 0
    trace = Scenario.load(out / "scenario.yaml").links.overrides[-1].trace
    assert (trace.file, trace.down) == (str(tmp_path / "t.up"), str(tmp_path / "t.down"))


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("TRACE",), 2, "traces need a scenario"),
        (("TRACE", "TRACE"), 2, "traces need a scenario"),
        (("TRACE", "TRACE", "TRACE", "--scenario", "SCENARIO"), 3, "one trace, or two"),
        (("TRACE", "--scenario", "SCENARIO", "--mode", "uid"), 3, "recorded messages"),
        (("TRACE", "--scenario", "nowhere"), 3, "no such file or bundled scenario"),
        (("nowhere.up", "--scenario", "SCENARIO"), 3, "no such trace"),
        (("TRACE", "--scenario", "SCENARIO", "--phase", "5 parsec"), 3, "parsec"),
        (("DIR", "--scenario", "SCENARIO"), 3, "a directory, no trace"),
    ],
)
def test_what_cannot_be_replayed_is_refused(scenario, ours, tmp_path, words, code, what):
    known = {"TRACE": ours, "SCENARIO": scenario, "DIR": tmp_path}
    said = call("replay", *(known.get(word, word) for word in words))
    assert said.exit_code == code, said.output
    assert what in said.stderr


def test_a_fitted_replay_runs(scenario, ours, tmp_path):
    out = tmp_path / "out"
    said = call("replay", ours, "--scenario", scenario, "--mode", "fitted", "-o", out)
    assert said.exit_code == 0, said.output
    assert "replay mode fitted" in said.stdout
    block = Scenario.load(out / "scenario.yaml").links.overrides[-1]
    assert block.trace is None
    assert block.loss.kind == "gilbert-elliott"


def test_recorded_messages_meet_their_fates_again(scenario, tmp_path):
    done, live, out = tmp_path / "done", tmp_path / "live.csv", tmp_path / "again"
    first = simedge.simulate(Scenario.parse(TINY), out=done)
    assert call("trace", "convert", done, live).exit_code == 0
    said = call("replay", live, "--scenario", scenario, "-o", out)
    assert said.exit_code == 0, said.output
    assert "replay mode uid" in said.stdout
    again = json.loads((out / "summary.json").read_text())
    assert again["accuracy"] == first.summary["accuracy"]
    assert again["latency_ms"] == first.summary["latency_ms"]
    told = ("tokens_sent", "tokens_accepted", "priors_applied", "frames_learned")
    assert all(again["counts"][name] == first.summary["counts"][name] for name in told)
    lost = first.summary["communication"]["datagrams"]["lost"]
    assert again["communication"]["datagrams"]["lost"] == lost > 0


def test_a_message_that_was_not_recorded_ends_the_run(scenario, tmp_path):
    done, live = tmp_path / "done", tmp_path / "live.csv"
    simedge.simulate(Scenario.parse(TINY).vary({"duration": "6 s"}), out=done)
    assert call("trace", "convert", done, live).exit_code == 0
    said = call("replay", live, "--scenario", scenario, "-o", tmp_path / "again")
    assert said.exit_code == 1
    assert "was not recorded" in said.stderr
