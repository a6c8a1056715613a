"""The learner of one device: layers with eligibilities behind the port of jobs."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.core.streams import Streams
from simedge.learning.eligible.body import Body
from simedge.learning.eligible.jobs import (
    Act,
    KlSteps,
    Learning,
    PassRow,
    Showing,
    look,
    run_together,
)
from simedge.learning.eligible.parameters import Parameters
from simedge.learning.eligible.shop import Seen, Shop
from simedge.learning.eligible_settings import EligibleSettings
from simedge.learning.errors import LearnerError
from simedge.learning.finite import first_broken
from simedge.learning.ports import FrameLike, Pull
from simedge.learning.rules.ledger import WORD_BYTES
from simedge.learning.volleys import Camera, Prepared

__all__ = ["EligibleLearner", "open_eligible"]


def open_eligible(
    settings: EligibleSettings,
    sight: tuple[int, Camera],
    *,
    streams: Streams,
    device: str,
    pools: dict[object, Any],
) -> "EligibleLearner":
    """Build the learner of a device that sees so many classes by a camera.

    All begin alike unless each starts with its own weights.
    """
    classes, camera = sight
    name = "learner" if settings.shared_start else device
    key = settings, classes, camera, name
    if key not in pools:
        pools[key] = Body(settings, classes=classes, camera=camera, streams=streams, name=name)
    return EligibleLearner(pools[key])


class EligibleLearner(Parameters):
    """One device's learner. Every job is a `Work`; nothing changes until it is committed."""

    def __init__(self, body: Body) -> None:
        self.shop = Shop(body)
        """What its jobs share."""

    @property
    def rule(self) -> str:
        """Name of the rule of the hidden layers."""
        return self.shop.settings.kind

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.shop.body.classes

    @property
    def hidden_layers(self) -> int:
        """How many layers learn by a share λ, that sets their α_post; none unless asked for."""
        asked = self.shop.settings.shares == "post-gain"
        return len(self.shop.body.settings.hidden) if asked else 0

    @property
    def shares(self) -> tuple[float, ...]:
        """λ of each layer that has one."""
        return tuple((1.0 + gain) / 2.0 for gain in self.shop.gains[: self.hidden_layers])

    def learn(self, frame: FrameLike, *, shown: tuple[Prepared, int] | None = None) -> Learning:
        """Predict the frame's class, then learn from it; value `Learned`.

        `shown` is the frame as `prepare` gave it, and its place there, if that is at hand.
        """
        self._check([frame.label], [frame])
        return Learning(self.shop, shown or (self.prepare([frame]), 0))

    def proxy_row(self, frame: FrameLike, *, address: int, row: int) -> Showing:
        """Forward one proxy item and keep its features; value: softmax, float32 (classes,)."""

        def keep(found: list[Seen]) -> NDArray[np.float32]:
            (seen,) = found
            self.shop.kept.keep(address, row, seen.counts.astype(np.float32)[None])
            return seen.chances.astype(np.float32)

        return Showing(self.shop, self.prepare([frame]), keep)

    run_together = staticmethod(run_together)
    """Plays the jobs of `learn` that wait, of different learners."""

    def pass_rows(
        self, prepared: Prepared, *, address: int, first: int = 0, stop: int | None = None
    ) -> list[PassRow]:
        """Return the work of the proxy rows first .. stop - 1, to be committed in any order.

        It is what `proxy_row` gives row by row.
        """
        rows = range(prepared.labels.size)[first:stop]
        return [PassRow(self.shop, (prepared, row), kept_as=(address, row)) for row in rows]

    def kl_step(
        self, *, address: int, target: ArrayLike, mask: ArrayLike, alpha: float, steps: int = 1
    ) -> KlSteps:
        """Pull the readout towards a prior on kept rows; value: how many rows took part."""
        return self._kl_steps([Pull(address, target, mask)], alpha=alpha, steps=steps, whole=False)

    def kl_steps(self, parts: Sequence[Pull], *, alpha: float, steps: int = 1) -> KlSteps:
        """Do `kl_step` on one address after the other; value: how many rows took part in each."""
        return self._kl_steps(parts, alpha=alpha, steps=steps, whole=True)

    def _kl_steps(self, parts: Sequence[Pull], *, alpha: float, steps: int, whole: bool) -> KlSteps:
        if steps < 1 or alpha < 0:
            raise LearnerError(f"KL needs steps >= 1 and alpha >= 0, got {steps}, {alpha}")
        checked = []
        for address, target, mask in parts:
            wanted, prior = np.asarray(mask, np.bool_), np.asarray(target, np.float64)
            if prior.shape != (wanted.size, self.classes):
                raise LearnerError(f"priors of shape {prior.shape} for {wanted.size} rows")
            rows = self.shop.kept.rows(address, wanted)
            checked.append((address, rows, prior[rows]))
        law = self.shop.readout.settings.kl_rate * alpha, steps
        return KlSteps(self.shop, checked, law=law, whole=whole)

    def set_lambda(self, values: Sequence[float]) -> Act:
        """Set α_post = 2λ - 1 of each layer for later frames; value None."""
        shop, shares = self.shop, tuple(float(value) for value in values)
        if len(shares) != self.hidden_layers:
            raise LearnerError(f"{len(shares)} lambdas for {self.hidden_layers} hidden layers")
        if not all(0.0 <= share <= 1.0 for share in shares):
            raise LearnerError(f"lambda must be in [0, 1], got {shares}")

        def put() -> None:
            if shares:
                shop.gains = tuple(2.0 * share - 1.0 for share in shares)

        return Act(shop, put)

    def prepare(self, frames: Sequence[FrameLike]) -> Prepared:
        """Gather frames into volleys once, for any number of presentations to equal learners."""
        return self._gather(frames)

    def predict(self, prepared: Prepared) -> NDArray[np.int64]:
        """Return the class of each presentation, ties to the lowest; changes and counts nothing."""
        shop, stack = self.shop, self.shop.take()
        rows = range(prepared.labels.size)
        found = [int(look(shop, stack, (prepared, row)).chances.argmax()) for row in rows]
        shop.body.give(stack)
        return np.array(found, np.int64)

    def memory(self, kept_rows: int | None = None) -> dict[str, int]:
        """Return the bytes that a device needs, by term, at 4 bytes a number.

        Parameters
        ----------
        kept_rows
            Plan for this many proxy rows; None: those kept now.
        """
        shop, words = self.shop, self.shop.body.words()
        row = WORD_BYTES * shop.readout.features
        feedback, held = sum(one.size for one in shop.body.feedback), shop.hidden.words
        return {
            "parameters": WORD_BYTES * (held["weights"] + shop.readout.numbers + feedback),
            "state": WORD_BYTES * words["neurons"],
            "traces": WORD_BYTES * words["traces"],
            "gradients": WORD_BYTES * held["gradients"],
            "moments": WORD_BYTES * held["moments"],
            "features": shop.kept.bytes if kept_rows is None else kept_rows * row,
        }

    def dump(self) -> dict[str, Any]:
        """Return all that the learner knows, as plain arrays and numbers; copies."""
        return self.shop.dump()

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump of an equal learner."""
        self.shop.load(state)

    def digest(self) -> bytes:
        """Return the SHA-256 of all weights and what the next step depends on."""
        shop, readout = self.shop, self.shop.readout
        held = shop.hidden.steps, shop.gains, readout.length, readout.learned
        sha = hashlib.sha256(repr(held).encode())
        for array in (*shop.hidden.feed(), readout.weights, readout.mean):
            sha.update(np.ascontiguousarray(array).data)
        return sha.digest()

    def broken(self) -> str | None:
        """Return which part of what it knows has a NaN or an infinity; None: all are numbers."""
        weights, readout = self.shop.hidden.weights, self.shop.readout
        body, at, parts = self.shop.body, 0, []
        sizes = (body.camera.lines, *body.settings.hidden)
        for layer, (pre, post) in enumerate(pairwise(sizes), 1):
            parts.append((f"layer {layer}", weights[at : at + pre * post]))
            at += pre * post
        told = readout.weights, readout.mean, np.asarray(readout.length)
        return first_broken((*parts, *(("readout", one) for one in told)))
