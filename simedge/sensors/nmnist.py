"""N-MNIST: real recordings of an event camera before handwritten digits, in the official layout."""

import hashlib
import math
import os
from functools import lru_cache, partial
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from simedge.core.streams import Streams
from simedge.sensors.clips import ClipSensor, Shelves, deal, present, written
from simedge.sensors.frames import Events, RecordingError, SensorError
from simedge.sensors.nmnist_file import EVENT_BYTES, SIDE, read_nmnist
from simedge.sensors.settings import InvertShift, MirrorShift, NmnistSettings, RotateShift
from simedge.sensors.table import Roles

__all__ = ["Listing", "NmnistSensor", "address_map", "list_files"]

_PARTS: Final = ("Train", "Test")
_DIGITS: Final = tuple(str(digit) for digit in range(10))
_ONE: Final = 65536
_TREE: Final = "expected FOLDER/{Train,Test}/{0,1,...,9}/NNNNN.bin"
_SHOWN_MAX: Final = 8
_DIGESTS_MAX: Final = 1 << 17  # the whole of N-MNIST has 70,000 files


Mark = tuple[int, int]


class Listing(NamedTuple):
    """The files of a data set.

    Attributes
    ----------
    files
        Paths below the root, the training part first.
    shelves
        Numbers of those that can be whole, by part and class.
    cut_off
        Why the others were left out, by their number.
    marks
        Length and time of the last change (nanoseconds) of each file.
    """

    files: tuple[str, ...]
    shelves: Shelves
    cut_off: dict[int, str]
    marks: tuple["Mark", ...]

    def sha256(self, root: Path) -> str:
        """Return the SHA-256 of what is in all files: a line of path and SHA-256 each.

        A process reads each file once, as long as its length and time are what they were.
        """
        sha = hashlib.sha256()
        for path, (size, changed_ns) in zip(self.files, self.marks, strict=True):
            digest = _digest(str(root / path), size, changed_ns)
            sha.update(f"{path} {digest}\n".encode("utf-8", "surrogateescape"))
        return sha.hexdigest()


def list_files(root: Path) -> Listing:
    """Probe the layout and list what is there.

    Raises
    ------
    SensorError
        If this is not the official layout, or a class has no recording.
    """
    numbers, files, cut_off = count(), [], {}
    marks: list[Mark] = []
    parts = []
    for part in _PARTS:
        part_shelves: list[list[int]] = []
        for digit in _DIGITS:
            shelf = []
            for name, mark in _recordings(root, part, digit):
                number, path, size = next(numbers), f"{part}/{digit}/{name}", mark[0]
                files.append(path)
                marks.append(mark)
                if size and size % EVENT_BYTES == 0:
                    shelf.append(number)
                else:
                    cut_off[number] = _cut_off(root / path, size)
            if not shelf:
                first = next(iter(cut_off.values()), "")
                raise SensorError(f"{root / part / digit}: every recording is damaged; {first}")
            part_shelves.append(shelf)
        parts.append(tuple(part_shelves))
    shelves = Shelves(_DIGITS, parts[0], parts[1])
    return Listing(tuple(files), shelves, cut_off, tuple(marks))


@lru_cache(maxsize=_DIGESTS_MAX)
def _digest(path: str, size: int, changed_ns: int) -> str:
    """Return the SHA-256 of a file; how long and how old it is tells whether it was read."""
    del size, changed_ns
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise SensorError(f"{path}: cannot be read: {error.strerror}") from error


def _cut_off(path: Path, size: int) -> str:
    if not size:
        return f"{path}: byte 0: the file is empty"
    return f"{path}: byte {size - size % EVENT_BYTES}: the last event is cut off"


def _recordings(root: Path, part: str, digit: str) -> list[tuple[str, Mark]]:
    """Return names and marks of the recordings of a class, by name."""
    folder = root / part / digit
    if not folder.is_dir():
        raise SensorError(f"{_found(root, part, digit)}; {_TREE}")
    try:
        with os.scandir(folder) as entries:
            files = sorted((e.name, _mark(e)) for e in entries if _is_recording(e))
    except OSError as error:
        raise SensorError(f"{folder}: cannot be read: {error.strerror}") from error
    if not files:
        raise SensorError(f"{folder}: no .bin file there; {_TREE}")
    return files


def _mark(entry: "os.DirEntry[str]") -> Mark:
    found = entry.stat()
    return found.st_size, found.st_mtime_ns


def _is_recording(entry: "os.DirEntry[str]") -> bool:
    return entry.name.endswith(".bin") and not entry.name.startswith(".") and entry.is_file()


def _found(root: Path, part: str, digit: str) -> str:
    """Say what is there instead, and where the data set may be."""
    if not root.is_dir():
        return f"{root}: no such folder"
    if (root / part).is_dir():
        return f"{root / part}: no folder {digit}"
    try:
        inside = sorted(path.name for path in root.iterdir())
        below = [name for name in inside if all((root / name / p).is_dir() for p in _PARTS)]
    except OSError as error:
        return f"{root}: cannot be read: {error.strerror}"
    if below:
        return f"{root}: no folder {part}, but there is one in {root / below[0]}"
    shown = ", ".join(inside[:_SHOWN_MAX]) or "nothing"
    return f"{root}: no folder {part}, found {shown}{', ...' * (len(inside) > _SHOWN_MAX)}"


class NmnistSensor(ClipSensor):
    """N-MNIST recordings, in the time of a presentation."""

    def __init__(self, settings: NmnistSettings, seed: int) -> None:
        streams, self._root = Streams(seed), Path(settings.root)
        self._listing = list_files(self._root)
        shelves = self._listing.shelves
        size, damaged = settings.size, dict(self._listing.cut_off)
        super().__init__(
            settings,
            streams,
            names=shelves.names,
            roles=self._deal(streams, settings, damaged),
            shape=(size, size),
            damaged=damaged,
        )
        shift = settings.shift
        self.shifts_ns = (shift.at,) if shift else ()
        self._merged = settings.polarity == "merged"
        self._inverts = isinstance(shift, InvertShift)
        self._maps = [address_map(size, None), address_map(size, shift)]
        self._window_us = settings.window // 1000
        self.probe()

    @override
    def origin(self) -> dict[str, object]:
        """Return folder, list of files, how many serve for what, which were skipped."""
        listing = self._listing
        return {
            **super().origin(),
            "root": written(str(self._root)),
            "files": len(listing.files),
            "files_sha256": listing.sha256(self._root),
        }

    def _deal(self, streams: Streams, settings: NmnistSettings, damaged: dict[int, str]) -> Roles:
        try:
            sound = partial(self._sound, damaged)
            return deal(streams, self._listing.shelves, settings, sound=sound)
        except SensorError as error:
            reason = next(iter(damaged.values()), "")
            raise SensorError(f"{self._root}: {error}{reason and '; '}{reason}") from error

    def _sound(self, damaged: dict[int, str], clip: int) -> bool:
        try:
            read_nmnist(self._root / self._listing.files[clip])
        except RecordingError as error:
            damaged[clip] = str(error)
        return clip not in damaged

    @override
    def _show(self, clip: int, *, shifted: bool) -> Events:
        events = read_nmnist(self._root / self._listing.files[clip])
        places = self._maps[shifted][events.y.astype(np.intp) * SIDE + events.x]
        stays = places >= 0
        y, x = np.divmod(places[stays], self.width)
        p = events.p[stays]
        if self._merged:
            p = np.ones_like(p)
        elif shifted and self._inverts:
            p = np.uint8(1) - p
        moved = Events(x.astype(np.uint16), y.astype(np.uint16), events.t_us[stays], p)
        return present(
            moved,
            window_us=self._window_us,
            span_us=self.span_us,
            shape=(self.width, self.height),
        )


def address_map(size: int, shift: object) -> NDArray[np.int64]:
    """Return where each recorded pixel goes (row * size + column), -1 if out of sight.

    Turning is about the middle of the picture, each pixel to the nearest.
    """
    y, x = np.divmod(np.arange(SIDE**2), SIDE)
    if isinstance(shift, MirrorShift):
        x = SIDE - 1 - x
    elif isinstance(shift, RotateShift):
        x, y = _turned(x, y, math.radians(shift.degrees))
    inside = (x >= 0) & (x < SIDE) & (y >= 0) & (y < SIDE)
    return np.where(inside, y * size // SIDE * size + x * size // SIDE, -1)


def _turned(
    x: NDArray[np.int64], y: NDArray[np.int64], angle: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Turn counter-clockwise in whole numbers: half pixels from the middle, times 2^16."""
    cos, sin = round(_ONE * math.cos(angle)), round(_ONE * math.sin(angle))
    right, down = 2 * x - (SIDE - 1), 2 * y - (SIDE - 1)
    half = SIDE * _ONE
    return (cos * right + sin * down + half) >> 17, (cos * down - sin * right + half) >> 17
