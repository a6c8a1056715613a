"""Faults as they happen: to hosts, and to links."""

from collections.abc import Sequence
from typing import Final, Protocol

from simedge.core.records import Due, Order
from simedge.core.streams import Streams
from simedge.drivers.carrier import Carrier
from simedge.drivers.journal import Journal
from simedge.kernel.kernel import Record
from simedge.world.clock_fault_settings import ClockFault
from simedge.world.datagrams import NOTHING, Step
from simedge.world.fault_settings import State
from simedge.world.faults import Crash, Keep, Strike
from simedge.world.link_fault_settings import ClogFault, CutFault, StrainFault, SwizzleClogFault
from simedge.world.strains import open_strain

__all__ = ["Faults", "Mortal"]


_FROM_CHECKPOINTS: Final = frozenset({"out-of-memory", "twin"})


class Mortal(Protocol):
    """What can be hit, crash and come back."""

    number: int
    up: bool

    def crash(self, now: int, *, state: str) -> None:
        """Stop at once."""
        ...

    def restart(self, now: int) -> None:
        """Come back."""
        ...

    def strike(self, strike: Strike, now: int) -> State | None:
        """Let a fault begin; return what survives if that is a crash."""
        ...

    def relieve(self, strike: Strike, now: int) -> None:
        """Let it end."""
        ...

    def keep(self, name: str, due_ns: int) -> None:
        """Keep the present state for what a fault will do at a time."""
        ...

    def stand_in(self, name: str, now: int) -> None:
        """Let what was kept for a fault at this time be what comes back."""
        ...

    def drained(self, now: int) -> bool:
        """Whether a battery is empty for good."""
        ...

    def watch(self, name: str, now: int) -> None:
        """Look at the battery of a name again when it may be empty."""
        ...


class Faults:
    """Carries out a plan of faults; what is down already cannot crash again, nor what is up rise.

    Parameters
    ----------
    plan
        Records of all faults, made before the run.
    streams
        Random streams of the run.
    """

    def __init__(
        self, plan: Sequence[Due], journal: Journal, *, carrier: Carrier, streams: Streams
    ) -> None:
        self._plan = tuple(plan)
        self._journal = journal
        self._carrier = carrier
        self._streams = streams
        self._fallen: set[tuple[int, str]] = set()

    @property
    def need_checkpoints(self) -> bool:
        """Whether anything comes back with what a local checkpoint kept."""
        return any(
            due.payload.state == "checkpoint"
            if isinstance(due.payload, Crash)
            else isinstance(due.payload, Strike) and due.payload.kind in _FROM_CHECKPOINTS
            for due in self._plan
        )

    @property
    def hit(self) -> frozenset[int]:
        """Numbers of all that is hit in the run."""
        return frozenset(due.target for due in self._plan)

    @property
    def wrong_clocks(self) -> frozenset[int]:
        """Numbers of the devices whose clock is wrong at some time."""
        strikes = [(due.target, due.payload) for due in self._plan]
        return frozenset(
            number
            for number, strike in strikes
            if isinstance(strike, Strike) and isinstance(strike.fault, ClockFault)
        )

    def dues(self) -> tuple[Due, ...]:
        """Return the records of the plan."""
        return self._plan

    def handle(self, record: Record, now: int, *, host: Mortal) -> None:
        """Let a fault of a host begin or end."""
        kind, payload = record[3], record[4]
        match kind, payload:
            case "crash", Crash() if host.up:
                self._fall(payload, now, host=host)
            case "restart", Crash() if not host.up:
                self._rise(payload, now, host=host)
            case "keep", Keep(name=name, due_ns=due_ns):
                host.keep(name, due_ns)
            case "strike", Strike():
                self._strike(payload, now, host=host)
            case "relief", Strike():
                self._relieve(payload, now, host=host)
            case "memory", str(name) if host.up:
                self._fallen.add((host.number, name))
                host.crash(now, state="checkpoint")
            case "battery", str(name):
                self._drain(name, now, host=host)
            case _:
                pass

    def handle_link(self, record: Record, now: int) -> None:
        """Let a fault of a link begin or end; all else goes to the carrier."""
        strike = record[4]
        if not isinstance(strike, Strike):
            self._carrier.handle(record, now)
            return
        number, begins = record[2], record[3] == "strike"
        self._log(now, number, begins=begins, fault=strike)
        change = self._begin if begins else self._end
        step = change(strike, number, now)
        self._carrier.take(step, now, Order.FAULT, at=number)

    def announce(self, record: Record, now: int) -> None:
        """Say that a fault begins or ends which is carried out elsewhere."""
        strike = record[4]
        assert isinstance(strike, Strike)
        self._log(now, record[2], begins=record[3] == "strike", fault=strike)

    def _begin(self, strike: Strike, number: int, now: int) -> Step:
        network, fault = self._carrier.network, strike.fault
        link = network.by_number[number]
        if isinstance(fault, StrainFault):
            link.degrade(open_strain(fault, link=link.name, streams=self._streams))
        elif isinstance(fault, ClogFault | SwizzleClogFault):
            network.clog(number, strike.until_ns, paced=fault.release == "paced")
        else:
            return network.sever(number, strike.name, now, silent=_silent(strike))
        return NOTHING

    def _end(self, strike: Strike, number: int, now: int) -> Step:
        network, fault = self._carrier.network, strike.fault
        if isinstance(fault, CutFault):
            return network.mend(number, strike.name, now)
        network.by_number[number].restore(strike.name)
        return NOTHING

    def _fall(self, crash: Crash, now: int, *, host: Mortal) -> None:
        self._log(now, host.number, begins=True, fault=crash)
        if crash.state == "standby":
            host.stand_in(crash.name, now)
        host.crash(now, state=crash.state)

    def _drain(self, name: str, now: int, *, host: Mortal) -> None:
        if not host.drained(now):
            host.watch(name, now)
        elif host.up:
            self._fall(Crash(name, "kept", "battery"), now, host=host)

    def _rise(self, crash: Crash, now: int, *, host: Mortal) -> None:
        if host.drained(now):
            return
        self._log(now, host.number, begins=False, fault=crash)
        host.restart(now)

    def _strike(self, strike: Strike, now: int, *, host: Mortal) -> None:
        if strike.kind != "battery":  # that one is told of when it is empty
            self._log(now, host.number, begins=True, fault=strike)
        state = host.strike(strike, now)
        if state is not None and host.up:
            self._fallen.add((host.number, strike.name))
            host.crash(now, state=state)

    def _relieve(self, strike: Strike, now: int, *, host: Mortal) -> None:
        self._log(now, host.number, begins=False, fault=strike)
        host.relieve(strike, now)
        fell = (host.number, strike.name) in self._fallen
        self._fallen.discard((host.number, strike.name))
        if fell and not host.up and not host.drained(now):
            host.restart(now)

    def _log(self, now: int, number: int, *, begins: bool, fault: Crash | Strike) -> None:
        self._journal.log(
            now,
            Order.FAULT,
            number,
            kind="fault-started" if begins else "fault-ended",
            subject=fault.name,
            detail=(fault.kind,),
        )


def _silent(strike: Strike) -> bool:
    return getattr(strike.fault, "mode", "refuse") == "drop"
