"""Compute: how long a job takes on a board, in whole nanoseconds.

Speeds are a layer type's own, since "GPU" does not mean faster: they come from published ncnn
latencies of ResNet-50 and MobileNetV2 at 4.09 and 0.30 GMAC. Uncertainty is a factor of two.
Unverified: every rate of synaptic events, the bandwidth, the overheads, cortex-m7, server, the
powers of pi-zero-2w (idle), jetson-nano (idle) and orin-nano. Calibrate, and say so in the
scenario. Without a published figure of its own a dense layer runs at the speed of a convolution.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.core.errors import SimedgeError
from simedge.core.records import SECOND_NS, Due, Order
from simedge.world.settings import ComputeName, ComputeSettings, DeviceSettings

__all__ = ["BOARDS", "Board", "ComputeError", "board", "pace_dues", "paced_ns", "work_ns"]

_MILLION: Final = 1_000_000


class ComputeError(SimedgeError, ValueError):
    """Work that no board can time, such as an unknown layer type."""


def work_ns(amount: int, rate: int) -> int:
    """Return the time of an amount of work at a rate a second, rounded up to a nanosecond.

    Examples
    --------
    >>> work_ns(50_000_000, 15_560_000_000)
    3213368
    """
    return -(-amount * SECOND_NS // rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Speeds (a second) and powers (microwatts) of a device.

    Parameters
    ----------
    conv, depthwise, dense
        Multiply-accumulates a second by layer type.
    event
        Synaptic events a second.
    bandwidth
        Memory bandwidth in bytes a second; None: never the limit.
    overhead_ns
        Fixed time of a job that does any work.
    idle_uw, busy_uw
        Power of the whole board.
    """

    conv: int
    depthwise: int
    dense: int
    event: int
    bandwidth: int | None = None
    overhead_ns: int = 300_000
    idle_uw: int
    busy_uw: int

    def __post_init__(self) -> None:
        if self.busy_uw < self.idle_uw:
            raise ComputeError(f"busy power must be at least idle power, got {self}")

    def layer_ns(self, kind: str, macs: int, moved_bytes: int = 0) -> int:
        """Return max(ceil(macs / rate), ceil(bytes / bandwidth)), in nanoseconds."""
        match kind:
            case "conv":
                rate = self.conv
            case "depthwise":
                rate = self.depthwise
            case "dense":
                rate = self.dense
            case _:
                raise ComputeError(f"layer type must be conv, depthwise or dense, got {kind!r}")
        moving_ns = work_ns(moved_bytes, self.bandwidth) if self.bandwidth else 0
        return max(work_ns(macs, rate), moving_ns)

    def volleys_ns(self, events: NDArray[np.int64]) -> int:
        """Return the time of volleys one after another, each rounded up, from their events."""
        return int(np.add.reduce(self._each_ns(events)))

    def parts_ns(self, parts: Sequence[NDArray[np.int64]]) -> list[int]:
        """Return the `volleys_ns` of each of several parts, computed in one go."""
        if len(parts) == 1:
            return [self.volleys_ns(parts[0])]
        spent = self._each_ns(np.concatenate(parts))
        sums = np.zeros(spent.size + 1, np.int64)
        np.add.accumulate(spent, out=sums[1:])
        bounds = sums[[0, *accumulate(map(len, parts))]].tolist()
        return [stop - start for start, stop in pairwise(bounds)]

    def _each_ns(self, events: NDArray[np.int64]) -> NDArray[np.int64]:
        event_ns, rest = divmod(SECOND_NS, self.event)
        return -(-events * SECOND_NS // self.event) if rest else events * event_ns

    def layers_ns(self, macs: Mapping[str, int]) -> int:
        """Return the time of dense work, from multiply-accumulates by layer type."""
        total_ns = 0
        for kind, count in macs.items():
            total_ns += self.layer_ns(kind, count)
        return total_ns

    def job_ns(self, nominal_ns: int, *, pace_ppm: int = _MILLION) -> int:
        """Return the time of a job: what its volleys and layers take, and the overhead.

        Parameters
        ----------
        nominal_ns
            Sum of `volleys_ns` and `layers_ns`; a job without any work takes no time.
        pace_ppm
            Throttle and background load: time over nominal time, in millionths.
        """
        return paced_ns(nominal_ns + self.overhead_ns, pace_ppm) if nominal_ns else 0


def pace_dues(settings: DeviceSettings, number: int) -> tuple[Due, ...]:
    """Return the records ``pace`` of a device: from when on heat or other load slows it how much.

    The payload is what slows it, and time over nominal time in millionths.
    """
    sources = (("heat", settings.throttle), ("load", settings.background))
    return tuple(
        Due(step.at, Order.CAPACITY, number, "pace", (source, round(step.factor * _MILLION)))
        for source, steps in sources
        for step in steps
    )


def paced_ns(nominal_ns: int, pace_ppm: int) -> int:
    """Return nominal time stretched by a pace in millionths, rounded up."""
    return -(-nominal_ns * pace_ppm // _MILLION)


def _gmacs(conv: str, depthwise: str, watts: tuple[str, str], *, event: int) -> Board:
    return Board(
        conv=int(Fraction(conv) * 10**9),
        depthwise=int(Fraction(depthwise) * 10**9),
        dense=int(Fraction(conv) * 10**9),
        event=event,
        idle_uw=_microwatts(Fraction(watts[0])),
        busy_uw=_microwatts(Fraction(watts[1])),
    )


def _microwatts(watts: Fraction) -> int:
    return round(watts * _MILLION)


_PI_ZERO = _gmacs("5.2", "2.0", ("0.5", "1.8"), event=20_000_000)
_PI_4B = _gmacs("15.6", "4.8", ("3.06", "6.12"), event=100_000_000)
_NANO = _gmacs("43.9", "23.1", ("1.9", "10"), event=200_000_000)

BOARDS: Final[Mapping[ComputeName, Board]] = MappingProxyType(
    {
        "cpu-small": _PI_ZERO,
        "cpu-large": _PI_4B,
        "micro-gpu": _NANO,
        "pi-zero-2w": _PI_ZERO,
        "pi-3b-plus": _gmacs("7.0", "2.7", ("1.5", "4.3"), event=40_000_000),
        "pi-4b": _PI_4B,
        "pi-5": _gmacs("88.5", "28.5", ("3.1", "9.0"), event=300_000_000),
        "pi-5-gpu": _gmacs("4.9", "2.5", ("3.1", "9.0"), event=20_000_000),
        "jetson-nano-cpu": _gmacs("20.0", "8.9", ("1.9", "10"), event=100_000_000),
        "jetson-nano": _NANO,
        "orin-nano": _gmacs("439", "43.4", ("5", "15"), event=1_000_000_000),
        "cortex-m7": _gmacs("0.12", "0.06", ("0.05", "0.2"), event=1_000_000),
        "server": _gmacs("2000", "500", ("60", "200"), event=5_000_000_000),
    }
)


def board(settings: ComputeName | ComputeSettings) -> Board:
    """Return the board of a profile, or of a profile with figures of one's own.

    Examples
    --------
    >>> board("pi-4b").busy_uw
    6120000
    """
    if isinstance(settings, str):
        return BOARDS[settings]
    base = BOARDS[settings.base]
    idle, busy = settings.idle, settings.busy
    return Board(
        conv=settings.conv or base.conv,
        depthwise=settings.depthwise or base.depthwise,
        dense=settings.dense or settings.conv or base.dense,
        event=settings.event or base.event,
        bandwidth=settings.bandwidth or base.bandwidth,
        overhead_ns=base.overhead_ns if settings.overhead is None else settings.overhead,
        idle_uw=base.idle_uw if idle is None else _microwatts(idle),
        busy_uw=base.busy_uw if busy is None else _microwatts(busy),
    )
