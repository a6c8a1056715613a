"""Circuits that presentations run on: what they know is put in, what they learned is taken out."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from simedge.learning.circuits.body import READOUT, Body
from simedge.learning.volleys import Prepared
from simedge.neurons.recurrent.onward import OnwardCircuit, State
from simedge.neurons.recurrent.stops import StoppingCircuit

__all__ = ["Carried", "Known", "Room", "Rooms", "StreamRoom"]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What goes on from one presentation to the next, where frames do not begin anew."""

    end: int
    """Tick at which the presentation before ended."""
    state: State

    def dump(self) -> dict[str, Any]:
        """Return all of it as plain arrays and numbers; copies."""
        return {"end": self.end, **{k: v.copy() for k, v in self.state._asdict().items()}}

    @staticmethod
    def load(dumped: Mapping[str, Any]) -> "Carried":
        """Return what was dumped."""
        state = State(*(np.array(dumped[name]) for name in State._fields))
        return Carried(end=dumped["end"], state=state)


class Room:
    """One circuit. A presentation begins where the one before it ended, on the circuit's clock."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.circuit = self._circuit(body)
        self.start = self.since = 0
        """Ticks at which the presentation began, and the one before it ended."""
        self._next = 0

    def _circuit(self, body: Body) -> StoppingCircuit:
        return StoppingCircuit(body.lines, body.populations, projections=body.projections)

    @property
    def end(self) -> int:
        """Tick of the decision: the first after the presentation."""
        return self.start + self.body.camera.ticks

    def open(self, known: Known, shown: tuple[Prepared, int], *, adapts: bool) -> None:
        """Begin a presentation with what is known; thresholds move if it `adapts`."""
        circuit = self.circuit
        self.start, self._next = self._next, self._next + self.body.camera.ticks
        self.since = self.start
        circuit.forget_spikes()
        circuit.reset(self.start)
        circuit.learn(thresholds=adapts)
        self._know(known)
        circuit.feed(*self._spikes(*shown))

    def _know(self, known: Known) -> None:
        """Put in what is known; thresholds are those of the end of the presentation before."""
        circuit, body, first = self.circuit, self.body, 0
        for place, span in enumerate(body.places):
            circuit.weights(place)[:] = known.weights[span]
        for name, size in zip(body.layers, body.sizes, strict=True):
            circuit.set_thresholds(name, self.since, known.thresholds[first : first + size])
            first += size

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
        """Return ticks of the presentation and neurons of its spikes; ticks before it are < 0."""
        ticks, neurons = self.circuit.spikes(name)
        first = int(np.searchsorted(ticks, self.since))
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


class StreamRoom(Room):
    """A circuit that goes on where another presentation, perhaps of another room, ended."""

    circuit: OnwardCircuit

    def __init__(self, body: Body) -> None:
        super().__init__(body)
        self._blank = self.circuit.take()

    @override
    def _circuit(self, body: Body) -> OnwardCircuit:
        return OnwardCircuit(body.lines, body.populations, projections=body.projections)

    def resume(
        self, known: Known, shown: tuple[Prepared, int], *, carried: Carried | None, onset: int
    ) -> None:
        """Begin a presentation at a tick, or when the one before it is over."""
        self.start = onset if carried is None else max(onset, carried.end)
        self.since = self.start if carried is None else carried.end
        self.circuit.put(self._blank if carried is None else carried.state)
        self._know(known)
        self.circuit.feed(*self._spikes(*shown))

    def leave(self) -> Carried:
        """Return what goes on: eligibilities only if nothing is ever reset."""
        lasts = self.body.settings.reset == "never"
        return Carried(end=self.end, state=self.circuit.take(eligibilities=lasts))


class Rooms:
    """As many rooms as are in use at once; other threads may take them too.

    Parameters
    ----------
    starts_ns
        Tells when a presentation begins by its number; None: each when the one before it is over.
    """

    def __init__(self, body: Body, starts_ns: Callable[[int], int] | None = None) -> None:
        self.body = body
        self._starts_ns = starts_ns
        self._free: deque[Room] = deque()
        self._streams: deque[StreamRoom] = deque()

    def onset(self, index: int) -> int:
        """Return the tick at which a presentation begins."""
        if self._starts_ns is None:
            return 0
        return self._starts_ns(index) // self.body.camera.tick_ns

    def take(self) -> Room:
        """Return a room that nobody uses."""
        try:
            return self._free.pop()
        except IndexError:
            return Room(self.body)

    def take_stream(self) -> StreamRoom:
        """Return a room to go on in."""
        try:
            return self._streams.pop()
        except IndexError:
            return StreamRoom(self.body)

    def give(self, room: Room) -> None:
        """Put a room back."""
        if isinstance(room, StreamRoom):
            self._streams.append(room)
        else:
            self._free.append(room)
