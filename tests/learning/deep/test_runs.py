"""Whole runs of the deep and the surrogate learner."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

import simedge
from simedge.core.streams import Streams
from simedge.learning.deep.frames import Retina
from simedge.learning.deep.network import Network
from simedge.learning.reference_settings import DeepSettings
from simedge.run.simulate import Run
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


def test_a_run_learns_what_a_plain_loop_of_torch_learns():
    """The loop shares the frames and the first weights with the run, and no code."""
    wish = scenario("deep")
    with Run(wish) as held:
        list(held.slices())
        values = {h.name: h.learner.dump()["values"] for h in held.driver.devices}
    settings, sensor = DeepSettings(), open_sensor(wish.sensors, wish.seed)
    rule, retina = (
        settings.rule,
        Retina(width=16, height=16, bins=3, span_ns=sensor.span_ns, root=True),
    )
    first = Network(settings, classes=10, channels=6, width=16, height=16)
    learned = {}
    for record in held.finish().records:
        if record.kind == "frame-learned":
            learned.setdefault(record.target, []).append(record.subject)
    for device, indices in learned.items():
        net = nn.Sequential(
            nn.Conv2d(6, 16, 5, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.LayerNorm(16 * 6 * 6, elementwise_affine=False),
            nn.Linear(16 * 6 * 6, 10),
        )
        start = torch.from_numpy(first.start(Streams(wish.seed), "learner"))
        nn.utils.vector_to_parameters(start.clone(), net.parameters())
        steps = torch.optim.SGD(net.parameters(), lr=rule.rate, momentum=rule.momentum)
        shown = retina.prepare([sensor.frame(device, index) for index in indices])
        pictures, labels = torch.from_numpy(shown.pictures), torch.from_numpy(shown.labels)
        for i in range(0, len(indices) - rule.batch + 1, rule.batch):
            steps.zero_grad()
            part = slice(i, i + rule.batch)
            nn.functional.cross_entropy(net(pictures[part]), labels[part]).backward()
            steps.step()
        found = nn.utils.parameters_to_vector(net.parameters()).detach().numpy()
        assert len(indices) > 2 * rule.batch
        assert np.abs(found - start.numpy()).max() > 0.01
        np.testing.assert_allclose(values[device], found, atol=1e-5)


def test_without_torch_the_extra_is_named_and_the_exit_is_3(monkeypatch):
    from typer.testing import CliRunner

    from simedge_cli.commands import app

    for name in [name for name in sys.modules if name.startswith("simedge.learning.deep.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    done = CliRunner().invoke(app, ["run", "two_devices", "--set", "learner={kind: deep}"])
    assert "pip install 'simedge[deep]'" in done.output
    assert done.exit_code == 3
