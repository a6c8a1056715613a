"""The learner of one device: circuit, rule and readout behind one port of jobs."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.core.streams import Streams
from simedge.learning.circuits.learner import CircuitLearner, rooms_of
from simedge.learning.continual.keeper import Keeper
from simedge.learning.eligible.learner import EligibleLearner, open_eligible
from simedge.learning.eligible_settings import EligibleSettings
from simedge.learning.errors import LearnerError
from simedge.learning.finite import first_broken
from simedge.learning.frame_jobs import Presentation, run_together
from simedge.learning.jobs import KlSteps, SetLambda, Workshop
from simedge.learning.layered.learner import open_layered
from simedge.learning.layered_settings import LayeredSettings
from simedge.learning.own import OwnLearner, open_own
from simedge.learning.own_settings import OwnLearnerSettings
from simedge.learning.parameters import Parameters
from simedge.learning.passes import PassRow, rows_of_pass
from simedge.learning.play import Outcome, play
from simedge.learning.pool import Pool
from simedge.learning.ports import Counts, FrameLike, Learned, Pull, Work
from simedge.learning.readout import Readout
from simedge.learning.reference_settings import DeepSettings, SurrogateSettings
from simedge.learning.settings import CircuitSettings, LinearSettings, SpikingSettings
from simedge.learning.stage import (
    Blueprint,
    blueprint_of,
    camera_of,
    initial_weights,
    open_stage,
    rule_law,
)
from simedge.learning.surrogate import SurrogateLearner, open_surrogate
from simedge.learning.volleys import Camera, Prepared, prepare

if TYPE_CHECKING:
    from simedge.learning.deep.learner import DeepLearner

__all__ = ["Counts", "Learned", "Learner", "PassRow", "Prepared", "Work", "open_learner"]


def open_learner(  # noqa: PLR0913 - one builder, a branch a kind, all by name
    settings: SpikingSettings
    | CircuitSettings
    | EligibleSettings
    | LayeredSettings
    | LinearSettings
    | DeepSettings
    | SurrogateSettings
    | OwnLearnerSettings,
    *,
    classes: int,
    width: int,
    height: int,
    streams: Streams,
    device: str,
    span_ns: int = 100_000_000,
    pools: dict[object, Any] | None = None,
    size: int = 1,
    starts_ns: Callable[[int], int] | None = None,
) -> "Learner | CircuitLearner | EligibleLearner | DeepLearner | SurrogateLearner | OwnLearner":
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
    pools, size
        Where learners of one run that are built alike find each other, and how many there will be.
    starts_ns
        Tells when a presentation begins by its number, for circuits whose state goes on.
    """
    if classes < 2:
        raise LearnerError(f"a learner needs at least 2 classes, got {classes}")
    held = {} if pools is None else pools
    if isinstance(settings, OwnLearnerSettings):
        given = {"classes": classes, "width": width, "height": height, "span_ns": span_ns}
        return open_own(settings, streams=streams, device=device, **given)
    if isinstance(settings, SurrogateSettings):
        return open_surrogate(settings, classes=classes, streams=streams, device=device, pools=held)
    if isinstance(settings, DeepSettings):
        side = {"width": width, "height": height, "span_ns": span_ns, "pools": held}
        return _deep_room()(settings, classes=classes, streams=streams, device=device, **side)
    if isinstance(settings, EligibleSettings | LayeredSettings):
        sight = classes, camera_of(settings.tick, width=width, height=height, span_ns=span_ns)
        return _stacked(settings, sight, streams=streams, device=device, pools=held)
    if isinstance(settings, CircuitSettings):
        camera = camera_of(settings.tick, width=width, height=height, span_ns=span_ns)
        key = settings, classes, camera, None if settings.shared_start else device
        if key not in held:
            body = partial(rooms_of, settings, classes=classes, camera=camera)
            held[key] = body(streams=streams, device=device, starts_ns=starts_ns)
        return CircuitLearner(held[key])
    plan = blueprint_of(settings, width=width, height=height, span_ns=span_ns)
    weights: list[NDArray[np.float32]] = []
    if isinstance(settings, SpikingSettings):
        name = "learner" if settings.shared_start else device
        weights = initial_weights(settings.layers, plan.columns, streams=streams, name=name)
    pool = _pool_of(plan, classes, pools=pools, size=size)
    place = pool.take()
    pool.held[place], pool.held_tick[place] = pool.stage.start(weights)
    readout = Readout(
        classes=classes,
        weights=pool.weights[place],
        rate=settings.readout.rate,
        kl_rate=settings.readout.kl_rate,
        horizon=settings.readout.centring,
        mean=pool.mean[place],
    )
    rule = settings.rule.kind if isinstance(settings, SpikingSettings) else "delta"
    keeper = None
    if isinstance(settings, LinearSettings) and settings.continual is not None:
        keeper = Keeper(settings.continual, pool.mean.shape[1])
    return Learner(Workshop(plan, pool, readout, place=place, keeper=keeper), rule=rule)


def _stacked(
    settings: EligibleSettings | LayeredSettings,
    sight: tuple[int, Camera],
    *,
    streams: Streams,
    device: str,
    pools: dict[object, Any],
) -> EligibleLearner:
    """Build the learner of feed-forward layers."""
    if isinstance(settings, LayeredSettings):
        return open_layered(settings, sight, streams=streams, device=device, pools=pools)
    return open_eligible(settings, sight, streams=streams, device=device, pools=pools)


def _deep_room() -> "Callable[..., DeepLearner]":
    """Return what opens deep learners; torch is imported now, and an extra."""
    try:
        from simedge.learning.deep.learner import open_deep  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise LearnerError("deep learners need torch: pip install 'simedge[deep]'") from error
    return open_deep


def _pool_of(plan: Blueprint, classes: int, *, pools: dict[object, Any] | None, size: int) -> Pool:
    """Return the pool of learners built alike, or a new one."""
    if pools is None:
        return Pool(open_stage(plan), classes=classes)
    key = plan, classes
    if key not in pools:
        pools[key] = Pool(open_stage(plan), classes=classes, size=size)
    pool: Pool = pools[key]
    return pool


class Learner(Parameters):
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
        return int(self._shop.stage.features)

    def learn(self, frame: FrameLike, *, shown: tuple[Prepared, int] | None = None) -> Presentation:
        """Predict the frame's class, then learn from it; value `Learned`.

        `shown` is the frame as `prepare` gave it, and its place there, if that is at hand.
        """
        self._check([frame.label], [frame])
        return Presentation(self._shop, *(shown or (self.prepare([frame]), 0)))

    def proxy_row(self, frame: FrameLike, *, address: int, row: int) -> Work:
        """Forward one proxy item and keep its features; value: softmax, float32 (classes,)."""
        return Presentation(self._shop, self.prepare([frame]), 0, kept_as=(address, row))

    run_together = staticmethod(run_together)
    """Runs the jobs of `learn` that wait, of learners of one pool."""

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
        """Gather frames into volleys once, for any number of presentations to equal learners."""
        return prepare(frames, self._shop.plan.camera)

    def predict(self, prepared: Prepared) -> NDArray[np.int64]:
        """Return the class of each presentation, ties to the lowest; changes and counts nothing."""
        shop, count = self._shop, prepared.bounds.size - 1
        longest = int(np.diff(prepared.bounds).max(initial=0))
        outcome = Outcome.room(shop.pool, count, operations=longest, keep=False)
        jobs = [(shop.place, f, shop.clock, 0) for f in range(count)]
        play(shop.pool, prepared, np.array(jobs, np.int64).reshape(-1, 4), outcome=outcome)
        return np.asarray(outcome.chances.argmax(axis=1), np.int64)

    def pass_rows(
        self, prepared: Prepared, *, address: int, first: int = 0, stop: int | None = None
    ) -> list[PassRow]:
        """Forward the proxy rows first .. stop - 1 at once; return the work of each.

        It is what `proxy_row` gives row by row, provided that nothing is learned before the last
        of them is committed.
        """
        shop = self._shop
        bounds = prepared.bounds[first : None if stop is None else stop + 1]
        bounds = bounds - bounds[0]
        places, rows = bounds.tolist(), bounds.size - 1
        outcome = Outcome.room(shop.pool, rows, operations=places[-1])
        jobs = [(shop.place, first + f, shop.clock, places[f]) for f in range(rows)]
        play(shop.pool, prepared, np.array(jobs, np.int64).reshape(-1, 4), outcome=outcome)
        dense = not shop.plan.columns
        return rows_of_pass(
            outcome, bounds, shop.readout, address=address, first=first, dense=dense
        )

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
        keeper = self._shop.keeper
        return {
            "parameters": 4 * weights,
            **({} if keeper is None else {"continual": keeper.bytes}),
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

    def broken(self) -> str | None:
        """Return which part of what it knows has a NaN or an infinity; None: all are numbers."""
        shop = self._shop
        rows = enumerate(shop.stage.wiring.layers, 1) if shop.plan.plastic else ()
        ends = ((n, row.weight, row.weight + row.taps * row.maps) for n, row in rows)
        hidden = ((f"layer {n}", shop.held[first:end]) for n, first, end in ends)
        return first_broken((*hidden, ("readout", shop.readout.weights)))
