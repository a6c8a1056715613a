"""A server and two devices, hostile links, crashes: checked against a dictionary after each step.

The oracle is the newest row that was delivered of each (device, row), kept by the test itself.
"""

import os

import msgpack
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from simedge.core.streams import Streams
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
    SetTimer,
    Started,
    TimerFired,
)
from simedge.protocol.opening import open_device, open_server
from simedge.protocol.register import stamp_of
from simedge.protocol.settings import ElalSettings
from simedge.protocol.shape import Ground
from simedge.protocol.wire import Kind, decode

MS = 10**6
GROUND = Ground(classes=3, blocks=2, rows=2, pset=bytes(range(32)), tau_ns=200 * MS)
SETTINGS = ElalSettings.model_validate(
    {
        "kind": "elal",
        "interval": 2,
        "prior_period": "300 ms",
        "report_period": "500 ms",
        "have_period": "700 ms",
        "policy": {"kind": "reinforce", "episode": 2},
    }
)
SHAPE = SETTINGS.shape(classes=3, blocks=2, rows=2)
DEVICES = (1, 2)


class Elal(RuleBasedStateMachine):
    """Anything may happen to a message, and a machine may crash at any time."""

    def __init__(self):
        super().__init__()
        self.now = 0
        self.machines = {number: self.open(number) for number in (0, *DEVICES)}
        self.boots = dict.fromkeys(self.machines, 1)
        self.timers = {}
        self.flying = []
        self.past = []
        self.calls = []
        self.newest = {}
        self.lowest = {}
        self.first_bytes = {}
        self.held = {}
        self.checkpoints = {}
        self.fired = set()

    def open(self, number):
        if number == 0:
            return open_server(SETTINGS, GROUND, devices=2)
        stream = Streams(3).stream("policy", f"cam-{number}", "noise")
        return open_device(SETTINGS, GROUND, dev=number, layers=1, stream=stream)

    @initialize()
    def start(self):
        for number in self.machines:
            self.tell(number, Started(boot=1))
        self.deliver_all()

    def tell(self, number, event):
        effects = self.machines[number].handle(event, self.now)
        for effect in effects:
            match effect:
                case Send():
                    self.check_send(number, effect)
                    self.flying.append((number, effect.dst, effect.data))
                case SetTimer(id=name, at=at):
                    assert at > self.now
                    self.timers[number, name] = at
                case CancelTimer(id=name):
                    del self.timers[number, name]
                case LearnerCall():
                    self.calls.append((number, self.boots[number], effect))
                case Sample(metric="prior_age_s", labels=labels):
                    self.check_prior(number, dict(labels))
        return effects

    def check_send(self, number, send):
        """No message bears an old boot; a number stands for the same bytes for ever."""
        assert send.boot == self.boots[number]
        message = decode(send.data, SHAPE)
        name = (number, message.kind, send.boot, send.seq)
        assert self.first_bytes.setdefault(name, send.data) == send.data
        assert message.t_us * 1_000 <= self.now

    def check_prior(self, number, labels):
        """Versions never fall between restarts."""
        version = (labels["boot"], labels["version"])
        assert self.held.get((number, labels["block"]), (0, 0)) < version
        self.held[number, labels["block"]] = version

    # --------------------------------------------------------------------------------- what passes
    @rule(number=st.sampled_from(DEVICES), raw=st.lists(st.integers(1, 9), min_size=6, max_size=6))
    def period(self, number, raw):
        """Learn for a period, and let the learner answer at once."""
        self.tell(number, FrameLearned(n=2, loss=1.0, correct=True))
        self.answer(number, raw)

    @rule(number=st.sampled_from(DEVICES))
    def slow_period(self, number):
        """Learn for a period; the answer comes some time later, or never."""
        self.tell(number, FrameLearned(n=2, loss=1.0, correct=True))

    def answer(self, number, raw):
        rows = np.array(raw, np.float32).reshape(2, 3)
        rows /= rows.sum(axis=1, keepdims=True)
        mine = [entry for entry in self.calls if entry[0] == number]
        self.calls = [entry for entry in self.calls if entry[0] != number]
        for _, boot, call in mine:
            late = self.machines[number].counters.get("late_event", 0)
            value = rows if call.op == "proxy_pass" else None
            effects = self.tell(number, LearnerDone(call=call.call, value=value))
            if boot != self.boots[number]:
                assert effects == []
                assert self.machines[number].counters["late_event"] == late + 1

    @rule(wait=st.sampled_from([1, 300, 700, 1_100]))
    def wait(self, wait):
        """Let time pass, and raise the timers that are due."""
        self.now += wait * MS
        for (number, name), at in sorted(self.timers.items()):
            if at <= self.now and self.timers.get((number, name)) == at:
                del self.timers[number, name]
                assert (number, name, at) not in self.fired
                self.fired.add((number, name, at))
                self.tell(number, TimerFired(id=name))

    # -------------------------------------------------------------------------------- what befalls
    @precondition(lambda self: self.flying)
    @rule()
    def deliver_all(self):
        """Deliver all that is on its way, and the answers to it."""
        while self.flying:
            self.receive(*self.flying.pop(0))

    @precondition(lambda self: self.flying)
    @rule()
    def lose_all(self):
        self.past += self.flying
        self.flying.clear()

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def replay(self, data):
        """Deliver what was delivered or lost before: a duplicate, or a very late arrival."""
        place = data.draw(st.integers(1, min(len(self.past), 30)))
        self.receive(*self.past[-place])

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), copies=st.integers(0, 2))
    def deliver(self, data, copies):
        """Deliver any message on its way: never, once, or now and again later."""
        place = data.draw(st.integers(0, len(self.flying) - 1))
        source, target, message = self.flying.pop(place)
        if copies == 2:
            self.flying.append((source, target, message))
        if copies:
            self.receive(source, target, message)

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def corrupt(self, data):
        place = data.draw(st.integers(0, len(self.flying) - 1))
        source, target, message = self.flying[place]
        bit = data.draw(st.integers(0, 8 * len(message) - 1))
        broken = bytearray(message)
        broken[bit // 8] ^= 1 << bit % 8
        (note,) = self.tell(target, Received(data=bytes(broken), src=source))
        assert note == Note(kind="refused", subject=source, detail=("corrupt",))

    def receive(self, source, target, data):
        if decode(data, SHAPE).kind == Kind.TOKEN:
            self.past.append((source, target, data))
        effects = self.tell(target, Received(data=data, src=source))
        message = decode(data, SHAPE)
        if target != 0:
            return
        refused = [e.detail[0] for e in effects if isinstance(e, Note) and e.kind == "refused"]
        assert not {"future", "conflict", "malformed"} & set(refused)
        if message.kind == Kind.JOIN and not refused and message.boot >= self.lowest.get(source, 1):
            self.lowest[source] = message.boot
        if message.kind == Kind.TOKEN and refused not in (["stranger"], ["stale_boot"]):
            assert message.boot >= self.lowest[source]
            stamp = (message.boot, message.seq)
            key = (source, message.blk)
            fresh = stamp > self.newest.get(key, ((0, 0), None))[0]
            assert fresh == (refused == [])
            if fresh:
                self.newest[key] = (stamp, message.rows.tolist())

    @rule(number=st.sampled_from((0, *DEVICES)), state=st.sampled_from(["kept", "old", "wiped"]))
    def crash(self, number, state):
        kept = {"kept": self.machines[number].dump(), "old": self.checkpoints.get(number)}
        left = kept.get(state)
        self.boots[number] += 1
        self.timers = {key: at for key, at in self.timers.items() if key[0] != number}
        self.held = {key: version for key, version in self.held.items() if key[0] != number}
        self.tell(number, Restarted(boot=self.boots[number], checkpoint=left))
        if number == 0 and state != "kept":
            self.newest = {}
            self.lowest = {}
            if left is not None:
                self.newest, self.lowest = map(dict, self.checkpoints["oracle"])

    @rule(number=st.sampled_from((0, *DEVICES)))
    def checkpoint(self, number):
        self.checkpoints[number] = msgpack.unpackb(msgpack.packb(self.machines[number].dump()))
        if number == 0:
            self.checkpoints["oracle"] = (dict(self.newest), dict(self.lowest))

    @rule(number=st.sampled_from((0, *DEVICES)))
    def reload(self, number):
        """A machine that was dumped and loaded is the same machine."""
        state = msgpack.unpackb(msgpack.packb(self.machines[number].dump()))
        self.machines[number] = self.open(number)
        self.machines[number].load(state)
        assert self.machines[number].dump() == state

    # ------------------------------------------------------------------------------ what must hold
    @invariant()
    def the_register_is_the_oracle(self):
        register = self.machines[0].register
        for dev in DEVICES:
            for block in range(2):
                stamp, rows = self.newest.get((dev, block), ((0, 0), [[0, 0, 0]] * 2))
                assert register.look(dev, block) == [(stamp_of(*stamp), row) for row in rows]

    @invariant()
    def nothing_grows_without_bound(self):
        for number, machine in self.machines.items():
            timers = {name for n, name in self.timers if n == number}
            assert timers <= {"join", "have", "report", "publish"}
            assert all(count >= 0 for count in machine.counters.values())


NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
Elal.TestCase.settings = settings(max_examples=100 if NIGHTLY else 20, stateful_step_count=50)
TestElal = Elal.TestCase
