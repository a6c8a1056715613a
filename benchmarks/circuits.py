"""What recurrent spiking layers learn by three factors: three tasks, controls, width and traffic.

Run: ``python benchmarks/circuits.py temporal``, or with ``--data FOLDER`` also ``nmnist`` and
``motions``; the folder holds ``nmnist/Train``, ``nmnist/Test`` and ``biosignals/BasicMotions``.
Everything runs on the package's own learner, frame after frame, in one process. All arms of a seed
see the same frames in the same order, equally often. Prints Markdown.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simedge.core.streams import Streams
from simedge.learning.learner import open_learner
from simedge.learning.settings import (
    CircuitSettings,
    CountReadoutSettings,
    FieldInputs,
    LifReadoutSettings,
    MicrocircuitSettings,
    ThreeFactorSettings,
)
from simedge.sensors.nmnist_file import read_nmnist
from simedge.sensors.series_encoder import fit
from simedge.sensors.series_source import read_series
from simedge.sensors.settings import LevelEncoderSettings, TemporalSettings
from simedge.sensors.temporal import TemporalSensor

__all__ = ["main"]

MS = 1_000_000
WORD_BITS = 32


@dataclass
class Task:
    """Frames to learn and to be tested on."""

    settings: CircuitSettings
    train: list
    test: list
    shape: tuple
    classes: int
    span_ms: int
    epochs: int = 1
    warm: int = 0


@dataclass
class Shown:
    label: int
    x: np.ndarray
    y: np.ndarray
    t_us: np.ndarray
    p: np.ndarray


def temporal(seed, data):
    sensor = TemporalSensor(TemporalSettings(rate="8 Hz"), seed)
    layer = MicrocircuitSettings()
    settings = CircuitSettings(
        polarity="merged",
        layers=(layer, layer),
        rule=ThreeFactorSettings(kind="three-factor", rate=0.1),
        readout=LifReadoutSettings(),
    )
    frames = sensor.frames("cam-1", 0, 1200)
    test = list(sensor.evaluation(300, shifted=False))
    return Task(settings, frames, test, (8, 8), 4, 100)


def nmnist(seed, data):
    def part(name):
        paths = sorted((data / "nmnist" / name).glob("*/*.bin"))
        return [folded(read_nmnist(path), int(path.parent.name)) for path in paths]

    layer = MicrocircuitSettings(neurons=200, inputs=FieldInputs(size=7))
    settings = CircuitSettings(
        layers=(layer,),
        rule=ThreeFactorSettings(kind="three-factor", rate=0.03, eligibility="300 ms"),
        readout=CountReadoutSettings(normalise="length"),
    )
    return Task(settings, part("Train"), part("Test"), (17, 17), 10, 310, epochs=12, warm=1)


def folded(events, label):
    kept = events.t_us < 310_000
    x, y, t_us, p = (column[kept] for column in events)
    return Shown(label, (x // 2).astype(np.uint16), (y // 2).astype(np.uint16), t_us, p)


def motions(seed, data):
    found = read_series(str(data / "biosignals" / "BasicMotions"), None)
    encoder = fit(LevelEncoderSettings(), found.recordings[: found.train])
    shown = []
    for recording in found.recordings:
        seconds = 0.003 * np.arange(recording.values.shape[1])
        events = encoder.encode(seconds, recording.values)
        shown.append(Shown(found.classes.index(recording.label), *events))
    settings = CircuitSettings(
        layers=(MicrocircuitSettings(),),
        rule=ThreeFactorSettings(kind="three-factor", rate=0.03, eligibility="300 ms"),
        readout=CountReadoutSettings(normalise="share"),
    )
    shape = (len(found.channels), encoder.height)
    parts = shown[: found.train], shown[found.train :]
    return Task(settings, *parts, shape, len(found.classes), 300, epochs=20, warm=10)


def opened(task, seed, *, rule, readout):
    settings = task.settings.model_copy(
        update={
            "rule": task.settings.rule.model_copy(update=rule),
            "readout": task.settings.readout.model_copy(update=readout),
        }
    )
    width, height = task.shape
    return open_learner(
        settings, classes=task.classes, width=width, height=height, streams=Streams(seed),
        device="dev-1", span_ns=task.span_ms * MS,
    )  # fmt: skip


def measured(task, seed, arm):
    """Return accuracy on the test items, and signals, bits and decisions of one arm."""
    words = np.random.Generator(np.random.Philox(seed))
    rule = {"rate": 0.0} if arm == "readout only" else {}
    rule |= {"width": int(arm[2:])} if arm.startswith("d=") else {}
    learner = opened(task, seed, rule=rule, readout={})
    shown = learner.prepare(task.train)
    orders = [words.permutation(len(task.train)) for _ in range(task.warm + task.epochs)]
    if task.warm:
        still = opened(task, seed, rule={"rate": 0.0}, readout={"rate": 0.0})
        for order in orders[: task.warm]:
            for n in order:
                still.learn(task.train[n], shown=(shown, n)).commit()
        learner.load(still.dump())
    signals = sent = decisions = 0
    for order in orders[task.warm :]:
        for n in order:
            if arm == "permuted":
                learner.shop.feedback = permuted(learner.shop.body.feedback, words)
            work = learner.learn(task.train[n], shown=(shown, n))
            work.commit()
            signals += work.counts.modulator_bytes > 0
            sent += 8 * work.counts.modulator_bytes
            decisions += 1
    labels = [frame.label for frame in task.test]
    right = learner.predict(learner.prepare(task.test)) == labels
    neurons = sum(learner.shop.body.sizes)
    return right.mean(), signals / decisions, sent / decisions, WORD_BITS * neurons


def permuted(feedback, words):
    """Deal the rows of B to other neurons, of all layers."""
    rows = words.permutation(np.concatenate(feedback))
    return tuple(np.split(rows, np.cumsum([len(part) for part in feedback])[:-1]))


TASKS = {"temporal": temporal, "nmnist": nmnist, "motions": motions}


def main():
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("task", choices=TASKS)
    asked.add_argument("--data", type=Path)
    asked.add_argument("--seeds", type=int, default=5)
    asked.add_argument("--arms", default="full,readout only,permuted")
    asked.add_argument("--epochs", type=int)
    given = asked.parse_args()
    seeds = range(given.seeds)
    heads = " | ".join(f"seed {seed}" for seed in seeds)
    print(f"| arm | {heads} | mean | signals | bits a frame | back-propagation | s a seed |")
    print("| --- |" + " --: |" * (given.seeds + 5), flush=True)
    for arm in given.arms.split(","):
        begun, found = time.process_time(), []
        for seed in seeds:
            task = TASKS[given.task](seed, given.data)
            task.epochs = given.epochs or task.epochs
            found.append(measured(task, seed, arm))
        right, signals, sent, bits = np.array(found).T
        values = " | ".join(f"{value:.3f}" for value in right)
        took = (time.process_time() - begun) / given.seeds
        print(
            f"| {arm} | {values} | {right.mean():.3f} | {signals.mean():.0%} | {sent.mean():.0f} | "
            f"{bits[0]:.0f} | {took:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
