"""Frames as bytes: what a device sends when it sends what it sees.

Eight bytes a pixel event, the usual size of an address event: column and row as u16, then a u32
of microseconds since the presentation began, whose highest bit is the polarity; little-endian.
"""

from typing import Final

import numpy as np

from simedge.sensors.frames import ITEM, NO_SOURCE, Frame

__all__ = ["EVENT_BYTES", "pack_frame", "unpack_frame"]

_EVENT: Final = np.dtype([("x", "<u2"), ("y", "<u2"), ("t", "<u4")])
EVENT_BYTES: Final = _EVENT.itemsize
_ON: Final = np.uint32(1 << 31)


def pack_frame(frame: Frame) -> bytes:
    """Return the bytes of a frame; its label goes apart."""
    events = np.empty(len(frame.t_us), _EVENT)
    events["x"], events["y"] = frame.x, frame.y
    events["t"] = frame.t_us.astype(np.uint32) | np.where(frame.p > 0, _ON, np.uint32(0))
    return events.tobytes()


def unpack_frame(data: bytes, label: int, *, width: int, height: int) -> Frame:
    """Return the frame of some bytes, whatever they are: what lies outside the pixels is left out.

    >>> unpack_frame(b"no frame", 3, width=16, height=16).label
    3
    """
    events = np.frombuffer(data[: len(data) // EVENT_BYTES * EVENT_BYTES], _EVENT)
    events = events[(events["x"] < width) & (events["y"] < height)]
    t_us = (events["t"] & ~_ON).astype(np.int64)
    order = np.argsort(t_us, kind="stable")
    return Frame(
        index=ITEM,
        label=label,
        source=NO_SOURCE,
        x=events["x"][order].astype(np.uint16),
        y=events["y"][order].astype(np.uint16),
        t_us=t_us[order],
        p=((events["t"][order] & _ON) > 0).astype(np.uint8),
    )
