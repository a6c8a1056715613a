"""What turns a whole network by hand."""

import heapq
from collections.abc import Callable, Iterable
from itertools import count
from typing import NamedTuple

from simedge.world.datagrams import Datagram, Fate, Flight, RouteChange, Step
from simedge.world.network import Network

__all__ = ["Turned", "turn"]


class Turned(NamedTuple):
    """Arrivals, fates and changes of paths, each with its time."""

    arrived: list[tuple[int, Datagram]]
    fates: list[tuple[int, Fate]]
    changes: list[tuple[int, RouteChange]]


def turn(net: Network, calls: Iterable[tuple[int, Callable[[int], Step]]]) -> Turned:
    """Make calls at their times, and turn the network until nothing is left."""
    order, done = count(), Turned([], [], [])
    queue = [(at, 99, next(order), call) for at, call in calls]
    heapq.heapify(queue)
    while queue:
        now, _, _, call = heapq.heappop(queue)
        step = call(now)
        done.fates.extend((now, fate) for fate in step.fates)
        done.changes.extend((now, change) for change in step.changes)
        for due in step.dues:
            if isinstance(due.payload, Flight):
                take = _arrival(net, due.payload, done)
            else:
                take = _record(net, due.target, due.kind, payload=due.payload)
            heapq.heappush(queue, (due.at, due.order, next(order), take))
    return done


def _arrival(net: Network, flight: Flight, done: Turned) -> Callable[[int], Step]:
    def take(now: int) -> Step:
        datagram, step = net.arrive(flight, now)
        if datagram is not None:
            done.arrived.append((now, datagram))
        return step

    return take


def _record(net: Network, target: int, kind: str, *, payload: object) -> Callable[[int], Step]:
    return lambda now: net.handle(target, kind, payload, now=now)
