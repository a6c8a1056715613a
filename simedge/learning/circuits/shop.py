"""What the jobs of one circuit learner share, and where they leave their effect."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from simedge.learning.circuits.readout import Seen, readout_of
from simedge.learning.circuits.rooms import Carried, Known, Rooms
from simedge.learning.errors import LearnerError
from simedge.learning.readout import Kept
from simedge.learning.terms import Terms

if TYPE_CHECKING:
    from simedge.learning.circuits.heard import Hear

__all__ = ["Shop"]


class Shop:
    """Body, readout, what is known, what is kept of proxy items; one job at a time."""

    def __init__(self, rooms: Rooms) -> None:
        self.rooms, self.body = rooms, rooms.body
        self.readout = readout_of(self.body)
        self.known = Known.newborn(self.body, self.readout.features)
        self.carried: Carried | None = None
        """What goes on to the next frame; None if nothing does, or none was learned."""
        self.kept = Kept(self.readout.row_size)
        self.terms = Terms(self.body.classes)
        """What machines have added to learning, and what it remembers for them."""
        self.feedback = self.body.feedback
        """B of each layer; put others in their place for a control."""
        self.hear: Hear | None = None
        """Told of each frame that was learned; None costs nothing."""
        self._open: object = None

    @property
    def readout_weights(self) -> int:
        """Weights of the readout."""
        body = self.body
        spiking = sum(body.projections[place].synapses.count for place in body.readouts)
        return spiking or self.known.readout.size

    def begin(self, job: object) -> None:
        """Start a job: one at a time."""
        if self._open is not None:
            raise LearnerError("a job is under way: commit or discard it first")
        self._open = job

    def check(self, job: object) -> None:
        """Refuse a job that is over."""
        if self._open is not job:
            raise LearnerError("this job is over")

    def end(self, job: object) -> None:
        """Close a job; it can have no further effect."""
        self.check(job)
        self._open = None

    def take(self, taught: Known, told: tuple[Seen, int], *, dark: bool) -> None:
        """Take over what a frame has taught, and what machines have added to its loss.

        Prior and anchor pull from where the readout was before the frame; a frame without events
        (`dark`) is pulled to no prior.
        """
        (seen, label), readout, terms = told, self.readout, self.terms
        terms.note(label, readout.chances(seen.scores).astype(np.float32))
        before, self.known = self.known, taught
        prior, held = terms.prior, terms.held
        pulled = prior is not None and bool(prior.mask[label]) and not dark
        if not pulled and held.anchor is None and held.zero is None:
            return
        weights, start = readout.taken(taught), readout.taken(before)
        if prior is not None and pulled:
            step = readout.settings.kl_rate * prior.alpha
            law = prior.target[label : label + 1], step, prior.steps
            weights += readout.taken(readout.pulled(before, readout.row(seen)[None], law)) - start
        held.apply(weights, None if held.anchor is None else start, readout.settings.rate)
        self.known = readout.put(taught, weights)

    def dump(self) -> dict[str, Any]:
        """Return what is known and kept; copies."""
        carried = None if self.carried is None else self.carried.dump()
        return {
            **self._arrays(),
            "kept": self.kept.dump(),
            "carried": carried,
            "terms": self.terms.dump(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump; the inverse of `dump`. A job under way is forgotten."""
        for name, array in self._arrays().items():
            if np.shape(state[name]) != array.shape:
                raise LearnerError(f"a dump of another learner: {name} has another shape")
        self.known = Known(**{name: np.array(state[name], float) for name in self._arrays()})
        self.kept.load(state["kept"])
        carried = state["carried"]
        self.carried = None if carried is None else Carried.load(carried)
        self.terms.load(state["terms"])
        self._open = None

    def _arrays(self) -> dict[str, Any]:
        known = self.known
        return {
            "weights": known.weights.copy(),
            "thresholds": known.thresholds.copy(),
            "readout": known.readout.copy(),
        }
