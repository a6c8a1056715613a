"""Series as CSV, a line a sample: ``t_s`` if there are times, a column a channel.

A file of several recordings has the columns ``recording`` and ``label`` too; the samples of a
recording stand together. A file of one recording may lie in the folder of its class instead.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

import numpy as np

from simedge.sensors.series_rows import (
    Lines,
    Recording,
    SeriesFile,
    bridged,
    fail,
    quoted,
    read_numbers,
    seconds_checked,
)

__all__ = ["read_csv"]

_TIME: Final = "t_s"
_RECORDING: Final = "recording"
_LABEL: Final = "label"
_LEFT_OUT: Final = frozenset({_TIME, _RECORDING, _LABEL})
_COLUMNS_MAX: Final = 4096
_SAMPLES_LEAST: Final = 2


def read_csv(path: str | Path, *, label: str | None = None) -> SeriesFile:
    """Read a file.

    Parameters
    ----------
    label
        The class of the one recording that the file has; None: the file says it itself.

    Raises
    ------
    RecordingError
        At the first thing that is wrong, with file and line.
    """
    return _Reading(Path(path), label).read()


class _Reading:
    """One file on its way: the recording at hand, and those before it."""

    def __init__(self, path: Path, label: str | None) -> None:
        self.path, self.label = path, label
        self.lines = Lines(path)
        self.head: list[str] = []
        self.recordings: list[Recording] = []
        self.names: set[str] = set()
        self.missing = 0
        self.now: tuple[str, str] | None = None  # name and label of the recording at hand
        self.began = 0
        self.times: list[float] = []
        self.rows: list[list[float]] = []

    def read(self) -> SeriesFile:
        for row in self._table():
            if not self.head:
                self._take_head(row)
            else:
                self._take_row(row)
        self._close()
        if not self.recordings:
            self._fail("no sample below the header")
        channels = tuple(name for name in self.head if name not in _LEFT_OUT)
        recordings, sha256 = tuple(self.recordings), self.lines.sha256
        return SeriesFile(channels, (), recordings, self.missing, sha256)

    def _fail(self, text: str) -> NoReturn:
        fail(self.path, self.lines.number, text)

    def _table(self) -> Iterator[list[str]]:
        try:
            for row in csv.reader(self.lines, strict=True):
                if row:
                    yield [cell.strip() for cell in row]
        except csv.Error as error:
            self._fail(f"no CSV: {error}")

    def _take_head(self, row: list[str]) -> None:
        self.head = row
        if "" in row or len(set(row)) < len(row) or len(row) > _COLUMNS_MAX:
            self._fail("wrong header: every column needs a name of its own")
        if all(name not in _LEFT_OUT for name in row) and all(map(_is_number, row)):
            self._fail("wrong header: expected names of columns, got numbers")
        own = [name for name in (_RECORDING, _LABEL) if name in row]
        if self.label is None and len(own) < 2:
            self._fail(f"wrong header: expected the columns {_RECORDING} and {_LABEL}")
        if self.label is not None and own:
            self._fail(f"wrong header: the folder names the class, yet there is a column {own[0]}")
        if _LEFT_OUT.issuperset(row):
            self._fail("wrong header: no column is a channel")

    def _take_row(self, row: list[str]) -> None:
        if len(row) != len(self.head):
            self._fail(f"ragged: {len(row)} columns, the header has {len(self.head)}")
        cells = dict(zip(self.head, row, strict=True))
        label = cells.get(_LABEL, self.label) or self._fail("the label is missing")
        name = cells.get(_RECORDING, "") if self.label is None else self.path.name
        self._turn_to(name or self._fail("the name of the recording is missing"), label)
        numbers = [text for column, text in cells.items() if column not in _LEFT_OUT]
        self.rows.append(read_numbers(numbers, self.path, self.lines.number))
        if _TIME in cells:
            self.times += read_numbers([cells[_TIME]], self.path, self.lines.number)
            self._see_time()

    def _see_time(self) -> None:
        if len(self.times) > 1 and not self.times[-1] > self.times[-2]:
            self._fail(f"time goes from {self.times[-2]:g} s to {self.times[-1]:g} s")

    def _turn_to(self, name: str, label: str) -> None:
        """Go on with a recording, or begin it."""
        if self.now == (name, label):
            return
        if self.now is not None and self.now[0] == name:
            self._fail(f"recording {quoted(name)} has two labels")
        if name in self.names:
            self._fail(f"the samples of recording {quoted(name)} do not stand together")
        self._close()
        self.now, self.began = (name, label), self.lines.number
        self.names.add(name)

    def _close(self) -> None:
        """Keep the recording at hand."""
        if self.now is None:
            return
        if len(self.rows) < _SAMPLES_LEAST:
            fail(self.path, self.began, f"a recording needs {_SAMPLES_LEAST} samples")
        seconds = seconds_checked(self.times, self.path, self.began) if self.times else None
        values = np.array(self.rows, np.float64).T
        self.missing += int(np.isnan(values).sum())
        whole = bridged(values, seconds)
        if whole is None:
            fail(self.path, self.began, "every value of a channel is missing")
        place = f"{self.path}:{self.began}"
        self.recordings.append(Recording(self.now[1], seconds, whole, place))
        self.times, self.rows = [], []


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
