"""``simedge closed-forms``: what theory says of our models, beside what they do."""

import json
import os
from typing import Annotated, Final

import typer

from simedge_cli.exits import Exit, complain, told

__all__ = ["closed_forms"]

_SEED: Final = 7  # `SEED` of the table, which is not loaded yet


def closed_forms(
    ids: Annotated[list[str] | None, typer.Argument(help="Rows, such as C9; none: all.")] = None,
    *,
    seed: Annotated[int, typer.Option("--seed", help="Of every draw.")] = _SEED,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="The page of the docs.")] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; one a core.")
    ] = None,
    no_color: Annotated[bool, typer.Option("--no-color", help="Plain text.")] = False,
) -> None:
    """Run our links, queues, transfers and boards against closed forms. Exit 1 if a row fails."""
    from simedge.validation import table
    from simedge_cli.render import Screen

    if as_json and markdown:
        complain("error: --json and --markdown are two ways of writing the same table")
        raise typer.Exit(Exit.USAGE)
    with told():
        try:
            rows = table.choose(ids or [])
        except table.ValidationError as error:
            complain(f"error: {error}")
            raise typer.Exit(Exit.USAGE) from None
        reports = table.run_all(rows, seed=seed, workers=workers or os.cpu_count() or 1)
        if as_json:
            print(json.dumps(table.as_data(reports, seed=seed), indent=2))
        elif markdown:
            print(table.as_markdown(reports, seed=seed), end="")
        else:
            Screen(no_color=no_color).show_forms(reports, seed=seed)
    if not all(report.ok for report in reports):
        raise typer.Exit(Exit.FAILED)
