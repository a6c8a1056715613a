"""NaN and overflow in any rule stop a run; rule, part, device and time are told and kept."""

import json
import re

import pytest
from typer.testing import CliRunner

from simedge.core.errors import SimedgeError
from simedge.run.replay import replay
from simedge.run.scenario import Scenario
from simedge.run.simulate import simulate
from simedge_cli.commands import app

_TEXT = """
simedge: 1
name: broken
duration: 3 s
sensors: {kind: digits, size: 8, rate: 8 Hz, proxy: {blocks: 2, rows: 2}}
devices: [{id: cam, count: 2, compute: cpu-small, memory: 512 MiB}]
links: {default: {profile: ethernet}}
learner: {kind: linear}
protocol: {kind: elal, interval: 4}
evaluate: {every: 1 s, items: 10}
"""
_HUGE = 1e300
LEARNERS = {
    "linear": ({"kind": "linear", "readout": {"rate": _HUGE}}, "delta, readout"),
    "code-cl": (
        {"kind": "linear", "readout": {"rate": _HUGE}, "continual": {"kind": "code-cl", "task": 9}},
        "delta, readout",
    ),
    "spiking": (
        {
            "kind": "spiking",
            "layers": [{"maps": 2, "kernel": 3, "threshold": 0.4}],
            "readout": {"rate": _HUGE},
        },
        "hebbian-stdp, readout",
    ),
    "frozen": (
        {"kind": "spiking", "rule": {"kind": "delta"}, "readout": {"rate": _HUGE}},
        "delta, readout",
    ),
    "circuit": (
        {
            "kind": "spiking",
            "layers": [{"neurons": 20, "gain": 8}],
            "rule": {"kind": "three-factor", "rate": 1e308, "bound": 1e308, "balanced": False},
            "readout": {"kind": "linear", "rate": 1e308},
        },
        "three-factor, ",
    ),
    "s-tllr": (
        {"kind": "spiking", "hidden": [8], "gain": 4, "rule": {"kind": "s-tllr", "rate": 1e308}},
        "s-tllr, ",
    ),
    "tess": (
        {"kind": "spiking", "hidden": [8], "gain": 4, "rule": {"kind": "tess", "rate": 1e308}},
        "tess, ",
    ),
    "lls": (
        {"kind": "spiking", "hidden": [8, 6], "rule": {"kind": "lls", "rate": 1e308}},
        "lls, ",
    ),
    "deep": (
        {"kind": "deep", "bins": 2, "rule": {"kind": "bp", "batch": 1, "rate": 1e30}},
        "bp, ",
    ),
}
every = pytest.mark.parametrize(("learner", "told"), LEARNERS.values(), ids=LEARNERS)


@every
def test_what_is_no_number_stops_the_run_and_leaves_what_was(tmp_path, learner, told):
    scenario = tmp_path / "broken.yaml"
    varied = Scenario.parse(_TEXT).vary({"learner": learner})
    scenario.write_text(varied.dump(), encoding="utf-8")
    words = ["run", str(scenario), "-o", str(tmp_path / "out"), "-q"]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 1, ended.stderr
    found = re.search(
        r"the rule (.*), failed on device cam-\d at ([\d.]+) s of virtual time: ", ended.stderr
    )
    assert found, ended.stderr
    assert found[1].startswith(told)
    assert ended.stderr.count("\n") == 1, "one line, no traceback and no warning"
    status = json.loads((tmp_path / "out/status.json").read_bytes())
    assert status["status"] == "failed"
    assert found[0] in status["reason"]
    again = replay(tmp_path / "out")
    assert again.equal
    assert again.records > 0


def test_the_learner_of_a_server_is_told_as_well():
    learner, told = LEARNERS["linear"]
    scenario = Scenario.parse(_TEXT).vary({"learner": learner, "protocol": {"kind": "centralised"}})
    with pytest.raises(SimedgeError, match=f"the rule {told}, failed on device server at 0"):
        simulate(scenario)


def test_stepped_and_fused_runs_break_at_the_same_place_and_time():
    scenario = Scenario.parse(_TEXT).vary({"learner": LEARNERS["s-tllr"][0]})
    said = set()
    for volleys in ("fused", "stepped"):
        with pytest.raises(SimedgeError, match="failed on device") as caught:
            simulate(scenario.vary({"kernel.volleys": volleys}))
        said.add(str(caught.value))
    assert len(said) == 1
