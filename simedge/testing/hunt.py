"""Search for a schedule of faults under which a law of runs breaks.

Runs go by generations. Half of a generation draws its faults anew, half changes a schedule of an
earlier one that showed something for the first time: a kind of record, a cause of a loss or
refusal, a count of another size. What run i of a seed does depends on the scenario, the seed and i
alone, not on how many processes there are.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from simedge.core.errors import SimedgeError
from simedge.core.streams import Streams
from simedge.run.problems import ScenarioError
from simedge.run.scenario import Scenario, load
from simedge.run.sense import device_names
from simedge.run.yaml_reader import read_file
from simedge.testing.plans import KINDS, Drawn, Lots, Setting, fault
from simedge.testing.shrink import TRIALS_MAX, shrink
from simedge.testing.trial import Outcome, changed, trial

__all__ = ["Found", "Search", "fuzz", "keep", "kept_seeds", "plan"]

GENERATION: Final = 32
_FAULTS_MAX: Final = 6
_POOL_MAX: Final = 64
_MS: Final = 1_000_000

Plan = dict[str, Any]
Attempts = Callable[[Sequence[Scenario]], Sequence[Outcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A scenario that breaks a law, shrunk."""

    scenario: Scenario
    outcome: Outcome
    run: int | None
    """Index of the run that found it; None: the scenario as it stood, or a kept one."""
    source: str = ""
    """File of the kept scenario that broke."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How a search ended."""

    runs: int
    traits: int
    found: Found | None


def fuzz(  # noqa: PLR0913 -- all but the scenario go by name
    scenario: Scenario,
    *,
    runs: int = 200,
    minutes: float | None = None,
    seed: int = 1,
    jobs: int | None = None,
    seeds: Sequence[Path] = (),
    kinds: Sequence[str] = (),
    watch: Callable[[int, int], object] | None = None,
) -> Search:
    """Look for faults under which a law breaks; shrink the first that are found.

    Parameters
    ----------
    scenario
        Where faults are put, on top of its own.
    runs
        How many schedules are tried, besides the scenario itself and what was kept.
    minutes
        No generation begins after so long, by the clock on the wall.
    seed
        Names the search: the same schedules for the same seed.
    jobs
        Processes; all cores by default, 1 stays in this one.
    seeds
        Scenarios kept from earlier finds, which are tried first.
    kinds
        Kinds of faults to draw from; all by default. What is known to break hides the rest.
    watch
        Told after each generation how many runs were made, and how many traits were seen.
    """
    ends = None if minutes is None else time.monotonic() + 60 * minutes
    found = _first_of_all(scenario, seeds)
    if found is not None:
        return Search(runs=0, traits=0, found=found)
    with _attempts(min(jobs or os.cpu_count() or 1, max(1, runs))) as attempts:
        hunt = _Hunt(scenario, seed, _known(kinds))
        while hunt.tried < runs and (ends is None or time.monotonic() < ends):
            found = hunt.generation(min(GENERATION, runs - hunt.tried), attempts)
            if watch is not None:
                watch(hunt.tried, len(hunt.traits))
            if found is not None:
                break
    return Search(runs=hunt.tried, traits=len(hunt.traits), found=found)


def _first_of_all(scenario: Scenario, seeds: Sequence[Path]) -> Found | None:
    """Try the scenario itself, then what was kept."""
    for each, source in [(scenario, ""), *((load(path), str(path)) for path in seeds)]:
        whole = changed(each, {})
        outcome = trial(whole) if whole is not None else Outcome()
        if whole is not None and outcome.broken:
            if source:
                return Found(scenario=whole, outcome=outcome, run=None, source=source)
            return _shrunk(whole, outcome, None)
    return None


def _shrunk(scenario: Scenario, outcome: Outcome, run: int | None) -> Found:
    smallest, last = shrink(scenario, outcome, trial, trials=TRIALS_MAX)
    return Found(scenario=smallest, outcome=last, run=run)


class _Hunt:
    """What a search knows: the schedules that were worth it, and what was seen."""

    def __init__(self, scenario: Scenario, seed: int, kinds: Sequence[str]) -> None:
        self._scenario, self._seed, self._kinds = scenario, seed, kinds
        self.tried = 0
        self.traits: set[str] = set()
        self._pool: list[Plan] = []

    def generation(self, size: int, attempts: Attempts) -> Found | None:
        """Try so many schedules; return the first that breaks a law, shrunk."""
        indices = range(self.tried, self.tried + size)
        plans = [
            plan(self._scenario, self._seed, i, pool=self._pool, kinds=self._kinds) for i in indices
        ]
        worlds = [changed(self._scenario, each) for each in plans]
        able = [i for i, world in enumerate(worlds) if world is not None]
        outcomes = attempts([world for world in worlds if world is not None])
        self.tried += size
        for place, outcome in zip(able, outcomes, strict=True):
            world = worlds[place]
            if outcome.broken and world is not None:
                return _shrunk(world, outcome, indices[place])
            if not outcome.traits <= self.traits:
                self.traits |= outcome.traits
                self._pool = [*self._pool, plans[place]][-_POOL_MAX:]
        return None


def plan(
    scenario: Scenario,
    seed: int,
    index: int,
    *,
    pool: Sequence[Plan] = (),
    kinds: Sequence[str] = tuple(KINDS),
) -> Plan:
    """Return what run `index` of a search changes: faults, and the seed of the run.

    Parameters
    ----------
    scenario
        Where its faults are put.
    seed
        Of the search.
    index
        Number of the run.
    pool
        Earlier plans, to be changed by every second run.
    kinds
        Of the faults.
    """
    lots = Drawn(Streams(seed).stream("fuzz", scenario.name, "faults"), index)
    own = [each.model_dump(mode="json", by_alias=True) for each in scenario.faults]
    setting = Setting(device_names(scenario), scenario.duration // _MS)
    faults = _faults(lots, setting, kinds)
    if pool and index % 2:
        older = pool[lots.below(len(pool))]["faults"][len(own) :]
        gone = lots.below(len(older) + 1)
        faults = [*older[:gone], *older[gone + 1 :], *faults[:1]][-_FAULTS_MAX:]
    names = [f"{each['kind']}-{i + 1}" for i, each in enumerate(faults)]
    named = [{**each, "name": name} for each, name in zip(faults, names, strict=True)]
    return {"seed": scenario.seed + lots.below(1_000), "faults": [*own, *named]}


def _known(kinds: Sequence[str]) -> Sequence[str]:
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise SimedgeError(f"no recipe for the fault {unknown[0]!r} (known: {', '.join(KINDS)})")
    return tuple(kinds) or tuple(KINDS)


def _faults(lots: Lots, setting: Setting, kinds: Sequence[str]) -> list[dict[str, Any]]:
    count = 1 + lots.below(_FAULTS_MAX)
    return [fault(kinds[lots.below(len(kinds))], lots, setting) for _ in range(count)]


@contextmanager
def _attempts(jobs: int) -> Iterator[Attempts]:
    if jobs == 1:
        yield lambda worlds: [trial(world) for world in worlds]
        return
    context = multiprocessing.get_context("spawn")  # a fork may hold the locks of threads
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:

        def attempts(worlds: Sequence[Scenario]) -> Sequence[Outcome]:
            return list(pool.map(_trial_of, [world.dump() for world in worlds], chunksize=2))

        yield attempts


def _trial_of(text: str) -> Outcome:
    return trial(Scenario.parse(text))


# ------------------------------------------------------------------------------- what is kept
def keep(found: Found, folder: Path) -> Path:
    """Write what was found as a scenario that the next search tries first; return its path.

    Raises
    ------
    SimedgeError
        If it cannot be written.
    """
    scenario = found.scenario
    law = str(found.outcome.broken).replace("_", "-")
    path = folder / f"{scenario.name}-{law}-{scenario.hash8}.yaml"
    head = [f"# {found.outcome.said}", f"# simedge fuzz {path} --runs 0"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*head, scenario_text(scenario)]), encoding="utf-8")
    except OSError as error:
        raise SimedgeError(f"{path}: {error.strerror or error}") from error
    return path


def scenario_text(scenario: Scenario) -> str:
    """Return a scenario as it was written: what it leaves to defaults is left out."""
    from simedge.run.yaml_writer import dump  # noqa: PLC0415  # a search that finds nothing writes none

    written: Mapping[str, Any] = scenario.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return dump(dict(written))


def kept_seeds(scenario: Scenario, folder: Path) -> list[Path]:
    """Return what was kept by earlier searches of the scenarios that have its name."""
    return [path for path in sorted(folder.glob("*.yaml")) if _name_in(path) == scenario.name]


def _name_in(path: Path) -> object:
    try:
        data = read_file(path).data
    except (ScenarioError, OSError):
        return None  # whatever it is, it was not kept by a search
    return data.get("name") if isinstance(data, dict) else None
