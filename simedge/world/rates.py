"""Capacity: how long a link takes to serialise. Constant here; recordings have their own laws."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from simedge.core.errors import SimedgeError
from simedge.world.link_settings import TraceSettings
from simedge.world.loss import Loss

__all__ = ["Capacity", "Constant", "OpenTrace", "Recorded", "constant"]

_SCALE: Final = 8 * 10**9  # bits a byte, nanoseconds a second


class Capacity(Protocol):
    """What a link can carry as a function of time alone, one object for each direction."""

    def finish_ns(self, begin_ns: int, octets: int) -> int | None:
        """Return when bytes whose serialisation begins at `begin_ns` are through; None: never.

        It is the least t with W(t) >= W(begin) + 8 octets 1e9, where W is the integral of the
        rate in bit/s over nanoseconds.
        """
        ...


class Recorded(NamedTuple):
    """What a recording says of one direction of a link; None: the link keeps its own.

    `delay_ns` is the one-way delay as a function of time, its jitter included; `fates` are the
    delays of recorded messages by (uid, link), None for one that was lost: the link then has
    neither rate nor queue, and knows no other message.
    """

    capacity: Capacity | None = None
    loss: Loss | None = None
    delay_ns: Callable[[int], int] | None = None
    fates: Mapping[tuple[str, str], int | None] | None = None


OpenTrace = Callable[[TraceSettings, str], Recorded]
"""Opens the recording that settings name, for the device whose name shifts its phase."""


class Constant:
    """The same rate for ever: ``begin + ceil(8 octets 1e9 / rate)``.

    Examples
    --------
    >>> Constant(10_000_000).finish_ns(0, 1500)
    1200000
    """

    __slots__ = ("rate_bps",)

    def __init__(self, rate_bps: int) -> None:
        if rate_bps <= 0:
            raise SimedgeError(f"rate must be above 0 bit/s, got {rate_bps}")
        self.rate_bps = rate_bps

    def finish_ns(self, begin_ns: int, octets: int) -> int:
        """Return the end of a serialisation."""
        return begin_ns - (-octets * _SCALE // self.rate_bps)


@lru_cache(maxsize=1024)
def constant(rate_bps: int) -> Constant:
    """Return the one object of a constant rate, which links share."""
    return Constant(rate_bps)
