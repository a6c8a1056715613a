"""Runs of devices whose synapses remember: every protocol, stepped volleys, what is refused."""

import pytest
import yaml
from every_protocol import PROTOCOLS
from worlds import lossy, records_of
from worlds import run as simulated

from simedge.run.invariants import check_records
from simedge.run.problems import ScenarioError

WORLD = {
    "duration": "4 s",
    "evaluate": {"every": "3 s", "items": 8},
    "sensors": {"kind": "temporal", "size": 8, "rate": "8 Hz", "proxy": {"blocks": 2, "rows": 4}},
    "devices": [{"id": "cam", "count": 2, "compute": "cpu-large", "memory": "512 MiB"}],
    "topology": {"kind": "ring"},
    "faults": [{"kind": "crash", "devices": ["cam-1"], "at": "1500 ms", "for": "300 ms",
                "state": "checkpoint"}],
}  # fmt: skip
LEARNERS = {
    "tess": {"kind": "spiking", "tick": "4 ms", "hidden": [12], "rule": {"kind": "tess"}},
    "s-tllr": {
        "kind": "spiking",
        "tick": "4 ms",
        "hidden": [12],
        "rule": {"kind": "s-tllr", "shares": "post-gain"},
    },
}
ALL = {**PROTOCOLS, "elal": {"kind": "elal", "interval": 4, "prior_period": "500 ms"}}


def world(name, **values):
    learner = LEARNERS["s-tllr" if list(ALL).index(name) % 2 else "tess"]
    return lossy().vary({**WORLD, "protocol": ALL[name], "learner": learner, **values})


@pytest.mark.parametrize("name", ALL)
def test_every_protocol_runs_and_its_books_are_exact(name):
    result = simulated(world(name))
    assert result.summary["invariants"]["broken"] == []
    assert check_records(result.records) == []
    assert result.summary["communication"]["bits_up"] > 0
    sends_frames = name in {"central frames", "central model"}
    assert (result.summary["counts"]["spikes"] == 0) == sends_frames
    assert result.summary["counts"]["priors_applied"] > 0 or not name.startswith("elal")


@pytest.mark.parametrize("name", ["elal", "aedfl"])
def test_stepped_volleys_have_the_history_of_fused_ones(name):
    fused, stepped = (
        simulated(world(name, **{"kernel.volleys": how})) for how in ("fused", "stepped")
    )
    assert records_of(fused) == records_of(stepped)
    assert fused.summary["energy_j"] == stepped.summary["energy_j"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ("rule: {kind: tess, mod: gated}", "did you mean 'mode'?"),
        ("rule: {kind: s-tllr, squash: softmax}", "squash: unknown key"),
        ("rule: {kind: tess}, neuron: {leak: 1.5}", "leak: must be at most 1"),
        ("rule: {kind: tess}, hidden: []", "hidden"),
        ("rule: {kind: tess, first_active: 1 s}", "nothing would be learned"),
        ("rule: {kind: tess, shares: post-gain}, neuron: {post_gain: 2}", "in [-1, 1]"),
        ("rule: {kind: tess}, readout: {bins: 26}, tick: 4 ms", "26 bins"),
        ("rule: {kind: tess}, shared_start: false", "same hidden weights"),
    ],
)
def test_what_makes_no_sense_is_said(changes, text):
    learner = {"kind": "spiking"} | yaml.safe_load(f"{{{changes}}}")
    with pytest.raises(ScenarioError) as error:
        world("gossip", learner=learner)
    assert text in str(error.value)


def test_a_policy_of_fixed_shares_fits_the_layers():
    changes = {"protocol.policy": {"kind": "fixed", "lambda": [0.2, 0.4]}}
    with pytest.raises(ScenarioError, match="2 shares for 1 hidden layers"):
        world("aedfl", **changes)
    with pytest.raises(ScenarioError, match="2 shares for 0 hidden layers"):
        world("elal by class", **changes)
