"""What the jobs of a learner share, and its dense jobs: steps to a prior, new λ."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simedge.learning.continual.keeper import Keeper
from simedge.learning.errors import LearnerError
from simedge.learning.pool import Pool
from simedge.learning.ports import Counts
from simedge.learning.readout import Readout
from simedge.learning.stage import Blueprint, Room, rule_law
from simedge.learning.terms import Terms
from simedge.neurons.kinds import Reals

__all__ = ["Act", "KlSteps", "SetLambda", "Workshop"]

_NONE = np.empty(0, np.int64)


class Workshop:
    """What the jobs of one learner share, and the one place where they leave their effect."""

    def __init__(
        self,
        plan: Blueprint,
        pool: Pool,
        readout: Readout,
        *,
        place: int,
        keeper: Keeper | None = None,
    ) -> None:
        self.plan, self.pool, self.readout, self.place = plan, pool, readout, place
        self.stage = pool.stage
        self.held, self.held_tick = pool.held[place], pool.held_tick[place]
        """Weights and thresholds, see `Circuit`."""
        self.shares: tuple[float, ...] = ()
        """λ of each hidden layer."""
        self.set_law(plan.shares)
        self.clock = 0
        """Device ticks of all presentations learned: the clock of the thresholds."""
        self.terms = Terms(readout.classes)
        """What machines have added to learning, and what it remembers for them."""
        self.keeper = keeper
        """What protects earlier tasks, if anything does."""
        self.own_room: Room | None = None
        """For presentations that run volley by volley."""
        self._open: object = None

    def set_law(self, shares: Sequence[float]) -> None:
        """Let these λ act from now on."""
        self.pool.law[self.place] = rule_law(self.plan, shares)
        self.shares = tuple(shares)

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

    def teach(self, seen: tuple[Reals, Reals], own: Reals, label: int) -> None:
        """Let the readout learn a frame: `seen` is (levels, features), `own` the softmax.

        Label, prior and anchor pull from where the weights are before it.
        """
        readout, terms, keeper = self.readout, self.terms, self.keeper
        terms.note(label, own)
        held, prior = terms.held, terms.prior
        kept = held.anchor is not None or keeper is not None
        before = readout.weights.copy() if kept else None
        if prior is not None and prior.mask[label]:
            law = prior.target[label : label + 1], readout.kl_rate * prior.alpha, prior.steps
            readout.step(readout.weights, self.stage.binning, seen[0][None].copy(), prior=law)
        readout.learn(seen, own, label)
        held.apply(readout.weights, None if held.anchor is None else before, readout.rate)
        if keeper is not None:
            assert before is not None
            self.settle(before)
            keeper.note(seen[1])
            readout.settled = keeper.settled

    def settle(self, before: Reals) -> None:
        """Take back of what the readout has changed since what earlier tasks do not allow."""
        weights = self.readout.weights
        weights[:] = self.allowed(before, weights)
        self.terms.held.apply(weights, None, 0.0)

    def allowed(self, before: Reals, after: Reals) -> Reals:
        """Return weights after a change, as far as earlier tasks allow it."""
        return after if self.keeper is None else self.keeper.changed(before, after)

    @property
    def kept_macs(self) -> int:
        """Work of one `allowed`."""
        return 0 if self.keeper is None else self.keeper.macs(self.readout.classes)

    def dump(self) -> dict[str, Any]:
        """Return weights, thresholds, λ and kept features; copies."""
        arrays = {name: array.copy() for name, array in self._arrays().items()}
        keeper = {} if self.keeper is None else {"keeper": self.keeper.dump()}
        return {
            **arrays,
            **keeper,
            "clock": self.clock,
            "shares": self.shares,
            "learned": self.readout.learned,
            "kept": self.readout.kept.dump(),
            "terms": self.terms.dump(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump; the inverse of `dump`. A job under way is forgotten."""
        arrays = self._arrays()
        for name, array in arrays.items():
            if np.shape(state[name]) != array.shape:
                raise LearnerError(f"a dump of another learner: {name} has another shape")
        self.set_law(state["shares"])
        for name, array in arrays.items():
            array[:] = state[name]
        self.clock, self._open = state["clock"], None
        self.readout.learned = state["learned"]
        self.readout.kept.load(state["kept"])
        self.terms.load(state["terms"])
        if self.keeper is not None:
            self.keeper.load(state["keeper"])
            self.readout.settled = self.keeper.settled

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "held": self.held,
            "held_tick": self.held_tick,
            "readout": self.readout.weights,
            "mean": self.readout.mean,
        }


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
        taking = sum(1 for _, rows, _ in parts if len(rows))
        writes = size * steps * taking
        macs = 2 * rows * size * steps + taking * shop.kept_macs
        super().__init__(shop, macs=macs, writes=writes)

    def compute(self) -> None:
        """Work out what the readout becomes, once; it may be done on another core."""
        if self._result is not None:
            return
        readout = self._shop.readout
        self._result = readout.weights.copy()
        for address, rows, prior in self._parts:
            if len(rows):
                raws = readout.kept.levels(address, rows)
                law, before = (prior, self._step, self._steps), self._result.copy()
                readout.step(self._result, self._shop.stage.binning, raws, prior=law)
                self._result = self._shop.allowed(before, self._result)

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
        self._shop.set_law(self._shares)


class Act(_Dense):
    """Something that happens when it is committed."""

    __slots__ = ("_act",)

    def __init__(
        self, shop: Workshop, act: Callable[[], object], *, macs: int = 0, writes: int = 0
    ) -> None:
        self._act = act
        super().__init__(shop, macs=macs, writes=writes)

    def commit(self) -> object:
        """Do it now; return the value."""
        self._shop.end(self)
        return self._act()
