"""Pixel events become volleys: the input lines that fire at each device tick."""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_part, unlocked_leaf
from simedge.learning.errors import LearnerError
from simedge.learning.ports import FrameLike
from simedge.neurons.kinds import Ints, Whole

__all__ = ["Camera", "Prepared", "joined", "prepare"]

_NONE: Final = np.empty(0, np.int64)


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
class Prepared:
    """Presentations as circuits see them, end to end."""

    labels: NDArray[np.int64]
    tick: Ints
    """Device tick of each volley, ascending within a presentation."""
    start: Ints
    """Lines of volley v are line[start[v]:start[v+1]]."""
    line: Ints
    """Input lines (y·width + x)·2 + polarity, ascending and unlike within a volley."""
    bounds: NDArray[np.int64]
    """Volleys of presentation f are [bounds[f], bounds[f+1])."""


def prepare(frames: Sequence[FrameLike], camera: Camera) -> Prepared:
    """Gather the pixel events of frames into volleys.

    A line fires at most once a tick. Events after the last tick count as in the last.
    """
    ends = np.cumsum([0, *(frame.x.size for frame in frames)])
    size = int(ends[-1])
    tick, start = np.empty(size, np.int32), np.zeros(size + 1, np.int32)
    line, bounds = np.empty(size, np.int32), np.zeros(len(frames) + 1, np.int64)
    x, y, t_us, p = (_joined(frames, name) for name in ("x", "y", "t_us", "p"))
    sizes = (camera.width, camera.height, camera.tick_ns, camera.ticks)
    if frames and gather(x, y, t_us, p, ends, *sizes, tick, start, line, bounds) < 0:
        raise LearnerError(
            f"a pixel event lies outside the {camera.width} x {camera.height} pixels"
        )
    count = int(bounds[-1])
    labels = np.array([frame.label for frame in frames], np.int64)
    return Prepared(labels, tick[:count], start[: count + 1], line[: start[count]], bounds)


def joined(parts: Sequence[tuple[Prepared, int]]) -> Prepared:
    """Put single presentations end to end."""
    spans = [(shown, int(shown.bounds[i]), int(shown.bounds[i + 1])) for shown, i in parts]
    lines = [
        (shown, int(shown.start[first]), int(shown.start[stop])) for shown, first, stop in spans
    ]
    sizes = [stop - first for _, first, stop in lines]
    shifts = np.cumsum([0, *sizes])
    starts = [
        shown.start[first:stop] + np.int32(shift - begin)
        for (shown, first, stop), (_, begin, _), shift in zip(spans, lines, shifts, strict=False)
    ]
    return Prepared(
        np.array([shown.labels[i] for shown, i in parts], np.int64),
        np.concatenate([shown.tick[first:stop] for shown, first, stop in spans]),
        np.concatenate([*starts, shifts[-1:]], dtype=np.int32),
        np.concatenate([shown.line[first:stop] for shown, first, stop in lines]),
        np.cumsum([0, *(stop - first for _, first, stop in spans)]),
    )


def _joined(frames: Sequence[FrameLike], name: str) -> NDArray[Any]:
    if len(frames) == 1:
        return np.ascontiguousarray(getattr(frames[0], name))
    return np.concatenate([getattr(frame, name) for frame in frames]) if frames else _NONE


@unlocked_leaf
def gather(  # noqa: PLR0913 - arrays in tuples are slow to hand over
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    t_us: NDArray[np.int64],
    p: NDArray[np.uint8],
    ends: NDArray[np.int64],
    width: Whole,
    height: Whole,
    tick_ns: Whole,
    ticks: Whole,
    tick: Ints,
    start: Ints,
    line: Ints,
    bounds: NDArray[np.int64],
) -> Whole:
    """Fill `tick`, `start`, `line` and `bounds`; return the number of volleys.

    Events of frame f are [ends[f], ends[f+1]). It is -1 if an event lies outside the pixels.
    """
    volleys, used, i = 0, 0, 0
    for f in range(ends.size - 1):
        while i < ends[f + 1]:
            now = min(t_us[i] * 1000 // tick_ns, ticks - 1)
            first, until = used, (now + 1) * tick_ns
            while i < ends[f + 1] and (t_us[i] * 1000 < until or now == ticks - 1):
                if x[i] >= width or y[i] >= height or p[i] > 1:
                    return -1
                line[used] = (np.int64(y[i]) * width + x[i]) * 2 + p[i]
                used += 1
                i += 1
            used = in_order(line, first, used)
            tick[volleys], start[volleys + 1] = now, used
            volleys += 1
        bounds[f + 1] = volleys
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
