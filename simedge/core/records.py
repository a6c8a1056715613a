"""What is going to happen, and what happened, as plain data."""

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

__all__ = ["SECOND_NS", "Due", "LogSink", "Order"]

SECOND_NS = 1_000_000_000


class Order(IntEnum):
    """The class of a record: what comes first among records of one instant."""

    FAULT = 0
    CAPACITY = 1
    SERVICE = 2
    STARTED = 3
    LEARNED = 4
    RECEIVED = 5
    OUTCOME = 6
    TIMER = 7
    FRAME = 8
    VOLLEY = 9
    METRICS = 10
    CHECKPOINT = 11


class Due(NamedTuple):
    """Something that is to happen: what an object of the world hands back to its driver.

    A named tuple, since millions are made: it costs a third of a frozen dataclass.

    Parameters
    ----------
    at
        Virtual time in nanoseconds since the start of the run.
    order
        Class of the record among those of the same instant.
    target
        Number of the target: 0 server, 1..K devices, then links.
    kind
        What is to happen, for the target to dispatch on.
    payload
        Plain data.
    """

    at: int
    order: Order
    target: int
    kind: str
    payload: object = None


LogSink = Callable[[int, int, str, str, int | str | bytes, tuple[int | str | bytes, ...]], None]
"""Takes (at_ns, class, target, kind, subject, detail): one line of the event log."""
