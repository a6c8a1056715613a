"""Circuits that presentations run on: what they know is put in, what they learned is taken out."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simedge.learning.circuits.body import READOUT, Body
from simedge.learning.volleys import Prepared
from simedge.neurons.recurrent.stops import StoppingCircuit

__all__ = ["Known", "Room", "Rooms"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that is learned, never written to: a job makes a new one."""

    weights: Floats
    """Of all synapses, projection after projection."""
    thresholds: Floats
    """Of all hidden neurons, at the start of a presentation."""
    readout: Floats
    """Of a linear readout, (classes, features); empty if its neurons spike."""

    @staticmethod
    def newborn(body: Body, features: int) -> "Known":
        """Return what a network knows at the start."""
        linear = (body.classes, features) if not body.spikes_decide else (0, 0)
        starts = [layer.threshold for layer in body.settings.layers]
        return Known(
            weights=np.concatenate([p.weights for p in body.projections]),
            thresholds=np.repeat(np.array(starts), body.sizes),
            readout=np.zeros(linear),
        )


class Room:
    """One circuit. A presentation begins where the one before it ended, on the circuit's clock."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.circuit = StoppingCircuit(body.lines, body.populations, projections=body.projections)
        self.start = 0
        """Tick at which the presentation began."""
        self._next = 0

    @property
    def end(self) -> int:
        """Tick of the decision: the first after the presentation."""
        return self.start + self.body.camera.ticks

    def open(self, known: Known, shown: tuple[Prepared, int], *, adapts: bool) -> None:
        """Begin a presentation with what is known; thresholds move if it `adapts`."""
        circuit, body = self.circuit, self.body
        self.start, self._next = self._next, self._next + body.camera.ticks
        circuit.forget_spikes()
        circuit.reset(self.start)
        circuit.learn(thresholds=adapts)
        for place, span in enumerate(body.places):
            circuit.weights(place)[:] = known.weights[span]
        first = 0
        for name, size in zip(body.layers, body.sizes, strict=True):
            circuit.set_thresholds(name, self.start, known.thresholds[first : first + size])
            first += size
        circuit.feed(*self._spikes(*shown))

    def known(self, readout: Floats) -> Known:
        """Return what is known at the end, with this linear readout."""
        circuit, body = self.circuit, self.body
        weights = [circuit.weights(place) for place in range(len(body.projections))]
        thresholds = [circuit.thresholds(name, self.end) for name in body.layers]
        return Known(
            weights=np.concatenate(weights),
            thresholds=np.concatenate(thresholds),
            readout=readout,
        )

    def fired(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return ticks of the presentation and neurons of its spikes."""
        ticks, neurons = self.circuit.spikes(name)
        first = int(np.searchsorted(ticks, self.start))
        return ticks[first:] - self.start, neurons[first:]

    def readout_scores(self) -> Floats:
        """Return spikes of each readout neuron, and a little for what is left of its potential."""
        left = self.circuit.potentials(READOUT, self.end)
        return self.circuit.counts(READOUT) + 1e-3 * left

    def _spikes(self, shown: Prepared, index: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return ticks of the circuit and lines of what is shown."""
        volleys = slice(int(shown.bounds[index]), int(shown.bounds[index + 1]))
        starts = shown.start[volleys.start : volleys.stop + 1].astype(np.int64)
        lines = shown.line[starts[0] : starts[-1]].astype(np.int64)
        ticks = np.repeat(shown.tick[volleys].astype(np.int64), np.diff(starts))
        if self.body.settings.polarity == "merged":
            lines //= 2
        return self.start + ticks, lines


class Rooms:
    """As many rooms as are in use at once; other threads may take them too."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self._free: deque[Room] = deque()

    def take(self) -> Room:
        """Return a room that nobody uses."""
        try:
            return self._free.pop()
        except IndexError:
            return Room(self.body)

    def give(self, room: Room) -> None:
        """Put a room back."""
        self._free.append(room)
