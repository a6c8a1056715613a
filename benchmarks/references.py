"""Learning rules on one small network and the same frames, tuned alike, paired seeds, as Markdown.

Run: ``SIMEDGE_DATA=FOLDER nice python benchmarks/references.py --out references.md --json
simedge/learning/rules/measured.json``. FOLDER has ``nmnist/{Train,Test}/...``; without it that
part is left out. One core, some minutes. The JSON has the accuracy of every seed, for the table of
`simedge rules`: run it on a clean tree, since it names the commit.

Test data are the same for all and are never used to choose anything. Constants are chosen one after
the other, each by the accuracy on a quarter of the training data, by one seed that is used for
nothing else: learning rate, then idle device ticks, then the weight of the other term. The rest of
the runs share a seed's split, order and first weights, so differences are paired.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simedge.learning.deep.references.draws import Draws
from simedge.learning.deep.references.settings import FRAME_RULES, Rule, Steps, Training, rule_of
from simedge.learning.deep.references.training import Data, train
from simedge.sensors.datasets.official import load_official
from simedge.sensors.table import INK, digits

__all__ = ["main"]

RULES = ("bptt", "s-tllr", "s-tllr-dfa", "tess", "e-prop", "bp", "dfa", "lls", "lls-m", "lls-mxm")
TUNING_SEED = 1000
SEEDS = (1, 2, 3, 4, 5)
RATES = {False: (2e-3, 5e-3, 1e-2), True: (1e-3, 3e-3, 1e-2)}
T95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
BOUND = -2.0
"""Points that a rule may lose."""


class Task(NamedTuple):
    """A data set, its held-out part, and how long everyone learns from it."""

    name: str
    learned: Data
    test: Data
    epochs: int


def digits_task(epochs):
    """The bundled digits, shown as a constant current; a fifth is held out."""
    table = digits()
    frames = (table.pictures[:, None] / INK).astype(np.float32)
    return held_out("digits", Data(frames, table.labels), 0.2, epochs=epochs)


def nmnist_task(root, epochs):
    """N-MNIST, counts in 10 bins of 17 x 17 cells; a quarter of Train joins Test as held out."""
    found = load_official(root, "nmnist", ticks=10, side=17)
    task = held_out("N-MNIST", Data(*found.train), 0.25, epochs=epochs)
    both = zip(task.test, found.test, strict=True)
    return task._replace(test=Data(*(np.concatenate(pair) for pair in both)))


def held_out(name, data, share, *, epochs):
    """Hold out a share, drawn once for all."""
    order = Draws(0).order("held-out", len(data.labels))
    count = round(share * len(order))
    test, learned = (Data(data.frames[o], data.labels[o]) for o in (order[:count], order[count:]))
    return Task(name, learned, test, epochs)


def training(task, rule, rate, *, seed, validation):
    """The one training that all rules get."""
    return Training(
        rule=rule,
        net="mlp",
        width=0.5,
        steps=Steps(optimiser="adam", rate=rate, schedule="cosine"),
        epochs=task.epochs,
        batch=32,
        ticks=10,
        seed=seed,
        validation=validation,
    )


def tuned(task, name):
    """Choose rate and constants on validation data alone; return them and how many were tried."""
    tried = {}

    def says(rule: Rule, rate):
        if (rule, rate) not in tried:
            wish = training(task, rule, rate, seed=TUNING_SEED, validation=0.25)
            unseen = Data(task.learned.frames[:1], task.learned.labels[:1])  # the test is not run
            tried[rule, rate] = train(*task.learned, wish, test=unseen).validation
        return tried[rule, rate]

    rule = rule_of(name)
    rate = max(RATES[name in FRAME_RULES], key=lambda r: says(rule, r))
    if name.startswith(("s-tllr", "tess")):
        rule = max((replace(rule, idle=n) for n in (0, 5)), key=lambda r: says(r, rate))
        posts = sorted((-1.0, 0.0, 1.0), key=lambda post: post != rule.alpha_post)
        rule = max((replace(rule, alpha_post=p) for p in posts), key=lambda r: says(r, rate))
    return rule, rate, len(tried)


def bounds(differences):
    """Return the mean and its 95 % interval, in points."""
    values = 100 * np.array(differences)
    half = T95[len(values)] * values.std(ddof=1) / math.sqrt(len(values))
    return values.mean(), values.mean() - half, values.mean() + half


def interval(differences):
    """Write the mean and its 95 % interval."""
    mean, low, high = bounds(differences)
    return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"


def verdict(name, differences, other):
    """Say whether a rule is within two points of another, falls short, or neither is shown."""
    _, low, high = bounds(differences)
    word = "is not shown to be within 2 points of"
    if low >= BOUND:
        word = "is within 2 points of"
    elif high < BOUND:
        word = "**falls short of**"
    return f"- `{name}` {word} {other}: {interval(differences)} points."


class Record:
    """Every figure of a run, as JSON; a file that is there is added to, task by task."""

    def __init__(self, path, seeds):
        self.path, self.held = path, {}
        if path is not None and path.exists():
            self.held = json.loads(path.read_text(encoding="utf-8"))
        git = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
        done = subprocess.run(git, capture_output=True, text=True, check=False)  # noqa: S603
        self.held |= {
            "program": "benchmarks/references.py",
            "commit": done.stdout.strip() or None,
            "seeds": list(seeds),
            "tuning_seed": TUNING_SEED,
            "settings": {
                "net": "mlp",
                "width": 0.5,
                "ticks": 10,
                "batch": 32,
                "optimiser": "adam",
                "schedule": "cosine",
            },
        }

    def add(self, task, name, found):
        """Note what a rule reached on a task."""
        tasks = self.held.setdefault("tasks", {})
        sizes = {"learned": len(task.learned.labels), "held_out": len(task.test.labels)}
        mine = tasks.setdefault(task.name, {"rules": {}})
        mine |= {**sizes, "epochs": task.epochs}
        mine["rules"][name] = found
        if self.path is not None:
            self.path.write_text(json.dumps(self.held, indent=1) + "\n", encoding="utf-8")


def compare(task, seeds, write, *, record):
    """Run all rules on a task and write its table and what follows from it."""
    sizes = f"{len(task.learned.labels)} to learn from (a tenth for validation)"
    write(f"\n### {task.name}: {sizes}, {len(task.test.labels)} held out, {task.epochs} epochs\n")
    write(
        "| rule | rate | idle | alpha_post | tried | accuracy, mean ± sd | minus bptt | minus bp |"
    )
    write("| --- | --: | --: | --: | --: | --- | --- | --- |")
    found, rows = {}, {}
    for name in RULES:
        rule, rate, tries = tuned(task, name)
        runs = [
            train(
                *task.learned,
                training(task, rule, rate, seed=seed, validation=0.1),
                test=task.test,
            ).test
            for seed in seeds
        ]
        found[name] = np.array(runs)
        chosen = {"rate": rate, "idle": rule.idle, "alpha_post": rule.alpha_post, "tried": tries}
        record.add(task, name, {**chosen, "accuracies": [round(float(run), 6) for run in runs]})
        own = name.startswith(("s-tllr", "tess"))
        rows[name] = f"| {name} | {rate:g} | " + (
            f"{rule.idle} | {rule.alpha_post:+g} | {tries} | " if own else f"- | - | {tries} | "
        )
        print(
            f"{task.name} {name} {np.round(runs, 4)} {time.process_time():.0f} s", file=sys.stderr
        )
    for name in RULES:
        values = found[name]
        others = [
            "" if name == other else interval(values - found[other]) for other in ("bptt", "bp")
        ]
        spread = f"{100 * values.mean():.1f} ± {100 * values.std(ddof=1):.1f}"
        write(f"{rows[name]}{spread} | {others[0]} | {others[1]} |")
    write("")
    for name in ("s-tllr", "s-tllr-dfa", "tess"):
        write(verdict(name, found[name] - found["bptt"], "`bptt`"))
    for name in ("lls", "lls-m", "lls-mxm"):
        write(verdict(name, found[name] - found["bp"], "`bp`"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="else stdout")
    parser.add_argument("--json", type=Path, help="file of all figures")
    parser.add_argument("--epochs", type=int, nargs=2, default=(8, 20), help="digits, N-MNIST")
    parser.add_argument("--seeds", type=int, default=5, choices=range(2, 6))
    parser.add_argument("--only", choices=("digits", "nmnist"))
    wish = parser.parse_args()
    lines = []

    def write(line):
        lines.append(line)
        if wish.out is None:
            print(line, flush=True)
        else:
            wish.out.write_text("\n".join(lines) + "\n", encoding="utf-8")

    seeds = SEEDS[: wish.seeds]
    record = Record(wish.json, seeds)
    if wish.only != "nmnist":
        compare(digits_task(wish.epochs[0]), seeds, write, record=record)
    root = Path(os.environ.get("SIMEDGE_DATA", "")) / "nmnist"
    if wish.only != "digits":
        if "SIMEDGE_DATA" in os.environ and root.is_dir():
            compare(nmnist_task(root, wish.epochs[1]), seeds, write, record=record)
        else:
            write("\nN-MNIST is left out: SIMEDGE_DATA names no folder with nmnist/.")
    print(f"{time.process_time():.0f} s of processor time", file=sys.stderr)


if __name__ == "__main__":
    main()
