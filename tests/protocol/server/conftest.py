"""A world by hand for protocols with a server: toy learners, reliable sends that may fail."""

import dataclasses
import heapq

import msgpack
import numpy as np
import pytest
from pydantic import TypeAdapter

from simedge.core.streams import Streams
from simedge.protocol.asks import RawFrame, Slope, Trained
from simedge.protocol.machine import (
    CancelTimer,
    Forgotten,
    LearnerCall,
    LearnerDone,
    LinkStatus,
    Note,
    Received,
    Restarted,
    Send,
    SendOutcome,
    SetTimer,
    Started,
    TimerFired,
)
from simedge.protocol.opening import open_device, open_server
from simedge.protocol.params import Code, Parcel, bytes_of, read_message, send_params, shape_on
from simedge.protocol.post import Post
from simedge.protocol.settings import ProtocolSettings
from simedge.protocol.shape import Ground
from simedge.protocol.wire import Join, Kind

MS, S = 10**6, 10**9
D = 3
RATE = 0.1
FIRST = np.array([0.5, -0.25, 0.0], np.float32)
_ORDER = {
    Started: 0,
    Restarted: 0,
    LinkStatus: 0,
    Forgotten: 0,
    LearnerDone: 1,
    Received: 2,
    SendOutcome: 3,
    TimerFired: 4,
}


def ground_of(devices, params=D):
    return Ground(
        classes=4,
        blocks=2,
        rows=2,
        pset=bytes(range(32)),
        tau_ns=S,
        devices=devices,
        params=params,
        frame_ns=20 * MS,
    )


def plain(value):
    """Return an effect or argument as data that can be compared."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.tobytes()
    if dataclasses.is_dataclass(value):
        fields = [(f.name, plain(getattr(value, f.name))) for f in dataclasses.fields(value)]
        return type(value).__name__, fields
    return value


class Linear:
    """Least squares on a stream of its own: one step on the mean gradient of a batch."""

    def __init__(self, number):
        self.number = number
        self.values = FIRST.copy()
        self.frames = 0

    def next(self, count):
        draws = np.random.Generator(np.random.Philox(key=self.number))
        rows = draws.normal(size=(self.frames + count, D))[self.frames :]
        self.frames += count
        return rows

    def slope(self, rows):
        residual = rows @ self.values - rows.sum(axis=1)
        return (rows * residual[:, None]).mean(axis=0)

    def step(self, gradient):
        self.values = (self.values - RATE * gradient).astype(np.float32)

    def answer(self, op, args):
        if op == "get_params":
            return self.values.copy()
        if op == "set_params":
            self.values = args.values.copy()
        elif op == "train":
            gradient = self.slope(self.next(args.frames))
            if args.anchor is not None:
                gradient = gradient + args.rho * (self.values - args.anchor)
            self.step(gradient)
            return Trained(args.frames, 0.5)
        elif op == "gradient":
            rows = self.next(args.frames)
            return Slope(args.frames, 0.5, self.slope(rows).astype(np.float32))
        elif op == "take_frame":
            return RawFrame(self.next(1).tobytes(), self.frames % 4)
        elif op == "train_on":
            rows = np.array([np.frombuffer(each) for each in args.frames])
            self.step(self.slope(rows))
            return tuple(args.labels)
        return None


class Pump:
    """Machines and what is on its way between them.

    `fate` gives a delay, or None to fail; every `reload`-th event goes to a twin as well, which
    was just loaded and takes the machine's place.
    """

    def __init__(self, settings, *, devices=3, fate=None, reload=0):
        self.settings = open_settings(settings)
        self.ground = ground_of(devices)
        self.devices = devices
        self.fate = fate or (lambda _send, _count: 10 * MS)
        self.reload = reload
        self.machines = {number: self.open(number) for number in range(devices + 1)}
        self.learners = {number: Linear(number) for number in self.machines}
        self.boots = dict.fromkeys(self.machines, 1)
        self.down = set()
        self.timers = {}
        self.queue = []
        self.count = self.sends = self.now = 0
        self.latest = {}
        self.said = []
        self.used = set()
        self.log = []
        for number in self.machines:
            self.at(0, number, Started(boot=1))

    def open(self, number):
        stream = Streams(3).stream("policy", f"cam-{number}", "noise")
        if number == 0:
            return open_server(self.settings, self.ground, devices=self.devices, stream=stream)
        return open_device(self.settings, self.ground, dev=number, layers=2, stream=stream)

    def at(self, when, number, event, *, life=None):
        self.count += 1
        rank = (when, _ORDER[type(event)], number, self.count)
        heapq.heappush(self.queue, (rank, event, life))

    def crash(self, number, *, state=None, lasting=S):
        """Stop a machine; timers, calls and outcomes of its life are gone."""
        if number in self.down:
            return
        self.boots[number] += 1
        self.down.add(number)
        self.timers = {k: v for k, v in self.timers.items() if k[0] != number}
        event = Restarted(boot=self.boots[number], checkpoint=state)
        self.at(self.now + lasting, number, event)

    def run(self, until, *, steps=10**9):
        while self.queue and self.queue[0][0][0] <= until and steps:
            steps -= 1
            (now, _, number, _), event, life = heapq.heappop(self.queue)
            self.now = now
            if isinstance(event, Restarted):
                self.down.discard(number)
            if isinstance(event, TimerFired):
                if self.timers.get((number, event.id)) != now:
                    continue
                del self.timers[number, event.id]
            if life is not None and life != self.boots[number]:
                continue
            if number in self.down:
                continue
            self.tell(number, event)
        self.now = self.now if not steps else max(until, self.now)

    def tell(self, number, event):
        machine = self.machines[number]
        again = self.reload and len(self.log) % self.reload == 0
        if again:
            twin = self.open(number)
            state = msgpack.unpackb(msgpack.packb(machine.dump()), strict_map_key=False)
            twin.load(state)
            assert twin.dump() == machine.dump()
        effects = machine.handle(event, self.now)
        told = [plain(effect) for effect in effects]
        self.log.append((self.now, number, told))
        if again:
            assert [plain(effect) for effect in twin.handle(event, self.now)] == told
            assert twin.dump() == machine.dump()
            self.machines[number] = twin
        for effect in effects:
            self.carry_out(number, effect)
            if isinstance(effect, Note) and effect.kind == "merged":
                message = read_message(event.data, shape_on(self.ground))
                name = (message.dev, message.boot, message.seq)
                assert name not in self.used
                self.used.add(name)
        return effects

    def carry_out(self, number, effect):
        now, life = self.now, self.boots[number]
        match effect:
            case Send():
                self.said.append((number, effect))
                self.carry(number, effect)
            case SetTimer(id=name, at=at):
                assert at > now
                self.timers[number, name] = at
                self.at(at, number, TimerFired(id=name))
            case CancelTimer(id=name):
                del self.timers[number, name]
            case LearnerCall(call=call, op=op, args=args):
                value = self.learners[number].answer(op, args)
                free = number == 0
                done = LearnerDone(call=call, value=value)
                self.at(now if free else now + MS, number, done, life=life)

    def carry(self, number, send):
        now, pair = self.now, (number, send.dst)
        self.sends += 1
        delay = self.fate(send, self.sends)
        if send.reliability == "datagram":
            if delay is not None:
                self.at(now + delay, send.dst, Received(data=send.data, src=number))
            return
        ok = delay is not None and send.dst not in self.down
        when = max(now + (delay or S), self.latest.get(pair, 0))
        self.latest[pair] = when
        if ok:
            event = Received(data=send.data, src=number)
            self.at(when, send.dst, event, life=self.boots[send.dst])
        self.at(when, number, SendOutcome(tag=send.tag, ok=ok), life=self.boots[number])

    def replay(self, index):
        """Hand over a message of the past once more."""
        if self.said:
            number, send = self.said[index % len(self.said)]
            if send.dst not in self.down:
                self.tell(send.dst, Received(data=send.data, src=number))

    def state(self, number):
        """Return a machine's state, as a disk would give it back."""
        return msgpack.unpackb(msgpack.packb(self.machines[number].dump()), strict_map_key=False)

    @property
    def version(self):
        return self.machines[0].dump()["house"]["supply"]["version"]

    @property
    def model(self):
        return model_of(self.machines[0])


def open_settings(settings):
    """Return settings from what a scenario says."""
    return TypeAdapter(ProtocolSettings).validate_python(settings)


def model_of(machine):
    """Return the model of a server."""
    return np.frombuffer(machine.dump()["house"]["supply"]["values"][2], "<f4")


class Counter:
    """A server, and devices that are hand-written messages to it."""

    def __init__(self, settings, *, first=(0.0, 0.0), devices=3, join=True, stream=True):
        self.ground = ground_of(devices, len(first))
        self.settings = open_settings(settings)
        draws = Streams(3).stream("policy", "server", "choice")
        self.machine = open_server(
            self.settings, self.ground, devices=devices, stream=draws if stream else None
        )
        self.posts = {dev: Post(dev) for dev in range(1, devices + 1)}
        self.now = 0
        (ask,) = self.tell(Started(boot=1))
        self.tell(LearnerDone(call=ask.call, value=np.array(first, np.float32)))
        self.effects = []
        if join:
            for dev in self.posts:
                self.effects += self.join(dev)

    def tell(self, event, *, after=MS):
        """Return the effects of an event; what they send reliably arrives at once."""
        self.now += after
        effects = self.machine.handle(event, self.now)
        for send in [e for e in effects if isinstance(e, Send) and e.tag]:
            effects += self.machine.handle(SendOutcome(tag=send.tag, ok=True), self.now)
        return effects

    def hear(self, data, dev, *, after=MS):
        return self.tell(Received(data=data, src=dev), after=after)

    def join(self, dev, *, boot=None, **changes):
        post = self.posts[dev]
        if boot is not None:
            post.sender.reboot(boot)
        said = {"pset": self.ground.pset, "classes": 4, "rows": 2, "blocks": 2} | changes
        message = post.write(Kind.JOIN, self.now, payload=Join(**said).pack())
        return self.hear(post.send(message, dst=0, cls="join").data, dev)

    def write(self, dev, values, *, code=Code.MODEL, g=0, n=1, **fields):
        payload = values
        if not isinstance(values, bytes):
            payload = bytes_of(np.array(values, np.float32))
        parcel = Parcel(code=code, payload=payload, g=g, n=n, **{"captured_ns": self.now} | fields)
        return send_params(self.posts[dev], parcel, dst=0).data

    def say(self, dev, values, **fields):
        return self.hear(self.write(dev, values, **fields), dev)

    @property
    def version(self):
        return self.machine.dump()["house"]["supply"]["version"]

    @property
    def model(self):
        return model_of(self.machine).tolist()

    @property
    def counters(self):
        return self.machine.counters

    def models(self, effects):
        """Return (device, version) of the models in effects."""
        sends = [e for e in effects if isinstance(e, Send) and e.cls == "model"]
        return [(e.dst, read_message(e.data, shape_on(self.ground)).g) for e in sends]


@pytest.fixture(scope="session")
def pump():
    """Return the class of worlds."""
    return Pump


@pytest.fixture(scope="session")
def counter():
    """Return the class of lone servers."""
    return Counter
