"""One way out: whole messages to one address, in order, over a connection that is made anew."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final, cast

from typing_extensions import override

from simedge.drivers.live_book import Address
from simedge.drivers.live_framing import framed

__all__ = ["OUTBOX_MAX", "Outlet", "Patience"]

OUTBOX_MAX: Final = 64
"""Messages that wait for one receiver; more are refused."""
_PIECE_BYTES: Final = 2**18

Outcome = Callable[[bool], None]
"""Told whether a message was handed over whole."""


class Patience:
    """How long the way out waits, in seconds of the wall clock.

    Parameters
    ----------
    progress_s
        Without a byte more handed over a message is given up.
    first_s, most_s
        From the first to the longest wait between two tries to connect; each is twice the last.
    """

    def __init__(
        self, *, progress_s: float = 60.0, first_s: float = 0.05, most_s: float = 5.0
    ) -> None:
        self.progress_s = progress_s
        self.first_s = first_s
        self.most_s = most_s


class Outlet:
    """Sends messages to one address.

    A message is *handed over* when the operating system has taken its last byte; one that was not
    is sent again, whole, over the next connection. The receiver drops what was cut.

    Parameters
    ----------
    counts
        Where connections that fail or are lost are counted.
    """

    def __init__(
        self, to: Address, counts: Counter[str], *, patience: Patience | None = None
    ) -> None:
        self.to = to
        self._counts = counts
        self._patience = patience or Patience()
        self._outbox: asyncio.Queue[tuple[bytes, Outcome]] = asyncio.Queue(OUTBOX_MAX)
        self._pipe: _Pipe | None = None
        self._furthest = 0
        self._at_work: Outcome | None = None
        self._task = asyncio.create_task(self._work())

    def send(self, message: bytes, told: Outcome) -> None:
        """Put a message into the outbox."""
        try:
            self._outbox.put_nowait((message, told))
        except asyncio.QueueFull:
            self._counts["outbox"] += 1
            told(False)

    async def close(self) -> None:
        """Stop at once; what was not handed over is not."""
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._hang_up()
        if not self._task.cancelled():
            self._task.result()

    async def give_up(self) -> None:
        """Stop at once, and tell of all that was not handed over."""
        await self.close()
        if self._at_work is not None:
            self._at_work(False)
        while not self._outbox.empty():
            self._outbox.get_nowait()[1](False)

    async def _work(self) -> None:
        while True:
            message, self._at_work = await self._outbox.get()
            whole = await self._deliver(framed(message))
            told, self._at_work = self._at_work, None
            told(whole)

    async def _deliver(self, data: bytes) -> bool:
        """Return whether all bytes were handed over, over one connection."""
        wait_s, self._furthest = self._patience.first_s, 0
        try:
            async with asyncio.timeout(self._patience.progress_s) as limit:
                while not await self._pour(data, limit):
                    self._counts["lost_connection"] += 1
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, self._patience.most_s)
        except TimeoutError:
            await self._hang_up()  # a message that was cut must not be followed by another
            return False
        return True

    async def _pour(self, data: bytes, limit: asyncio.Timeout) -> bool:
        """Hand over piece by piece; only what is further than ever before counts as progress."""
        pipe = await self._connected()
        for begin in range(0, len(data), _PIECE_BYTES):
            if not await pipe.put(data[begin : begin + _PIECE_BYTES]):
                return False
            if begin >= self._furthest:
                self._furthest = begin + _PIECE_BYTES
                limit.reschedule(asyncio.get_running_loop().time() + self._patience.progress_s)
        return True

    async def _connected(self) -> "_Pipe":
        """Return the connection; if there is none, make one, however often it takes."""
        wait_s = self._patience.first_s
        while self._pipe is None or self._pipe.gone:
            try:
                _, self._pipe = await asyncio.get_running_loop().create_connection(_Pipe, *self.to)
            except OSError:
                self._counts["no_connection"] += 1
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, self._patience.most_s)
        return self._pipe

    async def _hang_up(self) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            await pipe.close()


class _Pipe(asyncio.Protocol):
    """A connection that only sends; nothing is kept that the operating system has not taken."""

    def __init__(self) -> None:
        self.gone = False
        self._taken = asyncio.Event()
        self._taken.set()
        self._stirred = asyncio.Event()
        self._lost = asyncio.Event()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)

    async def put(self, data: bytes) -> bool:
        """Return whether the operating system took all of it."""
        if self.gone or self._transport.is_closing():
            return False
        self._transport.write(data)
        if self._taken.is_set():
            return not self._transport.is_closing()  # it closes at once only if that failed
        await self._stirred.wait()
        return self._taken.is_set()

    @override
    def pause_writing(self) -> None:
        self._taken.clear()
        self._stirred.clear()

    @override
    def resume_writing(self) -> None:
        self._taken.set()
        self._stirred.set()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._stirred.set()
        self._lost.set()

    async def close(self) -> None:
        """Close it at once."""
        self._transport.abort()
        await self._lost.wait()
