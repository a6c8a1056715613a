"""Recordings of series: what every format gives, and the reading of lines and numbers.

Files come from strangers: lines and files have limits, numbers are plain decimals, and whatever is
wrong is said with file and line.
"""

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from simedge.sensors.frames import RecordingError

__all__ = [
    "MISSING",
    "Lines",
    "Recording",
    "SeriesFile",
    "bridged",
    "fail",
    "quoted",
    "read_numbers",
    "seconds_checked",
]

MISSING: Final = "?"
_FILE_BYTES_MAX: Final = 512 * 2**20
_LINE_BYTES_MAX: Final = 64 * 2**20
_VALUE_MAX: Final = 1e100
_SECONDS_MAX: Final = 1e5
_SHOWN_MAX: Final = 40
_PLAIN: Final = re.compile(r"[0-9eE+.\-\s,]*")


class Recording(NamedTuple):
    """One recording.

    Attributes
    ----------
    label
        Its class.
    seconds
        Time of each sample, from 0 on, ascending, float64 [samples]; None if the file gives none.
    values
        float64 [channels, samples], all finite.
    place
        File and line where it begins.
    """

    label: str
    seconds: NDArray[np.float64] | None
    values: NDArray[np.float64]
    place: str


class SeriesFile(NamedTuple):
    """What one file has.

    Attributes
    ----------
    channels
        Names of the channels.
    classes
        Names of the classes that the file declares; none if it declares none.
    recordings
        In the order of the file.
    missing
        How many values were missing, and bridged by a straight line.
    sha256
        Of the file.
    """

    channels: tuple[str, ...]
    classes: tuple[str, ...]
    recordings: tuple[Recording, ...]
    missing: int
    sha256: str


def fail(path: Path, line: int, text: str) -> NoReturn:
    """Raise what is wrong with a line."""
    raise RecordingError(f"{path}:{line}: {text}")


def quoted(text: str) -> str:
    """Return foreign text fit for a message."""
    return ascii(text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "...")


class Lines:
    """The numbered lines of a text file, read one by one; `sha256` names what was read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0
        self._sha = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Give the hash of all lines so far."""
        return self._sha.hexdigest()

    def __iter__(self) -> Iterator[str]:
        """Yield lines without their ends; raises `RecordingError`."""
        taken = 0
        try:
            with self.path.open("rb") as file:
                while data := file.readline(_LINE_BYTES_MAX + 1):
                    self.number += 1
                    taken += len(data)
                    if len(data) > _LINE_BYTES_MAX or taken > _FILE_BYTES_MAX:
                        fail(self.path, self.number, "longer than a line or a file may be")
                    self._sha.update(data)
                    yield self._text(data)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise RecordingError(f"{self.path}: cannot be read: {reason}") from error
        if not taken:
            fail(self.path, 1, "the file is empty")

    def _text(self, data: bytes) -> str:
        try:
            text = data.decode("utf-8-sig" if self.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            fail(self.path, self.number, f"no text at byte {error.start} of the line")
        if "\0" in text:
            fail(self.path, self.number, "binary data")
        return text.rstrip("\r\n")


def read_numbers(cells: Sequence[str], path: Path, line: int) -> list[float]:
    """Return numbers as they stand there; NaN where a value is missing (``?`` or nothing).

    Raises
    ------
    RecordingError
        At anything that is no plain finite decimal number.
    """
    if _PLAIN.fullmatch(",".join(cells)):
        try:
            values = [float(cell) for cell in cells]
        except ValueError:
            values = []
        if values and max(map(abs, values)) <= _VALUE_MAX:
            return values
    return [_number(cell.strip(), path, line) for cell in cells]


def _number(cell: str, path: Path, line: int) -> float:
    if cell in {MISSING, ""}:
        return math.nan
    try:
        value = float(cell) if _PLAIN.fullmatch(cell) else math.nan
    except ValueError:
        value = math.nan
    if not abs(value) <= _VALUE_MAX:
        fail(path, line, f"not a number: {quoted(cell)}")
    return value


def seconds_checked(times: Sequence[float], path: Path, line: int) -> NDArray[np.float64]:
    """Return times counted from the first.

    Raises
    ------
    RecordingError
        If one is missing or they do not ascend or last longer than a day or so.
    """
    seconds = np.array(times, np.float64)
    if np.isnan(seconds).any():
        fail(path, line, "a time is missing")
    seconds -= seconds[0]
    if not (np.diff(seconds) > 0).all():
        fail(path, line, "times of a recording must ascend")
    if seconds[-1] > _SECONDS_MAX:
        fail(path, line, f"a recording of {seconds[-1]:g} s, at most {_SECONDS_MAX:g} s")
    return seconds


def bridged(
    values: NDArray[np.float64], seconds: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """Return values with those missing on a straight line between their neighbours.

    At the ends the nearest value holds. None if a channel has no value at all.
    """
    gaps = np.isnan(values)
    if not gaps.any():
        return values
    if gaps.all(axis=1).any():
        return None
    at = np.arange(values.shape[1], dtype=np.float64) if seconds is None else seconds
    filled = values.copy()
    for channel, gap in zip(filled, gaps, strict=True):
        channel[gap] = np.interp(at[gap], at[~gap], channel[~gap])
    return filled
