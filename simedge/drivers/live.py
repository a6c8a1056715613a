"""The driver of sockets: one machine on real time, datagrams by UDP, reliable messages by TCP.

A host, its machine, its processor and its camera are those of virtual time, and their records are
dispatched at their own times when the clock of the run reaches them. Only messages come and go by
sockets.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from simedge.core.records import Order
from simedge.drivers.device_host import DeviceHost
from simedge.drivers.host import Place
from simedge.drivers.journal import Journal, uid_text
from simedge.drivers.live_book import Address, AddressBook
from simedge.drivers.live_end import ANY_PORT, Endpoint
from simedge.drivers.live_envelope import Envelope
from simedge.drivers.live_mover import Handed, LiveMover, wire_bytes
from simedge.drivers.live_outlet import Patience
from simedge.drivers.loop_crank import Crank, RunClock
from simedge.drivers.server_host import ServerHost
from simedge.kernel import Kernel
from simedge.kernel.kernel import Record
from simedge.protocol.wire import Kind
from simedge.world.datagrams import UNKNOWN_NS, Datagram, Uid

__all__ = ["LiveNode"]


class LiveNode:
    """One machine on sockets: `rehouse` its place, `open`, `start`, `finish`, `close`.

    Parameters
    ----------
    number
        Number of the target: 0 server, devices from 1.
    clock
        Of the run; nodes of one process may share it.
    told
        Where others are, as far as that is known; a server learns it from joins.
    at
        Where it listens.
    patience
        Of its connections.
    """

    def __init__(
        self,
        number: int,
        *,
        clock: RunClock,
        told: Mapping[int, Address] | None = None,
        at: Address = ANY_PORT,
        patience: Patience | None = None,
    ) -> None:
        self.number = number
        self.kernel = Kernel()
        self.crank = Crank(self.kernel, clock)
        self.book = AddressBook(number, told)
        self.end = Endpoint(self.book, self._arrive, at=at, patience=patience)
        self._journal: Journal | None = None
        self._host: DeviceHost | ServerHost | None = None

    def rehouse(self, place: Place) -> Place:
        """Return the place of its host: as it was, but on these sockets."""
        self._journal = place.journal
        mover = LiveMover(self.end, place.journal, handed=self._handed)
        return replace(place, carrier=mover, post=self.kernel.post)

    async def open(self) -> Address:
        """Begin to listen; return where.

        Raises
        ------
        EndpointError
            If the address cannot be listened on.
        """
        return await self.end.open()

    def start(self, host: DeviceHost | ServerHost) -> None:
        """Put the beginning of a rehoused host into the queue, and turn."""
        self._host = host
        self.kernel.register(self.number, self._handle)
        self.kernel.post((0, Order.STARTED, self.number, "start", None))
        if isinstance(host, DeviceHost):
            host.begin()
        self.crank.start()

    async def finish(self) -> None:
        """Wait for the end of the run; raises what the host raised."""
        await self.crank.finish()

    async def close(self) -> None:
        """Stop, and close all sockets."""
        self.crank.stop()
        await self.end.close()

    def _arrive(self, sender: int, envelope: Envelope | None, data: bytes) -> None:
        """Put what came in by a socket into the queue."""
        journal = self._journal
        if journal is None or self._host is None or sender >= len(journal.names):
            self.end.counts["stranger"] += 1
            return
        name = ("unread", 0, 0)
        reliable = False
        if envelope is not None:
            name = (envelope.cls, envelope.boot, envelope.seq)
            reliable = envelope.kind in {Kind.PROXY, Kind.PARAMS}
        datagram = Datagram(
            uid=Uid(journal.names[sender], journal.names[self.number], *name),
            data=data,
            wire_bytes=wire_bytes(data, reliable=reliable),
            path=(self.number,),
            sent_ns=UNKNOWN_NS,
        )
        self.crank.post(Order.RECEIVED, self.number, "arrive", payload=datagram)

    def _handed(self, handed: Handed) -> None:
        self.crank.post(Order.OUTCOME, self.number, "handed", payload=handed)

    def _handle(self, record: Record, now: int) -> None:
        kind, payload = record[3], record[4]
        assert self._host is not None
        if kind == "arrive":
            self._hear(cast("Datagram", payload), now)
        elif kind == "handed":
            self._end_send(cast("Handed", payload), now)
        else:
            self._host.handle(record, now)

    def _hear(self, datagram: Datagram, now: int) -> None:
        host, journal = self._host, self._journal
        assert host is not None
        assert journal is not None
        name, size = uid_text(datagram.uid), len(datagram.data)
        journal.log(now, Order.RECEIVED, self.number, kind="received", subject=name, detail=(size,))
        host.receive(datagram, now)

    def _end_send(self, handed: Handed, now: int) -> None:
        """Tell the machine how a reliable send of this life ended."""
        host, journal = self._host, self._journal
        assert host is not None
        assert journal is not None
        boot, tag, whole, name, sizes = handed
        kind = "transfer-ended" if whole else "transfer-failed"
        journal.log(now, Order.OUTCOME, self.number, kind=kind, subject=name, detail=sizes)
        books = journal.tally.transfers
        books.under_way -= 1
        books.ended += whole
        books.failed += not whole
        books.billed_bytes -= sizes[1]
        if host.up and host.boot == boot:
            host.end_send(now, tag=tag, ok=whole)
