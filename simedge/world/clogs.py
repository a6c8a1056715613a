"""Clogs: what arrives over a link is held, and released in order."""

from simedge.world.datagrams import Datagram
from simedge.world.rates import Capacity

__all__ = ["Clog"]


class Clog:
    """What one link holds back.

    Parameters
    ----------
    until_ns
        When it lets go.
    capacity
        How fast then; None: all at once.
    before
        The clog that this one takes over from.
    """

    __slots__ = ("_capacity", "_free_ns", "_released", "_until_ns")

    def __init__(self, until_ns: int, capacity: Capacity | None, *, before: "Clog | None") -> None:
        self._until_ns = until_ns
        self._capacity = capacity
        self._free_ns = until_ns
        self._released: set[int] = set()
        if before is not None:
            self._until_ns = max(until_ns, before._until_ns)  # noqa: SLF001  its like
            self._free_ns = max(self._until_ns, before._free_ns)  # noqa: SLF001

    def hold(self, ticket: int, datagram: Datagram, now: int) -> int | None:
        """Return when an arrival of now is to be tried again, or None if it is through.

        Parameters
        ----------
        ticket
            Of the flight.
        """
        if ticket in self._released and now >= self._until_ns:
            self._released.remove(ticket)
            return None
        if now > self._free_ns:
            return None
        if self._capacity is not None:
            # A recording that has ended paces nothing.
            paced_ns = self._capacity.finish_ns(self._free_ns, datagram.wire_bytes)
            self._free_ns = self._free_ns if paced_ns is None else paced_ns
        self._released.add(ticket)
        return self._free_ns
