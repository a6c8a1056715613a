"""Figures of a path for a transfer: its loss, its round trip, and the most that it may take."""

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt, prod
from typing import Final

from simedge.world.shared_link import SharedLink

__all__ = ["lost_ppm", "mathis_bps", "one_way_ns"]

_MILLION: Final = 10**6
_MATHIS: Final = 122 * 1448 * 8 * 10**9 * 1000 // 100
"""1.22 segments in bits, a second in ns, and the root of a million."""


def lost_ppm(links: Sequence[SharedLink], now: int) -> int:
    """Return the mean loss of a path, 1 - prod(1 - p_i), in parts per million rounded down."""
    losses = [link.loss_at(now) for link in links]
    if len(losses) == 1:
        return int(losses[0] * _MILLION)
    return int((1 - prod((1 - loss for loss in losses), start=Fraction(1))) * _MILLION)


def one_way_ns(links: Sequence[SharedLink], now: int) -> int:
    """Return the one-way delay of a path for what leaves now."""
    return sum(link.delay_at(now) for link in links)


def mathis_bps(trip_ns: int, ppm: int) -> int | None:
    """Return floor(1.22 1448 8 / (RTT sqrt(p))) bit/s (Mathis et al. 1997), at least 1.

    Without a loss or a round trip nothing limits: None.

    Examples
    --------
    >>> mathis_bps(42_000_000, 10_000)
    3364876
    """
    if not trip_ns or not ppm:
        return None
    return max(1, isqrt(_MATHIS**2 // (trip_ns**2 * ppm)))
