"""From settings and named streams to neurons, synapses and feedback: what never changes."""

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simedge.core.streams import Stream, Streams, integer_between, normals
from simedge.learning.errors import LearnerError
from simedge.learning.settings import (
    CircuitSettings,
    FieldInputs,
    LifReadoutSettings,
    MicrocircuitSettings,
    RandomInputs,
)
from simedge.learning.volleys import Camera
from simedge.neurons.decay import leak_per_tick
from simedge.neurons.homeostasis import Homeostasis
from simedge.neurons.recurrent.parts import GatedRule, Population, Projection, ReadRule
from simedge.neurons.recurrent.wiring import (
    Synapses,
    normal_weights,
    random_mask,
    small_world,
    synapses_of,
)

__all__ = ["READOUT", "Body", "body_of", "modulator_basis"]

READOUT = "readout"
"""Name of the population of a spiking readout."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Body:
    """A network as drawn, with its weights at the start."""

    settings: CircuitSettings
    camera: Camera
    classes: int
    populations: dict[str, Population]
    projections: tuple[Projection, ...]
    basis: Floats
    """P: what is broadcast of an error, (width, classes), orthonormal rows that sum to 0."""
    feedback: tuple[Floats, ...]
    """B of each layer, (neurons, width)."""

    @property
    def lines(self) -> int:
        """Input lines."""
        pixels = self.camera.width * self.camera.height
        return pixels if self.settings.polarity == "merged" else 2 * pixels

    @functools.cached_property
    def layers(self) -> tuple[str, ...]:
        """Names of the hidden layers."""
        return tuple(name for name in self.populations if name != READOUT)

    @functools.cached_property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of each hidden layer."""
        return tuple(self.populations[name].size for name in self.layers)

    @property
    def spikes_decide(self) -> bool:
        """Whether the readout is made of spiking neurons."""
        return READOUT in self.populations

    @functools.cached_property
    def readouts(self) -> tuple[int, ...]:
        """Numbers of the projections to a spiking readout, a layer each."""
        first = 2 * len(self.sizes)
        return tuple(range(first, len(self.projections)))

    @functools.cached_property
    def places(self) -> tuple[slice, ...]:
        """Where the weights of each projection are when all lie end to end."""
        ends = np.cumsum([0, *(p.synapses.count for p in self.projections)]).tolist()
        return tuple(slice(a, b) for a, b in itertools.pairwise(ends))


def body_of(
    settings: CircuitSettings, *, classes: int, camera: Camera, streams: Streams, name: str
) -> Body:
    """Draw a network under a name."""
    width = settings.rule.width or classes - 1
    if width >= classes:
        raise LearnerError(
            f"rule.width: {width} numbers for {classes} classes, at most {classes - 1} say more"
        )
    drawn = _Draws(settings, camera, streams, name=name)
    populations: dict[str, Population] = {}
    projections: list[Projection] = []
    for place, layer in enumerate(settings.layers):
        me = f"hidden-{place + 1}"
        populations[me] = _population(layer, settings.tick)
        projections += drawn.layer(place, layer)
    read = settings.readout
    if isinstance(read, LifReadoutSettings):
        gamma = leak_per_tick(settings.tick, read.leak)
        populations[READOUT] = Population(
            size=classes, gamma=gamma, threshold=read.threshold, soft=True
        )
        projections += [drawn.readout(place, classes) for place in range(len(settings.layers))]
    return Body(
        settings=settings,
        camera=camera,
        classes=classes,
        populations=populations,
        projections=tuple(projections),
        basis=modulator_basis(drawn.normal("basis", (width, classes))),
        feedback=tuple(
            drawn.normal(f"feedback-{place + 1}", (layer.neurons, width)) / math.sqrt(width)
            for place, layer in enumerate(settings.layers)
        ),
    )


def modulator_basis(drawn: Floats) -> Floats:
    """Return orthonormal rows orthogonal to the all-ones vector, from normal draws (d, classes)."""
    rows: list[Floats] = []
    for row in drawn - drawn.mean(axis=1, keepdims=True):
        rest = row
        for done in rows:
            rest = rest - (rest * done).sum() * done
        rows.append(rest / math.sqrt((rest * rest).sum()))
    return np.array(rows)


def _population(layer: MicrocircuitSettings, tick: int) -> Population:
    gamma, law = leak_per_tick(tick, layer.leak), layer.homeostasis
    threshold = Homeostasis(
        initial=layer.threshold,
        low=law.min,
        high=law.max,
        rate=law.rate,
        target=law.target,
        gamma=gamma,
    )
    return Population(size=layer.neurons, gamma=gamma, threshold=threshold)


class _Draws:
    """Draws the parts of a network, each from a stream of its own."""

    def __init__(
        self, settings: CircuitSettings, camera: Camera, streams: Streams, *, name: str
    ) -> None:
        self._settings, self._camera = settings, camera
        self._streams, self._name = streams, name
        rule, tick = settings.rule, settings.tick
        self._rule = GatedRule(
            pre_factor=leak_per_tick(tick, rule.trace),
            row_factor=leak_per_tick(tick, rule.eligibility),
            bound=rule.bound,
            gate=rule.gate,
            noncausal=rule.noncausal,
        )

    def normal(self, purpose: str, shape: tuple[int, ...]) -> Floats:
        """Draw standard normal numbers."""
        count = math.prod(shape)
        words = self._stream(purpose).block(-(-count // 4))[:count]
        return normals(words).reshape(shape)

    def layer(self, place: int, layer: MicrocircuitSettings) -> Sequence[Projection]:
        """Draw what a layer hears, from below and of itself."""
        me, below = f"hidden-{place + 1}", f"hidden-{place}" if place else "inputs"
        heard, weights = self._inputs(place, layer)
        around = small_world(
            self._stream(f"ring-{place + 1}"),
            layer.neurons,
            neighbours=layer.neighbours,
            rewire=layer.rewire,
        )
        stream = self._stream(f"ring-weights-{place + 1}")
        return (
            Projection(
                source=below, target=me, synapses=heard, weights=weights, delay=0, rule=self._rule
            ),
            Projection(
                source=me,
                target=me,
                synapses=around,
                weights=normal_weights(stream, around, layer.recurrent_gain),
                delay=-(-layer.delay // self._settings.tick),
                rule=self._rule,
            ),
        )

    def readout(self, place: int, classes: int) -> Projection:
        """Draw how a layer reaches the readout's neurons."""
        read, size = self._settings.readout, self._settings.layers[place].neurons
        assert isinstance(read, LifReadoutSettings)
        stream = self._stream(f"readout-{place + 1}")
        wires = random_mask(stream, read.density, sources=size, targets=classes)
        stream = self._stream(f"readout-weights-{place + 1}")
        return Projection(
            source=f"hidden-{place + 1}",
            target=READOUT,
            synapses=wires,
            weights=normal_weights(stream, wires, read.gain),
            delay=0,
            rule=ReadRule(),
        )

    def _inputs(self, place: int, layer: MicrocircuitSettings) -> tuple[Synapses, Floats]:
        stream = self._stream(f"inputs-{place + 1}")
        weights = self._stream(f"inputs-weights-{place + 1}")
        lines = self._settings.layers[place - 1].neurons if place else self._lines
        if isinstance(layer.inputs, RandomInputs):
            wires = random_mask(stream, layer.inputs.density, sources=lines, targets=layer.neurons)
            return wires, normal_weights(weights, wires, layer.gain / math.sqrt(lines))
        corners = stream.rows(1, range(layer.neurons))
        wires = synapses_of(
            self._fields(layer.inputs, corners), sources=lines, targets=layer.neurons
        )
        fan_in = wires.fan_in()[wires.target]
        return wires, normal_weights(weights, wires, layer.gain) / np.sqrt(fan_in)

    @property
    def _lines(self) -> int:
        return self._channels * self._camera.width * self._camera.height

    @property
    def _channels(self) -> int:
        return 1 if self._settings.polarity == "merged" else 2

    def _fields(
        self, inputs: FieldInputs, corners: NDArray[np.uint64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (line, neuron) of all that lies in a neuron's field.

        Corners may lie beyond the border by a quarter of a side, so that its pixels are as often
        heard as others.
        """
        camera, size = self._camera, inputs.size
        if size > min(camera.width, camera.height):
            raise LearnerError(
                f"layers[0].inputs.size: a field of {size} pixels a side on "
                f"{camera.width} x {camera.height} pixels"
            )
        lines, neurons = [], []
        for neuron, words in enumerate(corners.tolist()):
            spans = []
            for word, side in zip(words, (camera.height, camera.width), strict=False):
                corner = integer_between(word, -(size // 4), side - size + size // 4)
                spans.append(np.arange(max(0, corner), min(side, corner + size)))
            pixels = (spans[0][:, None] * camera.width + spans[1]).ravel()
            heard = pixels[:, None] * self._channels + np.arange(self._channels)
            lines.append(heard.ravel())
            neurons.append(np.full(heard.size, neuron))
        return np.concatenate(lines), np.concatenate(neurons)

    def _stream(self, purpose: str) -> Stream:
        return self._streams.stream("learner", self._name, purpose)
