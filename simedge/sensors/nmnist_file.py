"""N-MNIST recordings: five bytes an event (Orchard et al. 2015).

Byte 0 is x, byte 1 is y, the highest bit of byte 2 is the polarity, the other 23 bits are the time
in microseconds. y = 240 is no event: from there on 2^13 is added to all times.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.sensors.frames import Events, RecordingError

__all__ = ["EVENT_BYTES", "SIDE", "read_nmnist"]

SIDE: Final = 34
EVENT_BYTES: Final = 5
_OVERFLOW_Y: Final = 240
_OVERFLOW_US: Final = 1 << 13
_BYTES_MAX: Final = 16 * 2**20


def read_nmnist(path: str | Path) -> Events:
    """Read one recording.

    Raises
    ------
    RecordingError
        If the file cannot be read, is empty or cut off, or an event lies outside the 34 x 34
        pixels or before the one ahead of it; with the file and the place of the first such byte.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path}: cannot be read: {_reason(error)}") from error
    return _decode(data, path)


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _decode(data: bytes, path: str | Path) -> Events:
    size = len(data)
    if size == 0:
        raise RecordingError(f"{path}: byte 0: the file is empty")
    if size > _BYTES_MAX:
        raise RecordingError(f"{path}: byte {_BYTES_MAX}: more than a recording can have (16 MiB)")
    if size % EVENT_BYTES:
        whole = size - size % EVENT_BYTES
        raise RecordingError(
            f"{path}: byte {whole}: the last event is cut off ({size} bytes, {EVENT_BYTES} a piece)"
        )
    rows = np.frombuffer(data, np.uint8).reshape(-1, EVENT_BYTES).astype(np.int64)
    x, y, p = rows[:, 0], rows[:, 1], rows[:, 2] >> 7
    marks = y == _OVERFLOW_Y
    t_us = (rows[:, 2] & 0x7F) << 16 | rows[:, 3] << 8 | rows[:, 4]
    t_us += np.cumsum(marks) * _OVERFLOW_US
    places = np.flatnonzero(~marks)
    x, y, t_us, p = x[places], y[places], t_us[places], p[places]
    if not len(places):
        raise RecordingError(f"{path}: byte 0: no event, only marks of time")
    _refuse(np.flatnonzero((x >= SIDE) | (y >= SIDE)), path, places, x=x, y=y)
    back = np.flatnonzero(np.diff(t_us) < 0)
    if len(back):
        first = int(back[0])
        raise RecordingError(
            f"{path}: byte {EVENT_BYTES * places[first + 1]}: time goes back "
            f"from {t_us[first]} to {t_us[first + 1]} us"
        )
    return Events(x.astype(np.uint16), y.astype(np.uint16), t_us, p.astype(np.uint8))


def _refuse(
    outside: NDArray[np.intp],
    path: str | Path,
    places: NDArray[np.intp],
    *,
    x: NDArray[np.int64],
    y: NDArray[np.int64],
) -> None:
    if len(outside):
        first = int(outside[0])
        raise RecordingError(
            f"{path}: byte {EVENT_BYTES * places[first]}: event at ({x[first]}, {y[first]}) "
            f"lies outside the {SIDE} x {SIDE} pixels"
        )
