"""Each planted bug is found by its search, named by its law, and shown in the least of worlds."""

import os

import elal_machines
import planted
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from simedge.run.scenario import Scenario
from simedge.testing import BrokenInvariant, fuzz
from simedge.testing.plans import KINDS

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
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
QUIET = settings(
    max_examples=300,
    stateful_step_count=30,
    deadline=None,
    database=None,
    derandomize=True,
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink] if NIGHTLY else [Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize(("bug", "law", "kind"), planted.RUN_BUGS.values(), ids=planted.RUN_BUGS)
def test_a_search_through_runs_finds_it(monkeypatch, bug, law, kind):
    bug(monkeypatch)
    runs, kinds = (64, tuple(KINDS)) if NIGHTLY else (6, [kind])
    found = fuzz(WORLD, runs=runs, jobs=1, kinds=kinds).found
    assert found is not None
    assert found.outcome.broken == law
    assert len(found.scenario.faults) <= 3
    assert sum(group.count for group in found.scenario.devices) <= 3
    monkeypatch.undo()
    healed = fuzz(found.scenario, runs=0).found
    assert healed is None, "the smallest world breaks because of the bug"


@pytest.mark.parametrize(("bug", "laws"), planted.MACHINE_BUGS.values(), ids=planted.MACHINE_BUGS)
def test_machines_driven_by_hand_show_it(monkeypatch, bug, laws):
    bug(monkeypatch)
    with pytest.raises(BrokenInvariant) as broken:
        run_state_machine_as_test(elal_machines.ElalMachines, settings=QUIET)
    assert broken.value.invariant in laws


def test_without_a_bug_nothing_breaks():
    assert fuzz(WORLD, runs=4, jobs=1).found is None
    run_state_machine_as_test(elal_machines.ElalMachines, settings=settings(QUIET, max_examples=10))
