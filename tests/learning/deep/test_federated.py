"""Federated runs of deep learners, beside loops that know nothing of the simulator."""

import numpy as np
import pytest
import torch
from torch import nn

import simedge
from simedge.core.streams import Streams
from simedge.learning.deep.frames import Retina
from simedge.learning.deep.network import Network
from simedge.learning.reference_settings import DeepSettings
from simedge.protocol.arrays import array_of
from simedge.run.simulate import Run
from simedge.sensors.registry import open_sensor

BATCH, RATE = 16, 0.05
LEARNER = {"kind": "deep", "rule": {"kind": "bp", "batch": BATCH, "rate": RATE, "momentum": 0}}
AVERAGE = {"kind": "fedavg", "fraction": 1.0, "wait": "wait_all", "frames": BATCH}
DESCENT = {"kind": "centralised", "mode": "gradient", "batch": BATCH}


def world(protocol, count=3, **changes):
    """Return a scenario in which nothing is lost and nothing takes long."""
    calm = {
        "duration": "5 s",
        "evaluate": {"every": "5 s", "items": 20},
        "sensors.rate": "20 Hz",
        "sensors.shift": None,
        "faults": [],
        "devices": [{"id": "cam", "count": count, "compute": "micro-gpu"}],
        "links": {"default": {"profile": "ethernet"}},
        "topology": {"kind": "star"},
        "learner": LEARNER,
        "protocol": protocol,
    }
    return simedge.load("k20_lossy").vary(calm | changes)


def outcome(scenario):
    """Return the server's model and version, the first device's model, and who learned what."""
    with Run(scenario) as held:
        list(held.slices())
        supply = held.driver.server.machine.dump()["house"]["supply"]
        first = held.driver.devices[0].learner.dump()["values"]
    learned = {}
    for record in held.finish().records:
        if record.kind == "frame-learned":
            learned.setdefault(record.target, []).append(record.subject)
    return np.array(array_of(supply["values"])), supply["version"], first, learned


def plain_net():
    return nn.Sequential(
        nn.Conv2d(6, 16, 5, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.LayerNorm(16 * 6 * 6, elementwise_affine=False),
        nn.Linear(16 * 6 * 6, 10),
    )


def put(net, values):
    nn.utils.vector_to_parameters(torch.from_numpy(values.copy()), net.parameters())


def right(net, items):
    with torch.no_grad():
        said = net(torch.from_numpy(items.pictures)).argmax(1).numpy()
    return float((said == items.labels).mean())


@pytest.mark.parametrize(
    ("split", "momentum"), [({"kind": "iid"}, 0.0), ({"kind": "dirichlet", "alpha": 0.3}, 0.5)]
)
def test_averaging_in_a_run_is_a_plain_loop_of_it(split, momentum):
    """McMahan's algorithm in torch, on the frames that each device was shown in each round.

    Devices keep their momentum from round to round.
    """
    scenario = world(AVERAGE, **{"sensors.split": split, "learner.rule.momentum": momentum})
    values, rounds, _, learned = outcome(scenario)
    assert len(learned) == 3
    assert rounds >= 5
    sensor = open_sensor(scenario.sensors, scenario.seed)
    retina = Retina(width=16, height=16, bins=3, span_ns=sensor.span_ns, root=True)
    network = Network(DeepSettings(), classes=10, channels=6, width=16, height=16)
    mean = network.start(Streams(scenario.seed), "learner")
    first, sites = mean, {}
    for device in learned:
        net = plain_net()
        sites[device] = net, torch.optim.SGD(net.parameters(), lr=RATE, momentum=momentum)
    for number in range(rounds):
        models = []
        for device, indices in learned.items():
            batch = indices[number * BATCH : (number + 1) * BATCH]
            shown = retina.prepare([sensor.frame(device, index) for index in batch])
            net, steps = sites[device]
            put(net, mean)
            pictures, labels = torch.from_numpy(shown.pictures), torch.from_numpy(shown.labels)
            net.zero_grad()
            nn.functional.cross_entropy(net(pictures), labels).backward()
            steps.step()
            models.append(nn.utils.parameters_to_vector(net.parameters()).detach().numpy())
        mean = np.mean(models, axis=0)
    assert np.abs(values - first).max() > 0.01
    assert np.allclose(values, mean, atol=1e-4)
    items = retina.prepare(sensor.evaluation(200, shifted=False))
    put(net, mean)
    alone = right(net, items)
    put(net, values)
    assert right(net, items) == pytest.approx(alone, abs=0.02)


@pytest.mark.parametrize("frames", [BATCH, 5])
def test_averaging_one_deep_device_is_plain_training(frames):
    """Whether or not rounds end with a batch; momentum goes on as well."""
    scenario = world({**AVERAGE, "frames": frames}, 1, **{"learner.rule.momentum": 0.5})
    _, rounds, federated, learned = outcome(scenario)
    assert rounds >= 4
    sensor = open_sensor(scenario.sensors, scenario.seed)
    with Run(scenario) as held:
        learner = held.driver.devices[0].learner
        for index in learned["cam-1"]:
            learner.learn(sensor.frame("cam-1", index)).commit()
        alone = learner.get_params().commit()
    # Gradients of a batch that a model cuts in two are summed in another order.
    assert np.allclose(federated, alone, rtol=0, atol=0 if frames == BATCH else 1e-6)


def test_averaging_one_step_each_is_central_descent():
    models = []
    for arm in (AVERAGE, DESCENT):
        values, rounds, _, _ = outcome(world(arm))
        models.append((rounds, values))
    (rounds, averaged), (steps, descended) = models
    assert rounds == steps >= 5
    distance = np.linalg.norm(averaged.astype(float) - descended)
    assert distance <= 1e-6 * np.linalg.norm(descended)
