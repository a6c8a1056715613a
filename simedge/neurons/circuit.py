"""The arrays of a circuit as the native kernels see them: a few, laid end to end.

A kernel that takes forty arrays is slow to call and slower to compile. So numbers of one type and
one lifetime share one array, and `Layer` says where each layer's part begins. What never changes
(`plan`, `table`) is the same for all circuits built alike, and so is the scratch state that a
presentation forgets: a core then works on few pages, however many devices there are.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.neurons.decay import TABLE_TICKS, decay_table
from simedge.neurons.geometry import Convolution, SparseLists
from simedge.neurons.homeostasis import Homeostasis
from simedge.neurons.layout import COUNTERS, FIELDS, LONG_AGO, NO_LIMIT, Layer

__all__ = ["Circuit", "Columns", "Scratch", "Wiring", "lasting", "wire"]

_LATEST = 2**30
"""A scratch clock starts again before its 32-bit stamps could overflow."""


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
    """Potentials and traces, which a presentation forgets."""
    ints: NDArray[np.int32]
    """Counters, time stamps, lists, which a presentation forgets too."""
    plan: NDArray[np.int32]
    """`Layer` of each layer, and the wiring."""
    table: NDArray[np.float32]
    """Decay tables and the laws of the thresholds."""


class Wiring(NamedTuple):
    """What circuits built alike share, and how much room each needs; never written to."""

    columns: tuple[Columns, ...]
    layers: tuple[Layer, ...]
    plan: NDArray[np.int32]
    table: NDArray[np.float32]
    room: tuple[int, int, int, int]
    """Entries of held, held_tick, real and ints."""


class Scratch:
    """State of neurons and synapses that a presentation starts without: see `begin`."""

    __slots__ = ("_clock", "_stamps", "ints", "real")

    def __init__(self, wiring: Wiring) -> None:
        self.real = np.zeros(wiring.room[2], np.float32)
        self.ints = np.zeros(wiring.room[3], np.int32)
        self._stamps = [slice(row.u_tick, row.touched) for row in wiring.layers]
        self._clock = 0
        self._forget()

    def begin(self, ticks: int) -> int:
        """Reserve the next `ticks` of the scratch clock; whatever is older is forgotten state."""
        self._clock += ticks
        if self._clock > _LATEST:
            self._forget()
            self._clock = ticks
        return self._clock - ticks

    def _forget(self) -> None:
        for stamps in self._stamps:
            self.ints[stamps] = LONG_AGO


class _Sizes:
    """Hands out parts of the flat arrays, layer after layer."""

    def __init__(self, layers: Sequence[Columns], ticks: int) -> None:
        self.used = dict.fromkeys(("held", "held_tick", "real", "table"), 0)
        self.used |= {"ints": len(COUNTERS), "plan": FIELDS * len(layers)}
        self.rows = tuple(self._row(layer, index, ticks) for index, layer in enumerate(layers))

    def _take(self, array: str, size: int) -> int:
        first = self.used[array]
        self.used[array] = first + size
        return first

    def _row(self, layer: Columns, index: int, ticks: int) -> Layer:
        shape, take = layer.shape, self._take
        room = ticks * shape.columns * layer.winners
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
            decay=take("table", 3 * (TABLE_TICKS + 1)),
            law=take("table", 4),
            u=take("real", shape.neurons),
            pre=take("real", shape.inputs),
            post=take("real", shape.neurons),
            change=take("real", shape.taps * shape.maps),
            bar=take("real", shape.maps),
            excess=take("real", shape.maps),
            u_tick=take("ints", shape.columns),
            pre_tick=take("ints", shape.inputs),
            arrived=take("ints", shape.inputs),
            post_tick=take("ints", shape.columns),
            tap_tick=take("ints", shape.taps),
            touched=take("ints", shape.columns + 1),  # one more is written to, never read
            before=take("ints", shape.columns + 1),
            changed=take("ints", shape.taps),
            selves=take("ints", shape.columns),
            acting=take("ints", shape.columns * layer.winners * (1 + layer.delay)),
            rivals=take("ints", shape.maps),
            acted=take("ints", shape.maps),
            spike_tick=take("ints", room),
            spike_neuron=take("ints", room),
            spike_first=take("ints", room),
            out_start=take("plan", _entries(shape.fan_out())),
            in_start=take("plan", _entries(shape.fan_in())),
            spikes=take("ints", 4),
        )


@functools.lru_cache(maxsize=16)
def wire(layers: tuple[Columns, ...], ticks: int) -> Wiring:
    """Lay out circuits of these layers, from the input upwards.

    Parameters
    ----------
    layers
        The neurons of each are the inputs of the next.
    ticks
        Device ticks of a presentation: bounds the spike lists.
    """
    sizes = _Sizes(layers, ticks)
    used = sizes.used
    plan, table = np.zeros(used["plan"], np.int32), np.zeros(used["table"], np.float32)
    for row, layer in zip(sizes.rows, layers, strict=True):
        plan[row.place * FIELDS : (row.place + 1) * FIELDS] = row
        _lay_law(table, row, layer)
        _lay(plan, row.out_start, layer.shape.fan_out())
        _lay(plan, row.in_start, layer.shape.fan_in())
    for shared in (plan, table):
        shared.setflags(write=False)
    room = (used["held"], used["held_tick"], used["real"], used["ints"])
    return Wiring(layers, sizes.rows, plan, table, room)


def lasting(
    wiring: Wiring, weights: Sequence[NDArray[np.float32]]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return `held` and `held_tick` of a new circuit.

    `weights` are those of each layer, float32 (taps, maps), in potential units a spike.
    """
    held = np.zeros(wiring.room[0], np.float32)
    for row, layer, drawn in zip(wiring.layers, wiring.columns, weights, strict=True):
        held[row.weight : row.weight + drawn.size] = drawn.ravel()
        held[row.theta : row.theta + layer.groups * row.maps] = layer.law.initial
    return held, np.full(wiring.room[1], LONG_AGO, np.int64)


def _lay_law(table: NDArray[np.float32], row: Layer, layer: Columns) -> None:
    """Write the decay tables and the homeostatic numbers of a layer."""
    factors = (layer.law.gamma, layer.pre_factor, layer.post_factor)
    tables = np.concatenate([decay_table(factor) for factor in factors])
    # A shared threshold moves by the share of its columns that fired.
    step = layer.law.rate / (layer.shape.columns if layer.shared else 1)
    table[row.decay : row.decay + tables.size] = tables
    table[row.law : row.law + 4] = layer.law.drift, step, layer.law.low, layer.law.high


def _entries(lists: SparseLists) -> int:
    return lists.start.size + 2 * lists.other.size


def _lay(plan: NDArray[np.int32], first: int, lists: SparseLists) -> None:
    """Write lists as absolute begins, then pairs."""
    pairs = first + lists.start.size
    plan[first:pairs] = pairs + 2 * lists.start
    plan[pairs : pairs + 2 * lists.other.size : 2] = lists.other
    plan[pairs + 1 : pairs + 2 * lists.other.size : 2] = lists.tap
