"""Pixel events of many shots as one sorted array of whole numbers, and frames cut out of it.

A packed event is shot << 40 | t_us << 13 | pixel << 1 | polarity (1 ON): sorted, it is in order.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.sensors.frames import Frame

__all__ = ["SHOT_BITS", "TIME_BITS", "Tag", "cut", "noise"]

TIME_BITS: Final = 13
SHOT_BITS: Final = 40

_PIXEL_MASK: Final = (1 << (TIME_BITS - 1)) - 1
_TIME_MASK: Final = (1 << (SHOT_BITS - TIME_BITS)) - 1

Tag = tuple[int, int, int]
"""Index, label and source of a frame."""


def noise(
    words: NDArray[np.uint64], counts: NDArray[np.int64], *, pixels: int, span_us: int
) -> NDArray[np.int64]:
    """Return packed events without cause: a homogeneous Poisson process in time and space.

    Parameters
    ----------
    words
        One word an event, uint64 [shots, most events].
    counts
        Events of each shot, int64 [shots].
    """
    taken = words[np.arange(words.shape[1]) < counts[:, None]]
    low = (taken & np.uint64(0xFFFFFFFF)).astype(np.int64)
    high = (taken >> np.uint64(33)).astype(np.int64)
    polarity = (taken >> np.uint64(32)).astype(np.int64) & 1
    shot = np.repeat(np.arange(len(counts)), counts)
    t_us, pixel = (high * span_us) >> 31, (low * pixels) >> 32
    return shot << SHOT_BITS | t_us << TIME_BITS | pixel << 1 | polarity


def cut(keys: NDArray[np.int64], tags: Sequence[Tag], *, size: int) -> list[Frame]:
    """Cut ascending packed events into one read-only frame a shot."""
    low = keys.astype(np.uint16)  # what divides sixteen bits is four times as wide
    pixel, side = (low >> np.uint16(1)) & np.uint16(_PIXEL_MASK), np.uint16(size)
    y = pixel // side
    columns = (
        pixel - y * side,
        y,
        (keys >> TIME_BITS) & _TIME_MASK,
        (low & np.uint16(1)).astype(np.uint8),
    )
    for column in columns:
        column.setflags(write=False)
    ends = np.searchsorted(keys, np.arange(1, len(tags) + 1) << SHOT_BITS).tolist()
    parts = map(slice, [0, *ends[:-1]], ends)
    return [_frame(tag, columns, part) for tag, part in zip(tags, parts, strict=True)]


def _frame(
    tag: Tag,
    columns: tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.int64], NDArray[np.uint8]],
    part: slice,
) -> Frame:
    x, y, t_us, p = columns
    index, label, source = tag
    return Frame(
        index=index, label=label, source=source, x=x[part], y=y[part], t_us=t_us[part], p=p[part]
    )
