"""Pixel events become volleys: the input lines that fire at each device tick."""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_leaf
from simedge.learning.errors import LearnerError
from simedge.learning.ports import FrameLike
from simedge.neurons.kinds import Ints, Whole

__all__ = ["Camera", "Volleys", "volleys_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """How pixel events are read: size, device tick, and ticks of a presentation."""

    width: int
    height: int
    tick_ns: int
    ticks: int

    @property
    def lines(self) -> int:
        """Input lines: two polarities a pixel."""
        return 2 * self.width * self.height


@dataclass(frozen=True, slots=True)
class Volleys:
    """One presentation as its circuit sees it."""

    label: int
    tick: Ints
    """Device tick of each volley, ascending."""
    start: Ints
    """Lines of volley v are line[start[v]:start[v+1]]."""
    line: Ints
    """Input lines (y·width + x)·2 + polarity, ascending and unlike within a volley."""


def volleys_of(frame: FrameLike, camera: Camera) -> Volleys:
    """Gather a frame's pixel events into volleys.

    A line fires at most once a tick. Events after the last tick count as in the last.
    """
    size = frame.x.size
    tick, start = np.empty(size, np.int32), np.empty(size + 1, np.int32)
    line = np.empty(size, np.int32)
    scale = np.array((camera.width, camera.height, camera.tick_ns, camera.ticks), np.int64)
    events = (frame.x, frame.y, frame.t_us, frame.p)
    count = gather(events, scale, tick, start, line)
    if count < 0:
        raise LearnerError(
            f"a pixel event lies outside the {camera.width} x {camera.height} pixels"
        )
    return Volleys(int(frame.label), tick[:count], start[: count + 1], line[: start[count]])


@native_leaf
def gather(
    events: tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.int64], NDArray[np.uint8]],
    scale: NDArray[np.int64],
    tick: Ints,
    start: Ints,
    line: Ints,
) -> Whole:
    """Fill `tick`, `start` and `line`; return the number of volleys.

    It is -1 if an event lies outside the pixels.
    """
    x, y, t_us, p = events
    width, height, tick_ns, ticks = scale
    volleys, used, i = 0, 0, 0
    while i < x.size:
        now = min(t_us[i] * 1000 // tick_ns, ticks - 1)
        first, until = used, (now + 1) * tick_ns
        while i < x.size and (t_us[i] * 1000 < until or now == ticks - 1):
            if x[i] >= width or y[i] >= height or p[i] > 1:
                return -1
            line[used] = (np.int64(y[i]) * width + x[i]) * 2 + p[i]
            used += 1
            i += 1
        sort_short(line[first:used])
        used = first + drop_repeats(line[first:used])
        tick[volleys], start[volleys] = now, first
        volleys += 1
    start[volleys] = used
    return volleys


@native_leaf
def sort_short(line: Ints) -> None:
    """Sort in place (Shell 1959): most volleys are short, and then it is sorting by insertion."""
    gap = 1
    while 9 * gap < line.size:
        gap = 3 * gap + 1
    while gap:
        for i in range(gap, line.size):
            value, j = line[i], i
            while j >= gap and line[j - gap] > value:
                line[j] = line[j - gap]
                j -= gap
            line[j] = value
        gap //= 3


@native_leaf
def drop_repeats(line: Ints) -> Whole:
    """Move the unlike entries of a sorted list to its front; return their number."""
    kept = 0
    for i in range(line.size):
        if i == 0 or line[i] != line[i - 1]:
            line[kept] = line[i]
            kept += 1
    return kept
