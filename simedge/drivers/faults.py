"""Faults as they happen: crashes and restarts of hosts."""

from collections.abc import Sequence
from typing import Protocol

from simedge.core.records import Due, Order
from simedge.drivers.journal import Journal
from simedge.kernel.kernel import Record
from simedge.world.faults import Crash

__all__ = ["Faults", "Mortal"]


class Mortal(Protocol):
    """What can crash and come back."""

    number: int
    up: bool

    def crash(self, now: int, *, state: str) -> None:
        """Stop at once."""
        ...

    def restart(self, now: int) -> None:
        """Come back."""
        ...


class Faults:
    """Carries out a plan of faults; what is down already cannot crash again, nor what is up rise.

    Parameters
    ----------
    plan
        Records of all faults, made before the run.
    """

    def __init__(self, plan: Sequence[Due], journal: Journal) -> None:
        self._plan = tuple(plan)
        self._journal = journal

    @property
    def need_checkpoints(self) -> bool:
        """Whether anything comes back with what a local checkpoint kept."""
        crashes = (due.payload for due in self._plan)
        return any(isinstance(crash, Crash) and crash.state == "checkpoint" for crash in crashes)

    def dues(self) -> tuple[Due, ...]:
        """Return the records of the plan."""
        return self._plan

    def handle(self, record: Record, now: int, *, host: Mortal) -> None:
        """Crash a host, or bring it back."""
        kind, fault = record[3], record[4]
        assert isinstance(fault, Crash)
        if kind == "crash" and host.up:
            self._log(now, host.number, kind="fault-started", fault=fault)
            host.crash(now, state=fault.state)
        elif kind == "restart" and not host.up:
            self._log(now, host.number, kind="fault-ended", fault=fault)
            host.restart(now)

    def _log(self, now: int, number: int, *, kind: str, fault: Crash) -> None:
        self._journal.log(
            now, Order.FAULT, number, kind=kind, subject=fault.name, detail=("crash",)
        )
