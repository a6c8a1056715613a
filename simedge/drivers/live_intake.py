"""What comes in by sockets: datagrams, and messages over connections that others opened."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final, cast

from typing_extensions import override

from simedge.drivers.live_book import Address
from simedge.drivers.live_framing import Deframer
from simedge.protocol.shape import DATAGRAM_BYTES_MAX, RELIABLE_BYTES_MAX

__all__ = ["Connections", "DatagramIntake", "Intake"]

CONNECTIONS_MAX: Final = 256
STALL_S: Final = 5.0
"""How long a message that has begun may stand still."""

Intake = Callable[[bytes, Address], bool]
"""Takes (message, where it came from); whether it was one of somebody known."""


class DatagramIntake(asyncio.DatagramProtocol):
    """Hands on datagrams, one message each.

    Parameters
    ----------
    counts
        Where what is wrong is counted.
    """

    def __init__(self, take: Intake, counts: Counter[str]) -> None:
        self._take = take
        self._counts = counts
        self.full = False
        """Whether the operating system takes no more for now."""
        self.closed = asyncio.get_running_loop().create_future()

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) > DATAGRAM_BYTES_MAX:
            self._counts["oversize"] += 1
        else:
            self._take(data, Address(addr[0], addr[1]))

    @override
    def error_received(self, exc: Exception) -> None:
        self._counts["datagram_error"] += 1

    @override
    def pause_writing(self) -> None:
        self.full = True

    @override
    def resume_writing(self) -> None:
        self.full = False

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


class Connections:
    """All connections that others opened to one endpoint.

    Parameters
    ----------
    limit
        Most bytes of a message.
    stall_s
        How long a message that has begun may stand still.
    """

    def __init__(
        self,
        take: Intake,
        counts: Counter[str],
        *,
        limit: int = RELIABLE_BYTES_MAX,
        stall_s: float = STALL_S,
    ) -> None:
        self.take = take
        self.counts = counts
        self.limit = limit
        self.stall_s = stall_s
        self._open: set[_Connection] = set()

    def __call__(self) -> asyncio.Protocol:
        """Return what serves a new connection."""
        return _Connection(self)

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)

    def came(self, connection: "_Connection") -> bool:
        """Take note of a new one; return whether there is room."""
        if len(self._open) >= CONNECTIONS_MAX:
            self.counts["crowded"] += 1
            return False
        self._open.add(connection)
        return True

    def went(self, connection: "_Connection") -> None:
        """Take note that one is gone."""
        self._open.discard(connection)

    async def close(self) -> None:
        """Close all at once."""
        left = sorted(self._open, key=id)
        for connection in left:
            connection.abort()
        if left:
            await asyncio.wait([connection.closed for connection in left])


class _Connection(asyncio.Protocol):
    """One of them: messages come in, nothing goes out."""

    def __init__(self, all_of_them: Connections) -> None:
        self._all = all_of_them
        self._deframer = Deframer(all_of_them.limit)
        self._loop = asyncio.get_running_loop()
        self._stall: asyncio.TimerHandle | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        host, port = transport.get_extra_info("peername", ("", 0))[:2]
        self._peer = Address(host, port)
        if not self._all.came(self):
            self._transport.abort()

    @override
    def data_received(self, data: bytes) -> None:
        for message in self._deframer.feed(data):
            if not self._all.take(message, self._peer):
                self.abort()
                return
        if self._deframer.broken:
            self._all.counts["framing"] += 1
            self.abort()
            return
        self._unwatch()
        if self._deframer.partial:
            self._stall = self._loop.call_later(self._all.stall_s, self._stalled)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        if self._deframer.partial:
            self._all.counts["cut"] += 1
        self._all.went(self)
        if not self.closed.done():
            self.closed.set_result(None)

    def abort(self) -> None:
        """Close it at once."""
        self._unwatch()
        self._transport.abort()

    def _stalled(self) -> None:
        self._all.counts["stalled"] += 1
        self._transport.abort()

    def _unwatch(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
