"""``simedge report``: what came of runs, as one page, Markdown or JSON."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from simedge_cli.exits import Exit, complain, told

__all__ = ["Form", "report"]

_SKIPPED_MAX = 20


class Form(StrEnum):
    """What a report is written as."""

    HTML = "html"
    MD = "md"
    JSON = "json"


def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[DIR...]", help="Run directories, or a study; the newest by default."
        ),
    ] = None,
    *,
    form: Annotated[
        Form, typer.Option("--format", help="A page that needs no network, Markdown or JSON.")
    ] = Form.HTML,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The file; '-' prints it. report.html in DIR by default."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Of a study: the arm that others are compared with; else the first."),
    ] = None,
) -> None:
    """Write a report of one run in full, of several as one row each, or of a study."""
    with told():
        from simedge.study.report.errors import MissingExtraError
        from simedge.study.report.write import report as make

        try:
            made = make(runs or [], form=form.value, out=out, against=against)
        except MissingExtraError as error:
            complain(f"error: {error}")
            raise typer.Exit(Exit.USAGE) from None
        for one in made.skipped[:_SKIPPED_MAX]:
            complain(f"skipped {one.path}: {one.why}")
        if len(made.skipped) > _SKIPPED_MAX:
            complain(f"and {len(made.skipped) - _SKIPPED_MAX} more, named in the report")
        if out == Path("-"):
            print(made.text, end="")
        else:
            made.write()
            print(made.path)
