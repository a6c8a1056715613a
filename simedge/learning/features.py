"""What a readout sees: spike counts, pooled over columns and gathered into bins of time.

Each *source* (the pixel events, a hidden layer) fills its own part of the feature vector. Counts
go through a transform (square root by default, which evens out their variance); then what is
common to all presentations, a running mean, is taken away and each part is scaled on its own, so
that a busy source does not drown a quiet one.
"""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_part, native_sums
from simedge.neurons.geometry import Convolution
from simedge.neurons.kinds import Index, Ints, Real, Reals, Span, Whole

__all__ = [
    "NORMS",
    "TRANSFORMS",
    "Binning",
    "Grid",
    "binning_of",
    "count_spikes",
    "levels",
    "shape",
]

TRANSFORMS = ("none", "sqrt", "log")
NORMS = ("none", "unit", "share", "root-mean")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One source: how its lines are laid out, and how they are gathered."""

    width: int
    height: int
    channels: int
    pool: int
    bins: int
    gain: float = 1.0

    @property
    def slots(self) -> int:
        """Features of one bin of time."""
        return -(-self.width // self.pool) * -(-self.height // self.pool) * self.channels

    def slot_of_line(self) -> Ints:
        """Return the feature of each line within one bin, int32 (height·width·channels,)."""
        y, x, channel = np.indices((self.height, self.width, self.channels)).reshape(3, -1)
        across = -(-self.width // self.pool)
        place = y // self.pool * across + x // self.pool
        return (place * self.channels + channel).astype(np.int32)

    @staticmethod
    def of_layer(shape: Convolution, *, pool: int, bins: int, gain: float = 1.0) -> "Grid":
        """Return the grid of a layer's neurons."""
        return Grid(
            width=shape.across,
            height=shape.down,
            channels=shape.maps,
            pool=pool,
            bins=bins,
            gain=gain,
        )


class Binning(NamedTuple):
    """Where a spike of each source is counted; sources are the input and every layer."""

    slot: Ints
    """Feature of each line within a bin, sources end to end."""
    rows: NDArray[np.int64]
    """(first line, first feature, slots a bin, bins) a source; 0 bins if it is not read."""
    gain: Reals
    modes: NDArray[np.int64]
    """(transform, norm, ticks): places in TRANSFORMS and NORMS, device ticks of a presentation."""
    spikes: Ints
    """Spikes of each feature."""


def binning_of(
    grids: Sequence[Grid | None], *, lines: Sequence[int], ticks: int, modes: tuple[str, str]
) -> Binning:
    """Lay out the features of all sources, input first; None for a source that is not read."""
    rows, slots, first_line, first = [], [], 0, 0
    for grid, count in zip(grids, lines, strict=True):
        slots.append(np.zeros(count, np.int32) if grid is None else grid.slot_of_line())
        row = (0, 0) if grid is None else (grid.slots, grid.bins)
        rows.append((first_line, first, *row))
        first_line, first = first_line + count, first + row[0] * row[1]
    return Binning(
        slot=np.concatenate(slots),
        rows=np.array(rows, np.int64),
        gain=np.array([grid.gain if grid else 0.0 for grid in grids], np.float32),
        modes=np.array((TRANSFORMS.index(modes[0]), NORMS.index(modes[1]), ticks), np.int64),
        spikes=np.zeros(first, np.int32),
    )


@native_part
def count_spikes(binning: Binning, source: Whole, tick: Whole, line: Ints, span: Span) -> None:
    """Count the spikes line[span[0]:span[1]] of one source at one tick."""
    slot, rows, spikes = binning.slot, binning.rows, binning.spikes
    bins = rows[source, 3]
    if bins == 0:
        return
    shift = min(bins - 1, tick * bins // binning.modes[2]) * rows[source, 2]
    base, first = Index(rows[source, 1] + shift), Index(rows[source, 0])
    for i in range(span[0], span[1]):
        spikes[base + Index(slot[first + Index(line[i])])] += 1


@native_part
def levels(binning: Binning, raw: Reals) -> None:
    """Turn counts into levels by the transform."""
    spikes, mode = binning.spikes, binning.modes[0]
    if mode == 1:
        for i in range(raw.size):
            raw[i] = np.sqrt(np.float32(spikes[i]))
    else:
        for i in range(raw.size):
            raw[i] = spikes[i] if mode == 0 else math.log1p(spikes[i])


@native_sums
def shape(binning: Binning, raw: Reals, mean: Reals, out: Reals) -> None:
    """Set `out` to the features r: levels less their running mean, each source scaled.

    Nothing seen is nothing learned: without a spike all features are 0.
    """
    gain, rows = binning.gain, binning.rows
    read, seen = np.float32(0.0), np.float32(0.0)
    for i in range(raw.size):
        seen += raw[i]
    for source in range(gain.size):
        read += gain[source] * gain[source]
    for source in range(gain.size):
        first, size = rows[source, 1], rows[source, 2] * rows[source, 3]
        square, total = np.float32(0.0), np.float32(0.0)
        for i in range(first, first + size):  # stores nothing: see `native_sums`
            level = raw[i] - mean[i]
            square += level * level
            total += abs(level)
        scale = scale_of(binning.modes[1], square, total, size)
        factor = scale * gain[source] / math.sqrt(read) if seen != 0.0 else 0.0
        for i in range(first, first + size):
            out[i] = (raw[i] - mean[i]) * np.float32(factor)


@native_part
def scale_of(mode: Whole, square: Real, total: Real, size: Whole) -> Real:
    """Return the factor that gives one source unit length, unit sum, or unit mean square."""
    if square == 0.0:
        return 0.0
    if mode == 1:
        return 1.0 / math.sqrt(square)
    if mode == 2:
        return 1.0 / total
    if mode == 3:
        return math.sqrt(size / square)
    return 1.0
