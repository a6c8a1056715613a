"""Suites for parts of one's own: a subclass with `open`, collected by pytest, is a test.

    class TestMine(conformance.Protocol):
        def open(self, number):
            return MyMachine(number)

`Protocol` asks machines what every driver needs of them, `Learner` asks learners what devices need,
`Rule` asks the same of a learner whose layers learn by a rule, and more of the rule itself, `Link`
asks links what networks need. Each test is a law; a breach says which.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from typing_extensions import override

from simedge.core.streams import Streams
from simedge.learning.layered.learner import open_layered
from simedge.learning.layered_settings import LayeredSettings, LocalLossSettings
from simedge.learning.own import OwnLearner
from simedge.learning.own_rule import LayerSeen, OwnRule
from simedge.learning.own_state import arrays_in
from simedge.learning.ports import Counts, DeviceLearner, Learned
from simedge.learning.stage import camera_of
from simedge.sensors.frames import Frame
from simedge.sensors.poisson import PoissonSensor
from simedge.sensors.settings import PoissonSettings
from simedge.testing.stateful import ProtocolStateMachine
from simedge.world.datagrams import Datagram, Flight, Uid
from simedge.world.links import Link as PlainLink

if TYPE_CHECKING:
    from simedge.core.records import Due

__all__ = ["Learner", "Link", "Protocol", "Rule", "check_protocol"]

_NS_MAX = 10**9
_CHECKS = list(HealthCheck)
_CLASSES = 10


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

    def test_others_are_not_seen(self) -> None:
        """What a device learns is the same whoever learns beside it."""
        alone, beside, other = (self.open(name) for name in ("box-1", "box-1", "box-2"))
        frames = self._frames()
        for frame, different in zip(frames, reversed(frames), strict=True):
            _learned(other, different)
            assert _learned(alone, frame) == _learned(beside, frame)
        lone = self.open("box-1")
        told = [_learned(lone, frame) for frame in frames]
        again = self.open("box-1")
        for frame, said in zip(frames, told, strict=True):
            _learned(other, frame)
            assert _learned(again, frame) == said, "it reads what is not its own"

    def test_silence_teaches_nothing(self) -> None:
        """A frame without events changes nothing and costs nothing."""
        learner, frame = self.open("box-1"), self._frames()[0]
        _learned(learner, frame)
        before = learner.digest()
        none = {name: getattr(frame, name)[:0] for name in ("x", "y", "t_us", "p")}
        work = learner.learn(replace(frame, **none))
        operations = work.advance(None)
        work.commit()
        assert learner.digest() == before, "it learned from nothing"
        assert (operations.sum(), work.counts) == (0, Counts()), "nothing was done, and counted"

    def test_counters_are_true(self) -> None:
        """Who learns has work and writes; of an `OwnLearner`, a write for each number changed."""
        learner = self.open("box-1")
        for frame in self._frames():
            before, state = learner.digest(), learner.dump()
            work = learner.learn(frame)
            work.advance(None)
            work.commit()
            counts, changed = work.counts, int(learner.digest() != before)
            assert counts.macs >= sum(work.macs.values()), "work on the processor is work"
            if isinstance(learner, OwnLearner):
                changed = _changed(state["learned"], learner.dump()["learned"])
            assert counts.weight_writes >= changed, "more is changed than is counted"
            assert counts.macs + counts.plasticity_updates >= changed, "no change without work"

    def _frames(self) -> list[Frame]:
        sensor = PoissonSensor(PoissonSettings(kind="poisson", size=self.size), 1)
        return sensor.frames("box-1", 0, 8)


class Rule(Learner):
    """What a spiking learner needs of the rule of its layers; `rule` makes that of one layer."""

    hidden: ClassVar[tuple[int, ...]] = (12, 8)
    """Neurons of the layers that it is tried on."""

    def rule(self, **given: Any) -> OwnRule:  # noqa: ANN401 -- what every rule is given
        """Return a rule, always in the same state: `MyRule(**given)`."""
        raise NotImplementedError(f"{type(self).__name__} makes no rule of {sorted(given)}")

    @override
    def open(self, device: str) -> DeviceLearner:
        """Return the learner of a device whose layers learn by the rule."""
        return self._open(device, self.rule)

    def test_a_rule_reads_what_it_is_handed(self) -> None:
        """Alone in the world, and handed the same, it does the same: it read nothing else."""
        for layer, seen in self._handed().items():
            rule = self._alone(layer)
            for one, change in seen:
                taught = rule.taught(_afresh(one))
                assert np.array_equal(taught.change, change), "it reads what is not handed to it"
                rule.remember(taught.memory)

    def test_a_synapse_in_silence_stays(self) -> None:
        """Where neither line nor neuron was active, no weight changes."""
        for layer, seen in self._handed().items():
            assert seen, f"layer {layer} was asked nothing"
            for one, change in seen:
                still = change[np.ix_(one.fired == 0, one.heard == 0)]
                assert not still.any(), "a synapse changes in silence"

    def test_a_rule_counts_its_work(self) -> None:
        """Every weight that changes takes a multiply-accumulate or more."""
        for layer, seen in self._handed().items():
            rule = self._alone(layer)
            for one, change in seen:
                told = rule.macs(_afresh(one), change)
                assert told >= np.count_nonzero(change), f"more changes than {told} operations can"

    def _alone(self, layer: int) -> OwnRule:
        lines = (2 * self.size**2, *self.hidden)[layer - 1]
        given = {"lines": lines, "neurons": self.hidden[layer - 1], "layer": layer}
        return self.rule(classes=_CLASSES, streams=Streams(1), device="box-1", **given)

    def _handed(self) -> dict[int, list[tuple[LayerSeen, Any]]]:
        """Let a learner learn beside another; return what its rules were handed, and did."""
        told: dict[int, list[tuple[LayerSeen, Any]]] = {n + 1: [] for n in range(len(self.hidden))}

        def listened(**given: Any) -> OwnRule:  # noqa: ANN401
            return _listened(self.rule(**given), told[given["layer"]])

        learner, other = self._open("box-1", listened), self._open("box-2", self.rule)
        for frame in self._frames():
            _learned(learner, frame)
            _learned(other, frame)
        for layer, seen in told.items():
            rule, (last, _) = self._alone(layer), seen[-1]
            for one, _ in seen:
                rule.remember(rule.taught(_afresh(one)).memory)
            half = _half_silent(last)
            seen.append((half, rule.taught(_afresh(half)).change))
        return told

    def _open(self, device: str, rule: Any) -> DeviceLearner:  # noqa: ANN401 -- makes rules
        settings = LayeredSettings(hidden=self.hidden, rule=LocalLossSettings(kind="lls"))
        camera = camera_of(settings.tick, width=self.size, height=self.size, span_ns=10**8)
        sight, streams = (_CLASSES, camera), Streams(1)
        return open_layered(settings, sight, streams=streams, device=device, pools={}, rule=rule)


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


def _listened(rule: OwnRule, told: list[tuple[LayerSeen, Any]]) -> OwnRule:
    """Make a rule tell what it is handed, and what it does."""

    class Listened(type(rule)):  # type: ignore[misc]
        def change(self, seen: LayerSeen) -> Any:  # noqa: ANN401
            assert seen.weights.shape == seen.sizes  # as they are now
            change = np.array(super().change(seen), float)
            told.append((_afresh(seen), change))
            return change

    rule.__class__ = Listened
    return rule


def _afresh(seen: LayerSeen) -> LayerSeen:
    """Return the same without what anyone has left in it."""
    return replace(seen, held=seen.weights.copy)


def _half_silent(seen: LayerSeen) -> LayerSeen:
    """Return the same with every second line and every second neuron silent."""
    pre, post = seen.pre_lines % 2 == 0, seen.post_neurons % 2 == 0
    weights = seen.weights
    return replace(
        seen,
        pre_ticks=seen.pre_ticks[pre],
        pre_lines=seen.pre_lines[pre],
        post_ticks=seen.post_ticks[post],
        post_neurons=seen.post_neurons[post],
        held=weights.copy,
    )


def _changed(before: Any, after: Any) -> int:  # noqa: ANN401 -- whatever a learner knows
    """Return how many numbers differ; of what is new or gone, all."""
    pairs = list(zip_longest(arrays_in(before), arrays_in(after), fillvalue=np.zeros(0)))
    alike = [(one, other) for one, other in pairs if one.shape == other.shape]
    moved = sum(abs(one.size - other.size) for one, other in pairs if one.shape != other.shape)
    return moved + sum(int(np.count_nonzero(one != other)) for one, other in alike)


def _learned(learner: DeviceLearner, frame: Frame) -> Learned:
    learned = _done(learner.learn(frame))
    assert isinstance(learned, Learned)
    return learned


def _done(work: Any) -> Any:  # noqa: ANN401 -- any job, and whatever it gives
    work.advance(None)
    return work.commit()
