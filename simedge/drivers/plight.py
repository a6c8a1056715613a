"""The plight of a device: what faults, heat, other load and an emptying battery make of it."""

import math
from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.core.streams import Stream, Streams, bernoulli_threshold
from simedge.protocol.machine import Send
from simedge.protocol.wire import too_short, unsound
from simedge.world.compute import paced_ns
from simedge.world.energy import Meter
from simedge.world.fault_settings import (
    FrameBurstFault,
    FrameSilenceFault,
    SameStartFault,
    SlowFault,
    TokenFault,
    TokenFormFault,
)
from simedge.world.faults import Strike

__all__ = ["Plight"]

_MILLION: Final = 1_000_000
_FJ: Final = 10**15
_SURE: Final = 0.99
_STEP_NS: Final = 1_000_000
"""How closely the end of a battery is told."""


class Plight:
    """What holds for one device now.

    Parameters
    ----------
    device
        Name of the device: faults draw by it.
    streams
        Random streams of the run.
    meter
        Reads its energy.
    """

    def __init__(self, device: str, streams: Streams, *, meter: Meter) -> None:
        self._device = device
        self._streams = streams
        self._meter = meter
        self._paces: dict[str, int] = {}
        self._bursts: dict[str, int] = {}
        self._lies: dict[str, tuple[TokenFault, Stream]] = {}
        self._garbles: dict[str, tuple[TokenFormFault, Stream]] = {}
        self._in_step: set[str] = set()
        self._empty_fj: int | None = None

    def strike(self, strike: Strike) -> None:
        """Let a fault begin."""
        match strike.fault:
            case SlowFault(factor=factor):
                self.set_pace(f"fault {strike.name}", round(factor * _MILLION))
            case FrameSilenceFault():
                self._bursts[strike.name] = 0
            case FrameBurstFault(factor=factor):
                self._bursts[strike.name] = factor
            case SameStartFault():
                self._in_step.add(strike.name)
            case TokenFormFault():
                stream = self._streams.stream("fault", strike.name, self._device)
                self._garbles[strike.name] = strike.fault, stream
            case TokenFault():
                stream = self._streams.stream("fault", strike.name, self._device)
                self._lies[strike.name] = strike.fault, stream
            case _:
                pass

    def relieve(self, name: str) -> None:
        """Let it end."""
        self._paces.pop(f"fault {name}", None)
        self._bursts.pop(name, None)
        self._lies.pop(name, None)
        self._garbles.pop(name, None)
        self._in_step.discard(name)

    def set_pace(self, source: str, pace_ppm: int) -> None:
        """Let heat, other load or a fault stretch what is computed, in millionths."""
        self._paces[source] = pace_ppm

    @property
    def pace_ppm(self) -> int:
        """Time over nominal time, in millionths: the product of all, rounded up."""
        pace = _MILLION
        for factor in self._paces.values():
            pace = paced_ns(pace, factor)
        return pace

    @property
    def deliveries(self) -> int:
        """How often the camera delivers each frame."""
        return math.prod(self._bursts.values())

    def spoil(self, value: NDArray[np.float32], *, call: int, boot: int) -> NDArray[np.float32]:
        """Return the confidences that a pass gives, [rows, classes], with every lie in them."""
        for fault, stream in self._lies.values():
            below = bernoulli_threshold(fault.share)
            value = value.copy()
            for row in range(len(value)):
                chosen, *words = stream.words(boot << 32 | row, call)
                if chosen < below:
                    value[row] = _told(fault, value[row], words)
        return value

    @property
    def in_step(self) -> bool:
        """Whether frames are delivered when those of all devices are."""
        return bool(self._in_step)

    def garble(self, sent: Send) -> Send:
        """Return what is sent in place of a message: the same, or a token that is none."""
        for fault, stream in self._garbles.values() if sent.cls == "token" else ():
            if stream.words(sent.boot << 32 | sent.seq)[0] < bernoulli_threshold(fault.share):
                spoil = unsound if fault.kind == "token-nan" else too_short
                sent = replace(sent, data=spoil(sent.data))
        return sent

    def charge(self, capacity_j: Fraction, now: int, *, on_ns: int, busy_ns: int) -> None:
        """Put a battery in."""
        spent_fj = self._meter.read(now, on_ns=on_ns, busy_ns=busy_ns).total_fj
        self._empty_fj = spent_fj + round(capacity_j * _FJ)

    def left_fj(self, now: int, *, on_ns: int, busy_ns: int) -> int | None:
        """Return what is left in the battery; None without one."""
        if self._empty_fj is None:
            return None
        spent_fj = self._meter.read(now, on_ns=on_ns, busy_ns=busy_ns).total_fj
        return max(0, self._empty_fj - spent_fj)

    def lasts_ns(self, left_fj: int) -> int | None:
        """Return for how long that charge lasts at least; None: for ever."""
        peak_uw = self._meter.peak_uw
        return max(_STEP_NS, left_fj // peak_uw) if peak_uw else None


def _told(fault: TokenFault, said: NDArray[np.float32], words: list[int]) -> NDArray[np.float32]:
    classes = len(said)
    if fault.kind == "token-shuffle":
        # Fisher-Yates, with as many digits of the words as there are classes.
        order, word = list(range(classes)), words[0] << 128 | words[1] << 64 | words[2]
        for last in range(classes - 1, 0, -1):
            word, place = divmod(word, last + 1)
            order[last], order[place] = order[place], order[last]
        return said[order]
    wrong = fault.class_ % classes
    if fault.kind == "token-confident" and int(np.argmax(said)) == wrong:
        wrong = (wrong + 1) % classes
    told = np.full(classes, (1 - _SURE) / max(1, classes - 1), np.float32)
    told[wrong] = _SURE
    return told
