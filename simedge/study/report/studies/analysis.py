"""What tells the arms of a family apart: paired differences and repeated measures.

Seeds are the subjects. Of factors that are crossed each has its own analysis (over the means of
the others), two of them their interaction too; else every arm is a level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from typing import Final

from simedge.study.pairs import Pair, holm
from simedge.study.report.studies.arms import Arm, Family, words
from simedge.study.report.tables import Headline
from simedge.study.statistics import (
    Anova,
    Effect,
    paired_difference,
    repeated_measures,
    repeated_measures_two,
)

__all__ = ["ARMS_OF_PAIRS", "Difference", "Found", "differences", "found_of"]

ARMS_OF_PAIRS: Final = 24
"""Of more levels not all pairs are compared: they would be hundreds."""
_TWO: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An arm less the reference, seed by seed; Holm's correction is over the arms of a figure."""

    headline: Headline
    arm: Arm
    pair: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What repeated measures say of one figure.

    Parameters
    ----------
    analyses
        One-way analyses by the name of what varies; only these have pairs.
    both
        The two-way analysis of two crossed factors.
    """

    headline: Headline
    analyses: Mapping[str, Anova]
    both: Anova | None

    def effects(self) -> list[Effect]:
        """Return all effects, that of two factors from their two-way analysis."""
        if self.both is not None and self.both.effects:
            return list(self.both.effects)
        return [
            replace(effect, name=name)
            for name, one in self.analyses.items()
            for effect in one.effects
        ]

    def notes(self) -> list[str]:
        """Return what a reader has to know, each once."""
        several = [*self.analyses.values(), *([] if self.both is None else [self.both])]
        return list(dict.fromkeys(note for one in several for note in one.notes))


def differences(family: Family, metrics: Sequence[str]) -> list[Difference]:
    """Return all arms less the reference, figure by figure."""
    found = []
    for path in metrics:
        base = family.reference
        pairs = [
            (arm, pair)
            for arm in family.arms
            if arm is not base
            for pair in [_less(arm, base, path)]
            if pair is not None
        ]
        corrected = holm([pair.p for _, pair in pairs])
        found += [
            Difference(headline=words(path), arm=arm, pair=replace(pair, p_holm=p))
            for (arm, pair), p in zip(pairs, corrected, strict=True)
        ]
    return found


def _less(arm: Arm, base: Arm, path: str) -> Pair | None:
    return paired_difference(base.values(path), arm.values(path), names=(base.label, arm.label))


def found_of(family: Family, path: str) -> Found | None:
    """Return the analyses of one figure; None if there is one arm, or none has the figure."""
    factors = family.crossed()
    if len(family.arms) < _TWO or not any(arm.values(path) for arm in family.arms):
        return None
    arms = {tuple(arm.factors[name] for name in factors) for arm in family.arms}
    full = reduce(int.__mul__, map(len, factors.values()), 1) == len(arms) == len(family.arms)
    if len(factors) < _TWO or not full:
        name = next(iter(factors)) if len(factors) == 1 else "arm"
        cells = {arm.label: arm.values(path) for arm in family.arms}
        return Found(headline=words(path), analyses={name: _one_way(cells)}, both=None)
    analyses = {name: _one_way(family.table.levels(path, name)) for name in factors}
    return Found(headline=words(path), analyses=analyses, both=_two_way(family, path, factors))


def _one_way(levels: Mapping[str, Mapping[int, float]]) -> Anova:
    return repeated_measures(levels, paired=len(levels) <= ARMS_OF_PAIRS)


def _two_way(family: Family, path: str, factors: Mapping[str, Sequence[str]]) -> Anova | None:
    if len(factors) != _TWO:
        return None
    first, second = factors
    cells: dict[tuple[str, str], dict[int, float]] = {
        (arm.factors[first], arm.factors[second]): arm.values(path) for arm in family.arms
    }
    whole = all(cells.get(key) for key in product(factors[first], factors[second]))
    return repeated_measures_two(cells, factors=(first, second)) if whole else None
