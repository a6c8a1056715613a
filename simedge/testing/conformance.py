"""Suites for parts of one's own: a subclass with `open`, collected by pytest, is a test.

    class TestMine(conformance.Protocol):
        def open(self, number):
            return MyMachine(number)

`Protocol` asks machines what every driver needs of them, `Learner` asks learners what devices need,
`Link` asks links what networks need. Each test is a law; a breach says which.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from simedge.learning.ports import DeviceLearner, Learned
from simedge.sensors.frames import Frame
from simedge.sensors.poisson import PoissonSensor
from simedge.sensors.settings import PoissonSettings
from simedge.testing.stateful import ProtocolStateMachine
from simedge.world.datagrams import Datagram, Flight, Uid
from simedge.world.links import Link as PlainLink

if TYPE_CHECKING:
    from simedge.core.records import Due

__all__ = ["Learner", "Link", "Protocol", "check_protocol"]

_NS_MAX = 10**9
_CHECKS = list(HealthCheck)


def check_protocol(machine: type[ProtocolStateMachine], *, examples: int | None = None) -> None:
    """Let anything happen to the machines of a `ProtocolStateMachine`; raise what breaks."""
    chosen = settings(deadline=None, suppress_health_check=_CHECKS)
    if examples is not None:
        chosen = settings(chosen, max_examples=examples)
    run_state_machine_as_test(machine, settings=chosen)


class Protocol:
    """What a driver needs of every machine; `open` makes the machine of a number."""

    numbers: ClassVar[Sequence[int]] = (1, 2)
    """Who there is; 0 is a server."""
    machine: ClassVar[type[ProtocolStateMachine]] = ProtocolStateMachine
    """What is done to them, and with which made-up learner."""

    def open(self, number: int) -> Any:  # noqa: ANN401 -- a machine of any kind
        """Return the machine of a number, always in the same state."""
        raise NotImplementedError(f"{type(self).__name__} opens no machine {number}")

    def test_anything_may_happen(self) -> None:
        """No order of messages, losses, crashes and timers breaks a law of machines."""
        found = self

        class Driven(self.machine):  # type: ignore[name-defined, misc]
            numbers = found.numbers

            def open(self, number: int) -> Any:  # noqa: ANN401
                return found.open(number)

        check_protocol(Driven)


class Learner:
    """What a device needs of every learner; `open` makes one that has learned nothing."""

    size: ClassVar[int] = 8
    """Pixels a side of what it is shown."""

    def open(self, device: str) -> DeviceLearner:
        """Return the learner of a device, always in the same state for a name."""
        raise NotImplementedError(f"{type(self).__name__} opens no learner of {device}")

    def test_equal_learners_learn_the_same(self) -> None:
        """A learner is its device's name and what it was shown: no chance, no clock."""
        one, other = self.open("box-1"), self.open("box-1")
        for frame in self._frames():
            assert _learned(one, frame) == _learned(other, frame)
        assert one.digest() == other.digest()

    def test_looking_changes_nothing(self) -> None:
        """To predict, or to begin a job and discard it, leaves no mark."""
        learner, frames = self.open("box-1"), self._frames()
        _learned(learner, frames[0])
        before = learner.digest()
        said = learner.predict(learner.prepare(frames))
        assert np.array_equal(learner.predict(learner.prepare(frames)), said)
        work = learner.learn(frames[1])
        work.advance(None)
        work.discard()
        assert learner.digest() == before

    def test_a_dump_is_all_of_it(self) -> None:
        """A learner that is loaded from a dump goes on like the one that was dumped."""
        one, frames = self.open("box-1"), self._frames()
        for frame in frames[:4]:
            _learned(one, frame)
        state, other = one.dump(), self.open("box-1")
        other.load(state)
        assert other.digest() == one.digest()
        for frame in frames[4:]:
            assert _learned(one, frame) == _learned(other, frame)
        back = self.open("box-1")
        back.load(state)
        for frame in frames[4:]:
            _learned(back, frame)
        assert back.digest() == one.digest(), "learning on must not change an earlier dump"

    def test_opinions_are_probabilities(self) -> None:
        """What a learner says of an item is at least 0 and sums to 1."""
        learner = self.open("box-1")
        for row, frame in enumerate(self._frames()):
            said = np.asarray(_done(learner.proxy_row(frame, address=0, row=row)))
            assert said.shape == (learner.classes,)
            assert (said >= 0).all()
            assert abs(float(said.sum()) - 1) < 1e-3

    def _frames(self) -> list[Frame]:
        sensor = PoissonSensor(PoissonSettings(kind="poisson", size=self.size), 1)
        return sensor.frames("box-1", 0, 8)


class Link:
    """What a network needs of every link; `open` makes one that carried nothing."""

    def open(self) -> PlainLink:
        """Return an empty link, always the same."""
        raise NotImplementedError(f"{type(self).__name__} opens no link")

    @settings(deadline=None, suppress_health_check=_CHECKS)
    @given(offers=st.lists(st.tuples(st.integers(0, _NS_MAX), st.integers(1, 1_500)), max_size=20))
    def test_nothing_vanishes_and_a_history_repeats(self, offers: list[tuple[int, int]]) -> None:
        """At each instant all that came in is accounted for; the same offers fare the same."""
        assert self._carried(offers) == self._carried(offers)

    def _carried(self, offers: list[tuple[int, int]]) -> list[tuple[int, int]]:
        link, now = self.open(), 0
        arrived: list[tuple[int, int]] = []
        dues: list[Due] = []
        todo = sorted((at, i, size) for i, (at, size) in enumerate(offers))
        while todo or dues:
            if todo and (not dues or todo[0][0] <= dues[0].at):
                now, number, size = todo.pop(0)
                step = link.offer(_datagram(number, size, now), now)
            else:
                due = dues.pop(0)
                assert due.at >= now, "what is scheduled lies ahead"
                now = due.at
                if due.kind == "arrive":
                    assert isinstance(due.payload, Flight)
                    landed, step = link.land(due.payload, now)
                    if landed is not None:
                        assert now >= landed.sent_ns, "nothing arrives before it was sent"
                        arrived.append((now, landed.uid.seq))
                else:
                    step = link.handle(due.kind, due.payload, now)
            dues = sorted([*dues, *step.dues], key=lambda each: (each.at, each.order))
            assert link.tally().imbalance() == (0, 0), "offered and copied is what ended or waits"
        return arrived


def _datagram(number: int, size: int, now: int) -> Datagram:
    uid = Uid("box-1", "server", "token", 1, number + 1)
    return Datagram(uid, bytes(size), size + 28, (0,), "payload", now, None)


def _learned(learner: DeviceLearner, frame: Frame) -> Learned:
    learned = _done(learner.learn(frame))
    assert isinstance(learned, Learned)
    return learned


def _done(work: Any) -> Any:  # noqa: ANN401 -- any job, and whatever it gives
    work.advance(None)
    return work.commit()
