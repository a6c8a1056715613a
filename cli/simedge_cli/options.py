"""Options that several commands have: one name, one help text, one way to be given."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Changes",
    "Duration",
    "Json",
    "NoColor",
    "Quiet",
    "Record",
    "Recorded",
    "RunOut",
    "Seed",
]


class Record(StrEnum):
    """What is kept of a run."""

    EVENTS = "events"
    SUMMARY = "summary"


Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a value; repeatable."),
]
Duration = Annotated[str | None, typer.Option("--duration", help='Virtual time, as "2 min".')]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, no table.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="No colours.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no table.")]
Recorded = Annotated[
    Record | None, typer.Option("--record", help="Keep event logs, or their hashes alone.")
]
RunOut = Annotated[
    Path | None, typer.Option("-o", "--out", help="The run directory itself: absent or empty.")
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed, in place of the file's.")]
