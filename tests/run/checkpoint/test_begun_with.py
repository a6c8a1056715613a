"""A run goes on with the scenario and the recordings that it was begun with, or not at all."""

import shutil
from unittest.mock import patch

import pytest
from recorded import ts_text, write_ts
from saved_worlds import RARELY, told
from typer.testing import CliRunner

import simedge
from simedge.run.checkpoint.errors import CheckpointError
from simedge.run.checkpoint.store import FOLDER
from simedge.run.rundir import read_status
from simedge.run.scenario import Scenario
from simedge.run.simulate import simulate
from simedge_cli.commands import app

WAVES = """
simedge: 1
name: waves
duration: 2 s
sensors: {kind: series, root: ROOT, encoder: {kind: level-crossing, levels: 4}}
devices: [{id: cam, count: 2, compute: cpu-large, memory: 2 GiB}]
learner: {kind: linear}
protocol: {kind: isolated}
evaluate: {every: 1 s, items: 6}
"""


@pytest.mark.parametrize("kept", [FOLDER, "provenance.json"])
@pytest.mark.parametrize(
    "edit", [("interval: 2\n", "interval: 3\n"), ("events: true", "events: false")]
)
def test_an_edited_scenario_is_refused_and_the_old_one_taken_again(world, tmp_path, kept, edit):
    out = world.stopped(tmp_path / "run", 60)
    if kept == FOLDER:
        (out / "provenance.json").unlink()  # as of a run that was killed
    else:
        shutil.rmtree(out / FOLDER)
    before = (out / "scenario.yaml").read_text()
    assert before.count(edit[0]) == 1
    (out / "scenario.yaml").write_text(before.replace(*edit))
    with pytest.raises(CheckpointError, match="is not what the run was begun with: put it back"):
        simedge.resume(out)
    done = CliRunner().invoke(app, ["run", "--resume", str(out)])
    assert done.exit_code == 3
    assert "simedge run" in done.output
    assert read_status(out) == "interrupted"
    (out / "scenario.yaml").write_text(before)
    assert told(simedge.resume(out)) == world.straight


@pytest.mark.parametrize("every", [{"checkpoint.every": None}, RARELY], ids=["anew", "saved"])
def test_other_recordings_are_refused_and_the_old_ones_taken_again(tmp_path, every):
    root = write_ts(tmp_path / "waves")
    scenario = Scenario.parse(WAVES.replace("ROOT", str(root))).vary(every)
    straight, out = told(simulate(scenario)), tmp_path / "run"
    with patch("simedge.run.simulate.SLICE_RECORDS", 30):
        assert simulate(scenario, out=out, stop=lambda: True).interrupted
    before = (root / "Waves_TRAIN.ts").read_text()
    (root / "Waves_TRAIN.ts").write_text(ts_text(4, first=20))
    with pytest.raises(
        CheckpointError, match="its recordings are not those that the run was begun"
    ):
        simedge.resume(out)
    assert read_status(out) == "interrupted"
    (root / "Waves_TRAIN.ts").write_text(before)
    assert told(simedge.resume(out)) == straight
