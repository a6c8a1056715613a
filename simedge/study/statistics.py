"""Statistics of a study: seeds are subjects that have seen every level (repeated measures).

Whatever is left out is named: a subject that lacks a figure of one level is left out of the whole
analysis, a level without any figure is no level.

>>> found = repeated_measures(
...     {"elal": {1: 0.8, 2: 0.7, 3: 0.9}, "fedavg": {1: 0.6, 2: 0.6, 3: 0.65}}
... )
>>> found.effects[0].df, found.effects[0].df_error, round(found.effects[0].f, 3)
(1, 2, 17.286)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from simedge.core.errors import SimedgeError
from simedge.study.names import cell_names
from simedge.study.pairs import Interval, Pair, holm, pair_of
from simedge.study.variance import Effect, contrasts, crossed, effects_of, mean_contrast

__all__ = [
    "Anova",
    "Effect",
    "Interval",
    "Level",
    "Pair",
    "StatisticsError",
    "paired_difference",
    "repeated_measures",
    "repeated_measures_two",
]

_FAR = 1e60
"""Beyond it, and below one by it, fourth powers leave what floats hold."""

Figures = Mapping[Any, float | None]
"""A figure of each subject (a seed); None, not a number, or no key where there is none."""


class StatisticsError(SimedgeError, ValueError):
    """What was asked for has no meaning, such as a share of 2 or no level at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A level over the subjects that count; the deviation has n - 1 below it."""

    name: str
    mean: float | None
    deviation: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Anova:
    """A repeated-measures analysis of variance.

    Parameters
    ----------
    subjects
        Those that count, in their order.
    left_out
        Those that do not, each with the levels that it has no figure of.
    effects
        One of one factor; of two: first, second, both. None at all if nothing can be tested.
    pairs
        All pairs of levels, paired t with Holm's correction (one factor).
    notes
        What a reader has to know: what is left out, what is not defined and why.
    """

    levels: tuple[Level, ...]
    subjects: tuple[Any, ...]
    left_out: Mapping[Any, tuple[str, ...]]
    effects: tuple[Effect, ...]
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        facts = asdict(self)
        facts["left_out"] = [
            {"subject": subject, "lacks": list(levels)} for subject, levels in self.left_out.items()
        ]
        return facts

    @override
    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """Return it as lines of text."""
        lines = [
            f"{one.name}: mean {_shown(one.mean)}, deviation {_shown(one.deviation)}"
            for one in self.levels
        ]
        lines += [_line_of_effect(one) for one in self.effects]
        lines += [_line_of_pair(one) for one in self.pairs]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _line_of_effect(one: Effect) -> str:
    return (
        f"{one.name}: F({one.df}, {one.df_error}) = {_shown(one.f)}, "
        f"p = {_shown(one.p_gg)} (Greenhouse-Geisser, epsilon {_shown(one.epsilon)}), "
        f"eta2 partial {_shown(one.eta_partial)}, generalized {_shown(one.eta_generalized)}"
    )


def _line_of_pair(one: Pair) -> str:
    inner, ends = one.interval, one.student or (None, None)
    return (
        f"{one.b} - {one.a}: {_shown(one.mean)} "
        f"[{_shown(inner.low)}, {_shown(inner.high)}] ({inner.share:.0%}, {inner.method}), "
        f"[{_shown(ends[0])}, {_shown(ends[1])}] (Student), "
        f"t = {_shown(one.t)}, p = {_shown(one.p_holm)} (Holm)"
    )


def paired_difference(
    first: Figures,
    second: Figures,
    *,
    names: tuple[str, str] = ("a", "b"),
    seed: int = 0,
    share: float = 0.95,
) -> Pair | None:
    """Return `second` less `first` over the subjects that have both; None if there is none.

    Of figures that are too great or too small for their fourth powers (1e60, 1e-60) nothing
    is worked out: None too.

    Parameters
    ----------
    seed
        Of the stream that resamples are drawn from.
    share
        Of the intervals.
    """
    _check(share)
    a, b = names
    table = _Table({a: first, b: second}) if a != b else None
    if table is None:
        raise StatisticsError(f"two levels of one name: {a!r}")
    if not table.subjects or len(table.names) < 2 or table.far:
        return None
    pair = _pair(table, (a, b), seed=seed, share=share)
    return replace(pair, notes=(*table.notes, *pair.notes))


def repeated_measures(
    levels: Mapping[str, Figures], *, seed: int = 0, share: float = 0.95, paired: bool = True
) -> Anova:
    """Return the one-way analysis of levels, and their differences pair by pair.

    Parameters
    ----------
    levels
        Figures by level and subject.
    paired
        Whether pairs are asked for: of a hundred levels there are thousands.
    seed, share
        As for `paired_difference`.

    Raises
    ------
    StatisticsError
        If there is no level.
    """
    _check(share)
    table = _Table(levels)
    number, notes = len(table.names), list(table.notes)
    effects: list[Effect] = []
    pairs: list[Pair] = []
    if table.testable(notes):
        effects = effects_of(table.cells, {"level": contrasts(number)})
    if paired and table.subjects and number > 1 and not table.far:
        pairs = [_pair(table, two, seed=seed, share=share) for two in combinations(table.names, 2)]
        corrected = holm([pair.p for pair in pairs])
        pairs = [replace(one, p_holm=p) for one, p in zip(pairs, corrected, strict=True)]
    return _anova(table, effects, pairs=pairs, notes=notes)


def repeated_measures_two(
    cells: Mapping[tuple[str, str], Figures], *, factors: tuple[str, str] = ("first", "second")
) -> Anova:
    """Return the two-way analysis of cells: the effects of both factors and of their interaction.

    Parameters
    ----------
    cells
        Figures by (level of the first factor, level of the second) and subject.
    factors
        Their names.

    Raises
    ------
    StatisticsError
        If a combination of levels is not there at all: then no effect is defined.
    """
    first, second = (tuple(dict.fromkeys(key[place] for key in cells)) for place in (0, 1))
    lacking = [key for key in product(first, second) if not _known(cells.get(key, {}))]
    if lacking or not cells:
        told = ", ".join(" x ".join(key) for key in lacking) or "no cell"
        raise StatisticsError(f"every combination of levels needs figures: {told} has none")
    names = cell_names(product(first, second), between=" x ")
    table = _Table({name: cells[one, other] for (one, other), name in names.items()})
    notes, effects = list(table.notes), []
    if table.testable(notes):
        a, b = len(first), len(second)
        named = {
            factors[0]: crossed(contrasts(a), mean_contrast(b)),
            factors[1]: crossed(mean_contrast(a), contrasts(b)),
            " x ".join(factors): crossed(contrasts(a), contrasts(b)),
        }
        effects = effects_of(table.cells, {k: rows for k, rows in named.items() if len(rows)})
        notes += [f"{k}: one level, so no effect" for k, rows in named.items() if not len(rows)]
    return _anova(table, effects, pairs=(), notes=notes)


class _Table:
    """Subjects by levels without a hole, and what had to be left out for that."""

    def __init__(self, levels: Mapping[str, Figures]) -> None:
        if not levels:
            raise StatisticsError("there is no level")
        known = {name: _known(figures) for name, figures in levels.items()}
        asked = _in_order({subject for figures in levels.values() for subject in figures})
        self.names = tuple(name for name, figures in known.items() if figures)
        empty = [name for name in levels if name not in self.names]
        self.left_out: dict[Any, tuple[str, ...]] = {
            subject: lacks
            for subject in asked
            if (lacks := tuple(name for name in self.names if subject not in known[name]))
        }
        self.subjects = tuple(s for s in asked if self.names and s not in self.left_out)
        rows = [[known[name][subject] for name in self.names] for subject in self.subjects]
        self.cells = np.array(rows, float).reshape(len(self.subjects), len(self.names))
        self.notes = [f"level {name} is left out: it has no figure at all" for name in empty]
        self.notes += [
            f"subject {subject} is left out: no figure of {', '.join(lacks)}"
            for subject, lacks in self.left_out.items()
        ]
        greatest = float(np.abs(self.cells).max(initial=0.0))
        self.far = greatest > _FAR or 0 < greatest < 1 / _FAR
        if self.far:
            self.notes.append(
                f"the greatest figure is {greatest:.4g}: fourth powers of such figures leave "
                "what floats hold, so nothing is worked out; give them in another unit"
            )

    def column(self, name: str) -> NDArray[np.float64]:
        """Return the figures of a level, by subject."""
        found: NDArray[np.float64] = self.cells[:, self.names.index(name)]
        return found

    def testable(self, notes: list[str]) -> bool:
        """Tell whether a test has a meaning; if not, say why."""
        if len(self.names) < 2:
            notes.append(f"{len(self.names)} levels with figures: nothing to compare")
        elif not self.subjects:
            notes.append("no subject has a figure of every level: nothing can be tested")
        elif len(self.subjects) == 1:
            notes.append("one subject: no spread is known, so nothing can be tested")
        else:
            return not self.far
        return False


def _known(figures: Figures) -> dict[Any, float]:
    return {
        subject: float(value)
        for subject, value in figures.items()
        if value is not None and math.isfinite(value)
    }


def _in_order(subjects: set[Any]) -> list[Any]:
    try:
        return sorted(subjects)
    except TypeError:  # of different kinds
        return sorted(subjects, key=str)


def _pair(table: _Table, names: tuple[str, str], *, seed: int, share: float) -> Pair:
    a, b = names
    return pair_of(
        a,
        b,
        subjects=table.subjects,
        first=table.column(a),
        second=table.column(b),
        seed=seed,
        share=share,
    )


def _anova(
    table: _Table, effects: Sequence[Effect], *, pairs: Sequence[Pair], notes: Sequence[str]
) -> Anova:
    count = 0 if table.far else len(table.subjects)
    levels = [
        Level(
            name=name,
            mean=float(table.column(name).mean()) if count else None,
            deviation=float(table.column(name).std(ddof=1)) if count > 1 else None,
        )
        for name in table.names
    ]
    told = [f"{one.name}: {one.note}" for one in effects if one.note]
    said = list(dict.fromkeys(note for pair in pairs for note in pair.notes)) if effects else []
    return Anova(
        levels=tuple(levels),
        subjects=table.subjects,
        left_out=table.left_out,
        effects=tuple(effects),
        pairs=tuple(pairs),
        notes=(*notes, *told, *said),
    )


def _check(share: float) -> None:
    if not 0 < share < 1:
        raise StatisticsError(f"the share of an interval lies between 0 and 1, got {share}")
