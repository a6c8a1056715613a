"""What turns our links by hand: datagrams put in at their times, arrivals taken out."""

import heapq
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.core.records import Due
from simedge.core.streams import Streams
from simedge.core.tables import exponential_table
from simedge.world.datagrams import Datagram, Flight, Step, Uid
from simedge.world.link_settings import QueueSettings
from simedge.world.links import Link
from simedge.world.profiles import LinkModel
from simedge.world.rates import Capacity

__all__ = [
    "AMPLE",
    "MS",
    "OCTET_A_NS",
    "Run",
    "S",
    "a_link",
    "arrivals",
    "deliver",
    "deliver_one",
    "exponentials",
]

MS: Final = 10**6
S: Final = 10**9
OCTET_A_NS: Final = 8 * 10**9
"""Rate in bit/s at which a datagram takes as many nanoseconds as it has bytes."""
AMPLE: Final = QueueSettings.model_construct(datagrams=10**9, bytes=10**18)


class Run(NamedTuple):
    """What came of datagrams: arrivals, and the beginning and end of each service."""

    arrived: list[tuple[int, Datagram]]
    served: list[tuple[int, int]]

    def lost(self, n: int) -> NDArray[np.float64]:
        """Return 1 for each of n datagrams that did not arrive, else 0."""
        marks = np.ones(n)
        marks[[datagram.uid.seq for _, datagram in self.arrived]] = 0
        return marks

    def waits(self, octet_ns: int = 1) -> NDArray[np.float64]:
        """Return the time of each arrival but for its own service, in order of arrival."""
        return np.array([at - d.sent_ns - d.wire_bytes * octet_ns for at, d in self.arrived], float)


def a_link(
    seed: int,
    *,
    name: str = "dev03.up",
    capacity: Capacity | None = None,
    **figures: Any,  # noqa: ANN401 -- figures of a link
) -> Link:
    """Return a link of 10 Mbit/s with a queue without end, unless figures say otherwise."""
    asked: dict[str, Any] = {"rate_bps": 10_000_000, "queue": AMPLE} | figures
    model = LinkModel(**asked)
    return Link(model, name=name, number=9, src=1, dst=2, streams=Streams(seed), capacity=capacity)


def deliver(
    link: Link,
    offers: Iterable[tuple[int, int]],
    *,
    watch: Callable[[int], None] | None = None,
) -> Run:
    """Offer datagrams of some bytes at their times, and turn the link until nothing is left.

    `watch` is called after whatever happens.
    """
    queue: list[tuple[int, int, int, Due]] = []
    order, run = count(), Run([], [])
    coming = enumerate(offers)
    offer = next(coming, None)
    while queue or offer is not None:
        if offer is not None and (not queue or offer[1][0] < queue[0][0]):
            seq, (now, size) = offer
            offer = next(coming, None)
            uid = Uid("dev03", "server", "token", 1, seq)
            datagram = Datagram(uid=uid, data=b"", wire_bytes=size, path=(2,), sent_ns=now)
            step = link.offer(datagram, now)
        else:
            now, _, _, due = heapq.heappop(queue)
            step = _take(link, due, run=run)
        for due in step.dues:
            if due.kind == "served":
                run.served.append((now, due.at))
            heapq.heappush(queue, (due.at, due.order, next(order), due))
        if watch is not None:
            watch(now)
    return run


def deliver_one(link: Link, datagram: Datagram, now: int) -> list[tuple[int, Datagram]]:
    """Offer a datagram to a link on which nothing else is; return when what arrived."""
    order, run = count(), Run([], [])
    queue: list[tuple[int, int, int, Due]] = []
    step = link.offer(datagram, now)
    while True:
        for due in step.dues:
            heapq.heappush(queue, (due.at, due.order, next(order), due))
        if not queue:
            return run.arrived
        step = _take(link, heapq.heappop(queue)[3], run=run)


def _take(link: Link, due: Due, *, run: Run) -> Step:
    if due.kind != "arrive":
        return link.handle(due.kind, due.payload, due.at)
    assert isinstance(due.payload, Flight)
    datagram, step = link.land(due.payload, due.at)
    if datagram is not None:
        run.arrived.append((due.at, datagram))
    return step


def exponentials(seed: int, name: str, n: int, *, mean: int) -> list[int]:
    """Draw n whole numbers of the tabulated exponential law."""
    words = Streams(seed).stream("validation", name, "exponential").block(-(-n // 4))[:n]
    table = np.array(exponential_table(), np.int64)
    drawn: list[int] = ((table[(words >> np.uint64(52)).astype(np.int64)] * mean) >> 32).tolist()
    return drawn


def arrivals(seed: int, n: int, *, mean_ns: int) -> list[int]:
    """Return the times of n arrivals without a memory."""
    times: list[int] = np.cumsum(exponentials(seed, "arrivals", n, mean=mean_ns)).tolist()
    return times
