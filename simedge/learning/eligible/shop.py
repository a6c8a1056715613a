"""What the jobs of one learner share, and where they leave their effect.

A presentation without events says nothing: all classes are equally likely, and nothing is learned.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.learning.eligible.body import Body
from simedge.learning.errors import LearnerError
from simedge.learning.readout import Kept
from simedge.learning.rules.lazy_layout import Heard
from simedge.learning.rules.lazy_stack import LazyStack, LazyWindow
from simedge.learning.terms import Terms

__all__ = ["Seen", "Shop"]

Floats = NDArray[np.float64]


class Seen(NamedTuple):
    """What a presentation leaves to decide upon."""

    label: int
    counts: Floats
    """Spikes of each top neuron in each bin of time."""
    chances: Floats
    """Softmax."""
    dark: bool
    """Whether it had no events."""


class Shop:
    """What is known, what is kept of proxy items, what holds; one job at a time."""

    def __init__(self, body: Body) -> None:
        self.body, self.settings = body, body.settings.rule
        self.hidden = body.begin()
        self.readout = body.readout()
        neuron = body.settings.neuron
        self.gains: tuple[float, ...] = (neuron.post_gain,) * len(body.settings.hidden)
        """α_post of each layer."""
        self.kept = Kept(self.readout.features)
        self.terms = Terms(body.classes)
        """What machines have added to learning, and what it remembers for them."""
        self._open: object = None

    @property
    def readout_size(self) -> int:
        """Weights of the readout."""
        return self.readout.weights.size

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

    def take(self) -> LazyStack:
        """Return a stack with what is known."""
        return self.body.take(self.hidden.weights, self.gains)

    def play(self, stack: LazyStack, heard: Heard, label: int) -> LazyWindow:
        """Play a presentation with its label, by which hidden layers learn."""
        target = np.eye(self.body.classes)[label]
        if self.body.local:
            return stack.learn(heard, target)
        targets = np.tile(target, (len(self.readout.since), 1))
        since = self.readout.since
        return stack.learn(heard, targets, since, readouts=self.readout.by_bins())

    def seen(self, label: int, window: LazyWindow | None) -> Seen:
        """Return what a window leaves; None: there was nothing to be seen."""
        classes = self.body.classes
        if window is None:
            counts = np.zeros(self.readout.features)
            return Seen(label, counts, np.full(classes, 1.0 / classes), dark=True)
        counts = self.readout.count(window.trains[-1])
        chances = self.readout.chances(self.readout.weights, counts[None])[0]
        return Seen(label, counts, chances, dark=False)

    def slope(self, seen: Seen, label: int) -> Floats:
        """Return the gradient of the readout, flat; nothing shown is nothing to go down."""
        if seen.dark:
            return np.zeros(self.readout_size)
        error = seen.chances.copy()
        error[label] -= 1.0
        return self.readout.gradient(error[None], seen.counts[None])

    def learn(self, seen: Seen, stack: LazyStack | None) -> None:
        """Take over what a frame has taught, and what machines have added to its loss.

        Prior and anchor pull from where the readout was before the frame.
        """
        terms, label, readout = self.terms, seen.label, self.readout
        terms.note(label, seen.chances.astype(np.float32))
        prior, held = terms.prior, terms.held
        before, after = readout.weights, readout.weights.copy()
        if stack is not None:
            self.hidden.take(stack.gradient)
        if not seen.dark:
            after -= readout.settings.rate * self.slope(seen, label)
        if prior is not None and prior.mask[label] and not seen.dark:
            step = readout.settings.kl_rate * prior.alpha
            law = prior.target[label : label + 1], step, prior.steps
            after += readout.pulled(before, seen.counts[None], law) - before
        held.apply(after, None if held.anchor is None else before, readout.settings.rate)
        readout.weights = after
        readout.follow(seen.counts)

    def dump(self) -> dict[str, Any]:
        """Return what is known and kept; copies."""
        return {
            "hidden": self.hidden.dump(),
            "readout": self.readout.dump(),
            "gains": self.gains,
            "kept": self.kept.dump(),
            "terms": self.terms.dump(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump; the inverse of `dump`. A job under way is forgotten."""
        self.hidden.load(state["hidden"])
        self.readout.load(state["readout"])
        self.gains = tuple(state["gains"])
        self.kept.load(state["kept"])
        self.terms.load(state["terms"])
        self._open = None
