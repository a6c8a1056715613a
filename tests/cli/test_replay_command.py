"""Laws of replaying: equal is exit 0, anything else says what and where."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import simedge
from simedge.run.eventlog import EventLog, LogReader
from simedge.run.replay import replay
from simedge.run.rundir import RunDirectoryError
from simedge.run.scenario import Scenario
from simedge_cli.commands import app

TINY = """
simedge: 1
name: tiny
duration: 4 s
sensors: {kind: digits, size: 10, rate: 8 Hz, proxy: {blocks: 4, rows: 4}}
devices: [{id: cam, count: 2}]
links:
  default:
    profile: wifi-air
    arq: {retries: 0}
    loss: {kind: gilbert-elliott, mean: 20%, burst: 200 ms}
learner: {kind: linear}
protocol: {kind: elal, interval: 4}
evaluate: {every: 2 s, items: 20}
"""


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def done(tmp_path) -> Path:
    simedge.simulate(Scenario.parse(TINY), out=tmp_path / "run")
    return tmp_path / "run"


def interrupted(path, **changes):
    asked = iter([False, True])
    scenario = Scenario.parse(TINY).vary({"duration": "60 s", **changes})
    assert simedge.simulate(scenario, out=path, stop=lambda: next(asked)).interrupted
    return path


def rewrite(path, change):
    """Write the log anew with its records changed; checksums are right."""
    records = list(LogReader(path / "events.msgpack"))
    (path / "events.msgpack").unlink()
    log = EventLog(path / "events.msgpack")
    for record in change(records):
        log.append(*record)
    log.close()
    return records


def edit_json(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_run_comes_again(done) -> None:
    said = call("replay", done)
    assert said.exit_code == 0, said.output
    sha = json.loads((done / "summary.json").read_text())["log_sha256"]
    count = len(list(LogReader(done / "events.msgpack")))
    assert said.stdout == f"{done}: equal, {count} records, hash {sha}\n"
    assert said.stderr == ""


def test_a_replay_changes_nothing_on_disk(done) -> None:
    before = {path: path.read_bytes() for path in done.iterdir()}
    assert call("replay", done, "--quiet").output == ""
    assert {path: path.read_bytes() for path in done.iterdir()} == before
    assert list(done.parent.iterdir()) == [done]


def test_json_is_one_object(done) -> None:
    said = json.loads(call("replay", done, "--json").stdout)
    assert (said["equal"], said["difference"], said["damage"]) == (True, None, None)
    assert said["recorded_sha256"] == said["replayed_sha256"]


def test_the_first_record_that_differs_is_shown_from_both_sides(done) -> None:
    def change(records):
        return [r._replace(at=r.at + 1) if i >= 30 else r for i, r in enumerate(records)]

    records = rewrite(done, change)
    said = call("replay", done)
    assert said.exit_code == 4
    first, recorded, replayed = said.stdout.splitlines()
    assert first == f"{done}: record 30 is another"
    assert f"{(records[30].at + 1) / 1e9:.9f} s  {records[30].target}" in recorded
    assert f"{records[30].at / 1e9:.9f} s  {records[30].target}" in replayed
    sides = json.loads(call("replay", done, "--json").stdout)["difference"]
    assert sides["index"] == 30
    assert sides["recorded"]["at"] == sides["replayed"]["at"] + 1
    assert call("replay", done, "--quiet").exit_code == 4


@pytest.mark.parametrize("side", ["recorded", "replayed"])
def test_a_record_too_few_is_a_difference(done, side) -> None:
    short = side == "recorded"
    records = rewrite(done, lambda all_: all_[:-1] if short else [*all_, all_[-1]])
    said = call("replay", done)
    assert said.exit_code == 4
    assert f"record {len(records) - short} is another" in said.stdout
    assert re.search(rf"{side}  \(no record: the log ends here\)", said.stdout)
    assert json.loads(call("replay", done, "--json").stdout)["difference"][side] is None


def test_another_hash_in_the_summary_is_a_mismatch(done) -> None:
    edit_json(done / "summary.json", log_sha256="00" * 32)
    said = call("replay", done)
    assert said.exit_code == 4
    assert "the hash of the log is another" in said.stdout
    assert "00" * 32 in said.stdout


def test_another_scenario_is_a_mismatch(done) -> None:
    text = (done / "scenario.yaml").read_text()
    (done / "scenario.yaml").write_text(re.sub(r"(?m)^seed: 1$", "seed: 2", text))
    assert call("replay", done).exit_code == 4


def test_a_summary_alone_is_compared_by_its_hash(tmp_path) -> None:
    scenario = Scenario.parse(TINY).vary({"record.events": False})
    simedge.simulate(scenario, out=tmp_path / "run")
    said = call("replay", tmp_path / "run")
    assert said.exit_code == 0
    assert "equal, by the hash alone" in said.stdout
    edit_json(tmp_path / "run/summary.json", log_sha256="00" * 32)
    assert call("replay", tmp_path / "run").exit_code == 4


@pytest.mark.parametrize("events", [True, False])
def test_of_an_interrupted_run_the_beginning_is_compared(tmp_path, events) -> None:
    path = interrupted(tmp_path / "run", **{"record.events": events})
    said = call("replay", path)
    assert said.exit_code == 0, said.output
    assert "of a run that is interrupted" in said.stdout
    if events:
        rewrite(path, lambda records: [r._replace(order=99) for r in records])
    else:
        edit_json(path / "summary.json", log_sha256="00" * 32)
        text = (path / "scenario.yaml").read_text()
        (path / "scenario.yaml").write_text(re.sub(r"(?m)^duration: .*$", "duration: 4 s", text))
    assert call("replay", path).exit_code == 4


def test_a_killed_run_is_compared_as_far_as_it_was_written(tmp_path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY.replace("4 s", "3600 s", 1))
    words = ["run", "tiny.yaml", "-q", "-o", "run"]
    process = subprocess.Popen([sys.executable, "-m", "simedge_cli", *words], cwd=tmp_path)  # noqa: S603
    log = tmp_path / "run/events.msgpack"
    try:
        while process.poll() is None and not (log.exists() and log.stat().st_size > 100_000):
            pass
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = replay(tmp_path / "run")
    assert found.status == "running"
    assert found.difference is None
    assert found.records > 100
    assert found.equal == (found.damage is None)


def test_a_damaged_log_is_compared_up_to_the_damage(done) -> None:
    log = done / "events.msgpack"
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    said = call("replay", done)
    assert said.exit_code == 4
    reader = LogReader(log)
    whole = len(list(reader))
    assert f"the {whole} whole records are equal, the log is damaged" in said.stdout
    assert said.stderr == f"{done}: {reader.damage}\n"
    assert json.loads(call("replay", done, "--json").stdout)["damage"] == reader.damage


def test_what_is_no_run_directory_is_bad_input(tmp_path, done) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        said = call("replay", path)
        assert (said.exit_code, said.stdout) == (3, "")
        assert said.stderr == f"error: {path}: no run directory (no readable status.json)\n"
    (done / "summary.json").write_text("{")
    assert call("replay", done).exit_code == 3
    (done / "summary.json").unlink()
    (done / "events.msgpack").unlink()
    assert "nothing to compare" in call("replay", done).stderr
    (done / "scenario.yaml").unlink()
    assert call("replay", done).stderr == f"error: {done}: no scenario.yaml\n"


class Uniform(simedge.OwnLearner):
    def begin(self, streams):
        pass

    def scores(self, frame):  # noqa: ARG002 -- the port's
        return [0.0] * self.classes

    def update(self, frame):
        pass


def test_a_learner_that_was_given_is_asked_for_again(tmp_path) -> None:
    path = tmp_path / "run"
    simedge.simulate(Scenario.parse(TINY), out=path, learner=Uniform)
    said = call("replay", path)
    assert said.exit_code == 3
    assert "Uniform was given in Python, give it again" in said.stderr
    assert replay(path, learner=Uniform).equal
    with pytest.raises(RunDirectoryError, match="Uniform"):
        replay(path)
