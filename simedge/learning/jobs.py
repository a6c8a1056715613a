"""The jobs of a learner: computed on working copies, taken over at commit."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerError
from simedge.learning.ports import Counts, FrameLike, Learned
from simedge.learning.presentation import present
from simedge.learning.readout import Readout, loss_of
from simedge.learning.stage import Blueprint, Room, Stage, common_room, rule_law
from simedge.learning.volleys import volleys_of
from simedge.neurons.layout import COUNTERS

__all__ = ["KlSteps", "Presentation", "SetLambda", "Workshop"]

_NONE = np.empty(0, np.int64)
_OF_A_ROW = Learned(loss=0.0, correct=False, spikes=0, spike_digest=b"", weight_digest=b"")


class Workshop:
    """What the jobs of one learner share, and the one place where they leave their effect."""

    def __init__(
        self,
        plan: Blueprint,
        stage: Stage,
        *,
        held: NDArray[np.float32],
        held_tick: NDArray[np.int64],
        readout: Readout,
    ) -> None:
        self.plan, self.stage, self.readout = plan, stage, readout
        self.held, self.held_tick = held, held_tick
        """Weights and thresholds, see `Circuit`."""
        self.shares = plan.shares
        self.law = rule_law(plan, plan.shares)
        self.clock = 0
        """Device ticks of all presentations learned: the clock of the thresholds."""
        self.own_room: Room | None = None
        """For presentations that run volley by volley."""
        self._open: object = None
        shape = stage.binning
        self.fixed = (shape.slot, shape.rows, shape.gain, shape.modes)

    def begin(self, job: object) -> None:
        """Start a job: one at a time."""
        if self._open is not None:
            raise LearnerError("a job is under way: commit or discard it first")
        self._open = job

    def end(self, job: object) -> None:
        """Close a job; it can have no further effect."""
        if self._open is not job:
            raise LearnerError("this job is over")
        self._open = None

    def dump(self) -> dict[str, Any]:
        """Return weights, thresholds, λ and kept features; copies."""
        readout = self.readout
        return {
            "held": self.held.copy(),
            "held_tick": self.held_tick.copy(),
            "clock": self.clock,
            "shares": self.shares,
            "readout": readout.weights.copy(),
            "mean": readout.mean.copy(),
            "learned": readout.learned,
            "kept": readout.kept.dump(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump; the inverse of `dump`. A job under way is forgotten."""
        readout = self.readout
        shapes = {
            "held": self.held.shape,
            "held_tick": self.held_tick.shape,
            "readout": readout.weights.shape,
            "mean": readout.mean.shape,
        }
        for name, shape in shapes.items():
            if np.shape(state[name]) != shape:
                raise LearnerError(f"a dump of another learner: {name} has another shape")
        self.law = rule_law(self.plan, state["shares"])
        self.held, self.held_tick = np.array(state["held"]), np.array(state["held_tick"])
        self.clock, self.shares, self._open = state["clock"], tuple(state["shares"]), None
        readout.weights[:], readout.mean[:] = state["readout"], state["mean"]
        readout.learned = state["learned"]
        readout.kept.load(state["kept"])


class Presentation:
    """One frame: learned, or forwarded on scratch state with thresholds frozen."""

    __slots__ = (
        "_begin", "_chances", "_clock", "_counters", "_done", "_features", "_held", "_held_tick",
        "_kept_as", "_learns", "_lines", "_raw", "_shop", "_value", "room", "volleys",
    )  # fmt: skip

    def __init__(
        self, shop: Workshop, frame: FrameLike, *, kept_as: tuple[int, int] | None
    ) -> None:
        self._shop, self._kept_as = shop, kept_as
        self._lines = volleys_of(frame, shop.plan.camera)
        self.volleys = self._lines.tick.size if shop.plan.columns else 0
        shop.begin(self)
        self._done, self._clock = 0, shop.clock
        self._value: Learned | None = None
        self._counters = np.zeros((1, len(COUNTERS)), np.int32)
        self._raw = np.empty((1, shop.stage.features), np.float32)
        self._features = np.empty(shop.stage.features, np.float32)
        self._chances = np.empty((1, shop.readout.classes), np.float32)
        self._learns = kept_as is None and shop.plan.plastic
        self._held, self._held_tick = shop.held, shop.held_tick
        if self._learns:
            self._held, self._held_tick = shop.held.copy(), shop.held_tick.copy()
        self.room: Room | None = None
        """Where it runs, once it does."""

    def advance(self, count: int | None = None) -> NDArray[np.int64]:
        """Run the next `count` volleys (None: all left); return the operations of each."""
        total = self._lines.tick.size
        left = total - self._done
        if count is None or count > left or not self.volleys:
            count = left
        operations = np.zeros(count, np.int64)
        if self._value is None:
            self._run(self._done + count, operations)
            self._done += count
            if self._done == total:
                self._conclude()
        return operations if self.volleys else _NONE

    def _enter(self, *, whole: bool) -> Room:
        """Find a room: the common one if nobody can come between, else the learner's own."""
        shop = self._shop
        if not whole and shop.own_room is None:
            shop.own_room = Room(shop.stage)
        self.room = common_room(shop.stage) if whole or shop.own_room is None else shop.own_room
        self._begin = self.room.scratch.begin(shop.plan.rest_ticks)
        return self.room

    def _run(self, stop: int, operations: NDArray[np.int64]) -> None:
        shop, lines, total = self._shop, self._lines, self._lines.tick.size
        room = self.room or self._enter(whole=stop == total)
        wiring, scratch = shop.stage.wiring, room.scratch
        present(
            self._held, self._held_tick, scratch.real, scratch.ints, wiring.plan, wiring.table,
            shop.law, shop.stage.scaling, *shop.fixed, room.spikes,
            shop.readout.weights, shop.readout.mean, lines.line, lines.tick, lines.start,
            np.array((0, total)), self._done, stop, self._begin, self._clock, int(self._learns),
            self._features, self._raw, self._chances, self._counters, operations,
        )  # fmt: skip

    def _conclude(self) -> None:
        """Work out the value; little is left for the commit."""
        if self._kept_as is not None:
            self._value = _OF_A_ROW
            return
        chances, label = self._chances[0].tolist(), self._lines.label
        self._value = Learned(
            loss=loss_of(chances[label]),
            correct=chances.index(max(chances)) == label,
            spikes=int(self._counters[0, 1]),
            spike_digest=self._spike_digest(),
            weight_digest=self._weight_digest(),
        )

    @property
    def counts(self) -> Counts:
        """What the job has done so far."""
        if not self._done:
            return Counts()
        if self._value is None:
            assert self.room is not None
            return Counts(*self.room.scratch.ints[: len(COUNTERS)].tolist())
        volleys, spikes, events, updates, touches, changes, macs, writes = self._counters[
            0
        ].tolist()
        dense = self._shop.readout.weights.size
        passes = 2 if self._kept_as is None else 1
        return Counts(
            volleys, spikes, events, updates, touches, changes,
            macs + passes * dense, writes + (passes - 1) * dense,
        )  # fmt: skip

    @property
    def macs(self) -> dict[str, int]:
        """Multiply-accumulates of the readout: one pass to predict, another to learn."""
        if self._value is None or not self._done:
            return {"dense": 0}
        passes = 2 if self._kept_as is None else 1
        return {"dense": passes * self._shop.readout.weights.size}

    def commit(self) -> Learned | NDArray[np.float32]:
        """Finish; learn or keep the features now; return `Learned`, or the proxy row's softmax."""
        self.advance()
        shop, value = self._shop, self._value
        shop.end(self)
        assert value is not None
        if self._kept_as is not None:
            shop.readout.kept.keep(*self._kept_as, self._raw)
            return np.asarray(self._chances[0], np.float32)
        seen = self._raw[0], self._features
        shop.readout.learn(seen, self._chances[0], self._lines.label)
        if self._learns:
            shop.held, shop.held_tick = self._held, self._held_tick
            shop.clock += shop.plan.camera.ticks
        return value

    def _spike_digest(self) -> bytes:
        assert self.room is not None
        ints, sha = self.room.scratch.ints, hashlib.sha256()
        for layer in self._shop.stage.wiring.layers:
            count = ints[layer.spikes]
            sha.update(ints[layer.spike_tick : layer.spike_tick + count].data)
            sha.update(ints[layer.spike_neuron : layer.spike_neuron + count].data)
        return sha.digest()

    def _weight_digest(self) -> bytes:
        sha = hashlib.sha256(self._held.data if self._learns else b"")
        sha.update(self._features.data)
        sha.update(self._chances.data)
        return sha.digest()

    def discard(self) -> None:
        """Forget the presentation."""
        self._shop.end(self)


class _Dense:
    """A job without volleys: nothing to advance."""

    __slots__ = ("_macs", "_shop", "_writes")

    volleys = 0

    def __init__(self, shop: Workshop, *, macs: int = 0, writes: int = 0) -> None:
        self._shop, self._macs, self._writes = shop, macs, writes
        shop.begin(self)

    def advance(self, count: int | None = None) -> NDArray[np.int64]:  # noqa: ARG002 - the port's
        """Return no operations."""
        return _NONE

    @property
    def macs(self) -> dict[str, int]:
        """Dense multiply-accumulates."""
        return {"dense": self._macs}

    @property
    def counts(self) -> Counts:
        """What the job does."""
        return Counts(macs=self._macs, weight_writes=self._writes)

    def discard(self) -> None:
        """Forget the job."""
        self._shop.end(self)


class KlSteps(_Dense):
    """Steps of the readout towards priors, on features that passes have kept.

    Parameters
    ----------
    parts
        (address, rows, their priors), worked off in turn.
    step, steps
        Rate times α, and how many steps to take on each.
    """

    __slots__ = ("_parts", "_result", "_step", "_steps", "_whole")

    def __init__(
        self,
        shop: Workshop,
        parts: Sequence[tuple[int, NDArray[np.int64], NDArray[np.float64]]],
        *,
        step: float,
        steps: int,
        whole: bool,
    ) -> None:
        self._parts, self._step, self._steps, self._whole = parts, step, steps, whole
        self._result: NDArray[np.float32] | None = None
        size, rows = shop.readout.weights.size, sum(len(rows) for _, rows, _ in parts)
        writes = size * steps * sum(1 for _, rows, _ in parts if len(rows))
        super().__init__(shop, macs=2 * rows * size * steps, writes=writes)

    def compute(self) -> None:
        """Work out what the readout becomes, once; it may be done on another core."""
        if self._result is not None:
            return
        readout = self._shop.readout
        self._result = readout.weights.copy()
        for address, rows, prior in self._parts:
            if len(rows):
                raws = readout.kept.levels(address, rows)
                law = prior, self._step, self._steps
                readout.step(self._result, self._shop.stage.binning, raws, law)

    def commit(self) -> int | tuple[int, ...]:
        """Take the steps now; return the number of rows that took part, in each part."""
        self._shop.end(self)
        self.compute()
        assert self._result is not None
        self._shop.readout.weights[:] = self._result
        took = tuple(len(rows) for _, rows, _ in self._parts)
        return took if self._whole else took[0]


class SetLambda(_Dense):
    """New λ for the hidden layers."""

    __slots__ = ("_shares",)

    def __init__(self, shop: Workshop, shares: tuple[float, ...]) -> None:
        self._shares = shares
        super().__init__(shop)

    def commit(self) -> None:
        """Let the new λ act on later volleys."""
        self._shop.end(self)
        self._shop.shares = self._shares
        self._shop.law = rule_law(self._shop.plan, self._shares)
