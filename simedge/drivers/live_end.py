"""One end of the net: a port for datagrams and for connections, and the ways out to others."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from typing import Final

from simedge.core.errors import SimedgeError
from simedge.drivers.live_book import Address, AddressBook
from simedge.drivers.live_envelope import Envelope, envelope_of
from simedge.drivers.live_intake import Connections, DatagramIntake
from simedge.drivers.live_outlet import Outlet, Patience
from simedge.protocol.shape import DATAGRAM_BYTES_MAX, RELIABLE_BYTES_MAX

__all__ = ["ANY_PORT", "Endpoint", "EndpointError"]

ANY_PORT: Final = Address("127.0.0.1", 0)
"""This computer alone; the operating system chooses the port."""
_BUFFER_BYTES: Final = 4 * 2**20
_TRIES: Final = 16

Arrival = Callable[[int, Envelope | None, bytes], None]
"""Takes (sender, envelope if it is intact, message)."""


class EndpointError(SimedgeError, OSError):
    """An address cannot be listened on."""


class Endpoint:
    """Sockets of one machine. What is wrong with what comes in is counted, never raised.

    Parameters
    ----------
    book
        Where others are.
    arrive
        Takes what comes in.
    at
        Where it listens; datagrams and connections have the same port.
    patience
        Of its ways out.
    """

    def __init__(
        self,
        book: AddressBook,
        arrive: Arrival,
        *,
        at: Address = ANY_PORT,
        patience: Patience | None = None,
    ) -> None:
        self.book = book
        self.address = at
        """Where it listens, once it is open."""
        self.counts: Counter[str] = Counter()
        self._arrive = arrive
        self._patience = patience
        self._outlets: dict[int, Outlet] = {}
        """By number: whoever has moved is sent no more to where he was."""
        self._leaving: set[asyncio.Task[None]] = set()
        self._connections: Connections | None = None
        self._server: asyncio.Server | None = None
        self._datagrams: tuple[asyncio.DatagramTransport, DatagramIntake] | None = None

    async def open(self) -> Address:
        """Begin to listen; return where.

        Raises
        ------
        EndpointError
            If the address is taken, or not one of this computer.
        """
        loop = asyncio.get_running_loop()
        stream, datagrams = _bound(self.address)
        self.address = Address(*stream.getsockname()[:2])
        self._connections = Connections(self._take_message, self.counts)
        self._server = await loop.create_server(self._connections, sock=stream)
        self._datagrams = await loop.create_datagram_endpoint(
            lambda: DatagramIntake(self._take_datagram, self.counts), sock=datagrams
        )
        return self.address

    async def close(self) -> None:
        """Close all sockets; what is on its way out is given up."""
        if self._server is not None:
            self._server.close()
        await asyncio.gather(*(outlet.close() for outlet in self._outlets.values()))
        self._outlets.clear()
        await asyncio.gather(*self._leaving)
        if self._connections is not None:
            await self._connections.close()
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None
        if self._datagrams is not None:
            transport, intake = self._datagrams
            self._datagrams = None
            transport.abort()
            await intake.closed

    def send_datagram(self, number: int, data: bytes) -> str | None:
        """Send one datagram; return why it is lost, if that is known."""
        to = self.book.find(number)
        cause = None
        if to is None or self._datagrams is None:
            cause = "no_address"
        elif len(data) > DATAGRAM_BYTES_MAX:
            cause = "too_long"
        elif self._datagrams[1].full:
            cause = "full"
        else:
            self._datagrams[0].sendto(data, to)
        if cause is not None:
            self.counts[cause] += 1
        return cause

    def send_message(self, number: int, data: bytes, told: Callable[[bool], None]) -> None:
        """Send one message whole and in order; `told` learns whether it was handed over."""
        to = self.book.find(number)
        if to is None or self._server is None:
            self.counts["no_address"] += 1
            told(False)
        elif len(data) > RELIABLE_BYTES_MAX:
            self.counts["too_long"] += 1
            told(False)
        else:
            self._outlet(number, to).send(data, told)

    def _outlet(self, number: int, to: Address) -> Outlet:
        """Return the way out to somebody; one to where he was before is given up."""
        outlet = self._outlets.get(number)
        if outlet is None or outlet.to != to:
            if outlet is not None:
                leaving = asyncio.create_task(outlet.give_up())
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)
            outlet = self._outlets[number] = Outlet(to, self.counts, patience=self._patience)
        return outlet

    def _take_datagram(self, data: bytes, came_from: Address) -> bool:
        envelope = envelope_of(data)
        sender = self.book.who(came_from) if envelope is None else envelope.dev
        if sender is None:
            self.counts["unread"] += 1
            return False
        if envelope is not None and not self.book.admit(envelope, came_from):
            self.counts["stranger"] += 1
            return False
        self._arrive(sender, envelope, data)
        return True

    def _take_message(self, data: bytes, came_from: Address) -> bool:
        envelope = envelope_of(data)
        if envelope is None:
            self.counts["unread"] += 1
            return False
        if not self.book.vouches(envelope, came_from.host):
            self.counts["stranger"] += 1
            return False
        self._arrive(envelope.dev, envelope, data)
        return True


def _bound(at: Address) -> tuple[socket.socket, socket.socket]:
    """Return sockets for connections and datagrams that are bound to the same port."""
    family = socket.AF_INET6 if ":" in at.host else socket.AF_INET
    for left in reversed(range(1 if at.port else _TRIES)):
        stream = socket.socket(family, socket.SOCK_STREAM)
        datagrams = socket.socket(family, socket.SOCK_DGRAM)
        try:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            for kind in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                datagrams.setsockopt(socket.SOL_SOCKET, kind, _BUFFER_BYTES)
            stream.bind(at)
            datagrams.bind((at.host, stream.getsockname()[1]))
        except OSError as error:
            stream.close()
            datagrams.close()
            if not left:
                raise EndpointError(f"cannot listen on {at.host}:{at.port}: {error}") from error
        else:
            stream.setblocking(False)
            datagrams.setblocking(False)
            return stream, datagrams
    raise AssertionError("the last try returns or raises")
