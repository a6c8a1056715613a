"""Is FedAvg in a run worth as much as a plain torch loop of FedAvg on the same frames and splits?

Run: ``python benchmarks/fedavg_baseline.py [--seeds 2] [--rounds 10]``. Twenty devices of scenario
`k20_lossy` on links without loss, no shift, no faults; every device trains 48 frames a round, all
take part. The plain loop knows nothing of simedge but its frames and the weights of the mean: a
`torch.nn.Sequential`, a `torch.optim.SGD` for each device that keeps its momentum from round to
round, torch's own initial weights, batches of 16.
"""

import argparse
import copy

import torch
from torch import nn

import simedge
from simedge.learning.deep.frames import Retina
from simedge.learning.reference_settings import DeepSettings
from simedge.protocol.arrays import array_of
from simedge.run.simulate import Run
from simedge.sensors.registry import open_sensor

WORK = 48
ITEMS = 300
FAST = {
    "sensors.shift": None,
    "faults": [],
    "learner": {"kind": "deep"},
    "topology": {"kind": "star"},
    "links": {"default": {"profile": "ethernet"}},
    "protocol": {"kind": "fedavg", "fraction": 1.0, "frames": WORK, "wait": "wait_all"},
    "evaluate.items": 10,
}
SPLITS = {"dirichlet 0.3": {"kind": "dirichlet", "alpha": 0.3}, "iid": {"kind": "iid"}}


def network(settings):
    """Return the network of a deep learner, by the means of torch alone."""
    size = settings.layers[0].maps * ((16 - 5) // 2 + 1) ** 2
    return nn.Sequential(
        nn.Conv2d(2 * settings.bins, settings.layers[0].maps, 5, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.LayerNorm(size, elementwise_affine=False),
        nn.Linear(size, 10),
    )


def train(site, rule, shown):
    """Take one pass in batches."""
    (net, steps), (pictures, labels) = site, shown
    for first in range(0, len(labels), rule.batch):
        batch = slice(first, first + rule.batch)
        steps.zero_grad()
        nn.functional.cross_entropy(net(pictures[batch]), labels[batch]).backward()
        steps.step()


def correct(net, items):
    """Return the share of items that a network is right on."""
    with torch.no_grad():
        said = net(torch.from_numpy(items.pictures)).argmax(1).numpy()
    return float((said == items.labels).mean())


def plain(settings, world, course):
    """Return the model of plain federated averaging; each device keeps its momentum."""
    rule, sites, (shown, rounds) = settings.rule, [], course
    for _ in shown:
        net = copy.deepcopy(world)
        steps = torch.optim.SGD(net.parameters(), lr=rule.rate, momentum=rule.momentum)
        sites.append((net, steps))
    for number in range(rounds):
        part = slice(number * WORK, (number + 1) * WORK)
        models = []
        for (net, steps), (pictures, labels) in zip(sites, shown, strict=True):
            net.load_state_dict(world.state_dict())
            train((net, steps), rule, (pictures[part], labels[part]))
            models.append(nn.utils.parameters_to_vector(net.parameters()).detach())
        nn.utils.vector_to_parameters(torch.stack(models).mean(0), world.parameters())
    return world


def compare(split, seed, rounds):
    """Return rounds, and the accuracy of the server's model: in a run, and in the plain loop."""
    seconds = rounds * WORK // 8 + rounds + 2
    changes = {**FAST, "sensors.split": SPLITS[split], "duration": f"{seconds} s", "seed": seed}
    wish = simedge.load("k20_lossy").vary(changes)
    with Run(wish) as held:
        list(held.slices())
        supply = held.driver.server.machine.dump()["house"]["supply"]
    learned = {}
    for record in held.finish().records:
        if record.kind == "frame-learned":
            learned.setdefault(record.target, []).append(record.subject)
    settings, sensor = DeepSettings(), open_sensor(wish.sensors, seed)
    retina = Retina(width=16, height=16, bins=settings.bins, span_ns=sensor.span_ns, root=True)
    items = retina.prepare(sensor.evaluation(ITEMS, shifted=False))
    shown = []
    for device, indices in learned.items():
        frames = retina.prepare([sensor.frame(device, index) for index in indices])
        shown.append((torch.from_numpy(frames.pictures), torch.from_numpy(frames.labels)))
    torch.manual_seed(seed)
    net = network(settings)
    nn.utils.vector_to_parameters(torch.tensor(array_of(supply["values"])), net.parameters())
    loop = plain(settings, network(settings), (shown, supply["version"]))
    return supply["version"], correct(net, items), correct(loop, items)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    wish = parser.parse_args()
    print("| split | seed | rounds | server's model in a run | plain loop |")
    print("| --- | --: | --: | --: | --: |")
    for split in SPLITS:
        for seed in range(1, wish.seeds + 1):
            rounds, run, loop = compare(split, seed, wish.rounds)
            print(f"| {split} | {seed} | {rounds} | {run:.3f} | {loop:.3f} |", flush=True)


if __name__ == "__main__":
    main()
