"""Ties: in which order the records of one instant and class go while a fault shuffles them."""

from collections.abc import Iterable
from typing import Final

from simedge.core.streams import Streams
from simedge.kernel.kernel import Record, Ties
from simedge.world.datagrams import Flight
from simedge.world.fault_settings import TieShuffleFault

__all__ = ["shuffled"]

_LINKS: Final = 2**40
"""Above the numbers of targets: arrivals are ranked by their links, whose order is their own."""


def shuffled(faults: Iterable[object], *, streams: Streams, duration_ns: int) -> Ties | None:
    """Return how faults rank records of one instant and class; None if no fault does.

    Records of one target, and arrivals over one link, stay in their order: what one thing does is a
    sequence, what different things do at one instant is none.
    """
    spells = [
        (*window, streams.stream("fault", fault.name, "ties"))
        for fault in faults
        if isinstance(fault, TieShuffleFault)
        for window in fault.windows(duration_ns)
    ]
    if not spells:
        return None

    def rank(record: Record) -> int:
        at, order, target, _, payload = record
        for begins, ends, stream in spells:
            if begins <= at < ends:
                source = _LINKS + payload.link if isinstance(payload, Flight) else target
                return stream.words(at, order, source)[0]
        return target

    return rank
