"""Tables of a study's report: means with intervals, differences, analyses, devices by group."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from simedge.run.needs import reported_name
from simedge.study.pairs import Pair
from simedge.study.report.studies.analysis import Difference, Found
from simedge.study.report.studies.arms import Arm, Family, Known, known, mean_of, words
from simedge.study.report.studies.reading import Lost
from simedge.study.report.tables import HEADLINES, Headline, Table
from simedge.study.report.written import figure

__all__ = [
    "chance",
    "difference_table",
    "effect_table",
    "group_table",
    "headline_table",
    "lost_table",
    "other_table",
    "pair_table",
    "prefixed",
    "scaled",
]

NONE: Final = "-"
_PREFIXES: Final = ((1e-9, "G"), (1e-6, "M"), (1e-3, "k"))
_PREFIXED: Final = frozenset({"bit", "B", "bit/s"})
_SMALL_P: Final = 0.0001
_COLUMNS: Final = 16

Show = Callable[[float | None], str]


def prefixed(unit: str, values: Iterable[float | None]) -> tuple[str, float]:
    """Return a unit that suits the largest of values, and what values are multiplied by.

    >>> prefixed("bit", [2_500_000.0, None])
    ('Mbit', 1e-06)
    """
    most = max((abs(value) for value in values if value is not None), default=0.0)
    for by, sign in _PREFIXES if unit in _PREFIXED else ():
        if most * by >= 1:
            return f"{sign}{unit}", by
    return unit, 1.0


def scaled(unit: str, values: Iterable[float | None]) -> tuple[str, Show]:
    """Return a unit for values and what writes one in it: percent, and prefixes for bits.

    >>> unit, show = scaled("bit", [2_500_000.0, None])
    >>> unit, show(2_500_000.0), show(None)
    ('Mbit', '2.5', '-')
    >>> scaled("%", [0.5])[1](0.12345)
    '12.35'
    """
    if unit == "%":
        return "%", lambda value: NONE if value is None else f"{100 * value:.2f}"
    shown, by = prefixed(unit, values)
    return shown, lambda value: NONE if value is None else figure(float(value) * by)


def _ranged(show: Show, mean: float | None, ends: Sequence[float | None] | None) -> str:
    """Write a mean and the ends of its interval, if there is one."""
    low, high = ends or (None, None)
    if low is None or high is None:
        return show(mean)
    return f"{show(mean)} [{show(low)}, {show(high)}]"


def chance(p: float | None) -> str:
    """Write a p.

    >>> chance(0.01234), chance(1e-9), chance(None)
    ('0.0123', '< 0.0001', '-')
    """
    if p is None:
        return NONE
    return f"< {_SMALL_P}" if p < _SMALL_P else f"{p:.3g}"


def _named(headline: Headline, unit: str) -> str:
    return f"{headline.label} / {unit}" if unit else headline.label


def _cut(table: Table, most: int) -> Table:
    gone = max(0, len(table.rows) - most)
    return Table(head=table.head, rows=table.rows[:most], left=table.left, omitted=gone)


def headline_table(family: Family, metrics: Sequence[str], *, most: int) -> Table:
    """Return a row an arm: mean and Student's 95 % interval of each figure of the study."""
    columns, heads = [], []
    for path in metrics:
        found = [mean_of(arm, path) for arm in family.arms]
        unit, show = scaled(words(path).unit, _ends(found))
        heads.append(_named(words(path), unit))
        columns.append(
            [_known(show, one, len(arm.rows)) for one, arm in zip(found, family.arms, strict=True)]
        )
    rows = tuple(
        (
            arm.label,
            reported_name(arm.protocol),
            arm.rule,
            str(len(arm.rows)),
            *(column[place] for column in columns),
        )
        for place, arm in enumerate(family.arms)
    )
    return _cut(Table(head=("arm", "protocol", "rule", "seeds", *heads), rows=rows, left=3), most)


def _known(show: Show, one: Known, seeds: int) -> str:
    few = f" (n {one.count})" if 0 < one.count < seeds else ""
    return _ranged(show, one.mean, (one.low, one.high)) + few


def _ends(found: Iterable[Known]) -> Iterator[float | None]:
    for one in found:
        yield from (one.mean, one.low, one.high)


def other_table(family: Family, metrics: Sequence[str]) -> Table:
    """Return a row a headline figure that the study is not about, a column an arm: means."""
    arms = family.arms[:_COLUMNS]
    rows = []
    for one in HEADLINES:
        found = [mean_of(arm, one.path).mean for arm in arms]
        if one.path in metrics or not any(value is not None for value in found):
            continue
        unit, show = scaled(one.unit, found)
        rows.append((one.label, unit, *map(show, found)))
    head = ("mean over seeds", "unit", *(arm.label for arm in arms))
    return Table(head=head, rows=tuple(rows), left=2)


def difference_table(found: Sequence[Difference], *, most: int) -> Table:
    """Return a row a figure and arm: how far it lies from the reference."""
    rows = [
        (_named(one.headline, _points(unit)), one.arm.label, *_paired(one.pair, show))
        for one, unit, show in _shown(found)
    ]
    head = ("figure", "arm", *_PAIRED)
    return _cut(Table(head=head, rows=tuple(rows), left=2), most)


_PAIRED: Final = (
    "difference [95 % BCa]",
    "Student 95 %",
    "seeds",
    "t",
    "p",
    "p (Holm)",
    "d_z",
)


def _shown(found: Sequence[Difference]) -> Iterator[tuple[Difference, str, Show]]:
    by_path: dict[str, list[float | None]] = {}
    for one in found:
        by_path.setdefault(one.headline.path, []).extend(_sizes(one.pair))
    for one in found:
        yield one, *scaled(one.headline.unit, by_path[one.headline.path])


def _sizes(pair: Pair) -> list[float | None]:
    return [pair.mean, pair.interval.low, pair.interval.high, *(pair.student or ())]


def _points(unit: str) -> str:
    """Return the unit of a difference."""
    return "points of %" if unit == "%" else unit


def _paired(pair: Pair, show: Show) -> tuple[str, ...]:
    student = pair.student
    return (
        _ranged(show, pair.mean, (pair.interval.low, pair.interval.high)),
        NONE if student is None else f"[{show(student[0])}, {show(student[1])}]",
        str(len(pair.subjects)),
        figure(pair.t),
        chance(pair.p),
        chance(pair.p_holm),
        figure(pair.effect),
    )


def effect_table(found: Sequence[Found]) -> Table:
    """Return a row an effect of each figure: repeated-measures analyses of variance."""
    rows = tuple(
        (
            one.headline.label,
            effect.name,
            figure(effect.f),
            f"{effect.df}, {effect.df_error}",
            chance(effect.p),
            figure(effect.epsilon),
            chance(effect.p_gg),
            figure(effect.eta_partial),
            figure(effect.eta_generalized),
        )
        for one in found
        for effect in one.effects()
    )
    head = (
        "figure",
        "of",
        "F",
        "df",
        "p",
        "ε (Greenhouse-Geisser)",
        "p corrected",
        "η² partial",
        "η² generalized",
    )
    return Table(head=head, rows=rows, left=2)


def pair_table(found: Found, *, most: int) -> Table:
    """Return a row a pair of levels of one figure, those that differ most surely first."""
    pairs = [(name, pair) for name, one in found.analyses.items() for pair in one.pairs]
    pairs.sort(key=lambda item: (item[1].p_holm is None, item[1].p_holm or 0.0))
    sizes = [size for _, pair in pairs for size in _sizes(pair)]
    unit, show = scaled(found.headline.unit, sizes)
    rows = tuple((name, pair.b, pair.a, *_paired(pair, show)) for name, pair in pairs)
    first = f"{_PAIRED[0]}{f' / {_points(unit)}' if unit else ''}"
    head = ("of", "level", "less", first, *_PAIRED[1:])
    return _cut(Table(head=head, rows=rows, left=3), most)


def group_table(family: Family, *, most: int) -> Table:
    """Return a row an arm and group of devices: means over its devices and seeds."""
    rows: list[tuple[str, ...]] = []
    for arm in family.arms:
        if arm.run is None:
            continue
        for group in arm.run.scenario.devices:
            board = group.compute if isinstance(group.compute, str) else f"{group.compute.base}*"
            names = {f"{group.id}-{number}" for number in range(1, group.count + 1)}
            accuracy, joule, peak = _group(arm, names)
            shown = figure(accuracy, "%"), figure(joule, "J")
            memory = figure(peak, "B"), figure(group.memory, "B")
            rows.append((arm.label, group.id, board, str(group.count), *shown, *memory))
    head = ("arm", "group", "board", "devices", "accuracy", "energy each", "most memory", "memory")
    return _cut(Table(head=head, rows=tuple(rows), left=3), most)


def _group(arm: Arm, names: set[str]) -> tuple[float | None, float | None, int | None]:
    kept: list[list[float]] = [[], [], []]
    for told in arm.told:
        for name in names & told.devices.keys():
            for values, value in zip(kept, told.devices[name], strict=True):
                values.extend([] if value is None else [value])
    accuracy, joule = (known(sorted(values)).mean for values in kept[:2])
    return accuracy, joule, int(max(kept[2])) if kept[2] else None


def lost_table(lost: Sequence[Lost], *, most: int) -> Table:
    """Return a row a run that tells nothing."""
    rows = tuple((one.run, one.arm, str(one.seed), one.status, one.why) for one in lost)
    return _cut(Table(head=("run", "arm", "seed", "status", "why"), rows=rows, left=5), most)
