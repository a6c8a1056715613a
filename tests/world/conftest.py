"""A crank for one link or a whole network, and datagrams to put in."""

import heapq
from dataclasses import dataclass, field
from itertools import count

import pytest

from simedge.core.streams import Streams
from simedge.world.datagrams import Datagram, Fate, RouteChange, Uid
from simedge.world.links import Link
from simedge.world.profiles import LinkModel


def make_datagram(seq=1, size=1500, *, source="a", destination="b", to=2, **parts):
    names = {"cls": "token", "boot": 1, "fragment": 0, "resend": 0} | {
        key: parts.pop(key) for key in ("cls", "boot", "fragment", "resend") if key in parts
    }
    uid = Uid(source, destination, seq=seq, **names)
    return Datagram(uid=uid, data=parts.pop("data", b""), wire_bytes=size, path=(to,), **parts)


def make_link(seed=7, name="dev03.up", capacity=None, **figures):
    model = LinkModel(**({"rate_bps": 10_000_000} | figures))
    return Link(model, name=name, number=9, src=1, dst=2, streams=Streams(seed), capacity=capacity)


@dataclass
class Crank:
    """Runs a link or a network by hand; calls is a list of (at, callable of now -> Step)."""

    target: object
    arrived: list[tuple[int, Datagram]] = field(default_factory=list)
    fates: list[tuple[int, Fate]] = field(default_factory=list)
    changes: list[tuple[int, RouteChange]] = field(default_factory=list)
    after: object = None

    def run(self, calls):
        order = count()
        queue = [(at, 99, next(order), call) for at, call in calls]
        heapq.heapify(queue)
        while queue:
            now, _, _, what = heapq.heappop(queue)
            step = what(now) if callable(what) else self.take(what, now)
            for due in step.dues:
                assert due.at >= now
                heapq.heappush(queue, (due.at, due.order, next(order), due))
            self.fates += [(now, fate) for fate in step.fates]
            self.changes += [(now, change) for change in step.changes]
            if self.after is not None:
                self.after(now)
        return self

    def take(self, due, now):
        if isinstance(self.target, Link):
            if due.kind != "arrive":
                return self.target.handle(due.kind, due.payload, now)
            datagram, step = self.target.land(due.payload, now)
        elif due.kind == "arrive":
            datagram, step = self.target.arrive(due.payload, now)
        else:
            return self.target.handle(due.target, due.kind, due.payload, now=now)
        if datagram is not None:
            self.arrived.append((now, datagram))
        return step

    def offers(self, pairs):
        """Offer datagrams to a link at their times."""
        return self.run([(at, lambda now, d=d: self.target.offer(d, now)) for at, d in pairs])


@pytest.fixture(scope="session", name="crank")
def _crank():
    return Crank


@pytest.fixture(scope="session", name="datagram")
def _datagram():
    return make_datagram


@pytest.fixture(scope="session", name="link")
def _link():
    return make_link
