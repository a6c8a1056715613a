"""Age of information: exact time means and quantiles of saw-tooth curves.

While a device holds a prior made at time o, the prior's age at time t is t - o: it grows at rate
one and falls when a newer prior takes its place. Each stretch between two replacements is a
segment on which the age runs evenly over an interval [low, high].
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

__all__ = ["Ages", "Segment", "mean_ns", "quantile_ns"]

Segment = tuple[int, int]
"""The age at the start and at the end of a stretch, in nanoseconds."""


@dataclass(slots=True)
class Ages:
    """Follows what is held, by key; times before the first arrival of a key do not count."""

    segments: list[Segment] = field(default_factory=list)
    _held: dict[Hashable, tuple[int, int]] = field(default_factory=dict)

    def hold(self, key: Hashable, *, made_ns: int, now: int) -> None:
        """From ``now`` on ``key`` holds what was made at ``made_ns``."""
        self.drop(key, now=now)
        self._held[key] = now, made_ns

    def drop(self, key: Hashable, *, now: int) -> None:
        """From ``now`` on ``key`` holds nothing."""
        if key in self._held:
            since, made = self._held.pop(key)
            if now > since:
                self.segments.append((since - made, now - made))

    def end(self, now: int) -> list[Segment]:
        """Close all stretches at the end of the run and return them."""
        for key in list(self._held):
            self.drop(key, now=now)
        return self.segments


def mean_ns(segments: Iterable[Segment]) -> Fraction | None:
    """Return the time mean: the integral of age over time, by the time; None if there is none."""
    area = length = 0
    for low, high in segments:
        area += high * high - low * low
        length += high - low
    return Fraction(area, 2 * length) if length else None


def quantile_ns(segments: Iterable[Segment], share: Fraction) -> Fraction | None:
    """Return the least age below which a given share of the time was spent; None if there is none.

    The time spent below age a is piecewise linear in a, with the ends of the segments as knots.
    """
    steps: dict[int, int] = {}
    for low, high in segments:
        steps[low] = steps.get(low, 0) + 1
        steps[high] = steps.get(high, 0) - 1
    knots = sorted(steps.items())
    total = -sum(age * change for age, change in knots)
    if total <= 0:
        return None
    target, spent, slope = share * total, 0, 0
    for (age, change), (following, _) in pairwise(knots):
        slope += change
        gain = slope * (following - age)
        if slope and spent + gain >= target:
            return age + (target - spent) / slope
        spent += gain
    return Fraction(knots[-1][0])
