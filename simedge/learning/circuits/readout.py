"""How a circuit is read: by neurons that spike for a class, or by weights on spike counts."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from simedge.learning.circuits.body import Body
from simedge.learning.circuits.rooms import Known, Room
from simedge.learning.settings import CountReadoutSettings, LifReadoutSettings

__all__ = ["Readout", "Seen", "readout_of"]

Floats = NDArray[np.float64]


class Seen(NamedTuple):
    """What a presentation leaves to decide upon."""

    counts: Floats
    """Spikes of each hidden neuron in each bin of time, bin after bin."""
    scores: Floats
    """One a class."""


class Readout(ABC):
    """What both readouts have in common."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.neurons = sum(body.sizes)
        self.settings = body.settings.readout

    @property
    @abstractmethod
    def features(self) -> int:
        """Length of `counts`."""

    @property
    @abstractmethod
    def row_size(self) -> int:
        """Numbers that are kept of a proxy item."""

    @property
    @abstractmethod
    def macs(self) -> int:
        """Multiply-accumulates of a decision."""

    @abstractmethod
    def see(self, room: Room, known: Known) -> Seen:
        """Look at a presentation that has been played."""

    @abstractmethod
    def learn(self, room: Room, known: Known, taught: tuple[Seen, Floats]) -> tuple[Floats, int]:
        """Move towards errors; return the linear readout, and how many weights changed."""

    @abstractmethod
    def row(self, seen: Seen) -> NDArray[np.float32]:
        """Return what is kept of a proxy item, float32 (row_size,)."""

    @abstractmethod
    def pulled(
        self, known: Known, rows: NDArray[np.float32], law: tuple[Floats, float, int]
    ) -> Known:
        """Take steps towards priors of kept rows; `law` is (priors, step, how many)."""

    @abstractmethod
    def taken(self, known: Known) -> Floats:
        """Return the readout's weights end to end, (weights,); a copy."""

    @abstractmethod
    def put(self, known: Known, weights: Floats) -> Known:
        """Return what is known with these weights of the readout, end to end."""

    @abstractmethod
    def slope(self, seen: Seen, errors: Floats) -> Floats:
        """Return the gradient, end to end, that `learn` goes down by its rate."""

    def chances(self, scores: Floats) -> Floats:
        """Return the softmax of scores, float64, same shape."""
        shifted = self.settings.sharpness * (scores - scores.max(axis=-1, keepdims=True))
        powers = np.exp(shifted)
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))

    def _pull(self, scores: Floats, shares: Floats, law: tuple[Floats, float]) -> Floats:
        """Return one step down the gradient of D(prior‖P), averaged over rows."""
        prior, step = law
        error = self.chances(scores) - prior
        gradient = np.einsum("sc,sf->cf", error, shares) / len(shares)
        return np.asarray(-step * self.settings.sharpness * gradient)


class CountReadout(Readout):
    """z = O·r, with each layer's counts scaled to one size: r."""

    def __init__(self, body: Body, settings: CountReadoutSettings) -> None:
        super().__init__(body)
        self._bins, self._length = settings.bins, settings.normalise == "length"
        layer = np.repeat(np.arange(len(body.sizes)), body.sizes)
        self._layer = np.tile(layer, settings.bins)

    @property
    @override
    def features(self) -> int:
        return self._bins * self.neurons

    @property
    @override
    def row_size(self) -> int:
        return self.features

    @property
    @override
    def macs(self) -> int:
        return self.features * self.body.classes

    @override
    def see(self, room: Room, known: Known) -> Seen:
        counts, first = np.zeros(self.features), 0
        for name, size in zip(self.body.layers, self.body.sizes, strict=True):
            ticks, neurons = room.fired(name)
            bins = np.maximum(0, ticks) * self._bins // self.body.camera.ticks
            counts += np.bincount(bins * self.neurons + first + neurons, minlength=self.features)
            first += size
        return Seen(counts, self._scores(known.readout, self._shares(counts[None]))[0])

    @override
    def learn(self, room: Room, known: Known, taught: tuple[Seen, Floats]) -> tuple[Floats, int]:
        seen, errors = taught
        weights, shares = known.readout.copy(), self._shares(seen.counts[None])[0]
        changed = np.flatnonzero(errors)
        for c in changed:
            weights[c] += self.settings.rate * errors[c] * shares
        return weights, changed.size * self.features

    @override
    def row(self, seen: Seen) -> NDArray[np.float32]:
        return seen.counts.astype(np.float32)

    @override
    def pulled(
        self, known: Known, rows: NDArray[np.float32], law: tuple[Floats, float, int]
    ) -> Known:
        prior, step, steps = law
        weights, shares = known.readout, self._shares(rows.astype(np.float64))
        for _ in range(steps):
            weights = weights + self._pull(self._scores(weights, shares), shares, (prior, step))
        return replace(known, readout=weights)

    @override
    def taken(self, known: Known) -> Floats:
        return known.readout.flatten()

    @override
    def put(self, known: Known, weights: Floats) -> Known:
        return replace(known, readout=weights.reshape(known.readout.shape))

    @override
    def slope(self, seen: Seen, errors: Floats) -> Floats:
        return np.outer(-errors, self._shares(seen.counts[None])[0]).reshape(-1)

    @staticmethod
    def _scores(weights: Floats, shares: Floats) -> Floats:
        return np.asarray(np.einsum("cf,sf->sc", weights, shares))

    def _shares(self, counts: Floats) -> Floats:
        """Return r of each row."""
        power, size = (counts * counts, 3.0) if self._length else (counts, 10.0)
        scaled = np.empty_like(counts)
        for layer in range(len(self.body.sizes)):
            own = self._layer == layer
            sums = np.maximum(1.0, power[:, own].sum(axis=1, keepdims=True))
            scaled[:, own] = size * counts[:, own] / (np.sqrt(sums) if self._length else sums)
        return scaled


class SpikingReadout(Readout):
    """A leaky neuron a class. r = 10·count / spikes of the layer."""

    def __init__(self, body: Body, settings: LifReadoutSettings) -> None:
        super().__init__(body)
        self._threshold = settings.threshold
        self._place = np.full((body.classes, self.neurons), -1)
        first = 0
        for place, size in zip(body.readouts, body.sizes, strict=True):
            source, target = body.projections[place].synapses.pairs()
            self._place[target, first + source] = body.places[place].start + np.arange(source.size)
            first += size
        self._there = self._place >= 0
        self._first = body.places[body.readouts[0]].start

    @property
    @override
    def features(self) -> int:
        return self.neurons

    @property
    @override
    def row_size(self) -> int:
        return self.neurons + self.body.classes

    @property
    @override
    def macs(self) -> int:
        return 0

    @override
    def see(self, room: Room, known: Known) -> Seen:
        counts = [room.circuit.counts(name) for name in self.body.layers]
        return Seen(np.concatenate(counts).astype(np.float64), room.readout_scores())

    @override
    def learn(self, room: Room, known: Known, taught: tuple[Seen, Floats]) -> tuple[Floats, int]:
        _, errors = taught
        circuit, changed = room.circuit, np.flatnonzero(errors)
        before = circuit.counters["weight_writes"]
        for place, name in zip(self.body.readouts, self.body.layers, strict=True):
            share = 10.0 / max(1, int(circuit.counts(name).sum()))
            circuit.read(place, changed, self.settings.rate * share * errors[changed])
        return known.readout, circuit.counters["weight_writes"] - before

    @override
    def row(self, seen: Seen) -> NDArray[np.float32]:
        return np.concatenate([seen.counts, seen.scores]).astype(np.float32)

    @override
    def pulled(
        self, known: Known, rows: NDArray[np.float32], law: tuple[Floats, float, int]
    ) -> Known:
        """Take the steps; a readout neuron's spikes follow its drive, one for each threshold."""
        prior, step, steps = law
        counts, scores = np.split(rows.astype(np.float64), [self.neurons], axis=1)
        shares, moved = self._shares(counts), np.zeros(self._place.shape)
        for _ in range(steps):
            now = scores + np.einsum("cf,sf->sc", moved, counts) / self._threshold
            moved += np.where(self._there, self._pull(now, shares, (prior, step)), 0.0)
        weights = known.weights.copy()
        weights[self._place[self._there]] += moved[self._there]
        return replace(known, weights=weights)

    @override
    def taken(self, known: Known) -> Floats:
        return known.weights[self._first :].copy()

    @override
    def put(self, known: Known, weights: Floats) -> Known:
        return replace(known, weights=np.concatenate([known.weights[: self._first], weights]))

    @override
    def slope(self, seen: Seen, errors: Floats) -> Floats:
        rows = np.outer(-errors, self._shares(seen.counts[None])[0])
        slope = np.empty(np.count_nonzero(self._there))
        slope[self._place[self._there] - self._first] = rows[self._there]
        return slope

    def _shares(self, counts: Floats) -> Floats:
        """Return r of each row."""
        shares, first = np.empty_like(counts), 0
        for size in self.body.sizes:
            own = slice(first, first + size)
            sums = np.maximum(1.0, counts[:, own].sum(axis=1, keepdims=True))
            shares[:, own] = 10.0 * counts[:, own] / sums
            first += size
        return shares


def readout_of(body: Body) -> Readout:
    """Return the readout that the settings ask for."""
    settings = body.settings.readout
    if isinstance(settings, CountReadoutSettings):
        return CountReadout(body, settings)
    return SpikingReadout(body, settings)
