"""Writing reports: the newest run or the directories named, as a page, Markdown or JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from simedge.run.files import Files
from simedge.study.report.errors import MissingExtraError
from simedge.study.report.runs import Run, Skipped, newest, read_runs
from simedge.study.report.text import json_report, markdown_report

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
) -> Report:
    """Make a report of run directories: one in full, several as one row each.

    Parameters
    ----------
    paths
        Run directories; by default the newest below `root`.
    form
        html: one page that needs no network (extra ``report``); md and json need nothing.
    out
        Where it belongs; by default ``report.html`` (or .md, .json) in the directory of the run,
        in the working directory for several.

    Raises
    ------
    ReportError
        If no run is left that can be read; the text names all of them.
    MissingExtraError
        If the form needs packages that are not installed.
    """
    asked = [Path(path) for path in paths] or [newest(Path(root))]
    runs, skipped = read_runs(asked)
    text, charts = _made(runs, skipped, form)
    place = runs[0].path if len(asked) == 1 else Path()
    target = place / f"report.{form}" if out is None else Path(out)
    return Report(text=text, path=target, charts=charts, skipped=tuple(skipped))


def _made(
    runs: Sequence[Run], skipped: Sequence[Skipped], form: Form
) -> tuple[str, dict[str, str]]:
    match form:
        case "json":
            return json_report(runs, skipped), {}
        case "md":
            return markdown_report(runs, skipped), {}
        case "html":
            return _page(runs, skipped)


def _page(runs: Sequence[Run], skipped: Sequence[Skipped]) -> tuple[str, dict[str, str]]:
    try:
        from simedge.study.report.page import html_report  # noqa: PLC0415 -- an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"altair", "vl_convert"}:
            raise
        raise MissingExtraError(
            f"a page needs {error.name}: pip install 'simedge[{_EXTRA}]' (--format md and json "
            "need nothing more)"
        ) from None
    return html_report(runs, skipped)
