"""Whole runs of the deep and the surrogate learner."""

import sys

import numpy as np
import pytest

import simedge
from simedge.core.streams import Streams
from simedge.learning.deep.frames import Retina
from simedge.learning.deep.network import Network
from simedge.learning.reference_settings import DeepSettings
from simedge.sensors.registry import open_sensor

SHORT = {"duration": "6 s", "evaluate.items": 200, "sensors.shift": None, "faults": []}


def scenario(learner, protocol="isolated"):
    few = {"devices": [{"id": "cam", "count": 2, "compute": "cpu-small"}], "links.overrides": []}
    kind = {"kind": protocol}
    wish = {"learner": {"kind": learner}, "protocol": kind, "topology": {"kind": "star"}}
    return simedge.load("k20_lossy").vary({**SHORT, **few, **wish})


@pytest.mark.parametrize("kind", ["deep", "surrogate"])
def test_stepped_and_fused_runs_are_equal(kind):
    wish = scenario(kind, "elal")
    fused = simedge.simulate(wish).summary
    stepped = simedge.simulate(wish.vary({"kernel.volleys": "stepped"})).summary
    assert fused["log_sha256"] == stepped["log_sha256"]
    assert fused["counts"]["frames_learned"] > 80
    assert fused["energy_ops_j"] > 0


def test_a_plain_loop_without_simulator_is_as_accurate():
    wish = scenario("deep")
    result = simedge.simulate(wish).summary
    settings, sensor = DeepSettings(), open_sensor(wish.sensors, wish.seed)
    retina = Retina(width=16, height=16, bins=3, span_ns=sensor.span_ns, root=True)
    network = Network(settings, classes=10, channels=6, width=16, height=16)
    items = retina.prepare(sensor.evaluation(200, shifted=False))
    for device, accuracy in result["accuracy"]["per_device"].items():
        shown = retina.prepare(sensor.frames(device, 0, 48))
        values, velocity = network.start(Streams(wish.seed), "learner"), np.float32(0)
        own = [float((network.scores(values, items.pictures).argmax(1) == items.labels).mean())]
        for i in range(0, 48, 16):
            batch = slice(i, i + 16)
            _, gradient = network.gradient(values, shown.pictures[batch], shown.labels[batch])
            velocity = np.float32(settings.rule.momentum) * velocity + gradient / np.float32(16)
            values = values - np.float32(settings.rule.rate) * velocity
            said = network.scores(values, items.pictures).argmax(1)
            own.append(float((said == items.labels).mean()))
        assert own[-1] > own[0]
        # The last frame arrives with the end of the run, so the last batch may be open still.
        assert min(abs(accuracy - own[-1]), abs(accuracy - own[-2])) < 0.1


def test_without_torch_the_extra_is_named_and_the_exit_is_3(monkeypatch):
    from typer.testing import CliRunner

    from simedge_cli.commands import app

    for name in [name for name in sys.modules if name.startswith("simedge.learning.deep.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    done = CliRunner().invoke(app, ["run", "two_devices", "--set", "learner={kind: deep}"])
    assert "pip install 'simedge[deep]'" in done.output
    assert done.exit_code == 3
