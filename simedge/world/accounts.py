"""Accounts of a link: what became of everything offered, and how long radios were in use."""

from dataclasses import dataclass

__all__ = ["AirTime", "Count", "Tally"]


@dataclass(frozen=True, slots=True)
class Count:
    """Datagrams and their bytes on the wire."""

    datagrams: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of everything that was offered to a link."""

    offered: Count
    duplicated: Count
    delivered: Count
    queue_drop: Count
    lost: Count
    down: Count
    mtu: Count
    queued: Count
    in_service: Count
    in_flight: Count

    def imbalance(self) -> tuple[int, int]:
        """Return what the identity of conservation misses, in datagrams and bytes: (0, 0).

        offered + duplicated = delivered + queue_drop + lost + down + mtu + queued + in_service
        + in_flight, at every instant.
        """
        ins = (self.offered, self.duplicated)
        ends = (self.delivered, self.queue_drop, self.lost, self.down, self.mtu)
        outs = (*ends, self.queued, self.in_service, self.in_flight)
        return (
            sum(c.datagrams for c in ins) - sum(c.datagrams for c in outs),
            sum(c.bytes for c in ins) - sum(c.bytes for c in outs),
        )


class AirTime:
    """When a radio was last used, for what it burns afterwards: the tail.

    Uses are told in the order of their starts.
    """

    __slots__ = ("_last_ns", "_tail_ns", "_wait_ns")

    def __init__(self, tail_ns: int) -> None:
        self._wait_ns = tail_ns
        self._tail_ns = 0
        self._last_ns: int | None = None

    def use(self, start: int, end: int) -> None:
        """Take a use from start to end."""
        self._tail_ns = self.tail_ns(start)
        self._last_ns = end if self._last_ns is None else max(end, self._last_ns)

    def tail_ns(self, now: int) -> int:
        """Return the time spent after uses, each at most the whole tail."""
        if self._last_ns is None:
            return 0
        return self._tail_ns + min(max(0, now - self._last_ns), self._wait_ns)
