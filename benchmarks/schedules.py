"""Randomised schedules of faults on small worlds of three protocols: every law, in every run.

Run: ``python benchmarks/schedules.py [--runs 10000] [--jobs 2] [--seed 1]``. A run is a few seconds
of virtual time of three to five devices with surrogate learners; which faults it has depends on its
number and the seed alone, so a slice (``--first 300 --runs 300``) is a part of the whole. In runs
of `elal` links lose nothing but by faults, and those are over early: most of these runs are long
enough for the law of liveness, and the program says how many. They end when it has its answer, all
having heard, or else go on until its bound. What breaks a law is shrunk and printed as a scenario,
and the program ends with 1.
"""

import argparse
import gc
import multiprocessing
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache

from simedge.run.eventlog import LogRecord
from simedge.run.result import Result
from simedge.run.scenario import Scenario
from simedge.run.sense import device_names
from simedge.run.simulate import Run, simulate
from simedge.testing.hunt import plan, scenario_text
from simedge.testing.liveness import asked, astray, unheard
from simedge.testing.shrink import shrink
from simedge.testing.trial import Outcome, changed, trial

__all__ = ["main"]

_WORLD = """
simedge: 1
name: schedules-{kind}
seed: 1
duration: {faults_before}
sensors: {{kind: poisson, size: 8, rate: {rate} Hz, proxy: {{blocks: 2, rows: 2}}}}
devices: [{{id: box, count: {count}, compute: cpu-large, memory: 2 GiB}}]
topology: {{kind: {topology}}}
links: {{default: {{profile: wifi-air, loss: {loss}}}}}
learner: {{kind: surrogate}}
protocol: {protocol}
evaluate: {{every: 1 min, items: 10}}
"""
_ELAL = (
    "{kind: elal, interval: 1, prior_period: 400 ms, report_period: 800 ms, have_period: 800 ms, "
    "policy: {kind: fixed}}"
)
_LEAST_NS = 2_000_000_000
"""No run is shorter."""
_SLICE_RECORDS = 32
_LOSSY = "{kind: bernoulli, mean: 10%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """A protocol, and the world in which its schedules are tried."""

    name: str
    topology: str
    protocol: str
    loss: str = _LOSSY
    rate: int = 6
    counts: tuple[int, int, int] = (3, 4, 5)
    faults_before: str = "2 s"
    """When the last begins; none lasts longer."""
    duration: str = "2 s"

    @cache  # noqa: B019 -- there are three of them
    def bare(self, count: int) -> Scenario:
        """Return the world without faults, as long as faults may begin."""
        return Scenario.parse(
            _WORLD.format(
                kind=self.name,
                count=count,
                topology=self.topology,
                protocol=self.protocol,
                loss=self.loss,
                rate=self.rate,
                faults_before=self.faults_before,
            )
        )


_KINDS = (
    _Kind(
        name="elal",
        topology="star",
        protocol=_ELAL,
        loss="{kind: none}",
        rate=2,
        counts=(2, 3, 4),
        faults_before="900 ms",
        duration="12 s",
    ),
    _Kind(name="gossip", topology="ring", protocol="{kind: gossip, interval: 2}"),
    _Kind(name="draco", topology="complete", protocol="{kind: draco, interval: 2, window: 200 ms}"),
)


@dataclass(frozen=True, slots=True)
class _Task:
    """One schedule: its number, and the seed of all of them."""

    index: int
    seed: int


def world(index: int, seed: int) -> Scenario | None:
    """Return the scenario of a schedule; None if its faults make none."""
    kind = _KINDS[index % len(_KINDS)]
    bare = kind.bare(kind.counts[index // len(_KINDS) % len(kind.counts)])
    return changed(bare, {**plan(bare, seed, index), "duration": kind.duration})


def tried(task: _Task) -> tuple[Outcome, bool] | None:
    """Run one schedule and ask all laws; return also whether liveness was among them."""
    made = world(task.index, task.seed)
    if made is None:
        return None
    return trial(made, run), asked(made, made.duration) is not None


def run(scenario: Scenario) -> Result:
    """Run a scenario until nobody has to hear again any more, to its end if that does not come."""
    span = asked(scenario, scenario.duration)
    if span is None:
        return simulate(scenario)
    power, struck = list[tuple[int, str, str]](), list[tuple[str, str]]()

    def tap(record: LogRecord) -> None:
        if record.kind in {"crashed", "restarted"}:
            power.append((record.at, record.target, record.kind))
        elif record.kind == "fault-started":
            struck.append((record.target, str(record.subject)))

    names, least_ns = device_names(scenario), max(span[0], _LEAST_NS)
    with Run(scenario, tap=tap) as held:
        for progress in held.slices(_SLICE_RECORDS):
            now = progress.now_ns
            if now <= least_ns:
                continue
            heard = [(s.at_ns, s.entity) for s in held.tally.samples if s.metric == "prior_age_s"]
            must = [name for name in names if name not in astray(scenario, struck)]
            if not any(unheard(must, heard=heard, power=power, span=range(span[0], now + 1))):
                break
        return held.finish(interrupted=not held.done)


def main() -> int:
    """Try schedules; print how many, how long it took, and what broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("runs", 10_000), ("first", 0), ("jobs", 2), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    tasks = [_Task(given.first + i, given.seed) for i in range(given.runs)]
    began_s = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(given.jobs, mp_context=context, initializer=_calm) as pool:
        outcomes = list(pool.map(tried, tasks, chunksize=16))
    wall_s = time.monotonic() - began_s
    able = [(task, *one) for task, one in zip(tasks, outcomes, strict=True) if one is not None]
    broken = [(task, one) for task, one, _ in able if one.broken]
    spoke = [law_spoke for task, _, law_spoke in able if task.index % len(_KINDS) == 0]
    laws = Counter(str(one.broken) for _, one in broken)
    last = given.first + given.runs - 1
    print(f"seed {given.seed}, schedules {given.first} to {last}, {given.jobs} processes")
    print(f"{len(able)} runs in {wall_s:.0f} s; {len(tasks) - len(able)} made no scenario")
    print(f"liveness was asked of {sum(spoke)} of {len(spoke)} runs of {_KINDS[0].name}")
    print(f"{len(broken)} broke a law" + "".join(f"\n  {law}: {n}" for law, n in laws.items()))
    for law in laws:
        _tell(next((task, one) for task, one in broken if one.broken == law))
    return 1 if broken else 0


def _calm() -> None:
    """Collect what goes round in circles seldom: it is a sixth of the time of small runs."""
    gc.freeze()
    gc.set_threshold(200_000)


def _tell(found: tuple[_Task, Outcome]) -> None:
    """Print the smallest world in which the law breaks that a schedule broke."""
    task, outcome = found
    whole = world(task.index, task.seed)
    assert whole is not None, "a schedule that was run has a world"
    smallest, last = shrink(whole, outcome, lambda each: trial(each, run))
    print(f"\nschedule {task.index} of seed {task.seed}: {last.said}\n{scenario_text(smallest)}")


if __name__ == "__main__":
    sys.exit(main())
