"""The jobs of a learner: computed on working copies, taken over at commit."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerError
from simedge.learning.ports import Counts, FrameLike, Learned
from simedge.learning.presentation import Part, Stage, advance, conclude
from simedge.learning.readout import Readout, loss_of
from simedge.learning.rules.delta import softmax_in_place
from simedge.learning.stage import Blueprint, rule_law
from simedge.learning.volleys import volleys_of
from simedge.neurons.circuit import forget, layers_of
from simedge.neurons.layout import COUNTERS, Now

__all__ = ["KlStep", "Presentation", "SetLambda", "Workshop"]

_NONE = np.empty(0, np.int64)
_PIECE_BYTES = 2000
_LATEST = 2**30
"""The scratch clock starts again before its 32-bit stamps could overflow."""


class Workshop:
    """What the jobs of one learner share, and the one place where they leave their effect."""

    def __init__(self, plan: Blueprint, stage: Stage, readout: Readout) -> None:
        self.plan, self.stage, self.readout = plan, stage, readout
        self.shares = plan.shares
        self.layers = layers_of(stage.circuit)
        self.clock = 0
        """Device ticks of all presentations learned: the clock of the thresholds."""
        room = readout.weights.shape[0]
        self.seen = (
            np.zeros(room, np.float32),
            np.zeros(room, np.float32),
            np.zeros(readout.weights.shape[1], np.float32),
        )
        """Levels, features and scores of the presentation under way."""
        self._scratch = 0
        self._open: object = None

    def begin(self, job: object) -> Now:
        """Start a job: one at a time, on neuron state that has forgotten all before."""
        if self._open is not None:
            raise LearnerError("a job is under way: commit or discard it first")
        self._open = job
        self._scratch += self.plan.rest_ticks
        if self._scratch > _LATEST:
            forget(self.stage.circuit)
            self._scratch = 0
        return Now(self._scratch, self._scratch, self.clock, 0)

    def end(self, job: object) -> None:
        """Close a job; it can have no further effect."""
        if self._open is not job:
            raise LearnerError("this job is over")
        self._open = None

    def install(self, stage: Stage) -> None:
        """Take over weights and thresholds that a presentation has learned."""
        mine, new = self.stage.circuit, stage.circuit
        mine = mine._replace(held=new.held, held_tick=new.held_tick)
        self.stage = self.stage._replace(circuit=mine)
        self.clock += self.plan.camera.ticks

    def dump(self) -> dict[str, Any]:
        """Return weights, thresholds, λ and kept features; copies."""
        circuit, readout = self.stage.circuit, self.readout
        return {
            "held": circuit.held.copy(),
            "held_tick": circuit.held_tick.copy(),
            "clock": self.clock,
            "shares": self.shares,
            "readout": readout.weights[:, : readout.classes].copy(),
            "mean": readout.mean.copy(),
            "learned": readout.learned,
            "kept": _copied(readout.kept),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump; the inverse of `dump`. A job under way is forgotten."""
        before = self.dump()
        for name in ("held", "held_tick", "readout", "mean"):
            if np.shape(state[name]) != before[name].shape:
                raise LearnerError(f"a dump of another learner: {name} has another shape")
        law = rule_law(self.plan, state["shares"])
        arrays = {name: np.array(state[name]) for name in ("held", "held_tick")}
        self.stage = self.stage._replace(
            circuit=self.stage.circuit._replace(**arrays),
            rule=law,
        )
        self.clock, self.shares, self._open = state["clock"], tuple(state["shares"]), None
        self.readout.weights[:, : self.readout.classes] = state["readout"]
        self.readout.mean[:] = state["mean"]
        self.readout.learned = state["learned"]
        self.readout.kept = _copied(state["kept"])


def _copied(
    kept: Mapping[int, Mapping[int, NDArray[np.float32]]],
) -> dict[int, dict[int, NDArray[np.float32]]]:
    return {
        address: {row: np.array(raw) for row, raw in rows.items()} for address, rows in kept.items()
    }


class Presentation:
    """One frame: learned, or forwarded on scratch state with thresholds frozen."""

    __slots__ = (
        "_counters", "_done", "_error", "_kept_as", "_lines", "_now", "_shop", "_stage", "_value",
        "volleys",
    )  # fmt: skip

    def __init__(
        self, shop: Workshop, frame: FrameLike, *, kept_as: tuple[int, int] | None
    ) -> None:
        self._shop, self._kept_as = shop, kept_as
        self._lines = volleys_of(frame, shop.plan.camera)
        self.volleys = self._lines.tick.size if shop.plan.columns else 0
        self._now = shop.begin(self)
        self._done = 0
        self._counters: NDArray[np.int32] | None = None
        self._value: Learned | NDArray[np.float32]
        self._error: NDArray[np.float32]
        circuit = shop.stage.circuit
        if kept_as is None and shop.plan.plastic:
            self._now = self._now._replace(learn=1)
            circuit = circuit._replace(held=circuit.held.copy(), held_tick=circuit.held_tick.copy())
        self._stage = shop.stage._replace(
            circuit=circuit,
            line=self._lines.line,
            tick=self._lines.tick,
            start=self._lines.start,
        )

    def advance(self, count: int | None = None) -> NDArray[np.int64]:
        """Run the next `count` volleys (None: all left); return the operations of each."""
        total = self._lines.tick.size
        left = total - self._done
        if count is None or count > left or not self.volleys:
            count = left
        operations = np.zeros(count, np.int64)
        if self._counters is None:
            first, stop = self._done, self._done + count
            advance(self._stage, Part(0, first, stop, total, 0), self._now, operations)
            self._done = stop
            if self._done == total:
                self._conclude()
        return operations if self.volleys else _NONE

    def _conclude(self) -> None:
        """Work out the value here, where other threads may run: little is left for the commit."""
        shop, readout = self._shop, self._shop.readout
        conclude(self._stage, self._now.learn, (readout.weights, readout.mean), shop.seen)
        self._counters = self._stage.circuit.ints[: len(COUNTERS)].copy()
        own, label = shop.seen[2].copy(), self._lines.label
        softmax_in_place(own, readout.classes)
        if self._kept_as is not None:
            self._value = own[: readout.classes]
            return
        self._error = readout.error(own, label)
        self._value = Learned(
            loss=loss_of(own, label),
            correct=int(own.argmax()) == label,
            spikes=int(self._counters[COUNTERS.index("spikes")]),
            spike_digest=self._spike_digest(),
            weight_digest=self._weight_digest(),
        )

    @property
    def counts(self) -> Counts:
        """What the job has done so far."""
        counters = self._counters
        if counters is None:
            if not self._done:
                return Counts()
            counters = self._stage.circuit.ints[: len(COUNTERS)]
        counts = dict(zip(COUNTERS, counters.tolist(), strict=True))
        dense = self.macs["dense"]
        counts["macs"] += dense
        if self._kept_as is None:
            counts["weight_writes"] += dense // 2
        return Counts(**counts)

    @property
    def macs(self) -> dict[str, int]:
        """Multiply-accumulates of the readout: one pass to predict, another to learn."""
        if self._counters is None or not self._done:
            return {"dense": 0}
        readout = self._shop.readout
        passes = 2 if self._kept_as is None else 1
        return {"dense": passes * readout.weights.shape[0] * readout.classes}

    def commit(self) -> Learned | NDArray[np.float32]:
        """Finish; learn or keep the features now; return `Learned`, or the proxy row's softmax."""
        self.advance()
        shop = self._shop
        shop.end(self)
        raw, features, _ = shop.seen
        if self._kept_as is not None:
            shop.readout.keep(*self._kept_as, raw)
        else:
            shop.readout.learn(raw, features, self._error)
        if self._now.learn:
            shop.install(self._stage)
        return self._value

    def _spike_digest(self) -> bytes:
        ints, sha = self._stage.circuit.ints, hashlib.sha256()
        for layer in self._shop.layers:
            count = int(ints[layer.spikes])
            pairs = np.empty((count, 2), "<i4")
            pairs[:, 0] = ints[layer.spike_tick : layer.spike_tick + count]
            pairs[:, 1] = ints[layer.spike_neuron : layer.spike_neuron + count]
            _feed(sha, pairs)
        return sha.digest()

    def _weight_digest(self) -> bytes:
        sha = hashlib.sha256()
        if self._now.learn:
            new, old = self._stage.circuit.held, self._shop.stage.circuit.held
            changed = np.flatnonzero(new != old)
            _feed(sha, changed.astype("<i4"))
            _feed(sha, new[changed])
        _feed(sha, self._shop.seen[1])
        _feed(sha, self._error)
        return sha.digest()

    def discard(self) -> None:
        """Forget the presentation."""
        self._shop.end(self)


def _feed(sha: "hashlib._Hash", array: NDArray[Any]) -> None:
    """Hash an array in pieces: for longer ones hashlib lets go of the interpreter lock.

    To get it back from another thread takes far longer than to hash.
    """
    data = array.tobytes()
    for first in range(0, len(data), _PIECE_BYTES):
        sha.update(data[first : first + _PIECE_BYTES])


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


class KlStep(_Dense):
    """Steps of the readout towards a prior, on features that passes have kept."""

    __slots__ = ("_result", "_rows", "_step", "_steps", "_target")

    def __init__(
        self,
        shop: Workshop,
        address: int,
        rows: list[int],
        *,
        target: NDArray[np.float64],
        alpha: float,
        steps: int,
    ) -> None:
        kept = shop.readout.kept.get(address, {})
        self._rows = [kept[row] for row in rows]
        self._result: NDArray[np.float32] | None = None
        self._target, self._steps = target, steps
        self._step = shop.readout.kl_rate * alpha
        size = shop.readout.weights.shape[0] * shop.readout.classes
        super().__init__(shop, macs=2 * len(rows) * size * steps, writes=size * steps)

    def compute(self) -> None:
        """Work out what the readout becomes, once; it may be done on another core."""
        if self._rows and self._result is None:
            shop = self._shop
            self._result = shop.readout.stepped(
                shop.stage.binning,
                self._rows,
                target=self._target,
                step=self._step,
                steps=self._steps,
            )

    def commit(self) -> int:
        """Take the steps now; return the number of rows that took part."""
        self._shop.end(self)
        self.compute()
        if self._result is not None:
            self._shop.readout.weights[:] = self._result
        return len(self._rows)


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
        law = rule_law(self._shop.plan, self._shares)
        self._shop.stage = self._shop.stage._replace(rule=law)
