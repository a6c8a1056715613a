"""A report as Markdown, and as JSON: neither needs an extra."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from simedge.study.report.content import Section, content, title
from simedge.study.report.firing import circuit_facts
from simedge.study.report.links import links_of
from simedge.study.report.models import modelled, not_modelled
from simedge.study.report.runs import Run, Skipped
from simedge.study.report.studies.content import StudyReport, sections, study_title
from simedge.study.report.tables import Table

__all__ = ["json_report", "markdown_report", "study_markdown"]


def markdown_report(runs: Sequence[Run], skipped: Sequence[Skipped]) -> str:
    """Return a report as Markdown."""
    return _markdown(title(runs), content(runs, skipped))


def study_markdown(report: StudyReport) -> str:
    """Return the report of a study as Markdown."""
    return _markdown(study_title(report), sections(report))


def _markdown(heading: str, parts: Sequence[Section]) -> str:
    lines = [f"# {_escaped(heading)}"]
    for section in parts:
        body = list(_section(section))
        if body:  # charts have none
            lines += ["", f"## {_escaped(section.title)}", "", *body]
    return "\n".join(lines) + "\n"


def _section(section: Section) -> Iterator[str]:
    if section.words:
        yield from (_escaped(section.words), "")
    yield from (f"- {_escaped(text)}" for text in section.listed)
    if section.listed and section.table is not None:
        yield ""
    if section.table is not None:
        yield from _table(section.table)
    if section.verbatim:
        yield from (f"    {line}" for line in section.verbatim.rstrip().splitlines())


def _table(table: Table) -> Iterator[str]:
    rules = ["---" if place < table.left else "---:" for place in range(len(table.head))]
    for row in (table.head, rules, *table.rows):
        yield "| " + " | ".join(map(_escaped, row)) + " |"
    if table.omitted:
        yield from ("", f"{table.omitted:,} more rows are left out.")


def _escaped(text: str) -> str:
    """Keep text from being read as Markdown or HTML."""
    flat = " ".join(text.split()).replace("\\", "\\\\")
    for sign in "|<`*":
        flat = flat.replace(sign, f"\\{sign}")
    return flat


def json_report(runs: Sequence[Run], skipped: Sequence[Skipped]) -> str:
    """Return a report as JSON: summaries as they are, and what reports make of the rest."""
    told: dict[str, Any] = {
        "schema": 1,
        "title": title(runs),
        "runs": [_run(run) for run in runs],
        "skipped": [{"path": str(one.path), "why": one.why} for one in skipped],
    }
    return json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _run(run: Run) -> dict[str, Any]:
    marks = [] if run.history is None else run.history.marks
    return {
        "run": run.name,
        "status": run.status,
        "summary": run.summary,
        "links": [{**asdict(link), "lost_share": link.lost_share} for link in links_of(run)],
        "marks": [{"t_s": at / 1e9, "what": what, "who": who} for at, what, who in marks],
        "circuits": [circuit_facts(one) for one in run.circuits],
        "modelled": modelled(run),
        "not_modelled": not_modelled(run),
        "scenario": run.scenario.model_dump(mode="json", by_alias=True),
        "provenance": run.provenance,
    }
