"""Reading eligibilities out of the rows of a circuit, for tests and for those who want to look."""

import numpy as np
from numpy.typing import NDArray

from simedge.neurons.errors import CircuitError
from simedge.neurons.recurrent import places as at
from simedge.neurons.recurrent.layout import Layout

__all__ = ["eligibilities_of", "listed"]


def eligibilities_of(
    arrays: at.Arrays, layout: Layout, asked: tuple[int, int]
) -> NDArray[np.float64]:
    """Return e of every synapse of a projection at a tick: `asked` is both."""
    place, tick = asked
    join, ints = layout.joins[place], arrays.ints
    if join[at.RULE] != at.GATED:
        raise CircuitError(f"projection {place} has no eligibilities")
    row = next(
        row for n, row in enumerate(layout.rows) if layout.population_at(n) == join[at.TARGET]
    )
    before = [
        n
        for n, other in enumerate(layout.joins[:place])
        if other[at.RULE] == at.GATED and other[at.TARGET] == join[at.TARGET]
    ]
    if join[at.GROWN]:
        gap, start = tick - ints[row[at.GROWN_CLOCK] + at.ORIGIN], join[at.GROWN]
        scaled = arrays.real[start : start + layout.counts[place]]
        return np.asarray(scaled * arrays.real[row[at.GROWN_TABLE] + 1] ** gap)
    found, synapses = np.zeros(layout.counts[place]), layout.synapses(place, arrays.wires)
    leak = arrays.real[row[at.ROW_TABLE] + 1]
    earlier = [layout.synapses(n, arrays.wires).fan_in() for n in before]
    active = ints[row[at.ACTIVE] : row[at.ACTIVE] + ints[row[at.NOTED] + at.ACTIVE_COUNT]]
    for neuron in active[ints[row[at.ROW_AT] + active] >= 0].tolist():
        first = ints[row[at.ROW_AT] + neuron] + sum(int(heard[neuron]) for heard in earlier)
        ways = slice(int(synapses.in_start[neuron]), int(synapses.in_start[neuron + 1]))
        held = arrays.rows[first : first + ways.stop - ways.start]
        gap = tick - ints[row[at.ROW_TICK] + neuron]
        found[synapses.in_synapse[ways]] = held * leak**gap
    return found


def listed(row: list[int]) -> int:
    """Return where in `ints` is how many neurons of a population have eligibilities."""
    if row[at.GROWTH]:
        return row[at.GROWN_CLOCK] + at.ALIVE
    return row[at.NOTED] + at.ACTIVE_COUNT
