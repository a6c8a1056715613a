"""What faults, heat, other load and a battery do to a device, as the driver sees it."""

from fractions import Fraction

from typing_extensions import override

from simedge.core.records import Order
from simedge.drivers.clock import Clocked
from simedge.drivers.host import Host, Place, Saved
from simedge.drivers.plight import Plight
from simedge.drivers.tally import DeviceTally
from simedge.drivers.twin import TwinHost
from simedge.protocol.machine import Forgotten
from simedge.world.clock_fault_settings import ClockFault
from simedge.world.device import Device
from simedge.world.fault_settings import BatteryFault, HalfOpenFault, OutOfMemoryFault, State
from simedge.world.faults import Strike

__all__ = ["StruckHost"]


class StruckHost(Host):
    """A device that faults can strike.

    Parameters
    ----------
    device
        Its processor.
    plight
        What faults make of it.
    account
        Where its totals go.
    """

    def __init__(
        self, place: Place, *, device: Device, plight: Plight, account: DeviceTally
    ) -> None:
        super().__init__(place)
        self.device = device
        self.account = account
        self._plight = plight
        self._dead = False
        self._limits: dict[str, int] = {}
        self._twins: dict[str, TwinHost] = {}
        self.server: Host | None = None
        """Set by the driver: who hears its tokens."""

    def _catch_up(self, now: int, *, fault: bool = False) -> None:
        """Count what has ended without a record of its own."""
        raise NotImplementedError

    def _take_stock(self) -> None:
        """Bring what is held up to date."""
        raise NotImplementedError

    def _look(self, now: int) -> None:
        """See what is held now, and whether a fault lets it hold that much."""
        self._take_stock()
        if self.up:
            held = self.account.memory_now_bytes
            for name in [name for name, limit in self._limits.items() if held > limit]:
                self._post((now, Order.FAULT, self.number, "memory", name))

    @override
    def strike(self, strike: Strike, now: int) -> State | None:
        """Let a fault begin: of pace, camera, what is said, memory or battery."""
        self._catch_up(now, fault=True)
        super().strike(strike, now)
        fault = strike.fault
        if isinstance(fault, OutOfMemoryFault):
            self._limits[strike.name] = fault.limit
            self._look(now)
            return None
        if isinstance(fault, BatteryFault):
            self.charge(fault.capacity, strike.name, now)
        self._plight.strike(strike)
        self._set_clock(strike, now, begins=True)
        if strike.name in self._twins:
            self._twins[strike.name].begin(self, now)
        if isinstance(fault, HalfOpenFault):
            self.forget(fault.side, now)
        self._pace()
        self._settle(now)
        return None

    @override
    def relieve(self, strike: Strike, now: int) -> None:
        """Let it end."""
        self._catch_up(now, fault=True)
        self._plight.relieve(strike.name)
        self._limits.pop(strike.name, None)
        if strike.name in self._twins:
            self._twins[strike.name].retire()
        self._set_clock(strike, now, begins=False)
        super().relieve(strike, now)
        self._pace()
        self._settle(now)

    def add_twin(self, fault: str, twin: TwinHost) -> None:
        """Add a twin, which comes up with a fault."""
        self._twins[fault] = twin

    @property
    def twins(self) -> list[TwinHost]:
        """Return all twins, up or not."""
        return list(self._twins.values())

    @property
    def image(self) -> Saved | None:
        """Return the last local checkpoint, from which a twin is made."""
        return self._saved

    def charge(self, capacity_j: Fraction, name: str, now: int) -> None:
        """Put a battery in, and look at it again when it may be empty."""
        self._plight.charge(capacity_j, now, **self._used_ns(now))
        self.watch(name, now)

    @override
    def drained(self, now: int) -> bool:
        """Whether the battery is empty; then it is for good."""
        self._dead = self._dead or self._left_fj(now) == 0
        return self._dead

    @override
    def watch(self, name: str, now: int) -> None:
        """Look at the battery of a name again when it may be empty."""
        left_fj = self._left_fj(now)
        lasts_ns = None if left_fj is None else self._plight.lasts_ns(left_fj)
        if lasts_ns is not None:
            self._post((now + lasts_ns, Order.FAULT, self.number, "battery", name))

    def set_pace(self, source: str, pace_ppm: int) -> None:
        """Stretch what is computed from now on, in millionths, for heat or other load."""
        self._plight.set_pace(source, pace_ppm)
        self._pace()

    def forget(self, side: str, now: int) -> None:
        """Let one end of the connection to the server forget it."""
        end, other = (self, 0) if side == "device" else (self.server, self.number)
        if end is not None and end.up:
            end.hear(Forgotten(other=other), now)

    def _set_clock(self, strike: Strike, now: int, *, begins: bool) -> None:
        fault = strike.fault
        if isinstance(fault, ClockFault) and isinstance(self.machine, Clocked):
            timers = self.machine.turn(fault, now, begins=begins)
            for timer in timers if self.up else ():  # a crash took those of who is down
                self._set_timer(timer, now)

    def _pace(self) -> None:
        self.device.paused = self.up and bool(self._pauses)
        self.device.pace_ppm = self._plight.pace_ppm

    def _used_ns(self, now: int) -> dict[str, int]:
        return {"on_ns": self.device.on_ns(now), "busy_ns": self.device.busy_ns(now)}

    def _left_fj(self, now: int) -> int | None:
        return self._plight.left_fj(now, **self._used_ns(now))
