"""The crank of a kernel on an event loop: integer times, and one wake-up for the head of the queue.

Records are dispatched in their order and at their own times, however late the event loop wakes up,
so what a machine is told does not depend on how busy the computer is.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from simedge.core.records import Order
from simedge.kernel import Kernel

__all__ = ["Crank", "RunClock"]

_NS: Final = 1_000_000_000
_SLICE_RECORDS: Final = 256
"""How many records are dispatched before the event loop may look at its sockets again."""


class RunClock:
    """Time of a run by the clock of the running event loop: stands at 0 until it is let go.

    Parameters
    ----------
    end_ns
        Where it stops for good.
    speed
        Seconds of the run in a second of the event loop.
    """

    def __init__(self, *, end_ns: int, speed: float = 1.0) -> None:
        self.end_ns = end_ns
        self._rate = speed * _NS
        self._shown_ns = 0
        self._since_s: float | None = None
        self._watchers: list[Callable[[], None]] = []

    def watch(self, changed: Callable[[], None]) -> None:
        """Have somebody told when it is let go or held."""
        self._watchers.append(changed)

    def go(self) -> None:
        """Let it go, or go on."""
        if self._since_s is None:
            self._since_s = _loop_s()
            self._tell()

    def hold(self) -> None:
        """Let it stand as it is."""
        self._shown_ns = self.now_ns()
        self._since_s = None
        self._tell()

    def now_ns(self) -> int:
        """Return what it shows."""
        if self._since_s is None:
            return self._shown_ns
        gone_ns = int((_loop_s() - self._since_s) * self._rate)
        return min(self.end_ns, self._shown_ns + gone_ns)

    def when_s(self, at_ns: int) -> float | None:
        """Return the event loop's time at which it will show that much; None: it stands."""
        if self._since_s is None:
            return None
        return self._since_s + (at_ns - self._shown_ns) / self._rate

    def _tell(self) -> None:
        for changed in self._watchers:
            changed()


class Crank:
    """Dispatches the records of a kernel when they are due.

    Parameters
    ----------
    kernel
        Its records may be posted by their handlers; from elsewhere they come through `post`.
    clock
        May be shared by several cranks.
    """

    def __init__(self, kernel: Kernel, clock: RunClock) -> None:
        self.kernel = kernel
        self.clock = clock
        self._wake: asyncio.Handle | None = None
        self._turning = False
        self._running = False
        self._ended: asyncio.Future[None] | None = None
        clock.watch(self._arm)

    def start(self) -> None:
        """Begin to dispatch."""
        self._ended = asyncio.get_running_loop().create_future()
        self._running = True
        self._arm()

    def post(self, order: Order, target: int, kind: str, *, payload: object = None) -> None:
        """Put a record of the present into the queue: something came from outside."""
        at = max(self.clock.now_ns(), self.kernel.now_ns)
        self.kernel.post((at, order, target, kind, payload))
        self._arm()

    async def finish(self) -> None:
        """Wait for the end of the run; raises what a handler raised.

        Afterwards it still dispatches what comes from outside, at the time of the end, until it is
        stopped.
        """
        assert self._ended is not None, "it was never started"
        await asyncio.shield(self._ended)

    def stop(self) -> None:
        """Dispatch nothing any more."""
        self._running = False
        self._disarm()
        if self._ended is not None:
            self._ended.cancel()

    def _disarm(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def _arm(self) -> None:
        """Set the wake-up for the head of the queue, or for the end."""
        if self._turning or not self._running:
            return
        self._disarm()
        loop, now = asyncio.get_running_loop(), self.clock.now_ns()
        if self.kernel.has_before(now):
            self._wake = loop.call_soon(self._turn, now)
            return
        at = min(self.kernel.peek(), self.clock.end_ns)
        when_s = self.clock.when_s(int(at))
        if when_s is not None and not self._is_over():
            self._wake = loop.call_at(when_s, self._turn, int(at))

    def _turn(self, due_ns: int) -> None:
        """Dispatch what is due: at least up to the time for which the wake-up was set."""
        self._turning = True
        try:
            self.kernel.run_slice(_SLICE_RECORDS, max(due_ns, self.clock.now_ns()))
        except Exception as error:  # noqa: BLE001 -- it is told to whoever waits for the end
            self._running = False
            self._end(error)
        finally:
            self._turning = False
        if max(due_ns, self.clock.now_ns()) >= self.clock.end_ns and not self._has_more():
            self._end(None)
        self._arm()

    def _has_more(self) -> bool:
        return self.kernel.has_before(self.clock.end_ns)

    def _is_over(self) -> bool:
        return self._ended is None or self._ended.done()

    def _end(self, error: Exception | None) -> None:
        if self._ended is None or self._ended.done():
            return
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)


def _loop_s() -> float:
    return asyncio.get_running_loop().time()
