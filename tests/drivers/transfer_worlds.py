"""Worlds for the laws of transfers: a crank for pure ones, scripted machines for whole runs."""

import heapq
from itertools import count

from worlds import Run, lossy, records_of

from simedge.core.streams import Streams
from simedge.protocol.machine import Received, Send, SendOutcome, SetTimer, Started, TimerFired
from simedge.run import build as building
from simedge.world.bulk import bulk
from simedge.world.datagrams import Datagram, Uid
from simedge.world.link_settings import LinksSettings
from simedge.world.plan import plan_world
from simedge.world.settings import DeviceSettings, SmallWorldSettings, StarSettings
from simedge.world.transfers import TRANSFER_KINDS, Turn

__all__ = ["Play", "Scripted", "make_world", "message", "message_bytes", "wired"]


def message_bytes(wire_bytes, ppm=0):
    """The length of a message whose transfer takes so many bytes on the wire."""
    sizes = range(wire_bytes - 60 - 52 * (wire_bytes // 1400 + 1), wire_bytes)
    return next(n for n in sizes if n >= 0 and bulk(n, ppm).wire_bytes == wire_bytes)


def make_world(default, *, devices=3, overrides=(), ring=False, open_trace=None, **links):
    """Devices ``d-1``, ``d-2``, ... around a server, or in a ring besides."""
    ways = SmallWorldSettings(kind="small-world", neighbours=2, rewire=0)
    return plan_world(
        [DeviceSettings(id="d", count=devices)],
        ways if ring else StarSettings(),
        LinksSettings.model_validate({"default": default, "overrides": overrides} | links),
        streams=Streams(7),
        open_trace=open_trace,
    )


def message(world, source, to, *, seq=1, size=1000, cls="params"):
    uid = Uid(world.names[source], world.names[to], cls, 1, seq)
    return Datagram(uid=uid, data=bytes(size), wire_bytes=size + 28, path=(to,))


class Play:
    """Turns a world by hand; `calls` are (at, callable of now), `seen` what became of it."""

    def __init__(self, world, after=None):
        self.world, self.network, self.transfers = world, world.network, world.transfers
        self.seen, self.fates = [], []
        self._after, self._order, self._queue = after, count(), []

    def transfer(self, at, source, to, **parts):
        sent = message(self.world, source, to, **parts)
        start = self.transfers.start
        return at, lambda now: self._turn(start(sent, sent.uid.seq, source=source, now=now), now)

    def datagram(self, at, source, to, **parts):
        sent = message(self.world, source, to, **parts)
        return at, lambda now: self._step(self.network.send(sent, source, now), now)

    def crash(self, at, number):
        return at, lambda now: self._power(number, now, up=False)

    def restart(self, at, number):
        return at, lambda now: self._power(number, now, up=True)

    def run(self, calls, until=10**12):
        for at, call in calls:
            heapq.heappush(self._queue, (at, -1, 0, next(self._order), call))
        while self._queue and self._queue[0][0] <= until:
            now, order, target, _, what = heapq.heappop(self._queue)
            if order < 0:
                what(now)
            else:
                self._record(what, target, now)
            if self._after is not None:
                self._after(now)
        return self

    def ends(self, kind="arrived"):
        return {key: at for at, what, key in self.seen if what == kind}

    def _record(self, due, target, now):
        if due.kind in TRANSFER_KINDS:
            self._turn(self.transfers.handle(target, due.kind, due.payload, now=now), now)
        elif due.kind == "arrive":
            datagram, step = self.network.arrive(due.payload, now)
            self._step(step, now)
            if datagram is not None:
                self.seen.append((now, "landed", datagram.uid))
        else:
            step = self.network.handle(target, due.kind, due.payload, now=now)
            self._step(step, now, at=target)

    def _power(self, number, now, *, up):
        network, transfers = self.network, self.transfers
        self._step((network.device_up if up else network.device_down)(number, now), now)
        self._turn((transfers.device_up if up else transfers.device_down)(number, now), now)

    def _step(self, step, now, at=None):
        if self.transfers.active:
            step = self.transfers.watch(step, now, at=at)
        self._turn(Turn(step), now)

    def _turn(self, turn, now):
        for due in turn.step.dues:
            assert due.at >= now
            entry = (due.at, due.order, due.target, next(self._order), due)
            heapq.heappush(self._queue, entry)
        self.fates += [(now, *fate[:2], fate.datagram.uid, *fate[3:]) for fate in turn.step.fates]
        for kind, transfer in turn.news:
            self.seen.append((now, kind, transfer.message.uid))
        if turn.arrived is not None:
            self.seen.append((now, "arrived", turn.arrived.uid))
        if turn.outcome is not None:
            self.seen.append((now, "told", (turn.outcome.tag, turn.outcome.ok)))


class Scripted:
    """A machine that sends what its script says, when it says so, and keeps what it is told."""

    def __init__(self, script=()):
        self.counters = {}
        self.script = dict(enumerate(script, 1))
        self.told = []

    def handle(self, event, now):
        if isinstance(event, Started):
            late = [SetTimer(id=str(i), at=s[0]) for i, s in self.script.items() if s[0] > now]
            return late + [self._send(i) for i, s in self.script.items() if s[0] <= now]
        if isinstance(event, TimerFired):
            return [self._send(int(event.id))]
        if isinstance(event, Received):
            self.told.append((now, "received", event.src, len(event.data)))
        elif isinstance(event, SendOutcome):
            self.told.append((now, "outcome", event.tag, event.ok))
        return []

    def _send(self, number):
        _, to, size, reliability = self.script[number]
        return Send(
            dst=to, data=bytes(size), cls="params", boot=1, seq=number,
            reliability=reliability, tag=number,
        )  # fmt: skip

    def dump(self):
        return {}

    def load(self, state):
        pass


def wired(monkeypatch, scripts, *, links=None, duration="10 s", **changes):
    """Run scripted machines by number through everything that a run has."""
    machines = {}

    def of(number):
        return machines.setdefault(number, Scripted(scripts.get(number, ())))

    monkeypatch.setattr(building, "open_server", lambda *_, **__: of(0))
    monkeypatch.setattr(building, "open_device", lambda *_, dev, **__: of(dev))
    base = {
        "duration": duration, "faults": [], "topology": {"kind": "star"}, "sensors__rate": "1 Hz",
        "evaluate__every": "3 s", "links": links or {},
    }  # fmt: skip
    with Run(lossy(**(base | changes))) as run:
        for _ in run.slices():
            pass
        result = run.finish()
    assert result.summary["invariants"]["broken"] == []
    return result, machines, run.tally, records_of(result)
