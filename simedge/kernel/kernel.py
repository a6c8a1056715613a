"""The kernel: SimPy's clock and heap, with plain records in place of events.

The heap has SimPy's total order ``(time, priority, sequence)``, the priority being a record's class
and then the number of its target, so that the order of one instant never depends on who scheduled
first except between equal (class, target). There are no generator processes: a record is dispatched
to the handler that its target registered, which may schedule more records.
"""

import hashlib
from collections.abc import Callable
from heapq import heappop, heappush, heapreplace
from itertools import repeat
from operator import length_hint
from typing import Any, Final, NamedTuple

import simpy
from typing_extensions import override

from simedge.core.errors import SimedgeError
from simedge.core.records import Due, Order

__all__ = ["Handler", "Kernel", "KernelError", "Record", "Ties"]

Record = tuple[int, Order, int, str, object]
"""(at, order, target, kind, payload): a `Due`, or a plain tuple of the same where speed matters."""

Handler = Callable[[Record, int], None]
"""Takes (record, now)."""

Ties = Callable[[Record], int]
"""Ranks a record among those of the same (time, class), in place of the number of its target."""

_TARGET_LIMIT: Final = 2**40
_TIME_LIMIT: Final = 2**63


class KernelError(SimedgeError):
    """A record is in the past, in no integer time, or for a target nobody registered."""


class Kernel(simpy.Environment):
    """Virtual time in integer nanoseconds; dispatches records in total order.

    Parameters
    ----------
    ties
        Ranks records of equal (time, class); by default the number of their target does. Equal
        ranks stay in the order in which they were posted.

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

    post: Callable[[Record], None]
    """Put a record into the queue.

    Raises `KernelError` if its time is no Python integer, lies in the past or reaches 2^63 ns, or
    if its target is not registered.
    """

    def __init__(self, ties: Ties | None = None) -> None:
        super().__init__(0)
        self._handlers: dict[int, Handler] = {}
        self._wheel = _wheel(self._queue, self._handlers)
        if ties is not None:
            post = _ranked(self._queue, self._handlers, self._wheel, ties=ties)
            self._wheel = self._wheel._replace(post=post)
        self.post = self._wheel.post
        self.dispatched = 0

    def register(self, target: int, handler: Handler) -> None:
        """Name the handler of a target; each target has one for the whole run."""
        if target in self._handlers:
            raise KernelError(f"target {target} is registered already")
        if not 0 <= target < _TARGET_LIMIT:
            raise KernelError(f"target numbers are in [0, 2^40), got {target}")
        self._handlers[target] = handler

    def run_slice(self, count: int, until: int = _TIME_LIMIT) -> int:
        """Dispatch at most `count` records whose time is at most `until`; return how many.

        A slice is counted in records, never in wall time, so that slicing cannot touch a result.
        """
        done = self._wheel.turn(count, until)
        self.dispatched += done
        return done

    def has_before(self, until: int) -> bool:
        """Return whether a record at or before `until` is pending."""
        self._wheel.settle()
        return bool(self._queue) and self._queue[0][0] <= until

    @property
    @override
    def now(self) -> int:
        """SimPy's name of `now_ns`."""
        return self._wheel.clock()

    @property
    def now_ns(self) -> int:
        """Virtual time of the record dispatched last, in nanoseconds."""
        return self._wheel.clock()

    def pending(self) -> list[Due]:
        """Return the whole future in the order in which it would happen."""
        self._wheel.settle()
        heap: list[Any] = sorted(self._queue)
        return [Due(*entry[5]) for entry in heap]

    def digest(self) -> bytes:
        """Return the SHA-256 of the future: equal futures of plain records have equal digests."""
        digest = hashlib.sha256()
        for record in self.pending():
            digest.update(repr(tuple(record)).encode() + b"\n")
        return digest.digest()


class _Wheel(NamedTuple):
    """The parts of the kernel that run for every record."""

    post: Callable[[Record], None]
    turn: Callable[[int, int], int]
    settle: Callable[[], None]
    clock: Callable[[], int]


def _wheel(  # noqa: C901, PLR0915 -- closures over the same cells have to be made in one place
    heap: list[Any], handlers: dict[int, Handler]
) -> _Wheel:
    """Make what runs for every record, as closures: their cells are cheaper than attributes.

    The record at work stays at the head of the heap until its handler posts the first successor,
    which then takes its place (one sift instead of two), or has ended. Who looks at the heap from
    within a handler settles it first.
    """
    now = sequence = 0
    heads = False  # the record at work is still in the heap

    def post(record: Record) -> None:
        nonlocal heads, sequence
        at, order, target, _, _ = record
        if type(at) is not int or at < now or at >= _TIME_LIMIT:
            raise _no_time(record, now)
        sequence += 1
        try:
            if heads:
                heapreplace(heap, (at, order, target, sequence, handlers[target], record))
                heads = False
            else:
                heappush(heap, (at, order, target, sequence, handlers[target], record))
        except KeyError:
            raise KernelError(f"no target {target} is registered (record {record[3]!r})") from None

    def turn(count: int, until: int) -> int:
        nonlocal heads, now
        settle()
        left = repeat(True, count)
        try:
            for heads in left:
                try:
                    at, _, _, _, handler, record = heap[0]
                except IndexError:
                    break
                if at > until:
                    break
                now = at
                handler(record, at)
                if heads:
                    heappop(heap)
            else:
                heads = False
                return count
            heads = False
            return count - length_hint(left) - 1
        finally:
            settle()

    def settle() -> None:
        nonlocal heads
        if heads:
            heads = False
            heappop(heap)

    return _Wheel(post, turn, settle, lambda: now)


def _ranked(
    heap: list[Any], handlers: dict[int, Handler], wheel: _Wheel, *, ties: Ties
) -> Callable[[Record], None]:
    """Return what posts records of which each has a rank among those of its time and class."""
    number = 0

    def post(record: Record) -> None:
        nonlocal number
        at, order, target, _, _ = record
        if type(at) is not int or at < wheel.clock() or at >= _TIME_LIMIT:
            raise _no_time(record, wheel.clock())
        if target not in handlers:
            raise KernelError(f"no target {target} is registered (record {record[3]!r})")
        wheel.settle()
        number += 1
        heappush(heap, (at, order, ties(record), number, handlers[target], record))

    return post


def _no_time(record: Record, now: int) -> KernelError:
    at, _, target, kind, _ = record
    return KernelError(
        f"a record's time must be an int in [now, 2^63) ns, got {at!r} at {now} "
        f"({kind} for {target})"
    )
