"""What a presentation costs: `pytest benchmarks/bench_circuit.py`.

The usual sensor is 16 x 16 pixels with 700 pixel events a presentation of 100 ms. Times depend on
how many synaptic events there are, so that number is printed with each.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from simedge.core.streams import Streams
from simedge.learning.learner import Learner, open_learner
from simedge.learning.settings import ConvSettings, LinearSettings, SpikingSettings

SIDE, EVENTS, FRAMES, ROWS = 16, 700, 20, 16


@dataclass
class Frame:
    label: int
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    t_us: NDArray[np.int64]
    p: NDArray[np.uint8]


def frame_of(seed: int) -> Frame:
    words = np.random.Generator(np.random.Philox(seed))
    centre = words.uniform(5, 10, 2)
    x, y = (np.clip(words.normal(c, 3, EVENTS), 0, SIDE - 1) for c in centre)
    return Frame(
        label=seed % 10,
        x=x.astype(np.uint16),
        y=y.astype(np.uint16),
        t_us=np.sort(words.integers(0, 100_000, EVENTS)),
        p=words.integers(0, 2, EVENTS).astype(np.uint8),
    )


def opened(maps: int) -> Learner:
    spiking = SpikingSettings(layers=(ConvSettings(maps=maps),)) if maps else LinearSettings()
    learner = open_learner(
        spiking, classes=10, width=SIDE, height=SIDE, streams=Streams(1), device="dev-1"
    )
    for n in range(200):
        learner.learn(frame_of(n)).commit()
    return learner


@pytest.mark.parametrize("maps", [0, 8, 16], ids=["linear", "8 maps", "16 maps"])
@pytest.mark.parametrize("learns", [True, False], ids=["learn", "forward"])
def test_presentation(benchmark, maps, learns):
    learner, frames = opened(maps), [frame_of(n) for n in range(FRAMES)]

    def run():
        for n, frame in enumerate(frames):
            work = learner.learn(frame) if learns else learner.proxy_row(frame, address=0, row=n)
            work.advance()
            work.commit()
        return work.counts

    counts = benchmark(run)
    mean_us = benchmark.stats["min"] / FRAMES * 1e6
    print(f"\n{mean_us:.0f} us, {counts.synaptic_events} synaptic events", end=" ")


@pytest.mark.parametrize("maps", [8, 16], ids=["8 maps", "16 maps"])
def test_prediction(benchmark, maps):
    learner = opened(maps)
    prepared = learner.prepare([frame_of(n) for n in range(100)])
    benchmark(learner.predict, prepared)
    print(f"\n{benchmark.stats['min'] / 100 * 1e6:.0f} us a presentation", end=" ")


def test_kl_steps(benchmark):
    learner = opened(8)
    for row in range(ROWS):
        learner.proxy_row(frame_of(row), address=0, row=row).commit()
    target, mask = np.full((ROWS, 10), 0.1), np.ones(ROWS, np.bool_)

    def run():
        learner.kl_step(address=0, target=target, mask=mask, alpha=1.0, steps=4).commit()

    benchmark(run)
    print(f"\n{benchmark.stats['min'] * 1e6:.0f} us for 4 steps on {ROWS} rows", end=" ")


@pytest.mark.parametrize("side", [16, 64])
def test_idle_neurons_cost_nothing(benchmark, side):
    learner = open_learner(
        SpikingSettings(), classes=10, width=side, height=side, streams=Streams(1), device="dev-1"
    )
    frame = frame_of(1)
    work = learner.proxy_row(frame, address=0, row=0)

    def run():
        nonlocal work
        work.discard()
        work = learner.proxy_row(frame, address=0, row=0)
        for _ in range(99):
            work.advance(1)

    benchmark(run)
