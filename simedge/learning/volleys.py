"""Pixel events become volleys: the input lines that fire at each device tick."""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_leaf, native_part
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
    most = min(size, camera.ticks)
    tick, start = np.empty(most, np.int32), np.empty(most + 1, np.int32)
    line = np.empty(size, np.int32)
    sizes = (camera.width, camera.height, camera.tick_ns, camera.ticks)
    count = gather(frame.x, frame.y, frame.t_us, frame.p, *sizes, tick, start, line)
    if count < 0:
        raise LearnerError(
            f"a pixel event lies outside the {camera.width} x {camera.height} pixels"
        )
    return Volleys(int(frame.label), tick[:count], start[: count + 1], line[: start[count]])


@native_leaf
def gather(  # noqa: PLR0913 - arrays in tuples are slow to hand over
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    t_us: NDArray[np.int64],
    p: NDArray[np.uint8],
    width: Whole,
    height: Whole,
    tick_ns: Whole,
    ticks: Whole,
    tick: Ints,
    start: Ints,
    line: Ints,
) -> Whole:
    """Fill `tick`, `start` and `line`; return the number of volleys.

    It is -1 if an event lies outside the pixels.
    """
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
        used = in_order(line, first, used)
        tick[volleys], start[volleys] = now, first
        volleys += 1
    start[volleys] = used
    return volleys


@native_part
def in_order(line: Ints, first: Whole, stop: Whole) -> Whole:
    """Sort line[first:stop] in place and drop repeats; return where the rest ends.

    Most volleys are short, and then this (Shell 1959) is sorting by insertion.
    """
    gap, size = 1, stop - first
    while 9 * gap < size:
        gap = 3 * gap + 1
    while gap:
        for i in range(first + gap, stop):
            value, j = line[i], i
            while j >= first + gap and line[j - gap] > value:
                line[j] = line[j - gap]
                j -= gap
            line[j] = value
        gap //= 3
    kept = first
    for i in range(first, stop):
        if i == first or line[i] != line[kept - 1]:
            line[kept] = line[i]
            kept += 1
    return kept
