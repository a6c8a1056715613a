"""What a window leaves behind: spike counts, and the eligibilities of the neurons that fired.

Post-gated: at a spike of i at tick n, for its inputs j (pre traces *inclusive*, driven at arrival),

    e_ij ← λ_e^(n - m_i)·e_ij + x̄_j(n),  m_i ← n

so a row needs one time stamp, and who never fired has no row at all: rows are handed out at the
first spike of a window, from room that grows when it is needed.
"""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_leaf, native_part
from simedge.neurons.decay import TABLE_TICKS
from simedge.neurons.kinds import Index, Real, Whole
from simedge.neurons.recurrent.pairing import pre_traces
from simedge.neurons.recurrent.places import (
    ACTIVE,
    ACTIVE_COUNT,
    AMOUNTS,
    COUNTED,
    COUNTS,
    FIRED,
    FIRED_NOW,
    GATED,
    HEAD,
    HEARD_FROM,
    HEARD_UNTIL,
    IN_SOURCE,
    IN_START,
    IN_SYNAPSE,
    LEAST,
    MACS,
    MOST,
    NEXT,
    NOTED,
    NOW,
    PENDING,
    POPULATION_FIELDS,
    POPULATIONS,
    PRE,
    PROJECTION_FIELDS,
    ROW_AT,
    ROW_TABLE,
    ROW_TICK,
    ROWS_ROOM,
    ROWS_USED,
    RULE,
    TRACES,
    WEIGHT,
    WRITES,
    Arrays,
)
from simedge.neurons.recurrent.traces import trace_factor

__all__ = ["close_window", "gate", "move_rows", "note_spikes", "read_rows"]

_ONE: Final = Index(1)
_FADED: Final = 1e-12
"""A row whose eligibilities have decayed to this part may give up its room."""


@native_part
def note_spikes(c: Arrays) -> bool:
    """Note the spikes of the last volley; return False if a row lacks room, to be called again."""
    ints, plan = c.ints, c.plan
    for pop in range(HEAD + POPULATION_FIELDS, plan[POPULATIONS], POPULATION_FIELDS):
        if plan[pop + COUNTED]:
            noted = plan[pop + NOTED]
            for n in range(ints[noted + NEXT], ints[noted + FIRED_NOW]):
                neuron = ints[plan[pop + FIRED] + n]
                if plan[pop + ROW_TABLE] and not raise_row(c, pop, neuron):
                    return False
                count = plan[pop + COUNTS] + neuron
                if ints[count] == 0:
                    ints[plan[pop + ACTIVE] + ints[noted + ACTIVE_COUNT]] = neuron
                    ints[noted + ACTIVE_COUNT] += 1
                ints[count] += 1
                ints[noted + NEXT] = n + 1
    ints[PENDING] = 0
    return True


@native_part
def row_decay(c: Arrays, pop: Whole, ticks: Whole) -> Real:
    """Return λ_e^ticks."""
    table = c.plan[pop + ROW_TABLE]
    if ticks <= TABLE_TICKS:
        return c.real[table + ticks]
    return math.exp(ticks * math.log(c.real[table + 1]))


@native_part
def row_size(c: Arrays, pop: Whole, neuron: Whole) -> Whole:
    """Return how many inputs of a neuron have eligibilities."""
    plan, size = c.plan, np.int64(0)
    for q in range(plan[pop + HEARD_FROM], plan[pop + HEARD_UNTIL], PROJECTION_FIELDS):
        if plan[q + RULE] == GATED:
            row = plan[q + IN_START] + neuron
            size += np.int64(c.wires[row + 1]) - np.int64(c.wires[row])
    return size


@native_part
def raise_row(c: Arrays, pop: Whole, neuron: Whole) -> bool:
    """Take the pre traces into the row of a neuron that fired; False if there is no room for it."""
    ints, plan, wires, now = c.ints, c.plan, c.wires, c.ints[NOW]
    at, decay, size = ints[plan[pop + ROW_AT] + neuron], 0.0, row_size(c, pop, neuron)
    if at >= 0:
        decay = row_decay(c, pop, now - ints[plan[pop + ROW_TICK] + neuron])
    else:
        at = ints[ROWS_USED]
        if at + size > ints[ROWS_ROOM]:
            return False
        ints[ROWS_USED] = at + size
        ints[plan[pop + ROW_AT] + neuron] = at
        for n in range(at, at + size):
            c.rows[n] = 0.0
    ints[plan[pop + ROW_TICK] + neuron] = now
    ints[TRACES] += size
    place = Index(at)
    for q in range(plan[pop + HEARD_FROM], plan[pop + HEARD_UNTIL], PROJECTION_FIELDS):
        if plan[q + RULE] == GATED:
            factor, row = trace_factor(c, pre_traces(c, q), now), plan[q + IN_START] + neuron
            sources, pre = Index(plan[q + IN_SOURCE]), Index(plan[q + PRE])
            for r in range(Index(wires[row]), Index(wires[row + 1])):
                trace = c.real[pre + Index(wires[sources + r])] * factor
                c.rows[place] = decay * c.rows[place] + trace
                place += _ONE
    return True


@native_part
def balance(c: Arrays, begin: Whole, size: Whole, decay: float) -> tuple[Real, Real]:
    """Return the mean of a part of a row, and by what the rest of it is divided once decayed."""
    mean, square = 0.0, 0.0
    for n in range(begin, begin + size):
        mean += c.rows[n]
    mean /= max(1, size)
    for n in range(begin, begin + size):
        square += (c.rows[n] - mean) * (c.rows[n] - mean)
    return mean, 1.0 + decay * math.sqrt(square)


@native_leaf
def gate(
    c: Arrays, pop: Whole, tick: Whole, modulators: NDArray[np.float64], balanced: Whole
) -> None:
    """Turn live eligibilities into weights, Δw_ij = M_i·λ_e^(n - m_i)·e_ij, then clip.

    `modulators` are those of the neurons that fired, in the order of their list, times the rate.
    Balanced, each projection's part of a row gives up its mean and is divided by one plus the
    length of what is left: a row's change sums to 0 and is shorter than its modulator.
    """
    ints, plan, wires, weight = c.ints, c.plan, c.wires, c.weight
    for n in range(modulators.size):
        neuron = ints[plan[pop + ACTIVE] + n]
        at = ints[plan[pop + ROW_AT] + neuron]
        if at < 0:
            continue
        decay = row_decay(c, pop, tick - ints[plan[pop + ROW_TICK] + neuron])
        place = Index(at)
        for q in range(plan[pop + HEARD_FROM], plan[pop + HEARD_UNTIL], PROJECTION_FIELDS):
            if plan[q + RULE] == GATED:
                row, ways = plan[q + IN_START] + neuron, Index(plan[q + IN_SYNAPSE])
                weights, law = Index(plan[q + WEIGHT]), plan[q + AMOUNTS]
                least, most = c.real[law + LEAST], c.real[law + MOST]
                amount, mean, length = modulators[n] * decay, 0.0, 1.0
                if balanced:
                    size = np.int64(wires[row + 1]) - np.int64(wires[row])
                    mean, length = balance(c, np.int64(place), size, decay)
                amount /= length
                for r in range(Index(wires[row]), Index(wires[row + 1])):
                    synapse = weights + Index(wires[ways + r])
                    moved = float(weight[synapse]) + amount * (c.rows[place] - mean)
                    weight[synapse] = min(most, max(least, moved))
                    place += _ONE
        changed = np.int64(place) - at
        ints[MACS] += changed
        ints[WRITES] += changed


@native_leaf
def read_rows(
    c: Arrays, q: Whole, classes: NDArray[np.int64], amounts: NDArray[np.float64]
) -> None:
    """Change the rows of a few readout neurons: O_cj += amount_c·count_j (delta rule)."""
    ints, plan, wires, weight = c.ints, c.plan, c.wires, c.weight
    ways, sources, weights = plan[q + IN_SYNAPSE], plan[q + IN_SOURCE], plan[q + WEIGHT]
    counts = plan[plan[q] + COUNTS]
    for n in range(classes.size):
        row = plan[q + IN_START] + classes[n]
        for r in range(np.int64(wires[row]), np.int64(wires[row + 1])):
            spikes = ints[counts + np.int64(wires[sources + r])]
            weight[weights + np.int64(wires[ways + r])] += amounts[n] * spikes
        changed = np.int64(wires[row + 1]) - np.int64(wires[row])
        ints[MACS] += changed
        ints[WRITES] += changed


@native_leaf
def close_window(c: Arrays) -> None:
    """Forget counts and eligibilities, of those that fired alone."""
    ints, plan = c.ints, c.plan
    for pop in range(HEAD + POPULATION_FIELDS, plan[POPULATIONS], POPULATION_FIELDS):
        if plan[pop + COUNTED]:
            active, noted = plan[pop + ACTIVE], plan[pop + NOTED]
            for n in range(active, active + ints[noted + ACTIVE_COUNT]):
                ints[plan[pop + COUNTS] + ints[n]] = 0
                if plan[pop + ROW_TABLE]:
                    ints[plan[pop + ROW_AT] + ints[n]] = -1
            ints[noted + ACTIVE_COUNT] = 0
    ints[ROWS_USED] = 0


@native_leaf
def move_rows(c: Arrays, fresh: NDArray[np.float64]) -> None:
    """Copy the rows that have not faded to new room."""
    ints, plan, used = c.ints, c.plan, 0
    for pop in range(HEAD + POPULATION_FIELDS, plan[POPULATIONS], POPULATION_FIELDS):
        if plan[pop + COUNTED] and plan[pop + ROW_TABLE]:
            active = plan[pop + ACTIVE]
            for n in range(active, active + ints[plan[pop + NOTED] + ACTIVE_COUNT]):
                entry = plan[pop + ROW_AT] + ints[n]
                at, since = ints[entry], ints[plan[pop + ROW_TICK] + ints[n]]
                if at >= 0 and row_decay(c, pop, ints[NOW] - since) < _FADED:
                    ints[entry] = -1
                elif at >= 0:
                    size = row_size(c, pop, ints[n])
                    for k in range(size):
                        fresh[used + k] = c.rows[at + k]
                    ints[entry] = used
                    used += size
    ints[ROWS_USED], ints[ROWS_ROOM] = used, fresh.size
