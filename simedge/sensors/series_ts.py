"""UEA and UCR archives' ``.ts`` files: a header of directives, then a recording a line.

Dimensions are separated by colons, the class comes last, ``?`` is a missing value; with time stamps
a dimension is a list of ``(time,value)``. Recordings may be of unequal length.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

import numpy as np

from simedge.sensors.series_rows import (
    MISSING,
    Lines,
    Recording,
    SeriesFile,
    bridged,
    fail,
    quoted,
    read_numbers,
    seconds_checked,
)

__all__ = ["read_ts"]

_SAMPLES_LEAST: Final = 2
_CHANNELS_MAX: Final = 4096
_DIGITS_MAX: Final = 9
_PAIR: Final = re.compile(r"\(([^(),]*),([^(),]*)\)")
_PAIRS: Final = re.compile(r"(?:\([^(),]*,[^(),]*\))(?:,\([^(),]*,[^(),]*\))*")


def read_ts(path: str | Path) -> SeriesFile:
    """Read a file.

    Raises
    ------
    RecordingError
        At the first thing that is wrong, with file and line.
    """
    return _Reading(Path(path)).read()


class _Reading:
    """One file on its way: what its header says, and the recordings so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = Lines(path)
        self.said: set[str] = set()
        self.timed = False
        self.may_miss: bool | None = None
        self.univariate: bool | None = None
        self.equal = False
        self.dimensions: int | None = None
        self.length: int | None = None
        self.classes: tuple[str, ...] = ()
        self.missing = 0
        self.recordings: list[Recording] = []

    def read(self) -> SeriesFile:
        in_header = True
        for text in self.lines:
            line = text.strip()
            if not line or line.startswith(("#", "%")):
                continue
            if not in_header:
                self._recording(line)
            elif line.lower() == "@data":
                in_header = False
                self._see_header()
            else:
                self._directive(line)
        if in_header:
            self._fail("the header ends without @data")
        if not self.recordings:
            self._fail("no recording after @data")
        channels = tuple(f"channel-{n}" for n in range(1, (self.dimensions or 0) + 1))
        recordings, sha256 = tuple(self.recordings), self.lines.sha256
        return SeriesFile(channels, self.classes, recordings, self.missing, sha256)

    def _fail(self, text: str) -> NoReturn:
        fail(self.path, self.lines.number, text)

    def _directive(self, line: str) -> None:
        name, *words = line.split()
        if not name.startswith("@"):
            self._fail(
                f"wrong header: expected a directive such as @problemName, got {quoted(line)}"
            )
        known = self._directives().get(name.lower())
        if known is None:
            self._fail(f"wrong header: unknown directive {quoted(name)}")
        if name.lower() in self.said:
            self._fail(f"wrong header: {name} is said twice")
        self.said.add(name.lower())
        known(words)

    def _directives(self) -> dict[str, Callable[[list[str]], None]]:
        return {
            "@problemname": lambda _: None,
            "@timestamps": lambda words: setattr(self, "timed", self._truth(words)),
            "@missing": lambda words: setattr(self, "may_miss", self._truth(words)),
            "@univariate": lambda words: setattr(self, "univariate", self._truth(words)),
            "@dimensions": lambda words: setattr(self, "dimensions", self._count(words)),
            "@dimension": lambda words: setattr(self, "dimensions", self._count(words)),
            "@equallength": lambda words: setattr(self, "equal", self._truth(words)),
            "@serieslength": lambda words: setattr(self, "length", self._count(words)),
            "@classlabel": self._class_label,
            "@targetlabel": lambda _: self._fail("targets are no classes: nothing to tell apart"),
        }

    def _truth(self, words: list[str]) -> bool:
        word = words[0].lower() if len(words) == 1 else ""
        if word not in {"true", "false"}:
            self._fail("wrong header: expected true or false")
        return word == "true"

    def _count(self, words: list[str]) -> int:
        word = words[0] if len(words) == 1 else ""
        if not (word.isascii() and word.isdigit()) or len(word) > _DIGITS_MAX or not int(word):
            self._fail("wrong header: expected a whole number above 0")
        return int(word)

    def _class_label(self, words: list[str]) -> None:
        if not words or not self._truth(words[:1]):
            self._fail("no class labels: nothing to tell apart")
        self.classes = tuple(words[1:])
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            self._fail("@classLabel needs true and at least two unlike classes")

    def _see_header(self) -> None:
        if not self.classes:
            self._fail("the header has no @classLabel")
        if self.univariate:
            if (self.dimensions or 1) != 1:
                self._fail(f"@univariate true, but @dimensions {self.dimensions}")
            self.dimensions = 1
        if (self.dimensions or 0) > _CHANNELS_MAX:
            self._fail(f"{self.dimensions} dimensions, at most {_CHANNELS_MAX}")

    def _recording(self, line: str) -> None:
        *parts, label = line.split(":")
        label = label.strip()
        if label not in self.classes:
            said = f"unknown class {quoted(label)}" if label else "the class is missing"
            self._fail(f"{said} (known: {', '.join(map(quoted, self.classes[:8]))})")
        if self.dimensions is None:
            self.dimensions = len(parts)
        if len(parts) != self.dimensions or not parts:
            self._fail(f"{len(parts)} dimensions, expected {self.dimensions}")
        seconds: list[float] | None = None
        rows: list[list[float]] = []
        for part in parts:
            times, values = self._dimension(part.strip())
            if rows and len(values) != len(rows[0]):
                self._fail(f"ragged: dimensions of {len(rows[0])} and {len(values)} values")
            if rows and times != seconds:
                self._fail("dimensions of one recording must share their times")
            seconds = times
            rows.append(values)
        self._take(label, seconds, rows)

    def _dimension(self, part: str) -> tuple[list[float] | None, list[float]]:
        if not self.timed:
            return None, self._numbers(part.split(","))
        if not _PAIRS.fullmatch(part.replace(" ", "")):
            self._fail("expected (time,value),(time,value),...")
        pairs = _PAIR.findall(part)
        times = read_numbers([time for time, _ in pairs], self.path, self.lines.number)
        return times, self._numbers([value for _, value in pairs])

    def _numbers(self, cells: list[str]) -> list[float]:
        if self.may_miss is False and any(cell.strip() in {MISSING, ""} for cell in cells):
            self._fail("a value is missing although the header says @missing false")
        return read_numbers(cells, self.path, self.lines.number)

    def _take(self, label: str, seconds: list[float] | None, rows: list[list[float]]) -> None:
        number, samples = self.lines.number, len(rows[0])
        if samples < _SAMPLES_LEAST:
            self._fail(f"{samples} sample, a recording needs {_SAMPLES_LEAST}")
        if self.equal and samples != (self.length or samples):
            self._fail(f"{samples} samples, the header says {self.length}")
        if self.equal:
            self.length = samples
        values = np.array(rows, np.float64)
        self.missing += int(np.isnan(values).sum())
        times = None if seconds is None else seconds_checked(seconds, self.path, number)
        whole = bridged(values, times)
        if whole is None:
            self._fail("every value of a dimension is missing")
        self.recordings.append(Recording(label, times, whole, f"{self.path}:{number}"))
