"""Moves the messages of one host by sockets; logs and bills them as links of the world do."""

from collections.abc import Callable

from simedge.core.records import Order
from simedge.drivers.carrier import HEADER_BYTES, SERVER, cause_of
from simedge.drivers.journal import Journal, uid_text
from simedge.drivers.live_end import Endpoint
from simedge.protocol.machine import Send
from simedge.world.bulk import bulk
from simedge.world.datagrams import Uid

__all__ = ["Handed", "LiveMover", "wire_bytes"]

Handed = tuple[int, int, bool, str, tuple[int, int]]
"""(boot, tag, whether it went out whole, name, (bytes, billed)) of a reliable message."""


def wire_bytes(data: bytes, *, reliable: bool) -> int:
    """Return the bytes that a message takes on the wire if nothing is lost."""
    if not reliable:
        return len(data) + HEADER_BYTES
    cost = bulk(len(data), 0)
    assert cost is not None
    return cost.wire_bytes


class LiveMover:
    """What a host sends goes out by its endpoint.

    Parameters
    ----------
    handed
        Told how a reliable message ended.
    """

    def __init__(
        self,
        end: Endpoint,
        journal: Journal,
        *,
        handed: Callable[[Handed], None],
    ) -> None:
        self._end = end
        self._journal = journal
        self._handed = handed

    def send(self, message: Send, source: int, now: int) -> None:
        """Send one message of a machine."""
        tally = self._journal.tally
        if message.cls == "token" and not message.resend:
            tally.counts.tokens_sent += 1
        reliable = message.reliability == "reliable"
        size = wire_bytes(message.data, reliable=reliable)
        if source == SERVER:
            tally.bits_down += 8 * size
        else:
            tally.bits_up += 8 * size
        cause = cause_of(message)
        if cause == "retransmission":
            tally.bits_retransmitted += 8 * size
        tally.bits_by_cause[cause] += 8 * size
        if reliable:
            self._start(message, source, now, size=size)
        else:
            self._throw(message, source, now, size=size)

    def lose(self, message: Send, source: int, now: int) -> None:
        """Log that a message has no way to its receiver."""
        self._lost(message, source, now, cause="no_route")

    def set_device_up(self, number: int, now: int, *, up: bool) -> None:
        """Do nothing: who is down has no ear for what arrives."""

    def _throw(self, message: Send, source: int, now: int, *, size: int) -> None:
        cause = cause_of(message)
        names = self._journal.names
        self._journal.sink(
            now,
            int(Order.RECEIVED),
            f"{names[source]}.{names[message.dst]}",
            "sent",
            self._name(message, source),
            (int(source == SERVER), cause, len(message.data), size),
        )
        lost = self._end.send_datagram(message.dst, message.data)
        if lost is not None:
            self._lost(message, source, now, cause=lost)

    def _start(self, message: Send, source: int, now: int, *, size: int) -> None:
        name, octets = self._name(message, source), len(message.data)
        self._journal.log(
            now, Order.RECEIVED, source, kind="transfer-started", subject=name, detail=(octets,)
        )
        books = self._journal.tally.transfers
        books.started += 1
        books.under_way += 1
        books.billed_bytes += size

        def told(whole: bool) -> None:  # noqa: FBT001 -- all there is to tell
            self._handed((message.boot, message.tag, whole, name, (octets, size)))

        self._end.send_message(message.dst, message.data, told)

    def _lost(self, message: Send, source: int, now: int, *, cause: str) -> None:
        name = self._name(message, source)
        self._journal.log(now, Order.RECEIVED, source, kind="lost", subject=name, detail=(cause,))

    def _name(self, message: Send, source: int) -> str:
        names = self._journal.names
        ends = names[source], names[message.dst]
        return uid_text(Uid(*ends, message.cls, message.boot, message.seq, 0, message.resend))
