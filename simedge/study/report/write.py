"""Writing reports: the newest run or study or the directories named, in each of the forms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from simedge.run.files import Files
from simedge.study.report.errors import MissingExtraError, ReportError
from simedge.study.report.runs import Run, Skipped, newest, read_runs
from simedge.study.report.studies.content import StudyReport, whole_report
from simedge.study.report.studies.reading import is_study
from simedge.study.report.studies.told import study_json
from simedge.study.report.text import json_report, markdown_report, study_markdown

__all__ = ["Form", "Report", "report"]

Form = Literal["html", "md", "json"]

_EXTRA = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report as text, where it belongs, and what could not be read.

    Parameters
    ----------
    charts
        Static charts by name, as SVG; only of a page.
    """

    text: str
    path: Path
    charts: dict[str, str]
    skipped: tuple[Skipped, ...] = ()

    def write(self) -> None:
        """Write the report, and its charts into a folder ``<name>-svg`` beside it.

        Raises
        ------
        StorageError
            If the disk does not take it.
        """
        files = Files()
        files.put(self.path, self.text.encode())
        if self.charts:
            folder = self.path.with_name(f"{self.path.stem}-svg")
            files.make(folder)
            for name, svg in self.charts.items():
                files.put(folder / f"{name}.svg", svg.encode())


def report(
    paths: Sequence[str | Path] = (),
    *,
    form: Form = "html",
    out: str | Path | None = None,
    root: str | Path = "runs",
    against: str | None = None,
) -> Report:
    """Make a report of run directories, one in full, several as one row each; or of a study.

    Parameters
    ----------
    paths
        Run directories, or one study directory; by default the newest below `root`.
    form
        html: one page that needs no network (extra ``report``); md and json need nothing.
    out
        Where it belongs; by default ``report.html`` (or .md, .json) in the directory of the run,
        in the working directory for several.
    against
        Of a study, the label of the arm that others are compared with; by default the first.

    Raises
    ------
    ReportError
        If no run is left that can be read (the text names all of them), a study is not alone, or
        there is no such arm.
    MissingExtraError
        If the form needs packages that are not installed.
    """
    asked = list(dict.fromkeys(map(Path, paths))) or [newest(Path(root), study=is_study)]
    studies = [path for path in asked if is_study(path)]
    if studies and len(asked) > 1:
        raise ReportError(f"{studies[0]}: a study has a report of its own; name it alone")
    if studies:
        return _of_study(studies[0], form, against=against, out=out)
    if against is not None:
        raise ReportError(f"{asked[0]}: no study, so nothing to compare with {against}")
    runs, skipped = read_runs(asked)
    text, charts = _made(runs, skipped, form)
    place = runs[0].path if len(asked) == 1 else Path()
    target = place / f"report.{form}" if out is None else Path(out)
    return Report(text=text, path=target, charts=charts, skipped=tuple(skipped))


def _of_study(path: Path, form: Form, *, against: str | None, out: str | Path | None) -> Report:
    found = whole_report(path, against=against)
    text, charts = _told(found, form)
    skipped = tuple(
        Skipped(path=path / "runs" / one.run, why=f"{one.status}: {one.why}")
        for one in found.whole.lost
    )
    target = path / f"report.{form}" if out is None else Path(out)
    return Report(text=text, path=target, charts=charts, skipped=skipped)


def _told(found: StudyReport, form: Form) -> tuple[str, dict[str, str]]:
    match form:
        case "json":
            return study_json(found), {}
        case "md":
            return study_markdown(found), {}
        case "html":
            _, of_study = _pages()
            return of_study(found)


def _made(
    runs: Sequence[Run], skipped: Sequence[Skipped], form: Form
) -> tuple[str, dict[str, str]]:
    match form:
        case "json":
            return json_report(runs, skipped), {}
        case "md":
            return markdown_report(runs, skipped), {}
        case "html":
            of_runs, _ = _pages()
            return of_runs(runs, skipped)


_Page = tuple[str, dict[str, str]]


def _pages() -> tuple[
    Callable[[Sequence[Run], Sequence[Skipped]], _Page], Callable[[StudyReport], _Page]
]:
    """Return what makes pages, of runs and of a study; it needs an extra."""
    try:
        from simedge.study.report.page import html_report, study_page  # noqa: PLC0415 -- an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"altair", "vl_convert"}:
            raise
        raise MissingExtraError(
            f"a page needs {error.name}: pip install 'simedge[{_EXTRA}]' (--format md and json "
            "need nothing more)"
        ) from None
    return html_report, study_page
