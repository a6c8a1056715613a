"""One trial of a search: a scenario is run, and what it breaks is named."""

import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from simedge.core.errors import SimedgeError
from simedge.run.errors import BuildError
from simedge.run.problems import ScenarioError
from simedge.run.result import Result
from simedge.run.scenario import Scenario
from simedge.run.simulate import simulate
from simedge.testing.errors import BrokenInvariant
from simedge.testing.invariants import check

__all__ = ["Changes", "Outcome", "changed", "faults_of", "groups_of", "trial"]

_TOLD: Final = frozenset({"lost", "refused", "frame-dropped"})
"""Records whose detail says why."""

Changes = Mapping[str, Any]
Simulate = Callable[[Scenario], Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a trial went.

    `traits` are what was seen in it, for a search that wants to see more.
    """

    broken: str | None = None
    """Name of the law that does not hold, if one does not."""
    said: str = ""
    """The error, as one line."""
    at_ns: int = 0
    traits: frozenset[str] = frozenset()


def changed(scenario: Scenario, changes: Changes) -> Scenario | None:
    """Return a scenario with changes, or None if they make none."""
    try:
        return scenario.vary({**changes, "record.events": True})
    except ScenarioError:
        return None


def faults_of(scenario: Scenario) -> list[dict[str, Any]]:
    """Return the faults of a scenario as plain data, as they are written."""
    written = scenario.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return list(written.get("faults", ()))


def groups_of(scenario: Scenario) -> list[dict[str, Any]]:
    """Return the groups of devices of a scenario as plain data, as they are written."""
    written = scenario.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return list(written["devices"])


def trial(scenario: Scenario, run: Simulate = simulate) -> Outcome:
    """Run a scenario and ask all laws; an error inside the run breaks the law `the_run_ends`."""
    try:
        result = run(scenario)
        result = replace(result, records=tuple(result.records))  # read once for all who look
        check(result, scenario)
    except BrokenInvariant as error:
        return Outcome(broken=error.invariant, said=str(error), at_ns=error.at_ns)
    except (BuildError, ScenarioError):
        return Outcome()  # a world that cannot be has no laws
    except Exception as error:  # noqa: BLE001 -- whatever a run dies of is what was looked for
        return _died(error)
    return Outcome(traits=_traits(result))


def _died(error: Exception) -> Outcome:
    if isinstance(error, SimedgeError):
        where = "run"
    else:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.name}, line {last.lineno}"
    text = f"the_run_ends: {type(error).__name__} in {where}: {error}"
    return Outcome(broken="the_run_ends", said=text.splitlines()[0])


def _traits(result: Result) -> frozenset[str]:
    """Return what kinds of things came about, and how often, to a power of two."""
    counts = Counter(
        f"{kind} {detail!r}" if kind in _TOLD else kind
        for _, _, _, kind, _, detail in result.records
    )
    return frozenset(f"{name} {count.bit_length()}" for name, count in counts.items())
