"""Accounts of a link: what became of everything offered, and how long radios were in use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from simedge.world.datagrams import Datagram

__all__ = [
    "DELIVERED",
    "DOWN",
    "DUPLICATED",
    "ENDS",
    "LOST",
    "MTU",
    "OFFERED",
    "QUEUE_DROP",
    "AirTime",
    "Count",
    "Tally",
    "new_counts",
    "tally",
]

ENDS: Final = 7
"""Number of ends of a datagram, which is also the distance from its number to its bytes."""
OFFERED, DUPLICATED, DELIVERED, QUEUE_DROP, LOST, DOWN, MTU = range(ENDS)
_NAMES: Final = ("offered", "duplicated", "delivered", "queue_drop", "lost", "down", "mtu")
_WAITING: Final = ("queued", "in_service", "in_flight")


@dataclass(frozen=True, slots=True)
class Count:
    """Datagrams and their bytes on the wire."""

    datagrams: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of everything that was offered to a link, in fragments and in their bytes."""

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
    whole: Mapping[str, int] | None = None
    """The same in whole datagrams, where any was cut."""

    def counts(self) -> dict[str, Count]:
        """Return the counts in fragments and bytes by name."""
        return {name: getattr(self, name) for name in (*_NAMES, *_WAITING)}

    def datagrams(self) -> dict[str, int]:
        """Return the counts in whole datagrams by name.

        One that lacks a fragment is one ``reassembly``; one of which fragments may still arrive is
        ``in_flight``.
        """
        if self.whole is not None:
            return dict(self.whole)
        return {name: count.datagrams for name, count in self.counts().items()} | {"reassembly": 0}

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

    def joined(self, cut: Mapping[str, int], fragments: Sequence[int]) -> "Tally":
        """Return this with the counts of whole datagrams.

        Parameters
        ----------
        cut
            Datagrams that were cut, by what became of them.
        fragments
            Their fragments, in the order of the ends, then those still under way.
        """
        names = (*_NAMES, *_WAITING)
        own = {name: count.datagrams for name, count in self.counts().items()}
        rest = {name: own[name] - n for name, n in zip(names, fragments, strict=True)}
        whole = {name: rest.get(name, 0) + cut.get(name, 0) for name in (*names, "reassembly")}
        return replace(self, whole=whole)


def new_counts() -> list[int]:
    """Return zeros: datagrams, then bytes, by their ends."""
    return [0] * (2 * ENDS)


def tally(counts: list[int], waiting: Sequence[Sequence[Datagram]]) -> Tally:
    """Return the tally of counts and of what is queued, in service and in flight."""
    ended = {name: Count(counts[i], counts[ENDS + i]) for i, name in enumerate(_NAMES)}
    under_way = {
        name: Count(len(some), sum(d.wire_bytes for d in some))
        for name, some in zip(_WAITING, waiting, strict=True)
    }
    return Tally(whole=None, **(ended | under_way))


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
