"""The arrays of a circuit as the native kernels see them: a few, laid end to end.

A kernel that takes forty arrays is slow to call and slower to compile. So state of one type and
one lifetime shares one array, and `Layer` says where each layer's part begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.neurons.decay import TABLE_TICKS, decay_table
from simedge.neurons.geometry import Convolution, SparseLists
from simedge.neurons.homeostasis import Homeostasis
from simedge.neurons.layout import COUNTERS, FIELDS, LONG_AGO, NO_LIMIT, U_TICK, Layer, layer_at

__all__ = ["Circuit", "Columns", "build_circuit", "forget", "layers_of", "with_fresh_state"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """One layer as it is to be built."""

    shape: Convolution
    law: Homeostasis
    shared: bool
    """One threshold a map for all columns, or one a neuron."""
    winners: int
    """How many neurons of a column may fire in one tick; `maps` for no inhibition."""
    soft: bool
    """Subtract the threshold at a spike instead of going to zero."""
    pre_factor: float
    post_factor: float
    """Decay of the pre and post traces per tick."""
    delay: int
    """Ticks from a spike until it acts on the synapses (dendritic delay)."""
    limit: int = NO_LIMIT
    """Spikes of a map in one presentation that act on its synapses."""
    first_only: bool = False
    """Of the winners of one column and tick, only the furthest above threshold learns."""

    @property
    def groups(self) -> int:
        """Separate sets of thresholds: 1 if shared by all columns, else one a column."""
        return 1 if self.shared else self.shape.columns


class Circuit(NamedTuple):
    """All arrays of a circuit, flat."""

    held: NDArray[np.float32]
    """What lasts: weights and thresholds."""
    held_tick: NDArray[np.int64]
    """Ticks of the thresholds' clock."""
    real: NDArray[np.float32]
    """Decay tables and laws; potentials and traces, which a presentation forgets."""
    ints: NDArray[np.int32]
    """Counters, `Layer` of each layer, wiring, time stamps, lists."""


class _Sizes:
    """Hands out parts of the flat arrays, layer after layer."""

    def __init__(self, layers: Sequence[Columns], ticks: int) -> None:
        ints = len(COUNTERS) + len(Layer._fields) * len(layers)
        self.used = {"held": 0, "held_tick": 0, "real": 0, "ints": ints}
        self.rows = [self._row(layer, index, ticks) for index, layer in enumerate(layers)]

    def _take(self, array: str, size: int) -> int:
        first = self.used[array]
        self.used[array] = first + size
        return first

    def _row(self, layer: Columns, index: int, ticks: int) -> Layer:
        shape, take = layer.shape, self._take
        room = ticks * shape.columns * layer.winners
        synapses = shape.synapses().shape[0]
        return Layer(
            place=index,
            maps=shape.maps,
            columns=shape.columns,
            taps=shape.taps,
            winners=layer.winners,
            soft=int(layer.soft),
            per_column=int(not layer.shared),
            delay=layer.delay,
            limit=layer.limit,
            first_only=int(layer.first_only),
            weight=take("held", shape.taps * shape.maps),
            theta=take("held", layer.groups * shape.maps),
            group=take("held_tick", layer.groups),
            decay=take("real", 3 * (TABLE_TICKS + 1)),
            law=take("real", 4),
            u=take("real", shape.neurons),
            pre=take("real", shape.inputs),
            post=take("real", shape.neurons),
            change=take("real", shape.taps * shape.maps),
            excess=take("real", shape.maps),
            u_tick=take("ints", shape.columns),
            pre_tick=take("ints", shape.inputs),
            arrived=take("ints", shape.inputs),
            post_tick=take("ints", shape.columns),
            tap_tick=take("ints", shape.taps),
            touched=take("ints", shape.columns),
            changed=take("ints", shape.taps),
            selves=take("ints", shape.columns),
            acting=take("ints", shape.columns * layer.winners * (1 + layer.delay)),
            acted=take("ints", shape.maps),
            spike_tick=take("ints", room),
            spike_neuron=take("ints", room),
            spike_first=take("ints", room),
            out_start=take("ints", shape.inputs + 1 + 2 * synapses),
            in_start=take("ints", shape.columns + 1 + 2 * synapses),
            spikes=take("ints", 4),
        )


def build_circuit(
    layers: Sequence[Columns], weights: Sequence[NDArray[np.float32]], *, ticks: int
) -> Circuit:
    """Allocate a circuit at rest.

    Parameters
    ----------
    layers
        From the input upwards; the neurons of each are the inputs of the next.
    weights
        Initial weights of each layer, float32 (taps, maps), in potential units a spike.
    ticks
        Device ticks of a presentation: bounds the spike lists.
    """
    sizes = _Sizes(layers, ticks)
    used = sizes.used
    circuit = Circuit(
        held=np.zeros(used["held"], np.float32),
        held_tick=np.full(used["held_tick"], LONG_AGO, np.int64),
        real=np.zeros(used["real"], np.float32),
        ints=np.zeros(used["ints"], np.int32),
    )
    for row, layer, drawn in zip(sizes.rows, layers, weights, strict=True):
        circuit.held[row.weight : row.weight + drawn.size] = drawn.ravel()
        circuit.held[row.theta : row.theta + layer.groups * row.maps] = layer.law.initial
        _lay_law(circuit, row, layer)
        _lay(circuit, row.out_start, layer.shape.fan_out())
        _lay(circuit, row.in_start, layer.shape.fan_in())
        at = layer_at(row.place)
        circuit.ints[at : at + FIELDS] = np.array(row)
    forget(circuit)
    return circuit


def layers_of(circuit: Circuit) -> list[Layer]:
    """Read the layout back."""
    first = circuit.ints[layer_at(0) + U_TICK] if circuit.held.size else layer_at(0)
    numbers = circuit.ints[layer_at(0) : first].reshape(-1, FIELDS)
    return [Layer(*row) for row in numbers.tolist()]


def forget(circuit: Circuit) -> None:
    """Set all time stamps to long ago: the scratch clock may start again at 0."""
    for row in layers_of(circuit):
        circuit.ints[row.u_tick : row.touched] = LONG_AGO


def with_fresh_state(circuit: Circuit) -> Circuit:
    """Return the same weights and thresholds with neuron state of their own, for an observer."""
    fresh = circuit._replace(real=circuit.real.copy(), ints=circuit.ints.copy())
    forget(fresh)
    return fresh


def _lay_law(circuit: Circuit, row: Layer, layer: Columns) -> None:
    """Write the decay tables and the homeostatic numbers of a layer."""
    factors = (layer.law.gamma, layer.pre_factor, layer.post_factor)
    tables = np.concatenate([decay_table(factor) for factor in factors])
    # A shared threshold moves by the share of its columns that fired.
    step = layer.law.rate / (layer.shape.columns if layer.shared else 1)
    circuit.real[row.decay : row.decay + tables.size] = tables
    circuit.real[row.law : row.law + 4] = layer.law.drift, step, layer.law.low, layer.law.high


def _lay(circuit: Circuit, first: int, lists: SparseLists) -> None:
    """Write lists as absolute begins, then pairs."""
    pairs = first + lists.start.size
    circuit.ints[first:pairs] = pairs + 2 * lists.start
    circuit.ints[pairs : pairs + 2 * lists.other.size : 2] = lists.other
    circuit.ints[pairs + 1 : pairs + 2 * lists.other.size : 2] = lists.tap
