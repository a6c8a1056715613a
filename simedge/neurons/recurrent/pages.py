"""Room in the log of a circuit: old spikes leave it, to be kept or forgotten."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.neurons.recurrent import places as at
from simedge.neurons.recurrent.layout import Layout

__all__ = ["Raster", "append_spikes", "make_room", "raster_of"]

Raster = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Ticks and neurons of spikes, in order."""

_LEAST_ROOM: Final = 4096
Wanted = tuple[int, int]
"""Room for more volleys, for more spikes."""


def make_room(
    arrays: at.Arrays, layout: Layout, wanted: Sequence[Wanted]
) -> tuple[at.Arrays, list[Raster]]:
    """Return arrays with a new log, and what has left the old one, a raster a population.

    Volleys that some delay still waits for are taken over. Each part has room for at least twice
    as much as is taken over, and so spikes are moved a bounded number of times each.
    """
    kept, left, size, ints = [], [], 0, arrays.ints
    for place, want in enumerate(wanted):
        row = layout.rows[place]
        head = ints[row[at.LOG] : row[at.LOG] + at.LOG_FIELDS]
        ticks, starts, neurons = entries(arrays, row[at.LOG])
        channels = range(row[at.FROM], row[at.UNTIL], at.CHANNEL_FIELDS)
        cursors = [int(ints[channel + at.CURSOR]) for channel in channels]
        old = min(cursors, default=ticks.size)
        for channel in channels:
            ints[channel + at.CURSOR] -= old
        gone = int(starts[old])
        left.append(raster_of((ticks[:old], starts[: old + 1], neurons)))
        kept.append((ticks[old:], starts[old:] - gone, neurons[gone:]))
        head[at.TICKS], head[at.NEURONS] = ticks.size - old, neurons.size - gone
        head[at.TICKS_ROOM] = 2 * head[at.TICKS] + want[0]
        head[at.NEURONS_ROOM] = 2 * head[at.NEURONS] + want[1]
        head[at.TICKS_AT], head[at.NEURONS_AT] = size, size + 2 * head[at.TICKS_ROOM] + 2
        size = int(head[at.NEURONS_AT] + head[at.NEURONS_ROOM])
    fresh = arrays._replace(log=np.zeros(size, np.int64))
    for place, (ticks, starts, neurons) in enumerate(kept):
        write(fresh, layout.rows[place][at.LOG], (ticks, starts, neurons))
    return fresh, left


def usual_room(layout: Layout) -> list[Wanted]:
    """Return the room that each population is given at least: a volley of all, and more."""
    return [
        (_LEAST_ROOM, size + _LEAST_ROOM) if place and row[at.LOGGED] else (0, 0)
        for place, (size, row) in enumerate(zip(layout.sizes, layout.rows, strict=True))
    ]


def append_spikes(
    arrays: at.Arrays, layout: Layout, spikes: Raster
) -> tuple[at.Arrays, list[Raster]]:
    """Write input spikes behind those that are there; they are sorted, none given twice."""
    ticks, lines = spikes
    volleys, first = np.unique(ticks, return_index=True)
    wanted = usual_room(layout)
    wanted[0] = (volleys.size, lines.size)
    arrays, left = make_room(arrays, layout, wanted)
    row = layout.rows[0]
    old_ticks, old_starts, old_lines = entries(arrays, row[at.LOG])
    starts = np.concatenate([old_starts[:-1], old_lines.size + np.append(first, lines.size)])
    lines = np.concatenate([old_lines, lines])
    head = arrays.ints[row[at.LOG] : row[at.LOG] + at.LOG_FIELDS]
    head[at.TICKS], head[at.NEURONS] = starts.size - 1, lines.size
    write(arrays, row[at.LOG], (np.concatenate([old_ticks, volleys]), starts, lines))
    for channel in range(row[at.FROM], row[at.UNTIL], at.CHANNEL_FIELDS):
        entry = arrays.ints[channel : channel + at.CHANNEL_FIELDS]
        if entry[at.DUE] == at.NEVER and entry[at.CURSOR] < head[at.TICKS]:
            tick = arrays.log[head[at.TICKS_AT] + 2 * entry[at.CURSOR]]
            entry[at.DUE] = tick + entry[at.DELAY]
    return arrays, left


Entries = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Ticks of volleys, where each begins in the neurons (one more entry: the end), neurons."""


def entries(arrays: at.Arrays, log: int) -> Entries:
    """Return what one population's log holds, as views."""
    head, values = arrays.ints[log : log + at.LOG_FIELDS], arrays.log
    volleys, first = int(head[at.TICKS]), int(head[at.TICKS_AT])
    if not values.size:
        return np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros(0, np.int64)
    begin = int(head[at.NEURONS_AT])
    return (
        values[first : first + 2 * volleys : 2],
        values[first + 1 : first + 2 * volleys + 2 : 2],
        values[begin : begin + int(head[at.NEURONS])],
    )


def write(arrays: at.Arrays, log: int, held: Entries) -> None:
    """Write one population's log."""
    head, values = arrays.ints[log : log + at.LOG_FIELDS], arrays.log
    ticks, starts, neurons = held
    first, begin = int(head[at.TICKS_AT]), int(head[at.NEURONS_AT])
    values[first : first + 2 * ticks.size : 2] = ticks
    values[first + 1 : first + 2 * ticks.size + 2 : 2] = starts
    values[begin : begin + neurons.size] = neurons


def raster_of(held: Entries) -> Raster:
    """Return the tick and the neuron of every spike."""
    ticks, starts, neurons = held
    return np.repeat(ticks, np.diff(starts)), neurons[: int(starts[-1])].copy()
