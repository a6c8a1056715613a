"""Randomised schedules of faults on small worlds of three protocols: every law, in every run.

Run: ``python benchmarks/schedules.py [--runs 10000] [--jobs 2] [--seed 1]``. A run is a few seconds
of virtual time of three to five devices with surrogate learners; which faults it has depends on its
number and the seed alone, so a slice (``--first 300 --runs 300``) is a part of the whole. What
breaks a law is shrunk and printed as a scenario, and the program ends with 1.
"""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from simedge.run.scenario import Scenario
from simedge.testing.hunt import plan, scenario_text
from simedge.testing.shrink import shrink
from simedge.testing.trial import Outcome, changed, trial

__all__ = ["main"]

_WORLD = """
simedge: 1
name: schedules-{kind}
seed: 1
duration: 2 s
sensors: {{kind: poisson, size: 8, rate: 8 Hz, proxy: {{blocks: 2, rows: 2}}}}
devices: [{{id: box, count: {count}, compute: cpu-large, memory: 2 GiB}}]
topology: {{kind: {topology}}}
links: {{default: {{profile: wifi-air, loss: {{kind: bernoulli, mean: 10%}}}}}}
learner: {{kind: surrogate}}
protocol: {protocol}
evaluate: {{every: 1 min, items: 10}}
"""
_ELAL = (
    "{kind: elal, interval: 2, prior_period: 300 ms, report_period: 500 ms, have_period: 700 ms, "
    "policy: {kind: fixed}}"
)
_KINDS = (
    ("elal", "star", _ELAL),
    ("gossip", "ring", "{kind: gossip, interval: 2}"),
    ("draco", "complete", "{kind: draco, interval: 2}"),
)
_COUNTS = (3, 4, 5)


@dataclass(frozen=True, slots=True)
class _Task:
    """One schedule: its number, and the seed of all of them."""

    index: int
    seed: int


def world(index: int, seed: int) -> Scenario | None:
    """Return the scenario of a schedule; None if its faults make none."""
    kind, topology, protocol = _KINDS[index % len(_KINDS)]
    count = _COUNTS[index // len(_KINDS) % len(_COUNTS)]
    bare = Scenario.parse(
        _WORLD.format(kind=kind, count=count, topology=topology, protocol=protocol)
    )
    return changed(bare, plan(bare, seed, index))


def tried(task: _Task) -> Outcome | None:
    """Run one schedule and ask all laws."""
    made = world(task.index, task.seed)
    return None if made is None else trial(made)


def main() -> int:
    """Try schedules; print how many, how long it took, and what broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("runs", 10_000), ("first", 0), ("jobs", 2), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    tasks = [_Task(given.first + i, given.seed) for i in range(given.runs)]
    began_s = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(given.jobs, mp_context=context) as pool:
        outcomes = list(pool.map(tried, tasks, chunksize=16))
    wall_s = time.monotonic() - began_s
    able = [(task, one) for task, one in zip(tasks, outcomes, strict=True) if one is not None]
    broken = [(task, one) for task, one in able if one.broken]
    laws = Counter(str(one.broken) for _, one in broken)
    last = given.first + given.runs - 1
    print(f"seed {given.seed}, schedules {given.first} to {last}, {given.jobs} processes")
    print(f"{len(able)} runs in {wall_s:.0f} s; {len(tasks) - len(able)} made no scenario")
    print(f"{len(broken)} broke a law" + "".join(f"\n  {law}: {n}" for law, n in laws.items()))
    for law in laws:
        _tell(next((task, one) for task, one in broken if one.broken == law))
    return 1 if broken else 0


def _tell(found: tuple[_Task, Outcome]) -> None:
    """Print the smallest world in which the law breaks that a schedule broke."""
    task, outcome = found
    whole = world(task.index, task.seed)
    assert whole is not None, "a schedule that was run has a world"
    smallest, last = shrink(whole, outcome, trial)
    print(f"\nschedule {task.index} of seed {task.seed}: {last.said}\n{scenario_text(smallest)}")


if __name__ == "__main__":
    sys.exit(main())
