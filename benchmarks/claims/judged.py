"""What figures of finished studies amount to: means, shares saved, intervals, verdicts, words."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from claims.finished import Run

from simedge.study.pairs import student

__all__ = [
    "Figures",
    "Found",
    "figures",
    "judged",
    "known",
    "lost",
    "mean_of",
    "percent",
    "points",
    "saved",
    "shown",
    "table",
    "verdict",
]

PAIRS_MIN = 3
"""Below so many seeds there is no interval, and nothing is judged."""
NOT_SHOWN = "**not shown**"
Figures = Mapping[int, float | None]
"""By seed; None where a run has none, such as the bits to an accuracy that it never had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A mean over seeds, the ends of its interval, and how many of how many seeds it is of."""

    mean: float
    ends: tuple[float, float] | None
    count: int
    of: int


def figures(runs: Mapping[int, Run], of: Callable[[Run], float | None] | str) -> Figures:
    """Return a figure by seed; `of` may be its path in the summary."""
    return {seed: run.figure(of) if isinstance(of, str) else of(run) for seed, run in runs.items()}


def known(found: Figures) -> list[float]:
    """Return the figures that there are."""
    return [value for value in found.values() if value is not None]


def mean_of(found: Figures) -> Found | None:
    """Return the mean of figures."""
    return _found(known(found), len(found))


def lost(there: Figures, here: Figures) -> Found | None:
    """Return by how much figures lie lower here than there, seed by seed."""
    pairs = _pairs(there, here)
    return _found([one - other for one, other in pairs], len({*there, *here}))


def saved(ours: Figures, theirs: Figures) -> Found | None:
    """Return by what share ours lies below theirs, seed by seed: 1 - ours / theirs.

    Mean and interval are those of log(ours / theirs): a half and a double are equally far from
    equal, and nobody saves more than all.
    """
    pairs = [(one, other) for one, other in _pairs(ours, theirs) if one > 0 and other > 0]
    found = _found([math.log(one / other) for one, other in pairs], len({*ours, *theirs}))
    if found is None:
        return None
    ends = found.ends and (-math.expm1(found.ends[1]), -math.expm1(found.ends[0]))
    return Found(mean=-math.expm1(found.mean), ends=ends, count=found.count, of=found.of)


def _pairs(first: Figures, second: Figures) -> list[tuple[float, float]]:
    return [
        (one, other)
        for seed in sorted({*first} & {*second})
        if (one := first[seed]) is not None and (other := second[seed]) is not None
    ]


def _found(values: Sequence[float], of: int) -> Found | None:
    if not values:
        return None
    ends = student(np.array(values)) if len(values) >= PAIRS_MIN else None
    return Found(mean=statistics.fmean(values), ends=ends, count=len(values), of=of)


def judged(found: Found | None, *, least: float | None = None, most: float | None = None) -> str:
    """Return whether an interval lies within what was claimed, outside of it, or across its end."""
    if found is None or found.ends is None or found.count < found.of:
        return NOT_SHOWN
    low, high = found.ends
    if (least is None or low >= least) and (most is None or high <= most):
        return "**holds**"
    outside = (least is not None and high < least) or (most is not None and low > most)
    return "**fails**" if outside else "**open**"


def verdict(ours: Figures, theirs: Figures, *, least: float) -> str:
    """Judge a share saved, where figures may be missing since an arm never got there.

    Who misses it in most of the seeds in which the other gets there saves nothing.
    """
    theirs_alone = [seed for seed, value in theirs.items() if value is not None and seed in ours]
    missed = sum(ours[seed] is None for seed in theirs_alone)
    if 2 * missed > len(theirs_alone):
        return "**fails**"
    return judged(saved(ours, theirs), least=least)


# ------------------------------------------------------------------------------- how it is written
def percent(found: Found | None) -> str:
    """Return a mean share with its interval, and of how many seeds it is if not of all."""
    return _ended(found, lambda share: f"{100 * share:z.0f}%")


def points(found: Found | None) -> str:
    """Return a difference of shares in points, in the same way."""
    return _ended(found, lambda share: f"{100 * share:z.2f}")


def _ended(found: Found | None, write: Callable[[float], str]) -> str:
    if found is None:
        return "-"
    ends = "" if found.ends is None else f" [{', '.join(map(write, found.ends))}]"
    return f"{write(found.mean)}{ends}{_of(found.count, found.of)}"


def shown(found: Figures, scale: float = 1.0) -> str:
    """Return mean and standard deviation, and of how many seeds; a dash if of none."""
    values = [value * scale for value in known(found)]
    if not values:
        return "-"
    spread = f" ± {statistics.stdev(values):.2g}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4g}{spread}{_of(len(values), len(found))}"


def _of(count: int, of: int) -> str:
    return "" if count == of else f" ({count} of {of})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, figures to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
