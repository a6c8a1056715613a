"""From the values of channels to events, as event-driven sensors would report them.

Encoders know no presentations: they take any stretch of samples with their times, so a series may
be cut into recordings or go on for ever. Between two samples a channel is taken as linear in time,
which gives each event a time of its own. Thresholds are fitted to training recordings only.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from simedge.sensors.frames import Events, RecordingError
from simedge.sensors.series_rows import Recording
from simedge.sensors.settings import DeltaEncoderSettings, LevelEncoderSettings

__all__ = ["DeltaEncoder", "Encoder", "LevelEncoder", "fit"]

_EVENTS_MAX: Final = 1_000_000
_MICRO: Final = 1e6


class Encoder(Protocol):
    """What makes events of the samples of all channels."""

    @property
    def height(self) -> int:
        """Give the rows that events of one channel may lie in."""
        ...

    def encode(self, seconds: NDArray[np.float64], values: NDArray[np.float64]) -> Events:
        """Return events: x the channel, y the row, p whether it rose; ordered by time.

        Parameters
        ----------
        seconds
            Ascending, float64 [samples].
        values
            float64 [channels, samples].

        Raises
        ------
        RecordingError
            If there are more than a million.
        """
        ...


class DeltaEncoder:
    """Each channel says by how many thresholds it has moved since it last spoke.

    What the events of a channel add up to stays within one threshold of it, at every sample. The
    first sample is where it starts; a channel of infinite threshold is silent.
    """

    height = 1

    def __init__(self, thresholds: NDArray[np.float64]) -> None:
        self.thresholds = thresholds

    def encode(self, seconds: NDArray[np.float64], values: NDArray[np.float64]) -> Events:
        """See `Encoder`."""
        with np.errstate(all="ignore"):
            moved = (values - values[:, :1]) / self.thresholds[:, None]
        if not (np.abs(moved) < _EVENTS_MAX).all():
            raise _too_many()
        steps = np.zeros(moved.shape, np.int64)
        spoken = np.zeros(len(moved), np.int64)
        for now in range(1, moved.shape[1]):
            step = np.trunc(moved[:, now] - spoken).astype(np.int64)
            steps[:, now] = step
            spoken += step
        total = int(np.abs(steps).sum())
        if total > _EVENTS_MAX:
            raise _too_many()
        channel, sample = np.nonzero(steps)
        sizes = np.abs(steps[channel, sample])
        before = np.cumsum(steps, axis=1)[channel, sample] - steps[channel, sample]
        nth = np.arange(total) - np.repeat(np.cumsum(sizes) - sizes, sizes) + 1
        channel, sample, before = (np.repeat(part, sizes) for part in (channel, sample, before))
        rising = steps[channel, sample] > 0
        level = before + np.where(rising, nth, -nth)
        crossings = _Crossings(channel, np.zeros(total, np.int64), sample, rising)
        return _timed(crossings, level.astype(np.float64), seconds=seconds, values=moved)


class LevelEncoder:
    """Each channel says which of its levels it crosses, and which way; a level is a row.

    A channel is above a level when it has reached it. Levels that are NaN are never crossed.
    """

    def __init__(self, levels: NDArray[np.float64]) -> None:
        self.levels = levels
        self.height = levels.shape[1]

    def encode(self, seconds: NDArray[np.float64], values: NDArray[np.float64]) -> Events:
        """See `Encoder`."""
        found = []
        for row, levels in enumerate(self.levels.T):  # one by one: memory for one at a time
            above = values >= levels[:, None]
            channel, before = np.nonzero(above[:, 1:] != above[:, :-1])
            rising = above[channel, before + 1]
            found.append(_Crossings(channel, np.full_like(channel, row), before + 1, rising))
        if sum(len(part.channel) for part in found) > _EVENTS_MAX:
            raise _too_many()
        crossings = _Crossings(*map(np.concatenate, zip(*found, strict=True)))
        return _timed(
            crossings, self.levels[crossings.channel, crossings.row], seconds=seconds, values=values
        )


class _Crossings(NamedTuple):
    """Who crosses what: channel, row, the sample by which it has happened, and which way."""

    channel: NDArray[np.int64]
    row: NDArray[np.int64]
    sample: NDArray[np.int64]
    rising: NDArray[np.bool_]


def _timed(
    crossings: _Crossings,
    level: NDArray[np.float64],
    *,
    seconds: NDArray[np.float64],
    values: NDArray[np.float64],
) -> Events:
    """Return events in order; a level is reached on the straight line between two samples."""
    channel, row, sample, rising = crossings
    start, end = values[channel, sample - 1], values[channel, sample]
    part = np.clip((level - start) / (end - start), 0.0, 1.0)
    since, until = seconds[sample - 1], seconds[sample]
    t_us = np.floor((since + part * (until - since)) * _MICRO).astype(np.int64)
    order = np.lexsort((rising, row, channel, sample, t_us))
    return Events(
        channel[order].astype(np.uint16),
        row[order].astype(np.uint16),
        t_us[order],
        rising[order].astype(np.uint8),
    )


def _too_many() -> RecordingError:
    return RecordingError(
        f"more than {_EVENTS_MAX:,} events in one recording: the encoder's steps are too fine"
    )


def fit(
    settings: DeltaEncoderSettings | LevelEncoderSettings, recordings: Sequence[Recording]
) -> DeltaEncoder | LevelEncoder:
    """Return an encoder for series like these; sums are exact, so it is the same everywhere.

    A channel that never changes in them has no scale: in units of it, it stays silent.
    """
    channels = len(recordings[0].values)
    scales = [_mean_and_sd([r.values[n] for r in recordings]) for n in range(channels)]
    mean, sd = np.array(scales).T
    flat = sd == 0
    if isinstance(settings, DeltaEncoderSettings):
        if settings.unit == "absolute":
            return DeltaEncoder(np.full(channels, settings.threshold))
        return DeltaEncoder(np.where(flat, np.inf, settings.threshold * sd))
    places = np.array(settings.places)
    if settings.unit == "absolute":
        return LevelEncoder(np.tile(places, (channels, 1)))
    levels = mean[:, None] + sd[:, None] * places
    return LevelEncoder(np.where(flat[:, None], np.nan, levels))


def _mean_and_sd(parts: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    values = np.concatenate(parts)
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((values - mean) ** 2) / len(values))
