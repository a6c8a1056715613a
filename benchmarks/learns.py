"""What the learner and the protocol are worth: arms of a scenario on paired seeds, as Markdown.

Run: ``python benchmarks/learns.py --jobs 2 --out learns.md``. Every arm runs up to the shift with
the same seeds, so with the same devices, digits and losses; differences are paired by seed. The
accuracy is that on held-out items, before the shift, mean over devices. ``--recovery`` adds whole
runs. ``--store FILE`` keeps every value, so that a run that was stopped goes on where it was; it
knows scenarios, not code: delete it when the code has changed.
"""

import argparse
import json
import math
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import simedge

__all__ = ["main"]

BASE = "scenario"
# Two-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom; beyond them 2.
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160)


def shares(share):
    """Return the changes that fix the Hebbian share."""
    return {"learner.rule.lambda": share, "protocol.policy": {"kind": "fixed", "lambda": share}}


LINEAR = {"learner": {"kind": "linear"}}
ISOLATED = {"protocol.kind": "isolated"}
FROZEN = {"learner.rule": {"kind": "delta"}}
# What random features of this scenario did best with, found on seeds 1 and 2.
BEST_FROZEN = {
    "learner.layers": [
        {
            "kind": "conv",
            "maps": 8,
            "kernel": 7,
            "stride": 3,
            "inhibition": 4,
            "threshold": 0.5,
            "homeostasis": {"rate": 0},
        }
    ]
}
ARMS = {
    BASE: {},
    "linear": LINEAR,
    "isolated": ISOLATED,
    "isolated, linear": ISOLATED | LINEAR,
    "frozen random features": FROZEN,
    "frozen, best threshold and inhibition": FROZEN | BEST_FROZEN,
    "lambda 0": shares(0),
    "lambda 0.5": shares(0.5),
    "lambda 1": shares(1),
    "policy reinforce": {"protocol.policy": {"kind": "reinforce"}},
    "confidence none": {"protocol.confidence": "none"},
    "sharpen 2": {"protocol.sharpen": 2},
    "kl_steps 2": {"protocol.kl_steps": 2},
    "kl_steps 4": {"protocol.kl_steps": 4},
    "kl_blocks passed": {"protocol.kl_blocks": "passed"},
    "interval 8": {"protocol.interval": 8},
    "interval 32": {"protocol.interval": 32},
}
# First minus second, in a table of their own.
PAIRS = (
    (BASE, "linear"),
    (BASE, "isolated"),
    (BASE, "frozen random features"),
    (BASE, "frozen, best threshold and inhibition"),
    ("linear", "isolated, linear"),
)
WHOLE = (BASE, "isolated")


@dataclass(frozen=True)
class Job:
    """One run: an arm, a seed, and whether it goes on after the shift."""

    arm: str
    seed: int
    whole: bool


def main(words=None):
    """Run the arms and print the tables."""
    asked = options(words)
    arms = [arm for arm in ARMS if not asked.arms or arm in asked.arms]
    jobs = [Job(arm, seed, False) for seed in asked.seeds for arm in arms]
    if asked.recovery:
        jobs += [Job(arm, seed, True) for seed in asked.seeds for arm in WHOLE]
    found = results(jobs, asked)
    text = document(found, arms, asked)
    print(text)
    if asked.out is not None:
        asked.out.write_text(text + "\n", encoding="utf-8")


def options(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", default="k20_lossy")
    parser.add_argument("--arms", nargs="+", choices=ARMS, metavar="ARM", help=", ".join(ARMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--items", type=int, default=300, help="held-out items an evaluation")
    parser.add_argument("--recovery", action="store_true", help="whole runs as well")
    parser.add_argument("--store", type=Path, metavar="FILE", help="keep values, one JSON a line")
    parser.add_argument("--out", type=Path, metavar="FILE.md")
    return parser.parse_args(words)


def scenario_of(job, asked):
    """Return the scenario of a job; those that stop at the shift are evaluated only there."""
    base = simedge.load(asked.scenario)
    shift_ns = base.sensors.shift.at
    changes = {"record.events": False, "evaluate.items": asked.items}
    if not job.whole:
        changes |= {"duration": f"{shift_ns} ns", "evaluate.every": f"{shift_ns} ns"}
    return base.vary(changes | ARMS[job.arm] | {"seed": job.seed})


def results(jobs, asked):
    """Return {job: values}, from the store or from runs; every value is stored at once."""
    scenarios = {job: scenario_of(job, asked) for job in jobs}
    known = read(asked.store)
    keys = {key_of(job, scenarios[job]): job for job in reversed(jobs)}
    todo = [job for job in jobs if key_of(job, scenarios[job]) not in known]
    todo = [job for job in todo if keys[key_of(job, scenarios[job])] == job]
    with ProcessPoolExecutor(asked.jobs) as pool:
        runs = pool.map(measure, [scenarios[job] for job in todo])
        for number, (job, values) in enumerate(zip(todo, runs, strict=True), 1):
            known[key_of(job, scenarios[job])] = values
            append(asked.store, key_of(job, scenarios[job]), values)
            print(
                f"{number}/{len(todo)} {job.arm}, seed {job.seed}: {values['before_shift']:.4f}, "
                f"{values['wall_s']:.1f} s",
                file=sys.stderr,
                flush=True,
            )
    return {job: known[key_of(job, scenarios[job])] for job in jobs}


def key_of(job, scenario):
    # Arms may be equal to one another: the resolved scenario names the run, not the arm.
    return f"{scenario.hash8}-s{job.seed}"


def read(store):
    if store is None or not store.exists():
        return {}
    lines = store.read_text(encoding="utf-8").splitlines()
    return {entry["key"]: entry["values"] for entry in map(json.loads, lines)}


def append(store, key, values):
    if store is not None:
        with store.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "values": values}) + "\n")


def measure(scenario):
    """Run one scenario; return the values that tables are made of."""
    began = time.process_time()
    summary = simedge.simulate(scenario).summary
    accuracy = summary["accuracy"]
    return {
        "before_shift": accuracy["before_shift"],
        "final": accuracy["final"],
        "curve": accuracy["curve"],
        "recovery_s": summary["convergence"]["recovery_s"],
        "bits": summary["communication"]["bits_up"] + summary["communication"]["bits_down"],
        "spikes": summary["counts"]["spikes"],
        "synaptic_events": summary["counts"]["synaptic_events"],
        "wall_s": summary["wall_s"],
        "cpu_s": time.process_time() - began,
    }


def document(found, arms, asked):
    """Return all tables."""
    by_arm = {
        arm: np.array([found[Job(arm, seed, False)]["before_shift"] for seed in asked.seeds])
        for arm in arms
    }
    parts = [arms_table(by_arm, asked)]
    if pairs := [pair for pair in PAIRS if all(arm in by_arm for arm in pair)]:
        parts.append(pairs_table(by_arm, pairs))
    if asked.recovery:
        parts.append(recovery_table(found, asked))
    return "\n\n".join(parts)


def arms_table(by_arm, asked):
    heads = ["arm", "mean", f"minus {BASE}", *(f"seed {seed}" for seed in asked.seeds)]
    rows = []
    for arm, values in by_arm.items():
        against = "" if arm == BASE or BASE not in by_arm else interval(values - by_arm[BASE])
        rows.append([arm, f"{values.mean():.3f}", against, *(f"{value:.3f}" for value in values)])
    return table(heads, rows)


def pairs_table(by_arm, pairs):
    rows = []
    for first, second in pairs:
        gain = by_arm[first] - by_arm[second]
        rows.append([f"{first} - {second}", interval(gain), *(f"{value:+.3f}" for value in gain)])
    count = len(next(iter(by_arm.values())))
    return table(["paired difference", "mean", *[""] * count], rows)


def recovery_table(found, asked):
    shift_s = simedge.load(asked.scenario).sensors.shift.at / 1e9
    heads = ["arm", "seed", "before", "at the shift", "+10 s", "+20 s", "end", "recovery"]
    rows = []
    for arm in WHOLE:
        for seed in asked.seeds:
            values = found[Job(arm, seed, True)]
            curve = dict(values["curve"])
            after = [curve.get(shift_s + wait, math.nan) for wait in (0, 10, 20)]
            took = values["recovery_s"]
            figures = [values["before_shift"], *after, values["final"]]
            rows.append(
                [arm, str(seed)]
                + [f"{figure:.3f}" for figure in figures]
                + ["not reached" if took is None else f"{took:g} s"]
            )
    return table(heads, rows)


def interval(gain):
    """Return a mean with its 95 % interval by Student's t."""
    if len(gain) < 2:
        return f"{gain.mean():+.3f}"
    quantile = T95[len(gain) - 2] if len(gain) - 2 < len(T95) else 2.0
    return f"{gain.mean():+.3f} ± {quantile * gain.std(ddof=1) / math.sqrt(len(gain)):.3f}"


def table(heads, rows):
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


if __name__ == "__main__":
    main()
