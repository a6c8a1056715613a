"""What each planted bug took to find, as the table of docs/testing.md.

Run: ``python tests/testing/planted_table.py``. Seconds are of processor time on one core, shrinking
included. Runs are searched among all kinds of faults, and if 64 find nothing, among one kind.
"""

import sys
import time

import elal_machines
import planted
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from simedge.run.scenario import Scenario
from simedge.testing import BrokenInvariant, fuzz

__all__ = ["HAND", "WORLD", "main"]

WORLD = Scenario.parse("""
simedge: 1
name: planted
seed: 1
duration: 3 s
sensors: {kind: poisson, size: 8, rate: 8 Hz, proxy: {blocks: 2, rows: 2}}
devices:
  - {id: cam, count: 2, compute: cpu-large, memory: 2 GiB}
links:
  default: {profile: ethernet}
learner: {kind: surrogate}
protocol:
  kind: elal
  interval: 2
  prior_period: 300 ms
  report_period: 500 ms
  have_period: 700 ms
  age_max: 500 ms
  policy: {kind: fixed}
evaluate: {every: 1 min, items: 10}
""")
HAND = settings(
    max_examples=300,
    stateful_step_count=30,
    deadline=None,
    database=None,
    derandomize=True,
    report_multiple_bugs=False,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def main() -> int:
    """Print the table; end with 1 if a bug was not found within a minute."""
    late = 0
    head = "| bug | law that it breaks | faults | machines or devices | s |"
    sys.stdout.write(head + "\n|---|---|---|---|---|\n")
    for name, (bug, law, kind) in planted.RUN_BUGS.items():
        with pytest.MonkeyPatch.context() as patch:
            bug(patch)
            began_s = time.process_time()
            found = fuzz(WORLD, runs=64, jobs=1).found or fuzz(WORLD, runs=6, kinds=[kind]).found
            took_s = time.process_time() - began_s
        sizes = "-", "-"
        if found is not None and found.outcome.broken == law:
            scenario = found.scenario
            sizes = str(len(scenario.faults)), str(sum(g.count for g in scenario.devices))
        late += _row(name, law, sizes, took_s)
    for name, (bug, laws) in planted.MACHINE_BUGS.items():
        with pytest.MonkeyPatch.context() as patch:
            bug(patch)
            began_s, law = time.process_time(), "-"
            try:
                run_state_machine_as_test(elal_machines.ElalMachines, settings=HAND)
            except BrokenInvariant as error:
                law = error.invariant if error.invariant in laws else "-"
            took_s = time.process_time() - began_s
        machines = len(elal_machines.ElalMachines.numbers)
        late += _row(name, law, ("by hand", str(machines)), took_s)
    return 1 if late else 0


def _row(name: str, law: str, sizes: tuple[str, str], took_s: float) -> bool:
    sys.stdout.write(f"| {name} | `{law}` | {sizes[0]} | {sizes[1]} | {took_s:.1f} |\n")
    sys.stdout.flush()
    return took_s > 60 or "-" in (law, *sizes)


if __name__ == "__main__":
    sys.exit(main())
