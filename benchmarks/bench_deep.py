"""What it buys to write out the gradient of a small network, beside torch's own graph.

Run: ``python benchmarks/bench_deep.py [--turns 7]``. Least processor time of so many turns, both
sides by turns; the network of a deep learner with the default settings, frames of 16 x 16 pixels.
"""

import argparse
import time

import numpy as np
import torch
from torch.nn import functional

from simedge.core.streams import Streams
from simedge.learning.deep.network import Network, be_deterministic
from simedge.learning.reference_settings import DeepSettings

CALLS = 100


def by_graph(network, values, shown):
    """Return the gradient of the summed cross entropy, as torch finds it."""
    pictures, labels = shown
    leaves = [part.requires_grad_() for part in network.parts(torch.from_numpy(values.copy()))]
    level = functional.conv2d(torch.from_numpy(pictures), leaves[0], leaves[1], stride=2)
    top = functional.relu(level).flatten(1)
    scores = functional.linear(functional.layer_norm(top, top.shape[1:]), leaves[2], leaves[3])
    loss = functional.cross_entropy(scores, torch.from_numpy(labels), reduction="sum")
    return torch.cat([slope.reshape(-1) for slope in torch.autograd.grad(loss, leaves)]).numpy()


def spent_us(act):
    """Return the processor time of a call, in microseconds."""
    began = time.process_time()
    for _ in range(CALLS):
        act()
    return (time.process_time() - began) * 1e6 / CALLS


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7)
    turns = parser.parse_args().turns
    be_deterministic()
    network = Network(DeepSettings(), classes=10, channels=6, width=16, height=16)
    words = np.random.Generator(np.random.Philox(1))
    values = network.start(Streams(1), "learner")
    print("| frames | written out, us | by torch's graph, us | greatest difference |")
    print("| --: | --: | --: | --: |")
    for count in (1, 4, 16):
        shown = words.exponential(size=(count, *network.picture)).astype(np.float32)
        labels = words.integers(0, 10, count)
        sides = (
            lambda p=shown, y=labels: network.gradient(values, p, y)[1],
            lambda p=shown, y=labels: by_graph(network, values, (p, y)),
        )
        apart = np.abs(sides[0]() - sides[1]()).max()
        own, graph = np.min([[spent_us(side) for side in sides] for _ in range(turns)], axis=0)
        print(f"| {count} | {own:.0f} | {graph:.0f} | {apart:.1e} |", flush=True)


if __name__ == "__main__":
    main()
