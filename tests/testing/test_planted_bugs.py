"""Each planted bug is found by its search, named by its law, and shown in the least of worlds."""

import os

import elal_machines
import planted
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from planted_table import HAND, WORLD

from simedge.testing import BrokenInvariant, fuzz
from simedge.testing.plans import KINDS

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
QUIET = settings(HAND, phases=[Phase.generate, Phase.shrink] if NIGHTLY else HAND.phases)


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
    assert len(elal_machines.ElalMachines.numbers) <= 3, "and no schedule of faults is needed"


def test_ten_bugs_are_planted():
    assert len(planted.RUN_BUGS.keys() | planted.MACHINE_BUGS.keys()) == 10


def test_without_a_bug_nothing_breaks():
    assert fuzz(WORLD, runs=4, jobs=1).found is None
    run_state_machine_as_test(elal_machines.ElalMachines, settings=settings(QUIET, max_examples=10))
