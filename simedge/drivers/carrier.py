"""The carrier: takes messages from machines, moves them over the network, logs and bills them."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from simedge.core.records import Order
from simedge.drivers.journal import Journal, uid_text
from simedge.drivers.transfer_desk import TransferDesk
from simedge.kernel.kernel import Record
from simedge.protocol.machine import Send
from simedge.world.datagrams import Datagram, Fate, Flight, RouteChange, Step, Uid
from simedge.world.network import Network
from simedge.world.transfers import TRANSFER_KINDS, Transfers, Turn

__all__ = ["HEADER_BYTES", "SERVER", "Carrier", "cause_of"]

SERVER: Final = 0
HEADER_BYTES: Final = 28
"""IPv4 and UDP."""
_CAUSES: Final = MappingProxyType(
    {"report": "ack", "have": "ack", "join": "join", "reply": "join", "proxy": "proxy"}
)
_RECEIVED: Final = Order.RECEIVED
# A named tuple made from its values takes half the time of one made by its own constructor.
_new = tuple.__new__


def cause_of(message: Send) -> str:
    """Return why the bits of a message are on the wire."""
    return "retransmission" if message.resend else _CAUSES.get(message.cls, "payload")


class Carrier:
    """Moves datagrams and transfers, and keeps the bill.

    Parameters
    ----------
    network
        Links and routes.
    transfers
        Reliable sends over them.
    post
        Puts a record into the kernel's queue.
    """

    def __init__(
        self,
        network: Network,
        *,
        transfers: Transfers,
        post: Callable[[Record], None],
        journal: Journal,
    ) -> None:
        self.network = network
        self.nodes: dict[int, int] = {}
        """Where senders are that have a number of their own, and no place."""
        self.on_route: Callable[[RouteChange, int], None] | None = None
        """Set by the driver, if anyone wants to know of ways that come and go."""
        self._links = network.by_number
        self._post = post
        self._journal = journal
        self._transfers = transfers
        self.desk = TransferDesk(transfers, take=self._carry_out, journal=journal)

    def send(self, message: Send, source: int, now: int) -> None:
        """Send one message of a machine, as a datagram or as a transfer."""
        names, cls, dst, resend = self._journal.names, message.cls, message.dst, message.resend
        data = message.data
        uid = _new(Uid, (names[source], names[dst], cls, message.boot, message.seq, 0, resend))
        cause = cause_of(message)
        datagram = _new(Datagram, (uid, data, len(data) + HEADER_BYTES, (dst,), cause, now, None))
        if cls == "token" and not resend:
            self._journal.tally.counts.tokens_sent += 1
        if message.reliability == "reliable":
            self.desk.start(datagram, message.tag, source=source, now=now)
            return
        node = self.nodes.get(source, source)
        self._pass_on(datagram, node, now, order=_RECEIVED)

    def lose(self, message: Send, source: int, now: int) -> None:
        """Log that a message has no way to its receiver, and count it."""
        names = self._journal.names
        uid = Uid(
            names[source],
            names[message.dst],
            message.cls,
            message.boot,
            message.seq,
            0,
            message.resend,
        )
        self.network.no_route += 1
        self._journal.log(
            now, Order.RECEIVED, source, kind="lost", subject=uid_text(uid), detail=("no_route",)
        )

    def handle(self, record: Record, now: int) -> None:
        """Take a record of a link or of the routes."""
        _, order, target, kind, payload = record
        if kind == "served":
            # Transfers look at every service that begins on a link which they share.
            link = None if self._transfers.active else self._links.get(target)
            dues = None if link is None else link.end_plain(payload, now)
            if dues is not None:
                for due in dues:
                    self._post(due)
                return
        elif kind in TRANSFER_KINDS:
            self.desk.handle(record, now)
            return
        step = self.network.handle(target, kind, payload, now=now)
        self.take(step, now, order, at=target)

    def transfer(self, record: Record, now: int) -> Turn:
        """Take a record of transfers at a device; return what its host has to be told."""
        return self.desk.handle(record, now)

    def arrive(self, record: Record, now: int) -> Datagram | None:
        """Take an arrival; return the datagram if it is for the device here."""
        _, order, target, _, payload = record
        assert isinstance(payload, Flight)
        datagram = None if self._transfers.active else self.network.land_plain(payload)
        if datagram is None:
            datagram, step = self.network.arrive(payload, now)
            self.take(step, now, order)
        elif datagram.path[-1] != target:
            self._pass_on(datagram, target, now, order=order)
            return None
        if datagram is not None:
            self._journal.log(
                now,
                order,
                target,
                kind="received",
                subject=uid_text(datagram.uid),
                detail=(len(datagram.data),),
            )
        return datagram

    def set_device_up(self, number: int, now: int, *, up: bool) -> None:
        """Take the links of a device down, or bring them back."""
        change = self.network.device_up if up else self.network.device_down
        self.take(change(number, now), now, Order.FAULT)
        if self._transfers.active:
            self.desk.set_device_up(number, now, up=up)

    def take(self, step: Step, now: int, order: Order, *, at: int | None = None) -> None:
        """Carry out what an object of the network answered to a record of the target `at`."""
        if self._transfers.active:
            step = self._transfers.watch(step, now, at=at)
        self._carry_out(step, now, order)

    def _carry_out(self, step: Step, now: int, order: Order) -> None:
        dues, fates, changes = step
        for due in dues:
            self._post(due)
        for fate in fates:
            self._log(fate, now, order)
        for change in changes:
            self._log_route(change, now, order)

    def _pass_on(self, datagram: Datagram, source: int, now: int, *, order: Order) -> None:
        """Put a datagram on the first link of its way, by the short way if that is plain."""
        active = self._transfers.active
        link = None if active else self.network.way(source, datagram.path[-1])
        dues = None if link is None else link.offer_plain(datagram, now)
        if link is None or dues is None:
            self.take(self.network.send(datagram, source, now), now, order)
            return
        for due in dues:
            self._post(due)
        self._journal.log(
            now,
            order,
            link.number,
            kind="sent",
            subject=uid_text(datagram.uid),
            detail=self._bill(datagram, datagram.cause, 1),
        )

    def _log(self, fate: Fate, now: int, order: Order) -> None:
        kind, target, datagram, cause, copies = fate
        detail: tuple[int | str, ...]
        if kind == "sent":
            detail = self._bill(datagram, datagram.cause, 1)
        elif kind == "retried":
            # More tries of hop ARQ: bytes on the air once more, and no new datagram.
            kind, detail = "sent", self._bill(datagram, "retransmission", copies)
        elif kind == "lost":
            detail = (cause,)
        elif kind == "duplicated":
            detail = (copies,)
        else:
            return
        subject = uid_text(datagram.uid)
        self._journal.log(now, order, target, kind=kind, subject=subject, detail=detail)

    def _bill(self, datagram: Datagram, cause: str, times: int) -> tuple[int | str, ...]:
        """Count the bits of a datagram that enters a link, on the wire, once a hop and try."""
        tally = self._journal.tally
        downwards = self._journal.numbers[datagram.uid.source] == SERVER
        wire_bytes = times * datagram.wire_bytes
        bits = 8 * wire_bytes
        if downwards:
            tally.bits_down += bits
        else:
            tally.bits_up += bits
        if cause == "retransmission":
            tally.bits_retransmitted += bits
        tally.bits_by_cause[cause] += bits
        return int(downwards), cause, times * len(datagram.data), wire_bytes

    def _log_route(self, change: RouteChange, now: int, order: Order) -> None:
        names = self._journal.names
        self._journal.log(
            now,
            order,
            change.source,
            kind="route-changed",
            subject=names[change.destination],
            detail=tuple(names[number] for number in change.path),
        )
        if self.on_route is not None:
            self.on_route(change, now)
