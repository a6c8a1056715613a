"""The kernel: SimPy's clock and heap, with plain records in place of events.

SimPy keeps the total order ``(time, priority, sequence)``; the priority packs a record's class and
the number of its target, so that the order of one instant never depends on who scheduled first
except between equal (class, target). There are no generator processes: a record is dispatched to
the handler that its target registered, which may schedule more records.
"""

import hashlib
import itertools
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final

import simpy

from simedge.core.errors import SimedgeError
from simedge.core.records import Due, Order

__all__ = ["Handler", "Kernel", "KernelError", "Record"]

Record = tuple[int, Order, int, str, object]
"""(at, order, target, kind, payload): a `Due`, or a plain tuple of the same where speed matters."""

Handler = Callable[[Record, int], None]
"""Takes (record, now)."""

_NUMBER_BITS: Final = 40
_TIME_LIMIT: Final = 2**63


class KernelError(SimedgeError):
    """A record is in the past, in no integer time, or for a target nobody registered."""


class Kernel(simpy.Environment):
    """Virtual time in integer nanoseconds; dispatches records in total order.

    Examples
    --------
    >>> from simedge.core import Due, Order
    >>> kernel = Kernel()
    >>> kernel.register(1, lambda record, now: print(now, record[3]))
    >>> kernel.post(Due(at=5, order=Order.FRAME, target=1, kind="frame"))
    >>> kernel.run_slice(10)
    5 frame
    1
    """

    def __init__(self) -> None:
        super().__init__(0)
        self._heap: list[Any] = self._queue
        self._next_sequence = itertools.count(1).__next__
        self._handlers: dict[int, Handler] = {}
        self.dispatched = 0

    def register(self, target: int, handler: Handler) -> None:
        """Name the handler of a target; each target has one for the whole run."""
        if target in self._handlers:
            raise KernelError(f"target {target} is registered already")
        if not 0 <= target < 1 << _NUMBER_BITS:
            raise KernelError(f"target numbers are in [0, 2^40), got {target}")
        self._handlers[target] = handler

    def post(self, record: Record) -> None:
        """Put a record into the queue.

        Raises
        ------
        KernelError
            If its time is no Python integer, lies in the past or reaches 2^63 ns, or its target is
            not registered.
        """
        at, order, target, _, _ = record
        if type(at) is not int or not self._now <= at < _TIME_LIMIT:
            raise KernelError(
                f"a record's time must be an int in [now, 2^63) ns, got {at!r} at {self._now} "
                f"({record[3]} for {target})"
            )
        try:
            handler = self._handlers[target]
        except KeyError:
            raise KernelError(f"no target {target} is registered (record {record[3]!r})") from None
        priority = order << _NUMBER_BITS | target
        heappush(self._heap, (at, priority, self._next_sequence(), handler, record))

    def run_slice(self, count: int, until: int = _TIME_LIMIT) -> int:
        """Dispatch at most `count` records whose time is at most `until`; return how many.

        A slice is counted in records, never in wall time, so that slicing cannot touch a result.
        """
        heap = self._heap
        done = 0
        for _ in range(count):
            if not heap or heap[0][0] > until:
                break
            self._now, _, _, handler, record = heappop(heap)
            done += 1
            handler(record, self._now)
        self.dispatched += done
        return done

    def has_before(self, until: int) -> bool:
        """Return whether a record at or before `until` is pending."""
        return bool(self._heap) and self._heap[0][0] <= until

    @property
    def now_ns(self) -> int:
        """Virtual time of the record dispatched last, in nanoseconds."""
        return int(self._now)

    def pending(self) -> list[Due]:
        """Return the whole future in the order in which it would happen."""
        return [Due(*entry[4]) for entry in sorted(self._heap)]

    def digest(self) -> bytes:
        """Return the SHA-256 of the future: equal futures of plain records have equal digests."""
        digest = hashlib.sha256()
        for record in self.pending():
            digest.update(repr(tuple(record)).encode() + b"\n")
        return digest.digest()
