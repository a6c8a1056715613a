"""Runs on recordings: end to end with every learner, and a plain word for every bad file."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import MOTIONS, NMNIST, needs_data, packed, ts_text, write_nmnist, write_ts
from typer.testing import CliRunner

import simedge
from simedge.run.problems import ScenarioError
from simedge.run.scenario import Scenario
from simedge_cli.commands import app

TEXT = """\
simedge: 1
name: recorded
duration: 10 s
sensors: {sensors}
devices: [{{id: cam, count: 2, compute: cpu-large, memory: 2 GiB}}]
links: {{default: {{profile: wifi-air}}}}
learner: {learner}
protocol: {{kind: elal, interval: 4, prior_period: 1 s}}
evaluate: {{every: 2 s, items: 30}}
"""
LINEAR = "{kind: linear}"
SPIKING = "{kind: spiking, layers: [{kind: conv, maps: 4, kernel: 3, padding: 1}]}"
PROXY = "proxy: {blocks: 2, rows: 5}"
SERIES = f"{{kind: series, root: waves, encoder: {{kind: level-crossing, levels: 4}}, {PROXY}}}"
DIGITS = f"{{kind: nmnist, root: digits, rate: 8 Hz, {PROXY}}}"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("recorded")
    write_ts(root / "waves", train=8, test=5)
    write_nmnist(root / "digits", train=4, test=2)
    return root


@pytest.fixture
def spoilt(folder, tmp_path, monkeypatch):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for name, sensors in (("waves", SERIES), ("digits", DIGITS)):
        (tmp_path / f"{name}.yaml").write_text(TEXT.format(sensors=sensors, learner=LINEAR))
    return tmp_path


def scenario(folder, sensors, learner):
    text = TEXT.format(sensors=sensors, learner=learner)
    for name in ("waves", "digits"):
        text = text.replace(f"root: {name}", f"root: {folder / name}")
    return Scenario.parse(text)


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize("learner", [LINEAR, SPIKING], ids=["linear", "spiking"])
@pytest.mark.parametrize(("sensors", "classes"), [(SERIES, 3), (DIGITS, 10)], ids=["series", "nm"])
def test_devices_learn_from_recordings_and_talk_about_as_many_classes(
    folder, sensors, classes, learner
):
    summary = simedge.simulate(scenario(folder, sensors, learner)).summary
    assert summary["accuracy"]["chance"] == 1 / classes
    assert summary["accuracy"]["curve"][0][1] == pytest.approx(1 / classes, abs=0.05)
    assert summary["accuracy"]["final"] > 0.9
    assert summary["counts"]["tokens_accepted"] > 10
    assert summary["counts"]["priors_applied"] > 0
    assert summary["invariants"]["broken"] == []


def test_equal_runs_have_equal_logs_and_a_directory_replays(folder, tmp_path):
    asked = scenario(folder, SERIES, LINEAR).vary({"duration": "3 s"})
    hashes = {simedge.simulate(asked).summary["log_sha256"] for _ in range(2)}
    run = simedge.simulate(asked, out=tmp_path / "run")
    assert hashes == {run.summary["log_sha256"]}
    assert call("replay", tmp_path / "run").exit_code == 0


def test_paths_are_those_beside_the_scenario_and_provenance_names_them(spoilt, monkeypatch):
    (spoilt / "elsewhere").mkdir()
    monkeypatch.chdir(spoilt / "elsewhere")
    (spoilt / "digits/Train/4/00001.bin").write_bytes(packed([99], [1], [1], [1]))
    (spoilt / "digits/Test/4/00001.bin").write_bytes(b"")
    done = call("run", "../digits.yaml", "-o", "out", "--quiet")
    assert done.exit_code == 0, done.output
    told = json.loads((spoilt / "elsewhere/out/provenance.json").read_text())["sensors"]
    assert Path(told["root"]).samefile(spoilt / "digits")
    assert told["recordings"] == {"train": 30, "test": 19, "proxy": 10}
    assert told["skipped"]["count"] == 2
    assert len(told["files_sha256"]) == 64
    here = call("run", "../waves.yaml", "--set", "sensors.root=../waves", "-o", "b", "--json")
    assert here.exit_code == 0, here.output
    sensors = json.loads((spoilt / "elsewhere/b/provenance.json").read_text())["sensors"]
    assert sensors["classes"] == ["flat", "slow", "fast"]


BROKEN = {
    "truncated": ("waves", lambda root: cut(root / "waves/Waves_TRAIN.ts"), "Waves_TRAIN.ts:"),
    "0 bytes": ("waves", lambda root: empty(root / "waves/Waves_TEST.ts"), "TEST.ts:1: the file"),
    "a bad header": (
        "waves",
        lambda root: (root / "waves/Waves_TRAIN.ts").write_text("@nothing\n"),
        "Waves_TRAIN.ts:1: wrong header: unknown directive",
    ),
    "no folder": ("waves", lambda root: shutil.rmtree(root / "waves"), "waves: no such folder"),
    "an empty class": (
        "digits",
        lambda root: [path.unlink() for path in (root / "digits/Train/3").iterdir()],
        "Train/3: no .bin file there; expected FOLDER/{Train,Test}/{0,1,...,9}/NNNNN.bin",
    ),
    "a class without a sound file": (
        "digits",
        lambda root: [
            path.write_bytes(packed([1, 1], [1, 1], [9, 8], [0, 0]))
            for path in (root / "digits/Test/3").iterdir()
        ],
        "byte 5: time goes back from 9 to 8 us",
    ),
}


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize(("name", "spoil", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_bad_files_end_in_one_line_and_exit_3(spoilt, name, spoil, said):
    spoil(spoilt)
    for command in ("validate", "run"):
        done = call(command, f"{name}.yaml")
        assert done.exit_code == 3
        line = done.output.splitlines()[0]
        assert said in line
        assert f"{name}.yaml:4:" in line


def test_a_setting_that_does_not_fit_is_named_where_it_stands(spoilt):
    path = spoilt / "digits.yaml"
    path.write_text(path.read_text().replace("rate: 8 Hz", "shift: {kind: dim, at: 1 s}"))
    done = call("validate", path)
    assert done.exit_code == 3
    assert "a recording cannot be dimmed" in done.output


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=4)), max_size=3),
    st.integers(0, 10**6),
)
def test_no_file_ends_in_another_error(tmp_path_factory, edits, stop):
    data = bytearray(ts_text(2).encode())
    for place, put in edits:
        data[place % len(data) : place % len(data) + len(put)] = put
    root = tmp_path_factory.mktemp("fuzz")
    (root / "all.ts").write_bytes(bytes(data[: stop % (2 * len(data))]))
    text = TEXT.format(sensors=f"{{kind: series, file: {root / 'all.ts'}}}", learner=LINEAR)
    try:
        Scenario.parse(text)
    except ScenarioError as error:
        (problem,) = error.problems
        assert problem.path == "sensors"
        assert problem.message


@needs_data
@pytest.mark.parametrize(
    ("sensors", "least"),
    [
        (f"{{kind: nmnist, root: {NMNIST}, rate: 20 Hz, held_out: 20%, {PROXY}}}", 0.6),
        (f"{{kind: series, root: {MOTIONS}, encoder: {{kind: level-crossing}}, {PROXY}}}", 0.75),
    ],
    ids=["nmnist", "motions"],
)
def test_real_recordings_are_learned_from(sensors, least):
    """Far above chance within seconds; what is reached is for benchmarks to say."""
    found = simedge.simulate(Scenario.parse(TEXT.format(sensors=sensors, learner=LINEAR)))
    assert found.summary["accuracy"]["final"] > least
    assert found.summary["invariants"]["broken"] == []
