"""How much does a small network forget of its tasks: plain, with CODE-CL, with LANCE?

Run: ``python benchmarks/continual.py [classes|permuted|signs] [--seeds 5] [--tune] [--data FILE]``.
A network of two hidden layers in numpy learns five tasks one after another by plain SGD, with one
head a task; a task is never seen again. `classes`: two of the bundled digits' classes a task;
`permuted`: all ten digits, each task with its own order of pixels; `signs`: two classes a task of
the Sign Language Digits (FILE: an .npz of `frames`, `labels`, `person`), nobody in two parts.
``--tune`` chooses the step and each arm's settings by accuracy on validation items, on seeds of its
own; no other run reads those items, and no tuning reads test items.
"""

import argparse
import itertools
import time
from typing import NamedTuple

import numpy as np

from simedge.core.streams import Streams, normals
from simedge.learning.continual.code_cl import CodeLayer
from simedge.learning.continual.costs import words_of
from simedge.learning.continual.metrics import (
    backward_transfer,
    forgetting,
    forward_gain,
    forward_transfer,
    mean_accuracy,
)
from simedge.learning.continual.settings import CodeSettings, LanceSettings
from simedge.learning.continual.streams import class_tasks, order_of, permuted_tasks, split_groups
from simedge.learning.continual.subspaces import LanceLayer
from simedge.learning.rules.delta import softmax
from simedge.sensors.table import cast_roles, digits

TASKS, HIDDEN, BATCH, SHOWN = 5, 100, 8, 125
EPOCHS = {"classes": 30, "permuted": 10, "signs": 30}
TUNING_SEEDS = (101, 102, 103)
ARMS = ("plain", "code-cl", "lance")
RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
CODE_GRID = tuple(itertools.product((2.0, 4.0, 8.0), (0.0, 0.95), (0, 20)))
LANCE_GRID = (0.9, 0.95, 0.97, 0.99, 0.995)


class Wish(NamedTuple):
    """Settings of one arm."""

    arm: str
    rate: float
    settings: object = None


class Data(NamedTuple):
    """Features (N, d), labels, tasks, and numbers of items by part."""

    features: np.ndarray
    labels: np.ndarray
    tasks: tuple
    train: np.ndarray
    check: np.ndarray
    test: np.ndarray
    epochs: int


def load(stream, seed, file):
    """Return the data of one seed: which items are for what, and which classes go together."""
    streams = Streams(seed)
    deal = streams.stream("learner", "tasks", "deal")
    if stream == "signs":
        held = np.load(file)
        frames = held["frames"].astype(float)
        features = frames.reshape(-1, 16, 2, 16, 2).mean((2, 4)).reshape(-1, 256) / 255.0
        features -= features.mean(1, keepdims=True)
        labels = held["labels"].astype(np.int64)
        people = streams.stream("learner", "people", "split")
        test, check, train = split_groups(held["person"], (0.2, 0.2), people)
    else:
        table = digits()
        features, labels = table.pictures.reshape(-1, 64) / 16.0, table.labels
        roles = cast_roles(streams, labels)
        parts = (roles.train, roles.proxy, roles.test)
        train, check, test = (np.sort(np.concatenate(part)) for part in parts)
    permuted = stream == "permuted"
    tasks = (
        permuted_tasks(10, TASKS, deal, features=64) if permuted else class_tasks(10, TASKS, deal)
    )
    return Data(features, labels, tasks, train, check, test, EPOCHS[stream])


class Unguarded:
    """A layer that protects nothing."""

    def begin(self, _inputs):
        return None

    finish = begin
    state_bytes = 0


def guard_of(wish, inputs, stream):
    """Return what protects one layer."""
    match wish.arm:
        case "code-cl":
            return CodeLayer(inputs, wish.settings, stream)
        case "lance":
            return LanceLayer(inputs, wish.settings)
    return Unguarded()


def with_one(rows):
    """Append the constant input whose weights are the bias."""
    return np.hstack([rows, np.ones((len(rows), 1))])


class Net:
    """Two hidden layers of rectified units, and a head for each task."""

    def __init__(self, wish, data, seed):
        streams = Streams(seed)
        self.wish, self.data, self.streams = wish, data, streams
        sizes = (data.features.shape[1] + 1, HIDDEN + 1)
        self.weights, self.guards = [], []
        for number, size in enumerate(sizes, 1):
            name = f"layer-{number}"
            words = streams.stream("learner", name, "weights").block(-(-HIDDEN * size // 4))
            drawn = normals(words[: HIDDEN * size]).reshape(HIDDEN, size)
            self.weights.append(drawn * np.sqrt(2.0 / size))
            free = streams.stream("learner", name, "free")
            self.guards.append(guard_of(wish, size, free))
        self.heads = [np.zeros((len(task.classes), HIDDEN + 1)) for task in data.tasks]
        self.macs = 0

    def forward(self, rows, task):
        """Return the inputs of both layers and of the head."""
        inputs = [with_one(rows)]
        for number in range(2):
            held = self.effective(number, task)
            inputs.append(with_one(np.maximum(inputs[-1] @ held.T, 0.0)))
        return inputs

    def effective(self, number, task):
        """Return the weights that a layer answers a task with; one not begun has the bare ones."""
        guard, weights = self.guards[number], self.weights[number]
        if isinstance(guard, CodeLayer) and task < self.begun:
            return guard.effective(weights, task)
        return weights

    begun = 0

    def shown(self, task, items):
        """Return up to 125 inputs of every layer, as boundaries of tasks see them."""
        view = self.data.tasks[task].seen(self.data.features[items[:SHOWN]])
        return self.forward(view, task)[:2]

    def learn(self, task):
        """Learn one task from beginning to end."""
        data, own = self.data, self.data.tasks[task]
        items = own.items(data.labels, data.train)
        order = self.streams.stream("learner", f"task-{task}", "order")
        items = items[order_of(order, len(items))]
        begun = [
            guard.begin(x) for guard, x in zip(self.guards, self.shown(task, items), strict=True)
        ]
        free = begun if self.wish.arm == "code-cl" else [None, None]
        self.begun = task + 1
        features, targets = own.seen(data.features[items]), own.targets(data.labels[items])
        for epoch in range(data.epochs):
            turn = order_of(order, len(items), turn=epoch + 1)
            for first in range(0, len(items), BATCH):
                batch = turn[first : first + BATCH]
                self.step(features[batch], targets[batch], task=task, free=free)
        for guard, x in zip(self.guards, self.shown(task, items), strict=True):
            guard.finish(x)

    def step(self, rows, targets, *, task, free):
        """Take one step of SGD down the mean cross entropy of a batch."""
        inputs, rate = self.forward(rows, task), self.wish.rate
        error = softmax(inputs[2] @ self.heads[task].T)
        error[np.arange(len(targets)), targets] -= 1.0
        error /= len(targets)
        back = error @ self.heads[task]
        self.heads[task] -= rate * error.T @ inputs[2]
        for number in (1, 0):
            post = back[:, :-1] * (inputs[number + 1][:, :-1] > 0)
            back = post @ self.effective(number, task)
            self.move(number, post, inputs[number], free=free[number])

    def move(self, number, post, pre, *, free):
        """Let one layer learn post ⊗ pre."""
        guard, weights, rate = self.guards[number], self.weights[number], self.wish.rate
        if isinstance(guard, LanceLayer):
            weights -= rate * guard.gradient(post, guard.keep(pre))
            return
        gradient = post.T @ pre
        if free is not None:
            gradient, mix = free.gradients(weights, gradient)
            free.mix -= rate * mix
        weights -= rate * (guard.project(gradient) if isinstance(guard, CodeLayer) else gradient)

    def accuracies(self, among):
        """Return the share of right answers on each task."""
        data, found = self.data, []
        for number, task in enumerate(data.tasks):
            items = task.items(data.labels, among)
            last = self.forward(task.seen(data.features[items]), number)[2]
            said = (last @ self.heads[number].T).argmax(1)
            found.append((said == task.targets(data.labels[items])).mean())
        return found


def table_of(wish, data, *, seed, part):
    """Learn all tasks in turn; return the accuracies after each, those at first, and the net."""
    net = Net(wish, data, seed)
    initial, rows = net.accuracies(part), []
    for task in range(len(data.tasks)):
        net.learn(task)
        rows.append(net.accuracies(part))
    return np.array(rows), initial, net


def alone(wish, data, seed):
    """Return the accuracy on each task of a network that learns nothing else."""
    found = []
    for task in range(len(data.tasks)):
        net = Net(wish, data, seed)
        net.learn(task)
        found.append(net.accuracies(data.test)[task])
    return found


def grid(arm):
    """Return the settings that are tried for one arm, its defaults first."""
    if arm == "code-cl":
        some = [CodeSettings(aperture=a, energy=e, free=k) for a, e, k in CODE_GRID]
        return [CodeSettings(), *some]
    lances = [LanceSettings(), *(LanceSettings(energy=e) for e in LANCE_GRID)]
    return lances if arm == "lance" else [None]


def tune(stream, file):
    """Print what is best on validation items: the step with defaults, then settings with it."""
    held = {seed: load(stream, seed, file) for seed in TUNING_SEEDS}

    def tried(wish):
        tables = [
            table_of(wish, data, seed=seed, part=data.check)[0] for seed, data in held.items()
        ]
        accuracy = np.mean([mean_accuracy(table) for table in tables])
        lost = np.mean([forgetting(table) for table in tables])
        print(f"{accuracy:.4f} forgets {lost:.4f} {wish}", flush=True)
        return accuracy

    for arm in ARMS:
        first, *others = grid(arm)
        found = [(tried(wish), wish) for wish in (Wish(arm, rate, first) for rate in RATES)]
        rate = max(found, key=lambda one: one[0])[1].rate
        found += [(tried(wish), wish) for wish in (Wish(arm, rate, other) for other in others)]
        print("best:", max(found, key=lambda one: one[0]), flush=True)


CHOSEN = {
    "classes": (
        Wish("plain", 0.005),
        Wish("plain", 0.2),
        Wish("code-cl", 0.2, CodeSettings()),
        Wish("code-cl", 0.2, CodeSettings(aperture=4.0, free=0)),
        Wish("lance", 0.02, LanceSettings()),
    ),
    "permuted": (
        Wish("plain", 0.01),
        Wish("plain", 0.2),
        Wish("code-cl", 0.2, CodeSettings(aperture=2.0, free=0)),
        Wish("lance", 0.2, LanceSettings()),
    ),
    "signs": (
        Wish("plain", 0.01),
        Wish("plain", 0.2),
        Wish("code-cl", 0.2, CodeSettings(aperture=8.0, energy=0.0, free=0)),
        Wish("lance", 0.2, LanceSettings(energy=0.99)),
    ),
}
"""What tuning found; plain training with the step that suits protected training; and for `classes`,
where a task with 80 free dimensions has a whole layer of 65 inputs of its own, none of them."""


MEASURES = ("forgetting", "backward", "accuracy", "forward", "gain", "kept_bytes", "weights_bytes")


def measured(wish, stream, seeds, *, file=None):
    """Return what one arm came to, a list over seeds of each of `MEASURES`."""
    rows = []
    for seed in range(1, seeds + 1):
        data = load(stream, seed, file)
        table, initial, net = table_of(wish, data, seed=seed, part=data.test)
        single = alone(Wish("plain", wish.rate), data, seed)
        measures = [measure(table) for measure in (forgetting, backward_transfer, mean_accuracy)]
        measures += [forward_transfer(table, initial), forward_gain(table, single)]
        measures += [sum(g.state_bytes for g in net.guards), words_of(*net.weights)]
        rows.append([round(float(measure), 6) for measure in measures])
    return dict(zip(MEASURES, map(list, zip(*rows, strict=True)), strict=True))


def report(stream, seeds, file):
    """Print the table of one stream of tasks."""
    heads = "step | forgetting | of plain's | BWT | ACC | FWT before | FWT when learned"
    print(f"| arm | {heads} | kept B | weights B | s a seed |\n|---|{'--:|' * 10}")
    base, by_seed = None, []
    for wish in CHOSEN[stream]:
        began = time.process_time()
        found = measured(wish, stream, seeds, file=file)
        spent = (time.process_time() - began) / seeds
        mean = [np.mean(found[name]) for name in MEASURES]
        spread = [np.std(found[name], ddof=1) for name in MEASURES]
        base = base or mean[0]
        told = [f"{m:.3f} ± {s:.3f}" for m, s in zip(mean[:5], spread[:5], strict=True)]
        told.insert(1, f"{mean[0] / base:.2f}")
        told += [f"{mean[5]:.0f}", f"{mean[6]:.0f}", f"{spent:.1f}"]
        print(f"| {wish.arm} | {wish.rate} | {' | '.join(told)} |", flush=True)
        by_seed.append(
            f"{wish.arm} {wish.rate}: {[round(lost, 3) for lost in found['forgetting']]}"
        )
    print("\nForgetting by seed: " + "; ".join(by_seed))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stream", nargs="?", default="classes", choices=CHOSEN)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--data", help="file of the sign digits")
    wish = parser.parse_args()
    if wish.tune:
        tune(wish.stream, wish.data)
    else:
        report(wish.stream, wish.seeds, wish.data)


if __name__ == "__main__":
    main()
