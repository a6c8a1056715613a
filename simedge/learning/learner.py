"""The learner of one device: circuit, rule and readout behind one port of jobs."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.core.streams import Streams
from simedge.learning.errors import LearnerError
from simedge.learning.jobs import KlStep, Presentation, SetLambda, Workshop
from simedge.learning.passes import PassRow, Yield, rows_of_pass
from simedge.learning.ports import Counts, FrameLike, Learned, Pull, Work
from simedge.learning.presentation import forward
from simedge.learning.readout import Readout, padded
from simedge.learning.settings import LinearSettings, SpikingSettings
from simedge.learning.stage import (
    blueprint_of,
    initial_weights,
    open_stage,
    rule_law,
    spare_stage,
)
from simedge.learning.volleys import volleys_of
from simedge.neurons.layout import COUNTERS, Now

__all__ = ["Counts", "Learned", "Learner", "PassRow", "Prepared", "Work", "open_learner"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Presentations as circuits see them, end to end, for `Learner.predict`."""

    labels: NDArray[np.int64]
    tick: NDArray[np.int32]
    start: NDArray[np.int32]
    line: NDArray[np.int32]
    bounds: NDArray[np.int64]
    """Volleys of presentation f are [bounds[f], bounds[f+1])."""


def open_learner(  # noqa: PLR0913 - one builder, all by name
    settings: SpikingSettings | LinearSettings,
    *,
    classes: int,
    width: int,
    height: int,
    streams: Streams,
    device: str,
    span_ns: int = 100_000_000,
) -> "Learner":
    """Build the learner of one device.

    Parameters
    ----------
    settings
        The `learner:` part of a scenario.
    classes, width, height
        Of the sensor.
    streams, device
        Initial weights are drawn under the name `learner`, the same at all devices, or under the
        device's own if `shared_start` is off.
    span_ns
        How long a presentation lasts; its time bins divide it.
    """
    if classes < 2:
        raise LearnerError(f"a learner needs at least 2 classes, got {classes}")
    plan = blueprint_of(settings, width=width, height=height, span_ns=span_ns)
    weights: list[NDArray[np.float32]] = []
    if isinstance(settings, SpikingSettings):
        name = "learner" if settings.shared_start else device
        weights = initial_weights(settings.layers, plan.columns, streams=streams, name=name)
    stage = open_stage(plan, weights)
    readout = Readout(
        classes=classes,
        weights=np.zeros((stage.binning.spikes.size, padded(classes)), np.float32),
        rate=settings.readout.rate,
        kl_rate=settings.readout.kl_rate,
        horizon=settings.readout.centring,
        mean=np.zeros(stage.binning.spikes.size, np.float32),
    )
    rule = settings.rule.kind if isinstance(settings, SpikingSettings) else "delta"
    return Learner(Workshop(plan, stage, readout), rule=rule)


class Learner:
    """One device's learner. Every job is a `Work`; nothing changes until it is committed."""

    def __init__(self, shop: Workshop, *, rule: str) -> None:
        self._shop = shop
        self.rule = rule
        """Name of the rule of the hidden layers."""

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self._shop.readout.classes

    @property
    def hidden_layers(self) -> int:
        """Number of hidden layers that learn: how many λ there are."""
        return len(self._shop.plan.shares)

    @property
    def shares(self) -> tuple[float, ...]:
        """λ of each hidden layer that learns."""
        return self._shop.shares

    @property
    def features(self) -> int:
        """Length of the readout's feature vector."""
        return int(self._shop.readout.weights.shape[0])

    def learn(self, frame: FrameLike) -> Work:
        """Predict the frame's class, then learn from it; value `Learned`."""
        if not 0 <= frame.label < self.classes:
            raise LearnerError(f"label {frame.label} of {self.classes} classes")
        return Presentation(self._shop, frame, kept_as=None)

    def proxy_row(self, frame: FrameLike, *, address: int, row: int) -> Work:
        """Forward one proxy item and keep its features; value: softmax, float32 (classes,)."""
        return Presentation(self._shop, frame, kept_as=(address, row))

    def kl_step(
        self, *, address: int, target: ArrayLike, mask: ArrayLike, alpha: float, steps: int = 1
    ) -> KlStep:
        """Pull the readout towards a prior on kept rows; value: how many rows took part.

        Parameters
        ----------
        target
            Prior of each row, (rows, classes).
        mask
            Which rows have a prior; rows that no pass has seen are left out too.
        alpha, steps
            Weight of the pull, and how many steps to take.
        """
        return self._pull_of(Pull(address, target, mask), alpha, steps).work()

    def kl_steps(self, parts: Sequence[Pull], *, alpha: float, steps: int = 1) -> "KlSteps":
        """Do as `kl_step` for one part after another, in one job; value: a tuple of its values."""
        return KlSteps(self._shop, [self._pull_of(part, alpha, steps) for part in parts])

    def _pull_of(self, part: Pull, alpha: float, steps: int) -> "_Pull":
        wanted = np.asarray(part.mask, np.bool_)
        prior = np.asarray(part.target, np.float64)
        if prior.shape != (wanted.size, self.classes):
            raise LearnerError(f"priors of shape {prior.shape} for {wanted.size} rows")
        if steps < 1 or alpha < 0:
            raise LearnerError(f"KL needs steps >= 1 and alpha >= 0, got {steps}, {alpha}")
        rows = self._shop.readout.rows_of(part.address, wanted)
        return _Pull(self._shop, part.address, rows, prior[rows], alpha, steps)

    def set_lambda(self, values: Sequence[float]) -> Work:
        """Set λ of the hidden layers for later volleys; value None."""
        shares = tuple(float(value) for value in values)
        if len(shares) != self.hidden_layers:
            raise LearnerError(f"{len(shares)} lambdas for {self.hidden_layers} hidden layers")
        rule_law(self._shop.plan, shares)
        return SetLambda(self._shop, shares)

    def prepare(self, frames: Sequence[FrameLike]) -> Prepared:
        """Gather frames into volleys once, for any number of predictions by equal learners."""
        parts = [volleys_of(frame, self._shop.plan.camera) for frame in frames]
        lines = np.cumsum([0, *(part.line.size for part in parts)])
        starts = [part.start[:-1] + lines[i] for i, part in enumerate(parts)]
        return Prepared(
            labels=np.array([part.label for part in parts], np.int64),
            tick=_joined([part.tick for part in parts]),
            start=_joined([*starts, lines[-1:]]),
            line=_joined([part.line for part in parts]),
            bounds=np.cumsum([0, *(part.tick.size for part in parts)]).astype(np.int64),
        )

    def predict(self, prepared: Prepared) -> NDArray[np.int64]:
        """Return the class of each presentation, ties to the lowest; changes and counts nothing."""
        given = self._forward(prepared, prepared.bounds, rows=1)
        return np.asarray(given.scores[:, : self.classes].argmax(axis=1), np.int64)

    def pass_rows(
        self, prepared: Prepared, *, address: int, first: int = 0, stop: int | None = None
    ) -> list[PassRow]:
        """Forward the proxy rows first .. stop - 1 at once; return the work of each.

        It is what `proxy_row` gives row by row, provided that nothing is learned before the last
        of them is committed.
        """
        bounds = prepared.bounds[first : None if stop is None else stop + 1]
        given = self._forward(prepared, bounds, rows=bounds.size - 1)
        return rows_of_pass(
            given,
            bounds - bounds[0],
            self._shop.readout,
            address=address,
            first=first,
            dense=not self._shop.plan.columns,
        )

    def _forward(self, prepared: Prepared, bounds: NDArray[np.int64], *, rows: int) -> Yield:
        """Forward presentations on neuron state of their own, and keep `rows` of their levels."""
        shop = self._shop
        weights, mean = shop.readout.weights, shop.readout.mean
        stage = spare_stage(shop.stage, shop.plan)._replace(
            line=prepared.line, tick=prepared.tick, start=prepared.start
        )
        given = Yield(
            scores=np.zeros((bounds.size - 1, weights.shape[1]), np.float32),
            raw=np.empty((rows, weights.shape[0]), np.float32),
            counters=np.empty((rows, len(COUNTERS)), np.int32),
            operations=np.empty(int(bounds[-1] - bounds[0]), np.int64),
        )
        out = (given.scores, given.raw, given.counters, given.operations)
        readout = (weights, mean, np.empty_like(mean))
        forward(stage, Now(0, 0, shop.clock, 0), bounds, readout, out)
        return given

    def memory(self, kept_rows: int | None = None) -> dict[str, int]:
        """Return the bytes that a device needs, by term, at 4 bytes a number.

        Parameters
        ----------
        kept_rows
            Plan for this many proxy rows with every feature in use; None: those kept now.
        """
        plan, readout = self._shop.plan, self._shop.readout
        neurons = sum(layer.shape.neurons for layer in plan.columns)
        inputs = sum(layer.shape.inputs for layer in plan.columns)
        weights = sum(layer.shape.taps * layer.shape.maps for layer in plan.columns)
        weights += self.features * self.classes
        return {
            "parameters": 4 * weights,
            "state": 4 * 3 * neurons + 4 * self.features,
            "traces": 4 * 2 * (inputs + neurons) if plan.plastic else 0,
            "features": readout.kept_bytes if kept_rows is None else 4 * kept_rows * self.features,
        }

    def dump(self) -> dict[str, Any]:
        """Return all that the learner knows, as plain arrays and numbers; copies."""
        return self._shop.dump()

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump of an equal learner."""
        self._shop.load(state)

    def digest(self) -> bytes:
        """Return the SHA-256 of all weights, thresholds and λ."""
        state = self._shop.dump()
        sha = hashlib.sha256(repr((state["clock"], state["shares"])).encode())
        for name in ("held", "held_tick", "readout", "mean"):
            sha.update(np.ascontiguousarray(state[name]).tobytes())
        return sha.digest()


class _Pull(NamedTuple):
    """Steps towards the priors of one address, not begun yet."""

    shop: Workshop
    address: int
    rows: list[int]
    target: NDArray[np.float64]
    alpha: float
    steps: int

    def work(self) -> KlStep:
        """Begin them."""
        _, address, rows, target, alpha, steps = self
        return KlStep(self.shop, address, rows, target=target, alpha=alpha, steps=steps)


class KlSteps:
    """Steps towards the priors of several addresses, one after another."""

    __slots__ = ("_pulls", "_shop", "counts", "macs")

    volleys = 0

    def __init__(self, shop: Workshop, pulls: Sequence[_Pull]) -> None:
        self._shop, self._pulls = shop, pulls
        size = shop.readout.weights.shape[0] * shop.readout.classes
        macs = sum(2 * len(pull.rows) * size * pull.steps for pull in pulls)
        self.macs = {"dense": macs}
        self.counts = Counts(macs=macs, weight_writes=sum(size * pull.steps for pull in pulls))
        shop.begin(self)

    def advance(self, count: int | None = None) -> NDArray[np.int64]:  # noqa: ARG002 - the port's
        """Return no operations."""
        return np.empty(0, np.int64)

    def compute(self) -> None:
        """Compute nothing ahead: all is done at the commit."""

    def commit(self) -> tuple[int, ...]:
        """Take the steps now; return how many rows took part in each part."""
        self._shop.end(self)
        return tuple([pull.work().commit() for pull in self._pulls])

    def discard(self) -> None:
        """Forget the job."""
        self._shop.end(self)


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[np.int32]:
    return np.concatenate([np.empty(0, np.int32), *parts]).astype(np.int32)
