"""What fails, made as small as it can be: fewer faults, fewer devices, less time, rounder numbers.

Each step is one change after which the same law still breaks. Steps are tried from the largest to
the smallest, again and again until none helps or the trials are used up.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from simedge.core.records import SECOND_NS
from simedge.run.scenario import Scenario
from simedge.testing.trial import Changes, Outcome, changed, faults_of, groups_of

__all__ = ["TRIALS_MAX", "shrink"]

TRIALS_MAX: Final = 400
_MS: Final = 1_000_000
_TIMES: Final = ("at", "for", "every", "age", "extra", "jitter", "lag", "up", "down")
_UNITS: Final = {"ms": 1, "s": 1_000, "min": 60_000}

Try = Callable[[Scenario], Outcome]


def shrink(
    scenario: Scenario, outcome: Outcome, attempt: Try, *, trials: int = TRIALS_MAX
) -> tuple[Scenario, Outcome]:
    """Return the smallest scenario found that breaks the same law, and how it does.

    Parameters
    ----------
    scenario
        What fails.
    outcome
        How.
    attempt
        Runs a scenario.
    trials
        How many scenarios are run at most.
    """
    tried = {scenario.hash8}
    helped = True
    while helped:
        helped = False
        for smaller in _smaller(scenario, outcome):
            if smaller.hash8 in tried:
                continue
            if len(tried) > trials:
                return scenario, outcome
            tried.add(smaller.hash8)
            found = attempt(smaller)
            if found.broken == outcome.broken:
                scenario, outcome, helped = smaller, found, True
                break
    return scenario, outcome


def _smaller(scenario: Scenario, outcome: Outcome) -> Iterator[Scenario]:
    for changes in _changes(scenario, outcome):
        smaller = changed(scenario, changes)
        if smaller is not None and smaller != scenario:
            yield smaller


def _changes(scenario: Scenario, outcome: Outcome) -> Iterator[Changes]:
    faults = faults_of(scenario)
    size = len(faults)
    while size:
        for start in range(0, len(faults), size):
            yield {"faults": faults[:start] + faults[start + size :]}
        size //= 2
    yield from _fewer_devices(scenario)
    yield from _shorter(scenario, outcome)
    for index, fault in enumerate(faults):
        for simpler in _simpler(fault):
            yield {"faults": [*faults[:index], simpler, *faults[index + 1 :]]}


def _fewer_devices(scenario: Scenario) -> Iterator[Changes]:
    """Yield whole groups less, then fewer of each; the first devices stay, as faults name them."""
    groups = groups_of(scenario)
    for index in range(len(groups)):
        if len(groups) > 1:
            yield {"devices": groups[:index] + groups[index + 1 :]}
    for index, group in enumerate(groups):
        count = group.get("count", 1)
        for fewer in dict.fromkeys((1, count // 2, count - 1)):
            if 1 <= fewer < count:
                smaller = {**group, "count": fewer}
                yield {"devices": [*groups[:index], smaller, *groups[index + 1 :]]}


def _shorter(scenario: Scenario, outcome: Outcome) -> Iterator[Changes]:
    """Yield less time: until just after the breach, then a half, in whole tenths of a second."""
    tenth = SECOND_NS // 10
    ends = (outcome.at_ns // tenth + 1, scenario.duration // tenth // 2)
    for tenths in ends:
        if 1 <= tenths < scenario.duration // tenth:
            yield {"duration": f"{100 * tenths} ms"}


def _simpler(fault: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a fault with one thing less or rounder."""
    for key in ("every", "jitter", "for"):
        if key in fault:
            yield {name: value for name, value in fault.items() if name != key}
    for key in ("share", "mean"):
        if fault.get(key) not in {None, "100%"}:
            yield {**fault, key: "100%"}
    for key in _TIMES:
        before = _ms(fault.get(key))
        for unit in (1_000, 100, 10):
            if before is not None and before % unit:
                yield {**fault, key: f"{max(unit, before - before % unit)} ms"}
    for key in ("copies", "bits", "versions", "count", "senders"):
        if isinstance(fault.get(key), int) and fault[key] > 1:
            yield {**fault, key: 1}


def _ms(value: object) -> int | None:
    """Return a duration as it is written in whole ms, or None."""
    number, _, unit = str(value).partition(" ")
    return int(number) * _UNITS[unit] if number.isdecimal() and unit in _UNITS else None
