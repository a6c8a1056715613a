"""Paired differences: how far two levels lie apart, subject by subject.

The interval is BCa, the bias-corrected and accelerated bootstrap of the mean (B. Efron, Better
bootstrap confidence intervals, Journal of the American Statistical Association 82, 1987); its draws
come from one named stream, so equal figures have equal intervals. Of few subjects any bootstrap
interval is too narrow, so Student's stands beside it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from simedge.core.streams import Streams

__all__ = ["FEW", "RESAMPLES", "Interval", "Pair", "holm", "interval", "pair_of", "same", "student"]

RESAMPLES: Final = 10_000
"""Resamples of an interval; fewer of very many subjects."""
FEW: Final = 10
"""Below so many subjects an interval's reader is warned."""
_DRAWS_MAX = 20_000_000
_ROUNDING = 1e-12

Floats = NDArray[np.float64]
Method = Literal["bca", "percentile", "none"]
Ends = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A confidence interval of a mean.

    Parameters
    ----------
    low, high
        None if there is none.
    method
        bca; percentile if the corrections are not defined; none where nothing can be drawn.
    """

    low: float | None
    high: float | None
    share: float
    method: Method


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Level `b` less level `a`, over the subjects that have both.

    Parameters
    ----------
    mean, deviation
        Of the differences; the deviation has n - 1 below it, None for one subject.
    interval
        Of the mean, by bootstrap.
    student
        Ends of Student's interval of the mean.
    t, p
        Of the paired test, two-sided; None where differences do not vary.
    p_holm
        Corrected for all pairs of the family.
    effect
        Cohen's d_z: mean over deviation.
    """

    a: str
    b: str
    subjects: tuple[Any, ...]
    mean: float
    deviation: float | None
    interval: Interval
    student: Ends | None
    t: float | None
    p: float | None
    effect: float | None
    p_holm: float | None = None
    notes: tuple[str, ...] = ()


def pair_of(  # noqa: PLR0913 -- all but the names go by name
    a: str,
    b: str,
    *,
    subjects: Sequence[Any],
    first: ArrayLike,
    second: ArrayLike,
    seed: int = 0,
    share: float = 0.95,
) -> Pair:
    """Return the difference `second` less `first` of subjects, at least one.

    Parameters
    ----------
    seed
        Of the stream of the resamples.
    share
        Of the intervals.
    """
    one, other = np.asarray(first, float), np.asarray(second, float)
    differences, count = other - one, len(subjects)
    mean = float(differences.mean())
    constant = same(differences, one, other)
    if constant:
        differences = np.full(count, mean)
    deviation = None if count < 2 else 0.0 if constant else float(differences.std(ddof=1))
    t = mean / (deviation / math.sqrt(count)) if deviation else None
    return Pair(
        a=a,
        b=b,
        subjects=tuple(subjects),
        mean=mean,
        deviation=deviation,
        interval=interval(differences, seed=seed, share=share),
        student=student(differences, share=share),
        t=t,
        p=None if t is None else float(2 * stdtr(count - 1, -abs(t))),
        effect=mean / deviation if deviation else None,
        notes=_notes(count, mean, constant=constant),
    )


def _notes(count: int, mean: float, *, constant: bool) -> tuple[str, ...]:
    if count == 1:
        return ("one subject: no spread is known, so there is neither interval nor test",)
    if constant:
        return (f"the difference is {mean:.6g} in all {count} subjects: no variance, no test",)
    if count < FEW:
        return (f"{count} subjects: the bootstrap interval is too narrow, Student's is safer",)
    return ()


def same(differences: Floats, *sources: Floats) -> bool:
    """Tell whether values vary by no more than the rounding of what they were made of."""
    scale = max((float(np.abs(part).max(initial=0.0)) for part in sources), default=0.0)
    return bool(np.ptp(differences) <= _ROUNDING * scale) if differences.size else True


def student(values: Floats, *, share: float = 0.95) -> Ends | None:
    """Return the ends of Student's interval of the mean; None for one value."""
    count = values.size
    if count < 2:
        return None
    half = float(stdtrit(count - 1, (1 + share) / 2) * values.std(ddof=1) / math.sqrt(count))
    mean = float(values.mean())
    return mean - half, mean + half


def interval(values: Floats, *, seed: int = 0, share: float = 0.95) -> Interval:
    """Return the BCa interval of the mean of values.

    Of values that are all the same both ends are that value, and nothing is drawn.
    """
    count = values.size
    if count < 2:
        return Interval(low=None, high=None, share=share, method="none")
    if float(np.ptp(values)) == 0.0:
        only = float(values[0])
        return Interval(low=only, high=only, share=share, method="none")
    mean = float(values.mean())
    means = values[_draws(count, seed)].mean(axis=1)
    # A resample that is the values in another order has their mean, but for its rounding.
    tied = np.abs(means - mean) <= _ROUNDING * float(np.ptp(values)) * count
    below = (np.count_nonzero((means < mean) & ~tied) + 0.5 * np.count_nonzero(tied)) / means.size
    ends, method = np.array([(1 - share) / 2, (1 + share) / 2]), "percentile"
    if 0 < below < 1:
        # u is what the jackknife gives for a mean, up to a factor that cancels.
        u = values - mean
        acceleration = float((u**3).sum() / (6 * (u**2).sum() ** 1.5))
        bias = float(ndtri(below))
        z = bias + ndtri(ends)
        slope = 1 - acceleration * z
        if (slope > 0).all():
            ends, method = ndtr(bias + z / slope), "bca"
    low, high = np.quantile(means, ends).tolist()
    return Interval(
        low=low, high=high, share=share, method="bca" if method == "bca" else "percentile"
    )


@lru_cache(maxsize=2)
def _draws(count: int, seed: int) -> NDArray[np.int64]:
    """Return which values each resample takes, (resamples, count)."""
    resamples = max(1, min(RESAMPLES, _DRAWS_MAX // count))
    stream = Streams(seed).stream("statistics", "resamples", "bootstrap")
    words = stream.block(-(-resamples * count // 4))[: resamples * count]
    high = words >> np.uint64(32)
    return (high * np.uint64(count) >> np.uint64(32)).astype(np.int64).reshape(resamples, count)


def holm(chances: Sequence[float | None]) -> list[float | None]:
    """Return p values corrected by Holm's method; where there is none there stays none.

    One that is not defined counts in the family as well: which pairs have a test is known only
    from what came of them, so a family without these would be smaller than what was asked.

    S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of
    Statistics 6, 1979.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    >>> [p and round(p, 3) for p in holm([0.01, None, 0.03])]
    [0.03, None, 0.06]
    """
    known = sorted((p, place) for place, p in enumerate(chances) if p is not None)
    corrected: list[float | None] = [None] * len(chances)
    least = 0.0
    for rank, (p, place) in enumerate(known):
        least = max(least, min(1.0, (len(chances) - rank) * p))
        corrected[place] = least
    return corrected
