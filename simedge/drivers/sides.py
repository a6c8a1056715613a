"""Sides: which of two servers each device hears while both believe to be the only one."""

from collections.abc import Iterable
from typing import Protocol

from simedge.drivers.knowledge import Knowledge

__all__ = ["Second", "Sides"]


class Second(Protocol):
    """A server that takes devices for its own."""

    number: int

    def retire(self) -> None:
        """Do nothing any more."""
        ...


class Sides:
    """Who hears whom; everyone hears the server but for those whom another has taken.

    Parameters
    ----------
    knowledge
        Has to know whose priors a device holds.
    """

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._seconds: dict[str, tuple[Second, frozenset[int]]] = {}
        self._split: dict[str, Second] = {}

    def add(self, fault: str, second: Second, devices: Iterable[int]) -> None:
        """Say who takes whom when a fault begins."""
        self._seconds[fault] = second, frozenset(devices)

    def split(self, fault: str) -> Second:
        """Let a fault begin; return the server that takes its devices."""
        self._split[fault] = self._seconds[fault][0]
        self._tell()
        return self._split[fault]

    def heal(self, fault: str) -> None:
        """Let it end."""
        second = self._split.pop(fault, None)
        if second is not None:
            second.retire()
            self._tell()

    def of(self, device: int) -> Second | None:
        """Return who has taken a device, the last if several did; None: nobody."""
        taken = [s for name, s in self._split.items() if device in self._seconds[name][1]]
        return taken[-1] if taken else None

    def _tell(self) -> None:
        serves = self._knowledge.serves
        serves.clear()
        for name, second in self._split.items():
            serves.update(dict.fromkeys(self._seconds[name][1], second.number))
