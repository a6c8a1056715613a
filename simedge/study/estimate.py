"""How long a study will take: by what its runs took before, else by how some of them begin.

Workers have to start first: that is measured by letting one begin a run, as a study does itself.
"""

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simedge.run.result import Progress
from simedge.run.simulate import simulate
from simedge.run.warm import warm_up
from simedge.study.engines import Crew
from simedge.study.plan import Cell, PlannedRun
from simedge.study.table import Row
from simedge.study.worker import Ticket

__all__ = ["Estimate", "estimate", "start_of_workers"]

_SAMPLES: Final = 3
_SAMPLE_S: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is left to do, and how long that takes.

    Parameters
    ----------
    wall_s
        Seconds with that many places.
    each_s
        Seconds of a run.
    start_s
        Of `wall_s`, what goes by until all workers have begun.
    basis
        Where the figure comes from, in words.
    """

    runs: int
    left: int
    places: int
    wall_s: float
    each_s: float
    start_s: float
    basis: str

    def summary(self) -> dict[str, Any]:
        """Return it as plain data."""
        names = ("runs", "left", "places", "wall_s", "each_s", "start_s", "basis")
        return {name: getattr(self, name) for name in names}


def estimate(
    rows: Mapping[str, Row],
    left: Sequence[PlannedRun],
    cells: Sequence[Cell],
    *,
    places: int,
    start_s: float = 0.0,
) -> Estimate:
    """Estimate what runs that are left will take; begins some if none was ever run.

    Parameters
    ----------
    start_s
        What goes by until all workers have begun, by `start_of_workers`.
    """
    known = [row.wall_s for row in rows.values() if row.status == "done" and row.wall_s > 0]
    if known:
        basis = f"{len(known)} finished runs"
    elif left:
        chosen = _spread(cells)
        known = [_measured(cell) for cell in chosen]
        basis = f"{_SAMPLE_S:g} s of {len(chosen)} of {len(cells)} cells"
    else:
        basis = "nothing is left"
    each_s = statistics.fmean(known) if known else 0.0
    rounds = max(len(left) / max(places, 1), 1.0) if left else 0.0
    start_s = start_s if left else 0.0
    return Estimate(
        runs=len(rows),
        left=len(left),
        places=places,
        wall_s=each_s * rounds + start_s,
        each_s=each_s,
        start_s=start_s,
        basis=basis,
    )


def start_of_workers(left: Sequence[PlannedRun], hands: Crew) -> float:
    """Return the seconds until all workers have begun: one begins, alone, and is timed.

    It loads what runs stand on and compiles what is not compiled yet, so a study that comes after
    finds that done. The others start beside one another when it has.
    """
    if not left:
        return 0.0
    began_s = time.monotonic()
    hands.submit(Ticket(scenario=left[0].scenario.dump(), warm=True)).result()
    one_s = time.monotonic() - began_s
    return one_s * min(len(left), hands.places(), 2)


def _spread(cells: Sequence[Cell]) -> list[Cell]:
    """Return some cells: the first, the last and what lies half-way."""
    last = len(cells) - 1
    picked: Iterable[int] = (last * i // (_SAMPLES - 1) for i in range(_SAMPLES))
    return [cells[i] for i in dict.fromkeys(picked)]


def _measured(cell: Cell) -> float:
    """Return the seconds that a run of a cell takes, by its beginning.

    What comes first (the world that is built, frames that are drawn ahead) is counted once; the
    speed is that of what comes after it. Native code is there before: it belongs to the start.
    """
    warm_up(cell.scenario.learner)
    seen: list[Progress] = []
    began_s = time.monotonic()
    loaded_s = began_s

    def watch(progress: Progress) -> None:
        nonlocal loaded_s
        if not seen:
            loaded_s = time.monotonic() - progress.wall_s
        seen.append(progress)

    simulate(
        cell.scenario,
        watch=watch,
        stop=lambda: time.monotonic() - loaded_s > _SAMPLE_S,
    )
    last = seen[-1]
    first = next((each for each in seen if each.wall_s >= _SAMPLE_S / 3), last)
    passed_ns, left_ns = last.now_ns - first.now_ns, last.duration_ns - last.now_ns
    each_s = (last.wall_s - first.wall_s) / passed_ns if passed_ns > 0 else 0.0
    return loaded_s - began_s + last.wall_s + each_s * left_ns
