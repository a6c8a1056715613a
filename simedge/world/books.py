"""The books of one link: what became of each datagram, of its fragments, and of all together."""

from collections.abc import Sequence
from typing import Final

from simedge.world.accounts import (
    DELIVERED,
    DOWN,
    DUPLICATED,
    ENDS,
    LOST,
    MTU,
    OFFERED,
    QUEUE_DROP,
    Tally,
    new_counts,
    tally,
)
from simedge.world.datagrams import NOTHING, Datagram, Fate, Step
from simedge.world.fragments import Fragments

__all__ = ["Books"]

_CAUSES: Final = {
    "loss": LOST,
    "queue_drop": QUEUE_DROP,
    "down": DOWN,
    "mtu": MTU,
    "trace_end": LOST,
}


class Books:
    """What became of everything that was offered to a link.

    Parameters
    ----------
    number
        Of the link.
    """

    __slots__ = ("_fragments", "_number", "counts")

    def __init__(self, number: int) -> None:
        self._number = number
        self._fragments: Fragments | None = None
        self.counts = new_counts()

    def cut(self, pieces: Sequence[Datagram], wait_ns: int) -> int:
        """Note that a datagram is offered in pieces; return their bytes.

        Parameters
        ----------
        wait_ns
            From the first of them until all must be there.
        """
        if self._fragments is None:
            self._fragments = Fragments(self._number, wait_ns)
        self._fragments.offered(len(pieces))
        size = sum(piece.wire_bytes for piece in pieces)
        self.counts[OFFERED] += len(pieces)
        self.counts[ENDS + OFFERED] += size
        return size

    def copied(self, datagram: Datagram, copies: int, fates: list[Fate]) -> None:
        """Note that copies of a datagram are under way, too."""
        self.counts[DUPLICATED] += copies
        self.counts[ENDS + DUPLICATED] += copies * datagram.wire_bytes
        if datagram.whole is not None and self._fragments is not None:
            self._fragments.copied(datagram.whole, copies)
        fates.append(Fate("duplicated", self._number, datagram, copies=copies))

    def lost(self, datagram: Datagram, cause: str, fates: list[Fate]) -> None:
        """Note that a datagram is lost, and perhaps what it was a fragment of."""
        end = _CAUSES[cause]
        self.counts[end] += 1
        self.counts[ENDS + end] += datagram.wire_bytes
        fates.append(Fate("lost", self._number, datagram, cause))
        if datagram.whole is not None and self._fragments is not None:
            self._fragments.gone(datagram, end, fates)

    def landed(self, datagram: Datagram, now: int) -> tuple[Datagram | None, Step]:
        """Note an arrival; return what is whole by it, or None, and what else is settled."""
        counts = self.counts
        counts[DELIVERED] += 1
        counts[ENDS + DELIVERED] += datagram.wire_bytes
        if self._fragments is None or datagram.whole is None:
            return datagram, NOTHING
        fates: list[Fate] = []
        joined = self._fragments.land(datagram, now, fates)
        return joined, Step((), tuple(fates))

    def tally(self, waiting: Sequence[Sequence[Datagram]]) -> Tally:
        """Return what became of everything; `waiting`: queued, in service and in flight."""
        books = tally(self.counts, waiting)
        return books if self._fragments is None else self._fragments.joined(books, waiting)
