"""What the jobs of one learner share, and where they leave their effect.

The readout says P = softmax(O·r + b) of a presentation of T device ticks, r the mean spikes a tick
of the top layer: the same as softmax(Σ z/T). Its gradient is (P - y*) ⊗ r, and P - y* for b. A
presentation without events says nothing: all classes are equally likely, and nothing is learned.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.learning.eligible.body import Body
from simedge.learning.errors import LearnerError
from simedge.learning.readout import Kept
from simedge.learning.rules.delta import softmax
from simedge.learning.rules.lazy_stack import LazyStack
from simedge.learning.rules.optimiser import Adam
from simedge.learning.terms import Terms

__all__ = ["Seen", "Shop"]

Floats = NDArray[np.float64]


class Seen(NamedTuple):
    """What a presentation leaves to decide upon."""

    label: int
    counts: Floats
    """Spikes of each top neuron."""
    chances: Floats
    """Softmax."""
    dark: bool
    """Whether it had no events."""


class _Adams(NamedTuple):
    """Adam at one rate for hidden weights, at another for the readout and its bias."""

    hidden: Adam
    readout: Adam
    bias: bool
    """Whether the bias moves."""

    @property
    def slots(self) -> int:
        """Words that are kept a weight."""
        return self.hidden.slots

    def step(self, weights: list[Floats], gradients: list[Floats]) -> None:
        """Take one step."""
        self.hidden.step(weights[:1], gradients[:1])
        stop = None if self.bias else 2
        self.readout.step(weights[1:stop], gradients[1:stop])

    @property
    def moments(self) -> list[Floats]:
        """All that is kept of gradients."""
        return [one for adam in self[:2] for one in (*adam.first, *adam.second)]

    def dump(self) -> dict[str, Any]:
        """Return what is kept; copies."""
        hidden, readout = copy.deepcopy((self.hidden, self.readout))
        return {
            "steps": hidden.steps,
            "hidden": (hidden.first, hidden.second),
            "readout": (readout.first, readout.second),
        }

    def loaded(self, state: Mapping[str, Any]) -> "_Adams":
        """Return the same at the same rates as it was dumped."""
        found = []
        for adam, name in zip(self[:2], ("hidden", "readout"), strict=True):
            first, second = copy.deepcopy(state[name])
            new = Adam(rate=adam.rate, steps=state["steps"], first=[*first], second=[*second])
            found.append(new)
        return self._replace(hidden=found[0], readout=found[1])


class Shop:
    """What is known, what is kept of proxy items, what holds; one job at a time."""

    def __init__(self, body: Body) -> None:
        self.body, self.settings = body, body.settings.rule
        self.parameters = body.begin()
        """Hidden weights, flat, then the readout by neuron, flat, and its bias; float64."""
        hidden, read = Adam(rate=self.settings.rate), Adam(rate=self.settings.readout_rate)
        self.adam = _Adams(hidden, read, self.settings.bias)
        neuron = body.settings.neuron
        self.gains: tuple[float, ...] = (neuron.post_gain,) * len(body.settings.hidden)
        """α_post of each layer."""
        self.kept = Kept(body.settings.hidden[-1])
        self.terms = Terms(body.classes)
        """What machines have added to learning, and what it remembers for them."""
        self._open: object = None

    @property
    def readout_size(self) -> int:
        """Weights of the readout and its bias."""
        return self.parameters[1].size + self.parameters[2].size

    @property
    def size(self) -> int:
        """All that is learned."""
        return sum(one.size for one in self.parameters)

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
        return self.body.take(self.parameters, self.gains)

    def readout(self) -> Floats:
        """Return the readout by neuron, then its bias, end to end; a copy."""
        return np.concatenate(self.parameters[1:])

    def put(self, readout: Floats) -> None:
        """Take over a readout, end to end."""
        weights, bias = np.split(readout, [self.parameters[1].size])
        self.parameters[1][:], self.parameters[2][:] = weights, bias

    def chances(self, readout: Floats, counts: Floats) -> Floats:
        """Return what a readout says of counts, (rows, neurons): the softmax, (rows, classes)."""
        weights, bias = np.split(readout, [self.parameters[1].size])
        scores = np.einsum("sn,nc->sc", self._shares(counts), weights.reshape(-1, bias.size)) + bias
        return softmax(scores)

    def slope(self, seen: Seen, label: int) -> Floats:
        """Return the gradient of the readout, end to end; nothing shown is nothing to go down."""
        if seen.dark:
            return np.zeros(self.readout_size)
        error = seen.chances.copy()
        error[label] -= 1.0
        return self._gradient(error[None], seen.counts[None])

    def pulled(self, readout: Floats, counts: Floats, law: tuple[Floats, float, int]) -> Floats:
        """Return a readout after steps towards priors of rows; `law` is (priors, step, steps)."""
        prior, step, steps = law
        for _ in range(steps):
            error = self.chances(readout, counts) - prior
            readout = readout - step * self._gradient(error, counts)
        return readout

    def learn(self, seen: Seen, stack: LazyStack | None) -> None:
        """Take over what a frame has taught, and what machines have added to its loss.

        Prior and anchor pull from where the readout was before the frame.
        """
        terms, label = self.terms, seen.label
        terms.note(label, seen.chances.astype(np.float32))
        prior, held = terms.prior, terms.held
        before = self.readout()
        if stack is not None:
            stack.commit(self.adam)
        pulled = prior is not None and bool(prior.mask[label]) and not seen.dark
        if not pulled and held.anchor is None and held.zero is None:
            return
        after = self.readout()
        if prior is not None and pulled:
            law = prior.target[label : label + 1], self.settings.kl_rate * prior.alpha, prior.steps
            after += self.pulled(before, seen.counts[None], law) - before
        held.apply(after, None if held.anchor is None else before, self.settings.plain_rate)
        self.put(after)

    def dump(self) -> dict[str, Any]:
        """Return what is known and kept; copies."""
        return {
            **self._arrays(),
            "adam": self.adam.dump(),
            "gains": self.gains,
            "kept": self.kept.dump(),
            "terms": self.terms.dump(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump; the inverse of `dump`. A job under way is forgotten."""
        for name, array in self._arrays().items():
            if np.shape(state[name]) != array.shape:
                raise LearnerError(f"a dump of another learner: {name} has another shape")
        self.parameters = [np.array(state[name], float) for name in self._arrays()]
        self.adam = self.adam.loaded(state["adam"])
        self.gains = tuple(state["gains"])
        self.kept.load(state["kept"])
        self.terms.load(state["terms"])
        self._open = None

    def feed(self) -> Sequence[Floats]:
        """Return all arrays that learning changes."""
        return [*self.parameters, *self.adam.moments]

    def _arrays(self) -> dict[str, Floats]:
        names = ("weights", "readout", "bias")
        return {name: one.copy() for name, one in zip(names, self.parameters, strict=True)}

    def _shares(self, counts: Floats) -> Floats:
        """Return r of each row."""
        return counts / self.body.camera.ticks

    def _gradient(self, error: Floats, counts: Floats) -> Floats:
        """Return the mean gradient of rows, end to end."""
        rows = np.einsum("sn,sc->nc", self._shares(counts), error) / len(error)
        return np.concatenate([rows.reshape(-1), error.mean(axis=0)])
