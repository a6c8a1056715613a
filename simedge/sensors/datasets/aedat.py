"""AEDAT recordings of 128 x 128 pixels: version 3.1 (DVS Gesture) and 2.0 (CIFAR10-DVS).

3.1: a text header that ends with ``#!END-HEADER``, then packets: 28 bytes that say type, size of an
event, overflow of time and number of events, then the events. A pixel event (type 1) is 8 bytes,
little-endian: bit 0 valid, 1 polarity, 2 to 16 row, 17 to 31 column; then microseconds.

2.0: lines that begin with ``#``, then 8 bytes an event, big-endian: address, then microseconds. Of
the address, bit 0 is the polarity (1 is OFF), 1 to 7 and 8 to 14 count from the far corner.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.sensors.frames import Events, RecordingError

__all__ = ["SIDE", "read_aedat2", "read_aedat31"]

SIDE: Final = 128
_END: Final = b"#!END-HEADER\r\n"
_PACKET: Final = np.dtype(
    [
        *(("type", "<i2"), ("source", "<i2"), ("size", "<i4"), ("offset", "<i4")),
        *(("overflow", "<i4"), ("capacity", "<i4"), ("number", "<i4"), ("valid", "<i4")),
    ]
)
_PIXELS: Final = 1
_EVENT: Final = 8


def read_aedat31(path: Path) -> Events:
    """Read one recording of version 3.1.

    Raises
    ------
    RecordingError
        If it is not one, is cut off, or an event lies outside of the pixels.
    """
    data = _read(path)
    if not data.startswith(b"#!AER-DAT3.1"):
        raise RecordingError(f"{path}: byte 0: no AEDAT 3.1 header")
    at = data.find(_END)
    if at < 0:
        raise RecordingError(f"{path}: byte {len(data)}: the header has no end")
    at += len(_END)
    found: list[NDArray[np.int64]] = []
    while at < len(data):
        if len(data) - at < _PACKET.itemsize:
            raise RecordingError(f"{path}: byte {at}: the head of a packet is cut off")
        head = np.frombuffer(data, _PACKET, 1, at)[0]
        at += _PACKET.itemsize
        number, size = int(head["number"]), int(head["size"])
        if min(number, size) < 0 or number * size > len(data) - at:
            raise RecordingError(f"{path}: byte {at}: a packet of {number} events is cut off")
        if int(head["type"]) == _PIXELS:
            if size != _EVENT:
                raise RecordingError(f"{path}: byte {at}: pixel events of {size} bytes, not 8")
            rows = np.frombuffer(data, "<u4", 2 * number, at).reshape(-1, 2).astype(np.int64)
            rows[:, 1] += int(head["overflow"]) << 31
            found.append(rows[(rows[:, 0] & 1) == 1])
        at += number * size
    rows = np.concatenate(found) if found else np.empty((0, 2), np.int64)
    word = rows[:, 0]
    return _events(path, word >> 17, word >> 2 & 0x7FFF, t_us=rows[:, 1], p=word >> 1 & 1)


def read_aedat2(path: Path) -> Events:
    """Read one recording of version 2.0, as CIFAR10-DVS has them; upright.

    Raises
    ------
    RecordingError
        If it is not one, or is cut off.
    """
    data = _read(path)
    if not data.startswith(b"#!AER-DAT2.0"):
        raise RecordingError(f"{path}: byte 0: no AEDAT 2.0 header")
    at = 0
    while data[at : at + 1] == b"#":
        end = data.find(b"\n", at)
        if end < 0:
            raise RecordingError(f"{path}: byte {at}: the header has no end")
        at = end + 1
    if (len(data) - at) % _EVENT:
        raise RecordingError(f"{path}: byte {len(data)}: the last event is cut off")
    rows = np.frombuffer(data, ">u4", offset=at).reshape(-1, 2).astype(np.int64)
    word = rows[:, 0]
    x, y = SIDE - 1 - (word >> 8 & 0x7F), SIDE - 1 - (word >> 1 & 0x7F)
    return _events(path, x, y, t_us=rows[:, 1], p=1 - (word & 1))


def _events(
    path: Path,
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    *,
    t_us: NDArray[np.int64],
    p: NDArray[np.int64],
) -> Events:
    if not len(x):
        raise RecordingError(f"{path}: no pixel event in it")
    if x.max() >= SIDE or y.max() >= SIDE:
        first = int(np.flatnonzero((x >= SIDE) | (y >= SIDE))[0])
        raise RecordingError(
            f"{path}: event {first} at ({x[first]}, {y[first]}) lies outside of {SIDE} x {SIDE}"
        )
    order = np.argsort(t_us, kind="stable")  # packets of cameras overlap by a little
    return Events(
        x[order].astype(np.uint16),
        y[order].astype(np.uint16),
        t_us[order],
        p[order].astype(np.uint8),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror}") from error
