"""An event loop on virtual time: where nothing is ready, the clock leaps to the next timer."""

import asyncio
import math
import selectors
from collections.abc import Callable
from typing import Final

from typing_extensions import override

__all__ = ["VirtualTimeLoop"]

_NS: Final = 1_000_000_000
_Ready = list[tuple[selectors.SelectorKey, int]]


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop whose clock starts at 0 and never waits.

    Callbacks run in the order and at the times for which they are due. Sockets and threads are
    looked at before every leap, but nobody waits for them: who needs their answer at some time has
    to wait for it without a timer.

    Examples
    --------
    >>> async def nap():
    ...     await asyncio.sleep(3_600)
    ...     return asyncio.get_running_loop().time()
    >>> with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
    ...     runner.run(nap())
    3600.0
    """

    def __init__(self) -> None:
        self._now_ns = 0
        super().__init__(_Leaping(self._leap))

    @override
    def time(self) -> float:
        """Return virtual time in seconds."""
        return self._now_ns / _NS

    def _leap(self, seconds: float) -> None:
        self._now_ns += max(1, math.ceil(seconds * _NS))


class _Leaping(selectors.DefaultSelector):
    """Waits in virtual time, but for real where no timer is set."""

    def __init__(self, leap: Callable[[float], None]) -> None:
        super().__init__()
        self._leap = leap

    @override
    def select(self, timeout: float | None = None) -> _Ready:
        ready = super().select(None if timeout is None else 0)
        if timeout and timeout > 0 and not ready:
            self._leap(timeout)
        return ready
