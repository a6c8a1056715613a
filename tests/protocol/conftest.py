"""A world by hand: machines, a queue, links that do what a test says, made-up learners."""

import dataclasses
import heapq

import numpy as np
import pytest

from simedge.core.streams import Streams
from simedge.protocol.elal_server import ElalServer
from simedge.protocol.machine import (
    CancelTimer,
    FrameLearned,
    KlStep,
    LearnerCall,
    LearnerDone,
    Received,
    Restarted,
    Send,
    SendOutcome,
    SetTimer,
    Started,
    TimerFired,
)
from simedge.protocol.opening import open_device, open_server
from simedge.protocol.quantiser import pack_rows, quantise
from simedge.protocol.settings import ElalSettings
from simedge.protocol.shape import Ground
from simedge.protocol.wire import Join, Message, Reply, decode, encode, have_code

MS = 10**6
LONE = Ground(classes=3, blocks=4, rows=2, pset=bytes(range(32)), tau_ns=10**9)
ROWS = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], np.float32)
LEFT = [(1, 0, 0)] * 2
S = 10**9
_CLASSES = {
    Started: 0,
    Restarted: 0,
    FrameLearned: 1,
    LearnerDone: 1,
    Received: 2,
    SendOutcome: 3,
    TimerFired: 4,
}


def plain(effect):
    """Return an effect as data that can be compared."""
    data = dataclasses.asdict(effect)
    if isinstance(effect, LearnerCall) and isinstance(effect.args, KlStep):
        data["args"]["parts"] = [
            (part.address, part.target.tolist(), part.mask.tolist()) for part in effect.args.parts
        ]
    return type(effect).__name__, data


class World:
    """A server, devices and lossy links in virtual time."""

    ground = Ground(classes=3, blocks=2, rows=2, pset=bytes(range(32)), tau_ns=200 * MS)

    def __init__(self, settings=None, *, devices=2, fate=None, reload=False):
        base = {"kind": "elal", "interval": 2, "prior_period": "300 ms", "report_period": "500 ms"}
        base |= {"have_period": "700 ms", "policy": {"kind": "reinforce", "episode": 2}}
        self.settings = ElalSettings.model_validate(base | (settings or {}))
        self.devices = devices
        self.fate = fate or (lambda _send, _count: [10 * MS])
        self.reload = reload
        self.machines = {number: self.open(number) for number in range(devices + 1)}
        self.boots = dict.fromkeys(self.machines, 1)
        self.down = set()
        self.timers = {}
        self.queue = []
        self.order = 0
        self.sends = 0
        self.log = []
        self.now = 0
        for number in self.machines:
            self.at(0, number, Started(boot=1))

    def open(self, number):
        if number == 0:
            return open_server(self.settings, self.ground, devices=self.devices)
        stream = Streams(3).stream("policy", f"cam-{number}", "noise")
        return open_device(self.settings, self.ground, dev=number, layers=2, stream=stream)

    def at(self, when, number, event):
        self.order += 1
        rank = (when, _CLASSES[type(event)], number, self.order)
        heapq.heappush(self.queue, (rank, event, self.boots.get(number, 1)))

    def frames(self, count, *, every=50 * MS):
        for number in range(1, self.devices + 1):
            for index in range(count):
                event = FrameLearned(n=1, loss=1.0 + index % 3, correct=True)
                self.at((index + 1) * every, number, event)

    def crash(self, number, *, state=None, lasting=0):
        """Restart a machine; what it had queued for itself is gone."""
        self.boots[number] += 1
        self.down.add(number)
        self.timers = {k: v for k, v in self.timers.items() if k[0] != number}
        boot = self.boots[number]
        self.at(self.now + lasting, number, Restarted(boot=boot, checkpoint=state))

    def run(self, until):
        while self.queue and self.queue[0][0][0] <= until:
            (now, _, number, _), event, boot = heapq.heappop(self.queue)
            self.now = now
            if isinstance(event, TimerFired) and self.timers.get((number, event.id)) != now:
                continue
            if isinstance(event, LearnerDone) and boot != self.boots[number]:
                continue
            if isinstance(event, Restarted):
                self.down.discard(number)
            if number in self.down:
                continue
            self.tell(number, event, now)
        self.now = until

    def tell(self, number, event, now):
        machine = self.machines[number]
        effects = machine.handle(event, now)
        self.log.append((now, number, [plain(effect) for effect in effects]))
        if self.reload:
            state = machine.dump()
            self.machines[number] = self.open(number)
            self.machines[number].load(state)
            assert self.machines[number].dump() == state
        for effect in effects:
            self.carry_out(number, effect, now)

    def carry_out(self, number, effect, now):
        match effect:
            case Send():
                self.sends += 1
                for delay in self.fate(effect, self.sends):
                    self.at(now + delay, effect.dst, Received(data=effect.data, src=number))
            case SetTimer(id=name, at=at):
                assert at > now
                self.timers[number, name] = at
                self.at(at, number, TimerFired(id=name))
            case CancelTimer(id=name):
                del self.timers[number, name]
            case LearnerCall(call=call):
                value = self.rows(number, effect.args) if effect.op == "proxy_pass" else None
                self.at(now + MS, number, LearnerDone(call=call, value=value))

    def rows(self, number, args):
        index = np.arange(args.first, args.first + args.count)[:, None]
        raw = 1.0 + (index + number + np.arange(3)) % 3
        return (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)

    def of(self, kind, number=None):
        """Return (time, number, fields) of all effects of a kind."""
        return [
            (now, source, fields)
            for now, source, effects in self.log
            for name, fields in effects
            if name == kind and number in {None, source}
        ]

    def sent(self, cls, number=None):
        return [each for each in self.of("Send", number) if each[2]["cls"] == cls]


class Lone:
    """One device and the other ends of all its wires."""

    def __init__(self, *, ground=LONE, dev=6, layers=2, started=True, **settings):
        base = {"kind": "elal", "interval": 3, "policy": {"kind": "reinforce"}}
        self.settings = ElalSettings.model_validate(base | settings)
        self.shape = self.settings.shape(
            classes=ground.classes, blocks=ground.blocks, rows=ground.rows
        )
        stream = Streams(3).stream("policy", "cam-6", "noise")
        self.machine = open_device(self.settings, ground, dev=dev, layers=layers, stream=stream)
        self.now = 0
        self.seq = 0
        if started:
            self.first = self.machine.handle(Started(boot=1), 0)

    def tell(self, event, *, after=MS):
        self.now += after
        return self.machine.handle(event, self.now)

    def hear(self, kind, payload, *, boot=1, seq=None, g=0, src=0, after=MS, **fields):
        """Hand over a message of the server."""
        self.seq = self.seq + 1 if seq is None else seq
        fields = {"t_us": self.now // 1_000} | fields
        message = Message(kind=kind, dev=0, boot=boot, seq=self.seq, g=g, payload=payload, **fields)
        return self.tell(Received(data=encode(message), src=src), after=after)

    def reply(self, status, *, lowest=1, g=1, **fields):
        return self.hear(4, Reply(status=status, lowest_boot=lowest).pack(), g=g, **fields)

    def prior(self, rows, *, g, blk=0, **fields):
        payload = pack_rows(quantise(np.array(rows, np.float32), self.shape), self.shape)
        return self.hear(2, payload, g=g, blk=blk, enc=self.shape.coding.enc, n=1, **fields)

    def frames(self, count=3, *, loss=1.0):
        effects = []
        for _ in range(count):
            effects += self.tell(FrameLearned(n=1, loss=loss, correct=True))
        return effects

    def passed(self, rows=ROWS):
        """Learn for a period and answer the pass that follows."""
        (call,) = (e for e in self.frames() if isinstance(e, LearnerCall))
        return self.tell(LearnerDone(call=call.call, value=rows))

    def read(self, send):
        return decode(send.data, self.shape)


class Desk:
    """A server and hand-written messages to it."""

    def __init__(self, *, ground=LONE, devices=3, **settings):
        base = {"kind": "elal", "floor": 0.0, "prior_budget": 4, "age_weight": "none"}
        self.settings = ElalSettings.model_validate(base | settings)
        self.shape = self.settings.shape(classes=3, blocks=4, rows=2)
        self.machine = ElalServer(self.settings, ground, devices=devices)
        self.first = self.machine.handle(Started(boot=1), 0)
        self.now = 0
        self.seqs = {}

    def hear(self, kind, payload, *, dev=1, seq=None, src=None, boot=1, after=MS, **fields):
        self.seqs[dev, kind] = self.seqs.get((dev, kind), 0) + 1 if seq is None else seq
        message = Message(
            **{
                "kind": kind,
                "dev": dev,
                "boot": boot,
                "seq": self.seqs[dev, kind],
                "t_us": self.now // 1_000,
                "payload": payload,
            }
            | fields
        )
        return self.raw(encode(message), src=dev if src is None else src, after=after)

    def raw(self, data, *, src=1, after=MS):
        self.now += after
        return self.machine.handle(Received(data=data, src=src), self.now)

    def join(self, dev=1, *, boot=1, level=0, **changes):
        said = {"pset": LONE.pset, "classes": 3, "rows": 2, "blocks": 4, "part_level": level}
        return self.hear(4, Join(**said | changes).pack(), dev=dev, boot=boot)

    def token(self, rows=LEFT, *, blk=0, **fields):
        payload = pack_rows(quantise(np.array(rows, np.float32), self.shape), self.shape)
        return self.hear(1, payload, blk=blk, enc=self.shape.coding.enc, n=1, **fields)

    def have(self, versions, **fields):
        return self.hear(3, bytes(map(have_code, versions)), **fields)

    def tell(self, event, *, after=MS):
        self.now += after
        return self.machine.handle(event, self.now)

    def publish(self, *, after=2 * S):
        self.now += after
        return self.machine.handle(TimerFired(id="publish"), self.now)

    def read(self, send):
        return decode(send.data, self.shape)


@pytest.fixture(scope="session")
def world():
    """Return the class of worlds."""
    return World


@pytest.fixture(scope="session")
def open_lone():
    """Return the class of lone devices."""
    return Lone


@pytest.fixture(scope="session")
def open_desk():
    """Return the class of lone servers."""
    return Desk
