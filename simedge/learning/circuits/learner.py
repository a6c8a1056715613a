"""The learner of one device: recurrent layers behind the port of jobs."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.core.streams import Streams
from simedge.learning.circuits.body import body_of
from simedge.learning.circuits.heard import Hear, Joined
from simedge.learning.circuits.jobs import (
    KlSteps,
    PassRow,
    Presentation,
    SetLambda,
    run_together,
)
from simedge.learning.circuits.parameters import Parameters
from simedge.learning.circuits.rooms import Rooms
from simedge.learning.circuits.shop import Shop
from simedge.learning.errors import LearnerError
from simedge.learning.finite import first_broken
from simedge.learning.ports import FrameLike, Pull
from simedge.learning.settings import CircuitSettings
from simedge.learning.volleys import Camera, Prepared

__all__ = ["CircuitLearner", "rooms_of"]


def rooms_of(
    settings: CircuitSettings,
    *,
    classes: int,
    camera: Camera,
    streams: Streams,
    device: str,
    starts_ns: Callable[[int], int] | None = None,
) -> Rooms:
    """Draw a network, the same at all devices unless each starts with its own."""
    name = "learner" if settings.shared_start else device
    body = body_of(settings, classes=classes, camera=camera, streams=streams, name=name)
    return Rooms(body, starts_ns)


class CircuitLearner(Parameters):
    """One device's learner. Every job is a `Work`; nothing changes until it is committed."""

    rule = "three-factor"
    """Name of the rule of the hidden layers."""
    hidden_layers = 0
    """No layer learns by a share λ."""

    def __init__(self, rooms: Rooms) -> None:
        self.shop = Shop(rooms)
        """What its jobs share."""

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.shop.body.classes

    def learn(self, frame: FrameLike, *, shown: tuple[Prepared, int] | None = None) -> Presentation:
        """Predict the frame's class, then learn from it; value `Learned`.

        `shown` is the frame as `prepare` gave it, and its place there, if that is at hand.
        """
        self._check([frame.label], [frame])
        at = shown or (self.prepare([frame]), 0)
        return Presentation(self.shop, at, frame=frame, onset=self._onset(frame))

    def proxy_row(self, frame: FrameLike, *, address: int, row: int) -> Presentation:
        """Forward one proxy item and keep its features; value: softmax, float32 (classes,)."""
        return Presentation(self.shop, (self.prepare([frame]), 0), kept_as=(address, row))

    run_together = staticmethod(run_together)
    """Runs the jobs of `learn` that wait, of different learners."""

    def pass_rows(
        self, prepared: Prepared, *, address: int, first: int = 0, stop: int | None = None
    ) -> list[PassRow]:
        """Forward the proxy rows first .. stop - 1 at once; return the work of each.

        It is what `proxy_row` gives row by row, provided that nothing is learned before the last
        of them is committed.
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
        step = self.shop.body.settings.readout.kl_rate * alpha
        return KlSteps(self.shop, checked, law=(step, steps), whole=whole)

    def set_lambda(self, values: Sequence[float]) -> SetLambda:
        """Refuse any λ: the rule has none; value None."""
        return SetLambda(self.shop, values)

    def prepare(self, frames: Sequence[FrameLike]) -> Prepared:
        """Gather frames into volleys once, for any number of presentations to equal learners."""
        return self._gather(frames)

    def predict(self, prepared: Prepared) -> NDArray[np.int64]:
        """Return the class of each presentation, ties to the lowest; changes and counts nothing."""
        shop, found = self.shop, []
        known, room = shop.known, shop.rooms.take()
        for index in range(prepared.labels.size):
            room.open(known, (prepared, index), adapts=False)
            room.circuit.run_to(np.array([room.end]))
            found.append(int(np.argmax(shop.readout.see(room, known).scores)))
        shop.rooms.give(room)
        return np.array(found, np.int64)

    def memory(self, kept_rows: int | None = None) -> dict[str, int]:
        """Return the bytes that a device needs, by term, at 4 bytes a number.

        Parameters
        ----------
        kept_rows
            Plan for this many proxy rows; None: those kept now.
        """
        shop, body = self.shop, self.shop.body
        neurons, width = shop.readout.neurons, body.basis.shape[0]
        plastic = sum(p.synapses.count for p in body.projections[: 2 * len(body.sizes)])
        kept = shop.kept.bytes if kept_rows is None else 4 * kept_rows * shop.readout.row_size
        late = 2 * (body.settings.rule.noncausal != 0.0)  # a post trace and its stamp
        return {
            "parameters": 4 * (plastic + shop.readout_weights + width * neurons),
            "state": 4 * (3 + 1) * neurons,
            "traces": 4 * (plastic + (4 + 1 + late) * neurons),
            "features": kept,
        }

    def listen(self, hear: Hear) -> None:
        """Tell of the spikes of each frame when it is learned; nothing else changes."""
        self.shop.hear = hear

    def joined(self) -> list[Joined]:
        """Return all projections with their weights as they are now; copies."""
        body, weights = self.shop.body, self.shop.known.weights
        return [
            Joined(p.source, p.target, *p.synapses.pairs(), weights[span].copy())
            for p, span in zip(body.projections, body.places, strict=True)
        ]

    def sizes(self) -> dict[str, int]:
        """Return how many input lines there are, and neurons in each population."""
        body = self.shop.body
        return {"inputs": body.lines, **{name: p.size for name, p in body.populations.items()}}

    @property
    def tick_ns(self) -> int:
        """Duration of a tick."""
        return self.shop.body.settings.tick

    def dump(self) -> dict[str, Any]:
        """Return all that the learner knows, as plain arrays and numbers; copies."""
        return self.shop.dump()

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump of an equal learner."""
        self.shop.load(state)

    def digest(self) -> bytes:
        """Return the SHA-256 of all weights and thresholds, and of what goes on."""
        known, carried, sha = self.shop.known, self.shop.carried, hashlib.sha256()
        for array in (
            known.weights,
            known.thresholds,
            known.readout,
            *(() if carried is None else carried.state),
        ):
            sha.update(np.ascontiguousarray(array).tobytes())
        return sha.digest()

    def broken(self) -> str | None:
        """Return which part of what it knows has a NaN or an infinity; None: all are numbers."""
        body, known = self.shop.body, self.shop.known
        spans = zip(body.projections, body.places, strict=True)
        parts = ((f"layer {p.target}", known.weights[span]) for p, span in spans)
        return first_broken((*parts, ("readout", known.readout), ("state", known.thresholds)))
