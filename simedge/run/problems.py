"""What is wrong with an input file, and where: one line a problem, all of them at once."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simedge.core.errors import SimedgeError

__all__ = ["Path", "Place", "Problem", "ScenarioError", "did_you_mean", "path_text"]

Path = tuple[str | int, ...]
"""The way from the top of a document to one of its values: keys and list positions."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """A line and a column, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding: ``file:line:col path: message``.

    A problem without a place comes from outside a file (``--set``, Python).
    """

    source: str
    place: Place | None
    path: str
    message: str

    def line(self) -> str:
        """Write the problem as one line that editors can jump to."""
        where = self.source
        if self.place is not None:
            where += f":{self.place.line}:{self.place.column}"
        if self.path:
            where += f" {self.path}"
        return _printable(f"{where}: {self.message}")


class ScenarioError(SimedgeError):
    """An input that cannot be run; ``problems`` has every finding, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=_order))
        super().__init__("\n".join(problem.line() for problem in self.problems))


def _printable(text: str) -> str:
    """Escape what could steer a terminal; input text reaches error messages."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _order(problem: Problem) -> tuple[str, Place, str]:
    return problem.source, problem.place or Place(line=0, column=0), problem.path


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the nearest known word, or nothing.

    >>> did_you_mean("memroy", ["memory", "compute"])
    " (did you mean 'memory'?)"
    """
    names = sorted(set(known))
    by_case = [name for name in names if name.lower() == str(word).lower()]
    close = by_case or difflib.get_close_matches(str(word)[:100], names, n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def path_text(path: Path, data: object = None) -> str:
    """Write a path as it is given to ``--set``; list items by their id where they have one.

    >>> path_text(("devices", 0, "memory"), {"devices": [{"id": "cam"}]})
    'devices[cam].memory'
    """
    text = ""
    for step in path:
        item = _step(data, step)
        if isinstance(step, int):
            text += f"[{_label(item, step)}]"
        else:
            text += f".{step}" if text else step
        data = item
    return text


def _step(data: object, step: str | int) -> object:
    if isinstance(data, dict):
        return data.get(step)
    if isinstance(data, Sequence) and isinstance(step, int) and step < len(data):
        return data[step]
    return None


def _label(item: object, position: int) -> str:
    if isinstance(item, dict):
        for key in ("id", "name"):
            if isinstance(item.get(key), str):
                return str(item[key])
    return str(position)
