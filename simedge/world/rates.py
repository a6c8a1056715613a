"""Capacity: how long a link takes to serialise. Constant here; recordings have their own laws."""

from collections.abc import Callable
from fractions import Fraction
from functools import cache, lru_cache
from typing import Final, Protocol, cast, runtime_checkable

from simedge.core.errors import SimedgeError
from simedge.world.link_settings import TraceSettings

__all__ = [
    "LORA_OVERHEAD",
    "SCALE",
    "Capacity",
    "Constant",
    "LoraAir",
    "OpenTrace",
    "Stepping",
    "Weather",
    "fixed",
    "narrowed",
    "stepping",
    "weather",
]

SCALE: Final = 8 * 10**9
"""Bits a byte times nanoseconds a second."""
_IP_HEADERS: Final = 28
_SPREADS: Final = (7, 12)
_LOW_RATE: Final = 11
LORA_OVERHEAD: Final = 13
"""Bytes that LoRaWAN adds to the application's."""


class Capacity(Protocol):
    """What a link can carry as a function of time alone, one object for each direction."""

    def finish_ns(self, begin_ns: int, octets: int) -> int | None:
        """Return when bytes whose serialisation begins at `begin_ns` are through; None: never.

        It is the least t with W(t) >= W(begin) + 8 octets 1e9, where W is the integral of the
        rate in bit/s over nanoseconds.
        """
        ...


@runtime_checkable
class Weather(Protocol):
    """What a recording may know beside its capacity."""

    def loss_below(self, at_ns: int) -> int:
        """Return the threshold of loss at a time: a word below it is a loss, 2^64 is certain."""
        ...

    def delay_ns(self, at_ns: int) -> int | None:
        """Return the propagation of what leaves at a time; None: that of the settings."""
        ...


@runtime_checkable
class Stepping(Protocol):
    """What a capacity tells of its rate; of one that tells nothing a link takes its own."""

    def step(self, at_ns: int) -> tuple[int, int | None]:
        """Return the rate in bit/s at a time, and until when it holds; None: for ever."""
        ...


def weather(capacity: object) -> Weather | None:
    """Return what a capacity knows beside itself, if anything."""
    kind: type = type(capacity)
    return cast("Weather", capacity) if _is(kind, Weather) else None


def stepping(capacity: object) -> Stepping | None:
    """Return what a capacity tells of its rate, if it tells anything."""
    kind: type = type(capacity)
    return cast("Stepping", capacity) if _is(kind, Stepping) else None


@cache
def _is(kind: type, port: type) -> bool:
    return issubclass(kind, port)  # costs as much as a flow's share of a link


OpenTrace = Callable[[TraceSettings, str, int], Capacity]
"""Opens the recording that settings name, for the device whose name shifts its phase.

The rate in bit/s, the link's own, is that of a recording which tells none.
"""


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
        return begin_ns - (-octets * SCALE // self.rate_bps)

    def step(self, at_ns: int) -> tuple[int, int | None]:  # noqa: ARG002  one port for all capacities
        """Return the rate in bit/s at a time, and until when it holds: for ever."""
        return self.rate_bps, None


class LoraAir:
    """Air time of LoRa at 125 kHz, coding 4/5, explicit header, checksum, preamble of 8 symbols.

    A symbol takes 2^SF 8000 ns; payload symbols are
    n = 8 + max(5 ceil((8 PL - 4 SF + 44) / (4 (SF - 2 DE))), 0), DE = 1 from SF11 on, and the air
    time is (12.25 + n) symbols, a whole number. PL is the datagram with the overhead of LoRaWAN
    in place of the headers of IPv4 and UDP.

    Examples
    --------
    >>> LoraAir(7).finish_ns(0, 51 + 28)
    118016000
    """

    __slots__ = ("_spread", "_symbol_ns")

    def __init__(self, spread: int) -> None:
        if not _SPREADS[0] <= spread <= _SPREADS[1]:
            raise SimedgeError(f"a spreading factor must be in {_SPREADS}, got {spread}")
        self._spread = spread
        self._symbol_ns: int = 8000 << spread

    def finish_ns(self, begin_ns: int, octets: int) -> int:
        """Return the end of a serialisation."""
        spread = self._spread
        payload = max(0, octets - _IP_HEADERS) + LORA_OVERHEAD
        low_rate = spread >= _LOW_RATE
        blocks = -(-(8 * payload - 4 * spread + 44) // (4 * (spread - 2 * low_rate)))
        symbols = 8 + max(5 * blocks, 0)
        return begin_ns + (49 + 4 * symbols) * self._symbol_ns // 4

    def step(self, at_ns: int) -> tuple[int, int | None]:  # noqa: ARG002  one port for all capacities
        """Return the nominal rate in bit/s at a time, and until when it holds: for ever."""
        return self._spread * 100_000 // 2**self._spread, None


@lru_cache(maxsize=1024)
def fixed(rate_bps: int, spread: int | None = None) -> Capacity:
    """Return the one object of a capacity without a memory, which links share."""
    return Constant(rate_bps) if spread is None else LoraAir(spread)


class _Slower:
    """A share of a capacity that knows no time: each serialisation takes so many times longer."""

    __slots__ = ("_own", "_share")

    def __init__(self, own: Capacity, share: Fraction) -> None:
        self._own, self._share = own, share

    def finish_ns(self, begin_ns: int, octets: int) -> int | None:
        """Return the end of a serialisation."""
        end = self._own.finish_ns(begin_ns, octets)
        share = self._share
        if end is None:
            return None
        return begin_ns - (begin_ns - end) * share.denominator // share.numerator

    def step(self, at_ns: int) -> tuple[int, int | None]:
        """Return the rate in bit/s at a time, and until when it holds; None: for ever."""
        return _part(self._own, self._share, at_ns)


class _Thinner:
    """A share of a recorded capacity, s W(t): the end of n octets is that of n / s, rounded up."""

    __slots__ = ("_own", "_share")

    def __init__(self, own: Capacity, share: Fraction) -> None:
        self._own, self._share = own, share

    def finish_ns(self, begin_ns: int, octets: int) -> int | None:
        """Return the end of a serialisation; None: never."""
        share = self._share
        return self._own.finish_ns(begin_ns, -(-octets * share.denominator // share.numerator))

    def step(self, at_ns: int) -> tuple[int, int | None]:
        """Return the rate in bit/s at a time, and until when it holds; None: for ever."""
        return _part(self._own, self._share, at_ns)


def _part(own: Capacity, share: Fraction, at_ns: int) -> tuple[int, int | None]:
    """Return the share of a rate, at least 1 bit/s of any."""
    steps = stepping(own)
    rate, until = (0, None) if steps is None else steps.step(at_ns)
    return max(int(rate * share), min(rate, 1)), until


def narrowed(capacity: Capacity, share: Fraction) -> Capacity:
    """Return a capacity times a factor: what is left of it, or more than it was.

    Examples
    --------
    >>> narrowed(Constant(10_000_000), Fraction(1, 2)).finish_ns(0, 1500)
    2400000
    """
    timeless = isinstance(capacity, Constant | LoraAir | _Slower)
    return _Slower(capacity, share) if timeless else _Thinner(capacity, share)
