"""A run that stops at any record and is resumed is the run that never stopped."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from saved_worlds import RARELY, damage_of, told

import simedge
from simedge.run.checkpoint import made_by
from simedge.run.checkpoint.errors import CheckpointError
from simedge.run.checkpoint.stopped import take_up
from simedge.run.checkpoint.store import FOLDER, find
from simedge.run.errors import BuildError, RunDirectoryError
from simedge.run.rundir import read_status
from simedge.run.simulate import simulate
from simedge.testing.strategies import fault_schedules, learners, protocols, scenarios

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
PROTOCOLS = (
    "elal", "isolated", "fedavg", "gossip", "fd", "fedasync", "fedbuff", "centralised", "draco",
    "aedfl",
)  # fmt: skip
LEARNERS = ("surrogate", "linear", "spiking", "deep") if NIGHTLY else ("surrogate", "linear")
CIRCUIT = {
    "sensors": {"kind": "temporal", "rate": "8 Hz", "proxy": {"blocks": 2, "rows": 2}},
    "learner": {
        "kind": "spiking",
        "polarity": "merged",
        "reset": "never",
        "layers": [{"kind": "microcircuit", "neurons": 20, "gain": 4.0}],
        "rule": {"kind": "three-factor", "rate": 0.1},
    },
    "duration": "800 ms",
}
SPIKING = {"learner": {"kind": "spiking"}, "duration": "800 ms"}
ELIGIBLE = {
    "learner": {"kind": "spiking", "hidden": [8], "rule": {"kind": "s-tllr", "batch": 3}},
    "duration": "800 ms",
}
STEPPED = {"kernel.volleys": "stepped"}


@settings(max_examples=500 if NIGHTLY else 8, phases=[Phase.generate])
@given(
    scenarios(
        protocol=protocols(kinds=PROTOCOLS),
        learner=learners(kinds=LEARNERS),
        faults=fault_schedules(max_size=3),
        seconds=st.just(1),
    ),
    st.integers(1, 400),
    st.integers(1, 400),
)
def test_whoever_learns_whatever_is_said_whatever_fails(scenario, first, second):
    scenario = scenario.vary(RARELY)
    try:
        straight = simulate(scenario)
    except BuildError:
        assume(False)  # such a scenario has no run
    with TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        with patch("simedge.run.simulate.SLICE_RECORDS", first):
            ended = not simulate(scenario, out=out, stop=lambda: True).interrupted
        with patch("simedge.run.simulate.SLICE_RECORDS", second):
            ended = not simedge.resume(out, stop=lambda: True).interrupted or ended
        resumed = simedge.resume(out)
        assert resumed.summary["log_sha256"] == straight.summary["log_sha256"]
        if not ended:
            assert told(resumed) == told(straight)
        assert damage_of(out) == (None, straight.summary["log_sha256"])


@pytest.mark.parametrize(
    "changes",
    [SPIKING, SPIKING | STEPPED, CIRCUIT, CIRCUIT | STEPPED, ELIGIBLE],
    ids=["spiking", "stepped", "circuit", "stepped-circuit", "eligible"],
)
def test_spikes_come_again(world, tmp_path, changes):
    straight = told(simulate(world.scenario.vary(changes)))
    out = world.stopped(tmp_path / "run", 40, **changes)
    assert told(simedge.resume(out)) == straight


def test_a_state_that_was_saved_is_that_of_running_there_again(world, tmp_path):
    for records in (20, 80):
        once = world.stopped(tmp_path / f"once-{records}", records)
        again = world.stopped(tmp_path / f"again-{records}", records // 2)
        with patch("simedge.run.simulate.SLICE_RECORDS", records - records // 2):
            simedge.resume(again, stop=lambda: True)
        states = [find(path, events=True).saved for path in (once, again)]
        assert states[0].records == states[1].records == records
        assert states[0].picture.digest() == states[1].picture.digest()


def test_checkpoints_change_nothing(world, tmp_path):
    saved = simulate(world.scenario, out=tmp_path / "run")
    none = simulate(world.scenario.vary({"checkpoint.every": None}))
    assert told(saved) == world.straight == told(none)
    assert not (tmp_path / "run" / FOLDER).exists()  # of a run that has ended


def test_a_run_without_a_checkpoint_begins_anew(world, tmp_path):
    out = world.stopped(tmp_path / "run", 30, **{"checkpoint.every": None})
    words = []
    assert told(simedge.resume(out, say=words.append)) == world.straight
    assert "begins anew" in words[0]


def test_a_run_that_has_ended_says_so(world, tmp_path):
    out = tmp_path / "run"
    result = simulate(world.scenario, out=out)
    before, words = (out / "summary.json").read_bytes(), []
    again = simedge.resume(out, say=words.append)
    assert again.summary == result.summary
    assert "has ended" in words[0]
    assert (out / "summary.json").read_bytes() == before


def test_one_resumes_at_a_time(world, tmp_path):
    out = world.stopped(tmp_path / "run", 60)
    held = take_up(out)
    with pytest.raises(RunDirectoryError, match="another run writes here"):
        simedge.resume(out)
    held.directory.close()
    assert told(simedge.resume(out)) == world.straight


def test_other_code_takes_nothing_up(world, tmp_path):
    out = world.stopped(tmp_path / "run", 60)
    with (
        patch.object(made_by, "code_digest", lambda: "of another day"),
        pytest.raises(CheckpointError, match="another state of simedge's code"),
    ):
        simedge.resume(out)
    assert read_status(out) == "interrupted"  # and it can be resumed by the code that wrote it
    assert told(simedge.resume(out)) == world.straight


def test_other_versions_are_told_of(world, tmp_path):
    out, words = world.stopped(tmp_path / "run", 60), []
    with patch.object(made_by, "version", lambda package: f"{package} of tomorrow"):
        simedge.resume(out, say=words.append)
    assert any("numba is numba of tomorrow" in word and "may differ" in word for word in words)


class Means(simedge.OwnLearner):
    """Where the events of each class are, on average."""

    def begin(self, streams):  # noqa: ARG002 -- the port's
        self.sums = np.zeros((self.classes, self.width))
        self.seen = [0] * self.classes

    def scores(self, frame):
        return self.sums[:, frame.x].sum(axis=1) / (1 + np.array(self.seen))

    def update(self, frame):
        np.add.at(self.sums[frame.label], frame.x, 1.0)
        self.seen[frame.label] += 1


class Secretive(Means):
    """Keeps what is no data where its digest does not look."""

    def update(self, frame):
        super().update(frame)
        self._kept[0] = {0: lambda: frame}


def test_a_rule_of_ones_own_goes_on_where_it_was(world, tmp_path):
    straight = told(simulate(world.scenario, learner=Means))
    with patch("simedge.run.simulate.SLICE_RECORDS", 90):
        simulate(
            world.scenario.vary(RARELY), out=tmp_path / "run", learner=Means, stop=lambda: True
        )
    with pytest.raises(RunDirectoryError, match="give it again"):
        simedge.resume(tmp_path / "run")
    with pytest.raises(CheckpointError, match="a learner of other code"):
        simedge.resume(tmp_path / "run", learner=Secretive)
    assert told(simedge.resume(tmp_path / "run", learner=Means)) == straight


def test_what_is_no_data_is_refused_by_name(world, tmp_path):
    with pytest.raises(CheckpointError, match="function in dict in dict in Secretive"):
        simulate(world.scenario, out=tmp_path / "run", learner=Secretive)
    assert read_status(tmp_path / "run") == "failed"
