"""The clock of one device, where faults make it wrong: a machine that is told its time."""

from dataclasses import replace
from typing import Final

from simedge.protocol.machine import (
    CancelTimer,
    Effect,
    Event,
    Machine,
    Plain,
    Restarted,
    SetTimer,
    Started,
    TimerFired,
)
from simedge.world.clock_fault_settings import ClockDriftFault, ClockFault, ClockOffsetFault

__all__ = ["Clock", "Clocked"]

_MILLION: Final = 1_000_000
_SLOWEST_PPM: Final = -900_000


class Clock:
    """A clock that may be set, and run too fast or too slow; it shows nothing below 0.

    Examples
    --------
    >>> clock = Clock()
    >>> clock.step(-500, 1_000)
    >>> clock.shown(2_000), clock.when(1_500)
    (1500, 2000)
    """

    def __init__(self) -> None:
        self._since = 0
        self._showed = 0
        self._ppm = 0

    def shown(self, now: int) -> int:
        """Return what it shows at a time of the run, in nanoseconds."""
        return max(0, self._raw(now))

    def when(self, shown: int) -> int:
        """Return the first time of the run at which it shows that much, if nothing else befalls."""
        ahead = shown - self._showed
        return self._since - (-ahead * _MILLION // self._rate)

    def step(self, by: int, now: int) -> None:
        """Set it ahead, or back."""
        self._showed, self._since = self._raw(now) + by, now

    def drift(self, by_ppm: int, now: int) -> None:
        """Let it gain so much more, in microseconds a second; it always goes on."""
        self.step(0, now)
        self._ppm += by_ppm

    @property
    def _rate(self) -> int:
        return _MILLION + max(_SLOWEST_PPM, self._ppm)

    def _raw(self, now: int) -> int:
        return self._showed + (now - self._since) * self._rate // _MILLION


class Clocked:
    """A machine that goes by the clock of its device.

    Parameters
    ----------
    machine
        Any; what it says of times it says by its clock.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.counters = machine.counters
        self._clock = Clock()
        self._timers: dict[str, int] = {}

    def handle(self, event: Event, now: int) -> list[Effect]:
        """Return the effects of one event at a time of the run."""
        if isinstance(event, Started | Restarted):
            self._timers.clear()
        elif isinstance(event, TimerFired):
            self._timers.pop(event.id, None)
        effects = self._machine.handle(event, self._clock.shown(now))
        return [self._told(effect) for effect in effects]

    def turn(self, fault: ClockFault, now: int, *, begins: bool) -> list[SetTimer]:
        """Let a fault begin or end; return the timers again, which come at other times now."""
        if isinstance(fault, ClockDriftFault):
            self._clock.drift(fault.ppm if begins else -fault.ppm, now)
        elif begins:
            self._clock.step(fault.by, now)
        elif isinstance(fault, ClockOffsetFault):
            self._clock.step(-fault.by, now)
        return [
            SetTimer(id=name, at=max(now + 1, self._clock.when(at)))
            for name, at in self._timers.items()
        ]

    def dump(self) -> Plain:
        """Return the machine's state."""
        return self._machine.dump()

    def load(self, state: Plain) -> None:
        """Take over a state of the machine."""
        self._machine.load(state)

    def _told(self, effect: Effect) -> Effect:
        if isinstance(effect, SetTimer):
            self._timers[effect.id] = effect.at
            return replace(effect, at=self._clock.when(effect.at))
        if isinstance(effect, CancelTimer):
            self._timers.pop(effect.id, None)
        return effect
