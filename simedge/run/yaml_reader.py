"""YAML 1.2 from strangers: plain data with a line and a column for every path.

Limits are checked on the parser's event stream, before anything is composed, so neither deep
nesting nor aliases can cost memory or recursion. Scalars follow the YAML 1.2 core schema: ``no``
is text and ``012`` is twelve.
"""

import math
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from simedge.run.problems import Path, Place, Problem, ScenarioError, path_text

__all__ = ["DEPTH_MAX", "SIZE_MAX_BYTES", "Document", "parse", "read_file", "scalar"]

SIZE_MAX_BYTES = 256 * 1024
DEPTH_MAX = 32
_START = Place(line=1, column=1)
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_DIGITS_MAX = 40
_WORDS = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}


@dataclass(slots=True)
class Document:
    """Plain data with the place of every key and value.

    ``problems`` holds what is wrong but does not stop the reading (a key given twice), so that it
    is reported together with what validation finds.
    """

    source: str
    data: object = None
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Return where a path stands, or the nearest thing above it that the document has."""
        for length in range(len(path), 0, -1):
            whole = path[:length]
            places = self.keys if key or length < len(path) else self.values
            found = places.get(whole, self.values.get(whole))
            if found is not None:
                return found
        return self.values.get((), _START)


def read_file(path: FilePath) -> Document:
    """Read a YAML file; never more of it than the limit allows.

    Raises
    ------
    ScenarioError
        If it cannot be read, is too large or no YAML of the kind that is taken here.
    """
    source = str(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            inside = path / "scenario.yaml"
            hint = f"; the scenario in it is {inside}" if inside.is_file() else ""
            _refuse(source, None, f"is a directory{hint}")
        if not stat.S_ISREG(mode):
            _refuse(source, None, "not a file")
        with path.open("rb") as file:
            return parse(file.read(SIZE_MAX_BYTES + 1), source=source)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ScenarioError([_problem(source, _START, f"cannot read: {reason}")]) from error


def parse(raw: bytes | str, *, source: str, empty_ok: bool = False) -> Document:
    """Parse one YAML document under the limits of this module (raises `ScenarioError`)."""
    text = _decode(raw, source)
    tree = _Tree(Document(source=source))
    try:
        for event in _events(text):
            tree.take(event)
    except ReaderError as error:
        where = _place_at(text, int(error.position))
        message = f"the character {chr(error.character)!r} is not allowed"
        raise ScenarioError([_problem(source, where, message)]) from error
    except MarkedYAMLError as error:
        raise ScenarioError([_syntax_problem(source, error)]) from error
    except (YAMLError, ValueError, OverflowError) as error:
        # The scanner answers some malformed escapes and directives with bare ValueErrors.
        raise ScenarioError([_problem(source, tree.last, f"not YAML: {error}")]) from error
    if tree.document.data is None and not empty_ok:
        _refuse(source, _START, "the file is empty")
    return tree.document


def scalar(text: str) -> str | int | float | bool | None:
    """Resolve a plain scalar by the YAML 1.2 core schema.

    Raises
    ------
    ValueError
        If it is a number that is not finite or absurdly long.

    >>> scalar("012"), scalar("no"), scalar("20 ms"), scalar("1e-3")
    (12, 'no', '20 ms', 0.001)
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > _DIGITS_MAX:
            raise ValueError(f"a number of more than {_DIGITS_MAX} digits")
        return int(text, 8 if text.startswith("0o") else 16 if text.startswith("0x") else 10)
    if _FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        number = float(text) if _FLOAT.fullmatch(text) else math.inf
        if not math.isfinite(number):
            raise ValueError(f"the number {text[:_DIGITS_MAX]!r} is not finite")
        return number
    return text


def _decode(raw: bytes | str, source: str) -> str:
    data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    if len(data) > SIZE_MAX_BYTES:
        _refuse(source, _START, f"larger than {SIZE_MAX_BYTES // 1024} KiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        message = f"not UTF-8 text (byte 0x{data[error.start]:02x})"
        raise ScenarioError([_problem(source, _place_at(before, len(before)), message)]) from error


def _events(text: str) -> Iterator[Event]:
    # Pure Python: C-backed parsers have crashed on hostile input.
    yield from YAML(typ="safe", pure=True).parse(text)


def _place_at(text: str, position: int) -> Place:
    lines = re.split(r"\r\n|\r|\n", text[:position])
    return Place(line=len(lines), column=len(lines[-1]) + 1)


def _place(event: Event) -> Place:
    return Place(line=event.start_mark.line + 1, column=event.start_mark.column + 1)


def _problem(source: str, place: Place | None, message: str, *, path: str = "") -> Problem:
    return Problem(source=source, place=place, path=path, message=message)


def _refuse(source: str, place: Place | None, message: str) -> NoReturn:
    raise ScenarioError([_problem(source, place, message)])


def _syntax_problem(source: str, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = _START if mark is None else Place(line=mark.line + 1, column=mark.column + 1)
    words = " ".join(str(part) for part in (error.context, error.problem) if part)
    return _problem(source, place, f"not YAML: {' '.join(words.split())[:300]}")


@dataclass(slots=True)
class _Open:
    """A mapping or a list that has not ended yet."""

    path: Path
    items: dict[str, object] | list[object]
    key: str | None = None


class _Tree:
    """Composes plain data from events, with an explicit stack."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.last = _START
        self._open: list[_Open] = []
        self._documents = 0

    def take(self, event: Event) -> None:
        self.last = place = _place(event)
        self._check(event, place)
        match event:
            case MappingStartEvent():
                self._start({}, place)
            case SequenceStartEvent():
                self._start([], place)
            case MappingEndEvent() | SequenceEndEvent():
                self._open.pop()
            case ScalarEvent():
                self._scalar(event, place)
            case _:
                pass

    def _check(self, event: Event, place: Place) -> None:
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._refuse(place, "a second document begins here: one file, one document")
            if event.tags or event.version not in {None, (1, 2)}:
                self._refuse(place, "only the directive %YAML 1.2 is known")
        if isinstance(event, AliasEvent):
            self._refuse(place, f"aliases are refused (*{event.anchor})")
        if not isinstance(event, NodeEvent):
            return
        if event.anchor is not None:
            self._refuse(place, f"anchors are refused (&{event.anchor})")
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._refuse(place, f"tags are refused ({tag})")

    def _start(self, items: dict[str, object] | list[object], place: Place) -> None:
        if len(self._open) >= DEPTH_MAX:
            _refuse(self.document.source, place, f"nested deeper than {DEPTH_MAX} levels")
        if self._expects_key():
            self._refuse(place, "a key must be plain text")
        path = self._add(items, place)
        self._open.append(_Open(path, items))

    def _scalar(self, event: ScalarEvent, place: Place) -> None:
        if not str(event.value).isascii() and _SURROGATE.search(event.value):
            self._refuse(place, "half of a surrogate pair is no character")
        if self._expects_key():
            self._key(str(event.value), place)
            return
        value: object = event.value
        if event.implicit[0]:
            try:
                value = scalar(event.value)
            except ValueError as error:
                self._refuse(place, str(error))
        self._add(value, place)

    def _expects_key(self) -> bool:
        return (
            bool(self._open)
            and isinstance(self._open[-1].items, dict)
            and (self._open[-1].key is None)
        )

    def _key(self, key: str, place: Place) -> None:
        top = self._open[-1]
        path = (*top.path, key)
        if key in top.items:
            first = self.document.keys[path]
            message = f"given twice (first in line {first.line})"
            shown = path_text(path)
            self.document.problems.append(
                _problem(self.document.source, place, message, path=shown)
            )
        else:
            self.document.keys[path] = place
        top.key = key

    def _add(self, value: object, place: Place) -> Path:
        """Put a value where it belongs and return its path."""
        path: Path = ()
        if not self._open:
            self.document.data = value
        elif isinstance(items := self._open[-1].items, list):
            path = (*self._open[-1].path, len(items))
            items.append(value)
        else:
            key = self._open[-1].key
            assert key is not None, "a value of a mapping follows its key"
            path = (*self._open[-1].path, key)
            items[key] = value
            self._open[-1].key = None
            if value is None:  # the parser sees nothing only where the next thing begins
                place = min(place, self.document.keys[path], key=lambda p: p.line)
        self.document.values[path] = place
        return path

    def _refuse(self, place: Place, message: str) -> NoReturn:
        top = self._open[-1] if self._open else _Open((), {})
        shown = path_text(top.path if top.key is None else (*top.path, top.key))
        raise ScenarioError([_problem(self.document.source, place, message, path=shown)])
