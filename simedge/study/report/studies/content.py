"""What stands in the report of a study, in order: text and tables, whatever the form."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simedge.study.report.content import Section
from simedge.study.report.models import caveats, modelled, not_modelled
from simedge.study.report.runs import Run
from simedge.study.report.studies.analysis import (
    ARMS_OF_PAIRS,
    Difference,
    Found,
    differences,
    found_of,
)
from simedge.study.report.studies.arms import Family, families
from simedge.study.report.studies.reading import Whole, read_whole
from simedge.study.report.studies.tables import (
    difference_table,
    effect_table,
    group_table,
    headline_table,
    lost_table,
    other_table,
    pair_table,
)

__all__ = ["Part", "StudyReport", "charts_of", "sections", "study_title", "suffix", "whole_report"]

_ROWS: Final = 400
_PAIR_ROWS: Final = 600
_SIGNS: Final = 60_000
_LONG: Final = 40
_NOTES: Final = 60
_EQUAL: Final = 40
_NO_TEST: Final = "the difference is"
"""Pairs without a test show that by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A family and what tells its arms apart."""

    family: Family
    differences: tuple[Difference, ...]
    found: tuple[Found, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReport:
    """A study, read and analysed: what all forms of a report are made of."""

    whole: Whole
    parts: tuple[Part, ...]
    notes: tuple[str, ...]


def whole_report(path: Path, *, against: str | None = None) -> StudyReport:
    """Read and analyse a study.

    Raises
    ------
    ReportError
        If none of its runs can be reported, or no arm is called `against`.
    """
    whole = read_whole(path)
    grouped, notes = families(whole, against=against)
    metrics = whole.table.metrics
    parts = []
    for family in grouped:
        found = [one for path in metrics if (one := found_of(family, path)) is not None]
        told = tuple(differences(family, metrics))
        parts.append(Part(family=family, differences=told, found=tuple(found)))
    return StudyReport(whole=whole, parts=tuple(parts), notes=(*whole.notes, *notes))


def study_title(report: StudyReport) -> str:
    """Return the title: the name, and how many runs of how many arms and seeds."""
    whole, counts = report.whole, report.whole.table.counts()
    arms = sum(len(part.family.arms) for part in report.parts)
    told = len(whole.told)
    runs = f"{told} runs" if told == counts["planned"] else f"{told} of {counts['planned']} runs"
    return f"{whole.name}: {runs}, {_count(arms, 'arm')}, {_count(len(whole.table.seeds), 'seed')}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def suffix(report: StudyReport, place: int) -> str:
    """Return what ends the names of sections and charts of a family; nothing if it is the only."""
    return f"-{place + 1}" if len(report.parts) > 1 else ""


def charts_of(end: str) -> str:
    """Return the name of the section that holds the charts of a family."""
    return f"charts{end}"


def sections(report: StudyReport) -> list[Section]:
    """Return the sections of the report of a study."""
    whole = report.whole
    notes = report.notes[:_NOTES]
    made = [Section(name="about", title="The study", words=whole.about, listed=tuple(notes))]
    if whole.lost:
        words = (
            f"{_count(len(whole.lost), 'run')} of {len(whole.table)}: none of them counts below."
        )
        table = lost_table(whole.lost, most=_ROWS)
        made.append(Section(name="lost", title="Runs left out", words=words, table=table))
    for place, part in enumerate(report.parts):
        end = suffix(report, place)
        learner = part.family.learner
        made += _of_family(part, whole.table.metrics, end, f", {learner} learners" if end else "")
    told = tuple(caveats(arm.protocol for part in report.parts for arm in part.family.arms))
    if told:
        made.append(Section(name="caveats", title="Names of protocols", listed=told))
    return [*made, *_equal(whole), *_last(report)]


def _of_family(part: Part, metrics: Sequence[str], end: str, of: str) -> list[Section]:  # noqa: PLR0917 -- private
    family, seeds = part.family, part.family.table.seeds
    mean = f"Mean [Student's 95 % interval] over seeds ({', '.join(map(str, seeds[:20]))})."
    table = headline_table(family, metrics, most=_ROWS // 2)
    made = [
        Section(
            name=f"headline{end}",
            title=f"Figures{of}",
            words=mean,
            listed=family.table.notes[:_NOTES],
            table=table,
        )
    ]
    if part.differences:
        words = (
            f"Each arm less {family.reference.label}, seed by seed. Holm's correction is over the "
            "arms of a figure; figures are not corrected for one another."
        )
        less = difference_table(part.differences, most=_ROWS)
        made.append(
            Section(
                name=f"differences{end}",
                title=f"Differences{of}",
                words=words,
                table=less,
                folded=len(less.rows) > _LONG,
            )
        )
    made.append(Section(name=charts_of(end), title=f"Curves{of}"))
    made += _analyses(part, end, of)
    groups = group_table(family, most=_ROWS)
    words = "Means over the devices of a group and all seeds; most memory is that of any of them."
    made.append(Section(name=f"devices{end}", title=f"Devices{of}", words=words, table=groups))
    others = other_table(family, metrics)
    made.append(Section(name=f"others{end}", title=f"Other figures{of}", table=others, folded=True))
    return made


def _analyses(part: Part, end: str, of: str) -> list[Section]:
    if not part.found:
        return []
    words = (
        "Repeated-measures analyses of variance: seeds are the subjects, Greenhouse and Geisser's "
        "correction is always applied."
    )
    made = [
        Section(
            name=f"anova{end}",
            title=f"Analysis of variance{of}",
            words=words,
            table=effect_table(part.found),
            listed=_notes(part.found),
        )
    ]
    most = max(_PAIR_ROWS // len(part.found), 1)
    for number, one in enumerate(part.found, 1):
        table = pair_table(one, most=most)
        few = "" if table.rows else f"More than {ARMS_OF_PAIRS} levels: see the differences above."
        name = f"pairs{end}-{number}"
        title = f"All pairs: {one.headline.label}{of}"
        told = few or "Paired t, Holm's correction over all pairs; the surest first."
        made.append(
            Section(
                name=name, title=title, words=told, table=table if table.rows else None, folded=True
            )
        )
    return made


def _notes(found: Sequence[Found]) -> tuple[str, ...]:
    """Return what a reader has to know of analyses, each thing once with the figures it is of."""
    of: dict[str, list[str]] = {}
    for one in found:
        for note in one.notes():
            of.setdefault(note, []).append(one.headline.label)
    told = [f"{note} ({'; '.join(labels)})" for note, labels in of.items()]
    return tuple(text for text in told if not text.startswith(_NO_TEST))[:_NOTES]


def _equal(whole: Whole) -> list[Section]:
    groups = whole.table.equal_logs()
    if not groups:
        return []
    words = (
        "Runs with one hash of their event logs are one history: what was varied changed nothing."
    )
    listed = tuple(", ".join(names) for names in groups[:_EQUAL])
    if len(groups) > _EQUAL:
        listed = (*listed, f"and {len(groups) - _EQUAL} more groups")
    return [Section(name="equal", title="Equal runs", words=words, listed=listed)]


def _last(report: StudyReport) -> list[Section]:
    runs = [arm.run for part in report.parts for arm in part.family.arms if arm.run is not None]
    text = report.whole.text
    more = f"\n# and so on: {len(text) - _SIGNS:,} more signs" if len(text) > _SIGNS else ""
    return [
        Section(name="modelled", title="What is modelled", listed=_each(runs, modelled)),
        Section(name="left-out", title="What is not", listed=_each(runs, not_modelled)),
        Section(
            name="setting",
            title="The settings that made it (study.yaml)",
            verbatim=text[:_SIGNS] + more,
            folded=True,
        ),
    ]


def _each(runs: Sequence[Run], say: Callable[[Run], list[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for run in runs for text in say(run)))
