"""Runs of recurrent learners: one history, however it is computed, whatever befalls a device."""

import os
import subprocess
import sys
from unittest.mock import patch

import pytest
from worlds import lossy, records_of, run

from simedge.drivers.lookahead import Horizon

CIRCUIT = {
    "duration": "3 s",
    "evaluate.every": "1 s",
    "sensors": {"kind": "temporal", "rate": "8 Hz", "proxy": {"blocks": 2, "rows": 4}},
    "learner": {
        "kind": "spiking",
        "polarity": "merged",
        "layers": [{"kind": "microcircuit", "neurons": 30, "gain": 4.0}],
        "rule": {"kind": "three-factor", "rate": 0.1},
    },
    "faults": [
        {"kind": "crash", "name": "kept", "devices": ["box-1"], "at": "1 s", "for": "500 ms",
         "state": "kept"},
        {"kind": "crash", "name": "lost", "devices": ["cam-1"], "at": "1300 ms", "for": "400 ms",
         "state": "wiped"},
    ],
}  # fmt: skip
LINEAR = {"learner.readout": {"kind": "linear", "bins": 2}}
ALONE = {"protocol.kind": "isolated"}
NEVER = {"learner.reset": "never"}
every_kind = pytest.mark.parametrize(
    "changes", [{}, LINEAR, ALONE, NEVER], ids=["lif", "linear", "alone", "never"]
)


def world(changes):
    return lossy().vary(CIRCUIT).vary(changes)


def told(scenario):
    summary = run(scenario).summary
    assert summary["invariants"]["broken"] == []
    return summary["log_sha256"], summary["counts"], summary["energy_j"], summary["accuracy"]


@every_kind
def test_twice_stepped_or_ahead_it_is_one_history(changes):
    scenario = world(changes)
    first = told(scenario)
    assert first[1]["spikes"] > 0
    assert told(scenario) == first
    assert told(scenario.vary({"kernel.volleys": "stepped"})) == first
    with patch.object(Horizon, "open", new=False):
        assert told(scenario) == first


def test_what_a_crash_leaves_decides_what_is_known_after_it():
    wiped = CIRCUIT["faults"][1]
    kept = {**wiped, "state": "kept"}
    hashes = {told(world({"faults": [fault]}))[0] for fault in (wiped, kept)}
    assert len(hashes) == 2


def test_samples_tell_of_the_latency_of_decisions_and_of_what_was_broadcast():
    result = run(world({"faults": [], "protocol.kind": "isolated"}))
    seen = {(sample.entity, sample.metric): sample.value for sample in result.samples}
    learned = result.summary["counts"]["frames_learned"] / 4
    for device in ("cam-1", "cam-2", "box-1", "box-2"):
        # The last event of a presentation of 100 ms comes near its end; then it is computed.
        assert 0.09 < seen[device, "decision_latency_s"] < 0.125
        assert 0 < seen[device, "modulator_bits"] <= 3 * 32 * learned
        assert seen[device, "modulator_bits"] % (3 * 32) == 0


def test_the_summary_tells_how_long_decisions_take_from_the_onset_on():
    result = run(world({"faults": []}))
    onsets_ns = 125_000_000  # eight presentations a second
    taken_ns = sorted(
        record.at - onsets_ns * record.subject
        for record in records_of(result)
        if record.kind == "frame-learned"
    )
    ranks = {"p50": -(-len(taken_ns) // 2), "p95": -(-19 * len(taken_ns) // 20)}
    assert len(taken_ns) < 100  # so the last of them is the 99th percentile
    ranks["p99"] = len(taken_ns)
    expected = {name: taken_ns[rank - 1] / 1e6 for name, rank in ranks.items()}
    assert result.summary["latency_ms"]["decision"] == expected


def test_the_seed_of_hashes_changes_nothing(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(world({"duration": "1 s"}).dump())
    shown = "simedge.simulate(simedge.load(sys.argv[1])).summary['log_sha256']"
    code = f"import sys, simedge; print({shown})"
    seen = [
        subprocess.run(  # noqa: S603 - this interpreter, this code
            [sys.executable, "-c", code, str(path)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert seen[0] == seen[1] != ""
