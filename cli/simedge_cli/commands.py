"""The commands of ``simedge``, put together. Importing this loads nothing heavy."""

from typing import Annotated

import typer

from simedge_cli.closed_forms import closed_forms
from simedge_cli.compare import compare
from simedge_cli.doctor import doctor
from simedge_cli.fuzz import fuzz
from simedge_cli.new import new
from simedge_cli.replay import replay
from simedge_cli.report import report
from simedge_cli.rules import rules
from simedge_cli.run import run
from simedge_cli.schema import schema
from simedge_cli.study import study
from simedge_cli.trace import trace
from simedge_cli.validate import validate

__all__ = ["app"]

app = typer.Typer(
    name="simedge",
    help="Simulate many small devices that learn on their own over links that lose things.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (run, replay, study, report, compare, validate, fuzz, schema, doctor, closed_forms):
    app.command()(command)
app.add_typer(new)
app.add_typer(rules)
app.add_typer(trace)


def _version(asked: bool) -> None:  # noqa: FBT001 -- the shape of an option's callback
    if asked:
        import simedge

        print(simedge.__version__)
        raise typer.Exit


@app.callback()
def _common(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Say what all commands have in common."""
