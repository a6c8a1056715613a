"""Peers in a full graph, their learners and all that is on its way, by hand."""

import dataclasses
from collections import deque

import msgpack
import numpy as np
import pytest
from pydantic import TypeAdapter

from simedge.core.streams import Streams
from simedge.protocol.asks import Slope, Trained
from simedge.protocol.machine import (
    CancelTimer,
    FrameLearned,
    LearnerCall,
    LearnerDone,
    Note,
    Received,
    Restarted,
    Sample,
    Send,
    SendOutcome,
    SetTimer,
    Started,
    TimerFired,
)
from simedge.protocol.opening import open_device, open_server
from simedge.protocol.settings import ProtocolSettings
from simedge.protocol.shape import Ground

MS = 10**6
SIZE = 5
GROUND = Ground(
    classes=3,
    blocks=1,
    rows=1,
    pset=bytes(32),
    tau_ns=40 * MS,
    devices=3,
    params=SIZE,
    frame_ns=10 * MS,
    duration_ns=6_000 * MS,
)
KINDS = {
    "gossip": {"interval": 2, "frames": 1},
    "simple": {"kind": "gossip", "interval": 1, "flow": {"kind": "simple", "cap": 2}},
    "randomised": {"kind": "gossip", "interval": 1, "flow": {"kind": "randomised", "a": 2}},
    "aedfl": {"frames": 2, "pull_timeout": "50 ms", "policy": {"kind": "reinforce"}},
    "draco": {"interval": 4, "gradient_every": 2, "batch": 2, "accept_max": 3},
    "fd": {"interval": 2, "prior_period": "40 ms"},
}
CHANGES = {"set_params", "set_class_prior"}


def frozen(value):
    """Return effects, or anything in them, as data that can be compared."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if dataclasses.is_dataclass(value):
        return type(value), [frozen(getattr(value, f.name)) for f in dataclasses.fields(value)]
    return [frozen(each) for each in value] if isinstance(value, list | tuple) else value


class Peers:
    """Peers in a full graph (the server has number 0), their learners and all that is on its way.

    Training changes nothing, so that models are means of what the peers began with, and of zero.
    """

    def __init__(self, name, *, devices=3, twins=False, shared_clock=True, **more):
        protocol = {"kind": name} | KINDS[name] | more
        self.settings = TypeAdapter(ProtocolSettings).validate_python(protocol)
        self.ground = dataclasses.replace(GROUND, devices=devices, shared_clock=shared_clock)
        self.twins = twins
        numbers = range(devices + 1)
        self.machines = {number: self.open(number) for number in numbers}
        self.began = {n: np.float32([n, -n, 2 * n, 0.5, n % 2]) for n in numbers}
        self.models = {number: model.copy() for number, model in self.began.items()}
        self.answers = {number: deque() for number in numbers}
        self.mail, self.outcomes, self.saved = [], [], {}
        self.timers = {}
        self.boots = dict.fromkeys(numbers, 1)
        self.effects = []
        self.now = 0
        for number in numbers:
            self.tell(number, Started(boot=1))
            if self.answers[number] and self.answers[number][0].op == "set_lambda":
                self.answer(number)

    def open(self, number):
        stream = Streams(3).stream("policy", f"cam-{number}", "draws")
        if number == 0:
            return open_server(self.settings, self.ground, devices=self.ground.devices)
        others = [n for n in range(1, self.ground.devices + 1) if n != number]
        return open_device(
            self.settings, self.ground, dev=number, layers=1, stream=stream, neighbours=others
        )

    def tell(self, number, event):
        """Let a machine handle an event, and its twin, made of its dump, in the same way."""
        machine = self.machines[number]
        if not self.twins:
            return self.carried_out(number, machine.handle(event, self.now))
        state = msgpack.packb(machine.dump())
        twin = self.open(number)
        twin.load(msgpack.unpackb(state))
        assert msgpack.packb(twin.dump()) == state
        effects, again = machine.handle(event, self.now), twin.handle(event, self.now)
        assert frozen(effects) == frozen(again)
        assert msgpack.packb(twin.dump()) == msgpack.packb(machine.dump())
        self.machines[number] = twin
        return self.carried_out(number, effects)

    def carried_out(self, number, effects):
        for effect in effects:
            self.effects.append((self.now, number, effect))
            self.carry_out(number, effect)
        return effects

    def carry_out(self, number, effect):
        match effect:
            case Send():
                assert effect.reliability == "reliable"
                assert effect.dst != number
                assert effect.boot == self.boots[number]
                self.mail.append((number, effect))
            case SetTimer(id=name, at=at):
                assert at > self.now
                self.timers[number, name] = at
            case CancelTimer(id=name):
                del self.timers[number, name]
            case LearnerCall():
                self.answers[number].append(effect)
            case _:
                assert isinstance(effect, Note | Sample) or not dataclasses.fields(effect)

    def answer(self, number):
        call = self.answers[number].popleft()
        self.tell(number, LearnerDone(call=call.call, value=self.value(number, call)))

    def value(self, number, call):
        model = self.models[number]
        match call.op:
            case "get_params":
                return model.copy()
            case "set_params":
                self.models[number] = call.args.values.copy()
            case "train":
                return Trained(n=call.args.frames, loss=1.0)
            case "gradient":
                slope = np.float32([1, 2, -4, 0, number]) / 4
                return Slope(n=call.args.frames, loss=1.0, values=slope)
            case "held_loss":
                return float(np.abs(model).sum())
            case "class_table":
                table = np.zeros((3, 3), np.float32)
                table[number % 3] = np.float32([0.5, 0.25, 0.25])
                return table
        return None

    def frame(self, number):
        self.tell(number, FrameLearned(n=1, loss=1.0, correct=True))

    def deliver(self, index, *, times=1, ok=True):
        source, send = self.mail.pop(index)
        self.tell(source, SendOutcome(tag=send.tag, ok=ok))
        first = self.tell(send.dst, Received(data=send.data, src=source)) if ok else []
        for _ in range(times - 1):
            again = self.tell(send.dst, Received(data=send.data, src=source))
            assert [e.kind for e in again] == ["refused"], "nothing counts twice"
        return first

    def crash(self, number, *, state):
        self.boots[number] += 1
        self.answers[number].clear()
        self.timers = {key: at for key, at in self.timers.items() if key[0] != number}
        self.mail = [each for each in self.mail if each[0] != number]
        if state is None:
            self.models[number] = self.began[number].copy()
        self.tell(number, Restarted(boot=self.boots[number], checkpoint=state))

    def advance(self, step):
        """Let time pass, and fire what falls due, each at its time."""
        until = self.now + step
        while due := [(at, key) for key, at in self.timers.items() if at <= until]:
            self.now, (number, name) = min(due)
            del self.timers[number, name]
            self.tell(number, TimerFired(id=name))
        self.now = until

    def settle(self):
        """Let everything arrive, in order, and every question be answered once."""
        while self.mail:
            self.deliver(0)
        for number, calls in self.answers.items():
            for _ in range(len(calls)):
                self.answer(number)

    def run(self, steps, *, every=10 * MS):
        for _ in range(steps):
            self.advance(every)
            for number in range(1, self.ground.devices + 1):
                self.frame(number)
            self.settle()

    def calls(self, op, number=None):
        return [
            effect.args
            for _, source, effect in self.effects
            if isinstance(effect, LearnerCall) and effect.op == op and number in {None, source}
        ]

    def notes(self, kind):
        return [e for _, _, e in self.effects if isinstance(e, Note) and e.kind == kind]


@pytest.fixture(scope="session")
def open_peers():
    """Return the class of such worlds."""
    return Peers
