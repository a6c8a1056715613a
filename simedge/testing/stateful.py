"""Anything may happen to a group of machines: a Hypothesis state machine to be subclassed.

    class Mine(ProtocolStateMachine):
        def open(self, number):
            return MyMachine(number)

    TestMine = Mine.TestCase

The laws are those of `simedge.testing.bench`; a subclass adds `check`, called after each step, and
rules of its own. What fails shrinks to a few steps that can be read as a program.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from numpy.typing import NDArray

from simedge.protocol.asks import ClassTable, ProxyPass, RawFrame, Slope, Trained, Value
from simedge.protocol.machine import FrameLearned, LearnerCall, LinkStatus, Machine
from simedge.testing.bench import Bench

__all__ = ["ProtocolStateMachine"]

_MS = 1_000_000
_PLACES = st.integers(0, 31)
_WHO = st.integers(0, 7)
_FLYING_MAX = 256


class ProtocolStateMachine(RuleBasedStateMachine):
    """Drives machines by hand, in any order; `open` is all that a subclass must have."""

    numbers: ClassVar[Sequence[int]] = (0, 1, 2)
    """Who there is; 0 is a server, without 0 there is none."""
    waits_ms: ClassVar[Sequence[int]] = (1, 100, 1_000)
    """How long a tick may be."""
    timers_max: ClassVar[int] = 16
    """Most timers that one machine may have set."""
    classes: ClassVar[int] = 3
    """Classes of the made-up learner."""
    params: ClassVar[int] = 4
    """Parameters of the made-up learner."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(
            self.open,
            self.numbers,
            timers_max=self.timers_max,
            learned=lambda call: self.learned(0, call, 0),
        )

    def open(self, number: int) -> Machine:
        """Return the machine of a number, always in the same state."""
        raise NotImplementedError(f"{type(self).__name__} opens no machine {number}")

    def check(self) -> None:
        """Assert what must hold after each step, from `self.bench`."""

    def learned(self, number: int, call: LearnerCall, seed: int) -> Value:  # noqa: PLR0911 -- one a call
        """Return what the made-up learner of a machine answers; subclasses may know better."""
        del number
        match call.args, call.op:
            case (ProxyPass() | ClassTable()) as asked, _:
                return self._rows(asked.count, seed)
            case _, "get_params":
                return np.full(self.params, seed, np.float32)
            case _, "train":
                return Trained(n=getattr(call.args, "frames", 1), loss=1.0)
            case _, "gradient":
                values = np.full(self.params, seed, np.float32)
                return Slope(n=getattr(call.args, "frames", 1), loss=1.0, values=values)
            case _, "held_loss":
                return 1.0 + seed
            case _, "take_frame":
                return RawFrame(data=bytes(8), label=seed % self.classes)
            case _:
                return None

    def _rows(self, count: int, seed: int) -> NDArray[np.float32]:
        row = 1.0 + (np.arange(count * self.classes) * (seed + 1)) % 7
        rows = row.reshape(count, self.classes).astype(np.float32)
        return np.asarray(rows / rows.sum(axis=1, keepdims=True), np.float32)

    @initialize()
    def start(self) -> None:
        """Start all machines."""
        self.bench.start()

    # ------------------------------------------------------------------------- what is learned
    @rule(who=_WHO, frames=st.integers(1, 4))
    def learn(self, who: int, frames: int) -> None:
        """Let a device learn frames."""
        number = self._one(who)
        if number and number not in self.bench.down:
            self.bench.tell(number, FrameLearned(n=frames, loss=1.0, correct=True))

    @precondition(lambda self: self.bench.calls)
    @rule(place=_PLACES, seed=st.integers(0, 9))
    def answer(self, place: int, seed: int) -> None:
        """Let a learner answer a call."""
        place %= len(self.bench.calls)
        number, _, call = self.bench.calls[place]
        self.bench.answer(place, self.learned(number, call, seed))

    @rule(wait_ms=st.integers(0, 99))
    def tick(self, wait_ms: int) -> None:
        """Let time pass."""
        self.bench.tick(self.waits_ms[wait_ms % len(self.waits_ms)] * _MS)

    # -------------------------------------------------------------------- what befalls messages
    @precondition(lambda self: self.bench.flying)
    @rule(place=_PLACES)
    def deliver(self, place: int) -> None:
        """Let a message arrive."""
        self.bench.deliver(place % len(self.bench.flying))

    @precondition(lambda self: self.bench.flying)
    @rule()
    def deliver_all(self) -> None:
        """Let all messages arrive that are on their way now."""
        for _ in range(len(self.bench.flying)):
            self.bench.deliver(0)

    @precondition(lambda self: self.bench.flying)
    @rule(place=_PLACES)
    def drop(self, place: int) -> None:
        """Lose a message."""
        self.bench.drop(place % len(self.bench.flying))

    @precondition(lambda self: 0 < len(self.bench.flying) < _FLYING_MAX)
    @rule(place=_PLACES)
    def duplicate(self, place: int) -> None:
        """Let a message arrive twice."""
        self.bench.duplicate(place % len(self.bench.flying))

    @precondition(lambda self: self.bench.flying)
    @rule(place=_PLACES, bit=st.integers(0, 4_095))
    def corrupt(self, place: int, bit: int) -> None:
        """Flip a bit of a message."""
        self.bench.corrupt(place % len(self.bench.flying), bit)

    @rule(src=_WHO, dst=_WHO, data=st.binary(max_size=80))
    def forge(self, src: int, dst: int, data: bytes) -> None:
        """Let any bytes arrive."""
        self.bench.forge(self._one(src), self._one(dst), data)

    # -------------------------------------------------------------------- what befalls machines
    @rule(who=_WHO)
    def crash(self, who: int) -> None:
        """Stop a machine."""
        if self._one(who) not in self.bench.down:
            self.bench.crash(self._one(who))

    @precondition(lambda self: self.bench.down)
    @rule(who=_WHO, state=st.sampled_from(["kept", "checkpoint", "wiped"]))
    def restart(self, who: int, state: str) -> None:
        """Bring a machine back."""
        down = sorted(self.bench.down)
        self.bench.restart(down[who % len(down)], state)

    @rule(a=_WHO, b=_WHO)
    def partition(self, a: int, b: int) -> None:
        """Cut two machines off from each other; both are told."""
        self._cut(self._one(a), self._one(b), up=False)

    @precondition(lambda self: self.bench.cut)
    @rule()
    def heal(self) -> None:
        """Let all reach each other again."""
        for a, b in sorted(tuple(sorted(pair)) for pair in self.bench.cut):
            self._cut(a, b, up=True)

    @rule(who=_WHO)
    def haunt(self, who: int) -> None:
        """Tell a machine of things that it does not know."""
        if self._one(who) not in self.bench.down:
            self.bench.haunt(self._one(who))

    @invariant()
    def what_must_hold(self) -> None:
        """Ask the subclass."""
        self.check()

    def _one(self, who: int) -> int:
        return self.numbers[who % len(self.numbers)]

    def _cut(self, a: int, b: int, *, up: bool) -> None:
        pair = frozenset({a, b})
        if a == b or (pair in self.bench.cut) is not up:
            return
        (self.bench.cut.discard if up else self.bench.cut.add)(pair)
        for number, other in ((a, b), (b, a)):
            if number not in self.bench.down:
                self.bench.tell(number, LinkStatus(other=other, up=up))
