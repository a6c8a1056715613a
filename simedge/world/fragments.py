"""Fragments: how a link cuts what is larger than its MTU, and joins it at the far end.

The payload of a fragment is the MTU without the header, with `ip` cut to a multiple of 8 bytes.
All fragments must arrive within the time for reassembly after the first one; repeats of a fragment
are ignored. A datagram whose reassembly fails is one ``reassembly``, told as soon as it is
certain: when a fragment comes too late, or no further one can come.
"""

from array import array
from collections.abc import Sequence
from typing import Final

from simedge.world.accounts import DELIVERED, DUPLICATED, ENDS, OFFERED, Tally
from simedge.world.datagrams import Datagram, Fate, LinkError, Whole

__all__ = ["Fragments", "cut", "room"]

_FRAGMENTS_MAX: Final = 2**16


def room(mtu: int, header: int, *, ip: bool) -> int:
    """Return the payload of a fragment.

    Examples
    --------
    >>> room(576, 20, ip=True)
    552
    """
    free = mtu - header
    return free - free % 8 if ip else free


def cut(datagram: Datagram, payload: int, header: int) -> tuple[Datagram, ...]:
    """Return the fragments of a datagram, each with its part of the message and its header.

    The message is the end of the payload; what is before it are headers of higher layers.
    """
    total = datagram.wire_bytes - header
    count = -(-total // payload)
    if count > _FRAGMENTS_MAX:
        raise LinkError(f"{datagram.uid} would be cut into {count} fragments")
    data = datagram.data
    lead = max(0, total - len(data))
    whole = Whole(datagram, count)
    return tuple(
        datagram._replace(
            uid=datagram.uid._replace(fragment=i),
            data=data[max(0, start - lead) : max(0, start + payload - lead)],
            wire_bytes=header + min(payload, total - start),
            whole=whole,
        )
        for i, start in enumerate(range(0, total, payload))
    )


class Fragments:
    """The books of one link on datagrams that it has cut.

    Parameters
    ----------
    number
        Of the link.
    wait_ns
        From the first fragment of a datagram until all of them must be there.
    """

    __slots__ = ("_cut", "_delivered", "_failed", "_number", "_pieces", "_wait_ns")

    def __init__(self, number: int, wait_ns: int) -> None:
        self._number = number
        self._wait_ns = wait_ns
        self._cut = self._delivered = self._failed = 0
        self._pieces = array("q", bytes(8 * ENDS))

    def offered(self, count: int) -> None:
        """Note that a datagram was cut into that many."""
        self._cut += 1
        self._pieces[OFFERED] += count

    def copied(self, whole: Whole, copies: int) -> None:
        """Note that copies of a fragment are under way, too."""
        whole.left += copies
        self._pieces[DUPLICATED] += copies

    def gone(self, piece: Datagram, end: int, fates: list[Fate]) -> None:
        """Note that a fragment was lost, and to what end it came."""
        self._pieces[end] += 1
        whole = piece.whole
        assert whole is not None
        whole.left -= 1
        self._close(whole, fates)

    def land(self, piece: Datagram, now: int, fates: list[Fate]) -> Datagram | None:
        """Take a fragment at the far end; return its datagram if this was the last one missing."""
        self._pieces[DELIVERED] += 1
        whole = piece.whole
        assert whole is not None
        whole.left -= 1
        parts = whole.parts
        if parts is None:
            return None  # it is whole already, or given up
        if whole.first_ns is None:
            whole.first_ns = now
        if now - whole.first_ns > self._wait_ns:
            whole.left = 0  # what is still to come is too late as well
        elif parts[piece.uid.fragment] is None:
            parts[piece.uid.fragment] = piece.data
            whole.missing -= 1
        if whole.missing:
            self._close(whole, fates)
            return None
        self._delivered += 1
        whole.parts = None
        return whole.datagram._replace(data=b"".join(part or b"" for part in parts))

    def joined(self, tally: Tally, waiting: Sequence[Sequence[Datagram]]) -> Tally:
        """Return the books with counts in whole datagrams.

        `waiting` is what is queued, in service and in flight.
        """
        under_way = [sum(d.whole is not None for d in some) for some in waiting]
        cut = {
            "offered": self._cut,
            "delivered": self._delivered,
            "reassembly": self._failed,
            "in_flight": self._cut - self._delivered - self._failed,
        }
        return tally.joined(cut, [*self._pieces, *under_way])

    def _close(self, whole: Whole, fates: list[Fate]) -> None:
        if whole.left <= 0 and whole.parts is not None:
            whole.parts = None
            self._failed += 1
            fates.append(Fate("lost", self._number, whole.datagram, "reassembly"))
