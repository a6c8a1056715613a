"""Events to frames: counts by bin of time, polarity and cell of pixels."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.sensors.frames import Events, SensorError

__all__ = ["Bins", "counted"]


class Bins(NamedTuple):
    """How events become frames.

    Attributes
    ----------
    ticks
        Bins of time.
    side
        Rows and columns of a frame; pixels are counted together by cell.
    tick_us
        Length of a bin; None: an equal share of the recording's length.
    """

    ticks: int
    side: int
    tick_us: int | None = None

    def check(self) -> None:
        """Refuse bins that cannot be."""
        for name, value in (("ticks", self.ticks), ("side", self.side), ("tick_us", self.tick_us)):
            if value is not None and value < 1:
                raise SensorError(f"{name} must be 1 or more, got {value}")


def counted(
    events: Events, bins: Bins, *, sensor: int, first_us: int, stop_us: int
) -> NDArray[np.float32]:
    """Count events of first_us <= t < stop_us, float32 (ticks, 2, side, side), OFF first.

    >>> one = np.array([3])
    >>> events = Events(one, one, one, one // 3)
    >>> counted(events, Bins(2, 2), sensor=4, first_us=0, stop_us=4)[1, 1, 1, 1]
    np.float32(1.0)
    """
    ticks, side = bins.ticks, bins.side
    if side > sensor:
        raise SensorError(f"{side} cells a side of {sensor} pixels")
    since = events.t_us.astype(np.int64) - first_us
    span = max(stop_us - first_us, 1)
    tick = since * ticks // span if bins.tick_us is None else since // bins.tick_us
    keep = (since >= 0) & (since < span) & (tick < ticks)
    row, column = (pixel[keep].astype(np.int64) * side // sensor for pixel in (events.y, events.x))
    polarity = events.p[keep].astype(np.int64)
    place = ((tick[keep] * 2 + polarity) * side + row) * side + column
    counts = np.bincount(place, minlength=ticks * 2 * side * side)
    return counts.astype(np.float32).reshape(ticks, 2, side, side)
