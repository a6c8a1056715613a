"""``simedge validate``: are these files scenarios or studies, and do they make sense."""

import json
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from simedge_cli.exits import Exit, told

if TYPE_CHECKING:
    from simedge.run.problems import Problem

__all__ = ["validate"]


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    GITHUB = "github"
    JSON = "json"


def validate(
    files: Annotated[
        list[str], typer.Argument(help="YAML files or bundled names, of scenarios or studies.")
    ],
    *,
    style: Annotated[
        Format, typer.Option("--format", help="text; github: annotations; json: one object.")
    ] = Format.TEXT,
) -> None:
    """Check scenarios and studies: schema, units, names, reach, memory, traces; exit 3 if wrong."""
    with told():
        found = {name: _problems(name) for name in files}
        _PRINTERS[style](found)
    if any(found.values()):
        raise typer.Exit(Exit.BAD_INPUT)


def _problems(name: str) -> tuple["Problem", ...]:
    from simedge.run.problems import ScenarioError
    from simedge.run.scenario import check
    from simedge.study.study_file import is_study, read_study

    if not is_study(name):
        return check(name)
    try:
        read_study(name)
    except ScenarioError as error:
        return error.problems
    return ()


def _print_text(found: dict[str, tuple["Problem", ...]]) -> None:
    for name, problems in found.items():
        lines: Iterable[str] = [problem.line() for problem in problems] or [f"{name}: ok"]
        for line in lines:
            print(line)


def _print_github(found: dict[str, tuple["Problem", ...]]) -> None:
    for problems in found.values():
        for problem in problems:
            place = problem.place
            where = f"line={place.line},col={place.column}" if place else "line=1"
            text = f"{problem.path}: {problem.message}" if problem.path else problem.message
            print(f"::error file={_escaped(problem.source)},{where}::{_escaped(text)}")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _print_json(found: dict[str, tuple["Problem", ...]]) -> None:
    problems = [
        {
            "file": problem.source,
            "line": problem.place.line if problem.place else None,
            "column": problem.place.column if problem.place else None,
            "path": problem.path,
            "message": problem.message,
        }
        for several in found.values()
        for problem in several
    ]
    print(json.dumps({"ok": not problems, "files": list(found), "problems": problems}, indent=2))


_PRINTERS: dict[Format, Callable[[dict[str, tuple["Problem", ...]]], None]] = {
    Format.TEXT: _print_text,
    Format.GITHUB: _print_github,
    Format.JSON: _print_json,
}
