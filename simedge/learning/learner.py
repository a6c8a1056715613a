"""The learner of one device: circuit, rule and readout behind one port of jobs."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.core.streams import Streams
from simedge.learning.errors import LearnerError
from simedge.learning.jobs import KlSteps, Presentation, SetLambda, Workshop
from simedge.learning.passes import PassRow, Yield, rows_of_pass
from simedge.learning.ports import Counts, FrameLike, Learned, Pull, Work
from simedge.learning.presentation import present
from simedge.learning.readout import Readout
from simedge.learning.settings import LinearSettings, SpikingSettings
from simedge.learning.stage import (
    blueprint_of,
    common_room,
    initial_weights,
    open_stage,
    rule_law,
)
from simedge.learning.volleys import volleys_of
from simedge.neurons.layout import COUNTERS

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
    stage = open_stage(plan)
    held, held_tick = stage.start(weights)
    readout = Readout(
        classes=classes,
        weights=np.zeros((classes, stage.features), np.float32),
        rate=settings.readout.rate,
        kl_rate=settings.readout.kl_rate,
        horizon=settings.readout.centring,
        mean=np.zeros(stage.features, np.float32),
    )
    rule = settings.rule.kind if isinstance(settings, SpikingSettings) else "delta"
    shop = Workshop(plan, stage, held=held, held_tick=held_tick, readout=readout)
    return Learner(shop, rule=rule)


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
        return self._shop.stage.features

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
    ) -> KlSteps:
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
        return self._kl_steps([Pull(address, target, mask)], alpha=alpha, steps=steps, whole=False)

    def kl_steps(self, parts: Sequence[Pull], *, alpha: float, steps: int = 1) -> KlSteps:
        """Do `kl_step` on one address after the other; value: how many rows took part in each."""
        return self._kl_steps(parts, alpha=alpha, steps=steps, whole=True)

    def _kl_steps(self, parts: Sequence[Pull], *, alpha: float, steps: int, whole: bool) -> KlSteps:
        if steps < 1 or alpha < 0:
            raise LearnerError(f"KL needs steps >= 1 and alpha >= 0, got {steps}, {alpha}")
        readout, checked = self._shop.readout, []
        for address, target, mask in parts:
            wanted, prior = np.asarray(mask, np.bool_), np.asarray(target, np.float64)
            if prior.shape != (wanted.size, self.classes):
                raise LearnerError(f"priors of shape {prior.shape} for {wanted.size} rows")
            rows = readout.kept.rows(address, wanted)
            checked.append((address, rows, prior[rows]))
        step = readout.kl_rate * alpha
        return KlSteps(self._shop, checked, step=step, steps=steps, whole=whole)

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
        return np.asarray(given.chances.argmax(axis=1), np.int64)

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
        shop, stage, count = self._shop, self._shop.stage, bounds.size - 1
        room, clock = common_room(stage), shop.clock
        given = Yield(
            chances=np.empty((count, self.classes), np.float32),
            raw=np.empty((rows, stage.features), np.float32),
            counters=np.empty((rows, len(COUNTERS)), np.int32),
            operations=np.empty(int(bounds[-1] - bounds[0]), np.int64),
        )
        begin = room.scratch.begin((count + 1) * shop.plan.rest_ticks)
        present(
            shop.held, shop.held_tick, room.scratch.real, room.scratch.ints,
            stage.wiring.plan, stage.wiring.table, shop.law, stage.scaling, *shop.fixed,
            room.spikes, shop.readout.weights, shop.readout.mean,
            prepared.line, prepared.tick, prepared.start,
            bounds, int(bounds[0]), int(bounds[-1]), begin, clock, 0,
            np.empty(stage.features, np.float32), given.raw, given.chances, given.counters,
            given.operations,
        )  # fmt: skip
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
            "features": readout.kept.bytes if kept_rows is None else 4 * kept_rows * self.features,
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


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[np.int32]:
    return np.concatenate([np.empty(0, np.int32), *parts]).astype(np.int32)
