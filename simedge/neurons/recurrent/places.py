"""Where things lie in the flat arrays of a recurrent circuit, by name.

A kernel gets the place of a population or projection in `plan` and reads field f as
plan[place + f]; what changes while a circuit runs has such places in `ints` and `real`.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["COUNTERS", "NEVER", "Arrays"]

NEVER: Final = 2**62
"""The tick of what is not due."""

COUNTERS: Final = (
    "volleys",
    "spikes",
    "deliveries",
    "neuron_touches",
    "trace_touches",
    "plasticity_macs",
    "weight_writes",
    "modulator_bytes",
)
"""What a circuit counts, the first entries of `ints`; all stay 0 in silence."""


class Arrays(NamedTuple):
    """All arrays of a circuit."""

    weight: NDArray[np.float64]
    """Weights, projection after projection (or float32, as the circuit was built)."""
    real: NDArray[np.float64]
    """Cells, thresholds, traces, decay tables, laws."""
    marks: NDArray[np.int64]
    """The same memory, for its ticks: beside the numbers that they belong to."""
    ints: NDArray[np.int64]
    """Counters, clocks, lists."""
    plan: NDArray[np.int64]
    """What never changes: places and sizes."""
    wires: NDArray[np.uint32]
    """Compressed rows of all projections."""
    log: NDArray[np.int64]
    """Spikes that may still act or are still to be read, population after population."""
    rows: NDArray[np.float64]
    """Eligibilities of live rows."""


# The head of `plan`, of `ints`; one population, one projection, one channel in `plan`.
POPULATIONS, CHANNELS_FROM, CHANNELS_UNTIL, HEAP, HEAP_PLACE, HEAP_DUE, HEAD = range(7)
"""Populations end there; channels, heap of self-events in `ints`, where each neuron is in it, when
it is due."""
(
    VOLLEYS,
    SPIKES,
    DELIVERIES,
    TOUCHES,
    TRACES,
    MACS,
    WRITES,
    BROADCAST,
    NOW,
    START,
    LEARNS,
    CLOCK,
    CLOCK_FROM,
    CLOCK_RUNS,
    WAITING,
    PENDING,
    ROWS_USED,
    ROWS_ROOM,
    INTS_HEAD,
) = range(19)
"""After the counters: last tick played, start of the frame, do synapses learn; the clock of
thresholds is CLOCK + CLOCK_RUNS * (now - CLOCK_FROM); self-events that wait; spikes whose
count and eligibility are not yet noted; room that rows take, and have."""

(
    SIZE,
    FIRST,
    SOFT,
    SELVES,
    ADAPTS,
    TABLE,
    LAW,
    CELL,
    BODY,
    BAR,
    TOUCHED,
    FIRED,
    LOG,
    FROM,
    UNTIL,
    HEARD_FROM,
    HEARD_UNTIL,
    POST,
    POST_DELAY,
    POST_TABLE,
    POST_SPAN,
    POST_CLOCK,
    POST_LIVE,
    LOGGED,
    COUNTED,
    COUNTS,
    ACTIVE,
    NOTED,
    ROW_AT,
    ROW_TICK,
    ROW_TABLE,
    GROWTH,
    AT_ARRIVALS,
    GAIN,
    LATE,
    LATE_TABLE,
    LATE_SPAN,
    LATE_CLOCK,
    LATE_LIVE,
    GROWN_TABLE,
    GROWN_SPAN,
    GROWN_CLOCK,
    GROWN_LIST,
    POPULATION_FIELDS,
) = range(44)
"""Neurons, number of the first; flags; in `real`: decay table, law, cells, bodies, thresholds; in
`ints`: lists of touched and fired, log header; projections into it; channels out of it; channel
of post spikes that act on synapses (or -1), its delay, table and span of post traces (`real`),
their clock
and list (`ints`); are its spikes kept; are they counted, spikes of each in this window, list of
those that fired, how far spikes are noted; where eligibility rows are (-1: nowhere), their ticks,
decay table (`real`; 0: no rows). Where arrivals raise eligibilities: their non-causal amount
(`real`; 0: they do not), is that all, or do spikes too; what an arrival adds to each neuron's
synapses; its post traces with table, span, clock and list; of the eligibilities table, span, clock
and list of the neurons that have some (ROW_AT is 0 for them)."""

(
    SOURCE,
    TARGET,
    CHANNEL,
    RULE,
    START_AT,
    TARGET_AT,
    WEIGHT,
    IN_START,
    IN_SYNAPSE,
    IN_SOURCE,
    PRE,
    ARRIVED,
    PRE_TABLE,
    PRE_SPAN,
    PRE_CLOCK,
    PRE_LIVE,
    AMOUNTS,
    FAN_OUT,
    GROWN,
    PROJECTION_FIELDS,
) = range(20)
"""Places of the populations in `plan`, channel, rule; in `wires`: rows and ways back; in `weight`;
pre traces and arrival stamps (`real`), their table and span, clock and list; amounts (`real`);
mean number of targets; eligibilities that arrivals raise (`real`), one a synapse."""

STATIC, PAIRED, GATED, READ = range(4)
"""Rules of a projection: none, pair STDP, post-gated eligibility, delta rule of a readout."""

# Fields of one cell, body, law, pair rule in `real`; of a log, a channel, a trace clock in `ints`.
DRIVE, TRACE, FLOOR, STAMP, CELL_FIELDS = range(5)
"""Drive that arrived in this volley, post trace, lowest weight, tick of the last arrival."""
EXCESS, SINCE, BODY_FIELDS = range(3)
"""Potential after reset above rest, its tick."""
THETA, FIRED_AT, BAR_FIELDS = range(3)
"""Threshold after the last spike, clock of that."""
REST, RESET, LEAK_LOG, DRIFT, STEP, LOW, HIGH, LAW_FIELDS = range(8)
"""b/(1-γ); what a hard reset leaves; ln γ; the law of the threshold."""
AT_PRE, AT_POST, AT_BOTH, LEAST, MOST, PAIR_FIELDS = range(6)
NEXT, FIRED_NOW, ACTIVE_COUNT, NOTED_FIELDS = range(4)
"""Which spike of the last volley is to be noted next, of how many; length of the list."""
TICKS_AT, TICKS, TICKS_ROOM, NEURONS_AT, NEURONS, NEURONS_ROOM, LOG_FIELDS = range(7)
"""In `log`: (tick, first) of each volley with spikes, then their neurons; how many, room for."""
DUE, CURSOR, DELAY, FROM_LOG, CHANNEL_FIELDS = range(5)
"""When the next spikes arrive, which volley of the log that is, delay, log header."""
ORIGIN, ALIVE, TRACE_CLOCK_FIELDS = range(3)
"""Tick to which traces are scaled, how many are not zero."""
