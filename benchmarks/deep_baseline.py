"""Is the deep learner in a run worth as much as the same network in a plain torch loop?

Run: ``python benchmarks/deep_baseline.py [--seeds 2] [--items 300]``. Isolated devices of scenario
`k20_lossy`, no shift, no faults, two minutes. The plain loop knows nothing of simedge but its
frames: a `torch.nn.Sequential`, `torch.optim.SGD`, torch's own initial weights, batches of 16.
"""

import argparse
import time

import numpy as np
import torch
from torch import nn

import simedge
from simedge.learning.deep.frames import Retina
from simedge.learning.reference_settings import DeepSettings
from simedge.sensors.registry import open_sensor

CALM = {"protocol": {"kind": "isolated"}, "sensors.shift": None, "faults": []}
SPLITS = {"dirichlet 0.3": {}, "iid": {"sensors.split": {"kind": "iid"}}}


def plain(settings, shown, items):
    """Return the accuracy of a plain loop over the frames of one device."""
    sides = (16 - 5) // 2 + 1
    maps = settings.layers[0].maps
    size = maps * sides**2
    net = nn.Sequential(
        nn.Conv2d(2 * settings.bins, maps, 5, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.LayerNorm(size, elementwise_affine=False),
        nn.Linear(size, 10),
    )
    rule = settings.rule
    steps = torch.optim.SGD(net.parameters(), lr=rule.rate, momentum=rule.momentum)
    pictures, labels = torch.from_numpy(shown.pictures), torch.from_numpy(shown.labels)
    for first in range(0, len(labels) - rule.batch + 1, rule.batch):
        batch = slice(first, first + rule.batch)
        loss = nn.functional.cross_entropy(net(pictures[batch]), labels[batch])
        steps.zero_grad()
        loss.backward()
        steps.step()
    with torch.no_grad():
        said = net(torch.from_numpy(items.pictures)).argmax(1).numpy()
    return (said == items.labels).mean()


def compare(split, seed, count):
    """Return accuracy in a run (by time, by frames learned) and in plain loops; and its cost."""
    wish = simedge.load("k20_lossy").vary({**CALM, **SPLITS[split], "evaluate.items": count})
    settings = DeepSettings()
    began = time.process_time()
    deep = wish.vary({"learner": {"kind": "deep"}, "record.events": True})
    told = simedge.simulate(deep, seed=seed)
    spent, run = time.process_time() - began, told.summary
    ends = [r.at for r in told.records if r.kind == "frame-learned"]
    devices = len(run["accuracy"]["per_device"])
    points = {
        round(sum(end <= at * 1e9 for end in ends) / devices): round(accuracy, 3)
        for at, accuracy in run["accuracy"]["curve"]
    }
    sensor = open_sensor(wish.sensors, seed)
    retina = Retina(width=16, height=16, bins=settings.bins, span_ns=sensor.span_ns, root=True)
    items = retina.prepare(sensor.evaluation(count, shifted=False))
    torch.manual_seed(seed)
    own = [
        plain(settings, retina.prepare(sensor.frames(device, 0, 960)), items)
        for device in run["accuracy"]["per_device"]
    ]
    curve = {round(at): value for at, value in run["accuracy"]["curve"]}
    return (curve, points), float(np.mean(own)), spent


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--items", type=int, default=300)
    wish = parser.parse_args()
    print("| split | seed | run, 60 s | run, 120 s | plain loop, 120 s | run, processor s |")
    print("| --- | --: | --: | --: | --: | --: |")
    for split in SPLITS:
        for seed in range(1, wish.seeds + 1):
            (curve, points), own, spent = compare(split, seed, wish.items)
            told = f"{curve[60]:.3f} | {curve[120]:.3f} | {own:.3f} | {spent:.1f}"
            print(f"| {split} | {seed} | {told} |", flush=True)
            if split == "iid":
                print("accuracy by frames learned, mean over devices:", points)


if __name__ == "__main__":
    main()
