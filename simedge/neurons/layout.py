"""Where things lie: the sizes of a layer and its parts of a circuit's flat arrays."""

from typing import NamedTuple

__all__ = [
    "ACTED",
    "ACTING",
    "ARRIVED",
    "BAR",
    "BEFORE",
    "CHANGE",
    "CHANGED",
    "COUNTERS",
    "DECAY",
    "DELAY",
    "EXCESS",
    "FIELDS",
    "FIRST_ONLY",
    "GROUP",
    "IN_START",
    "LAW",
    "LIMIT",
    "LONG_AGO",
    "MAPS",
    "NO_LIMIT",
    "OUT_START",
    "PER_COLUMN",
    "PLACE",
    "POST",
    "POST_TICK",
    "PRE",
    "PRE_TICK",
    "RIVALS",
    "SELVES",
    "SOFT",
    "SPIKES",
    "SPIKE_FIRST",
    "SPIKE_NEURON",
    "SPIKE_TICK",
    "TAPS",
    "TAP_TICK",
    "THETA",
    "TOUCHED",
    "U_TICK",
    "WEIGHT",
    "WINNERS",
    "Layer",
    "Now",
    "U",
]

COUNTERS = (
    "volleys",
    "spikes",
    "synaptic_events",
    "neuron_updates",
    "trace_touches",
    "plasticity_updates",
    "macs",
    "weight_writes",
)
"""What a circuit counts, the first entries of `Circuit.ints`; all stay 0 in silence."""

LONG_AGO = -1
NO_LIMIT = 2**30
FIELDS = 39


class Layer(NamedTuple):
    """Sizes of one layer, and where its parts of the circuit's arrays begin.

    Layer n's numbers are in `Circuit.plan` from layer = n · FIELDS on. A kernel gets that place and
    reads field f as plan[layer + f], with f one of the constants below.
    """

    place: int
    maps: int
    columns: int
    taps: int
    winners: int
    soft: int
    per_column: int
    """1 if every column has thresholds of its own, 0 if all share one a map."""
    delay: int
    limit: int
    """Spikes of a map in one presentation that act on its synapses."""
    first_only: int
    """1 if only the neuron furthest above threshold learns, of those that win together."""
    weight: int
    """In `held`: weights, tap by tap, one a map."""
    theta: int
    """In `held`: thresholds θ̂, group by group, one a map."""
    group: int
    """In `held_tick`: tick of each group's last spike."""
    decay: int
    """In `table`: tables of potential, pre trace, post trace."""
    law: int
    """In `table`: (drift, step a spike, lowest, highest threshold)."""
    u: int
    """In `real`: potentials u⁺."""
    pre: int
    """In `real`: pre traces x̄ of the inputs."""
    post: int
    """In `real`: post traces ȳ."""
    change: int
    """In `real`: Δw of the current volley, one a weight, 0 between volleys."""
    bar: int
    """In `real`: thresholds of the column at hand."""
    excess: int
    """In `real`: u - θ of the neurons that compete."""
    u_tick: int
    """In `ints`, as all that follow: last touch of each column."""
    pre_tick: int
    arrived: int
    """Last arrival of each input, for coincidences."""
    post_tick: int
    tap_tick: int
    """Last volley in which a tap's weights were to change."""
    touched: int
    """Columns touched in this volley."""
    before: int
    """When each of those was touched last."""
    changed: int
    """Taps whose weights are to change in this volley."""
    selves: int
    """Columns that fire again without input, one tick after they fired."""
    acting: int
    """Neurons whose spikes act on their synapses in this volley."""
    rivals: int
    """Maps whose neurons compete, in the column at hand."""
    acted: int
    """How many spikes of each map have acted in this presentation."""
    spike_tick: int
    spike_neuron: int
    spike_first: int
    """Three lists, one entry a spike: tick, neuron, was it the furthest above threshold?"""
    out_start: int
    """In `plan`: begin and end of each input's (column, tap) pairs."""
    in_start: int
    """In `plan`: begin and end of each column's (input, tap) pairs."""
    spikes: int
    """In `ints`: spikes so far, those that acted on synapses, length of `selves`, of `changed`."""


(
    PLACE,
    MAPS,
    _COLUMNS,
    TAPS,
    WINNERS,
    SOFT,
    PER_COLUMN,
    DELAY,
    LIMIT,
    FIRST_ONLY,
    WEIGHT,
    THETA,
    GROUP,
    DECAY,
    LAW,
    U,
    PRE,
    POST,
    CHANGE,
    BAR,
    EXCESS,
    U_TICK,
    PRE_TICK,
    ARRIVED,
    POST_TICK,
    TAP_TICK,
    TOUCHED,
    BEFORE,
    CHANGED,
    SELVES,
    ACTING,
    RIVALS,
    ACTED,
    SPIKE_TICK,
    SPIKE_NEURON,
    SPIKE_FIRST,
    OUT_START,
    IN_START,
    SPIKES,
) = range(len(Layer._fields))


class Now(NamedTuple):
    """One moment of a presentation."""

    tick: int
    """Device tick on the scratch clock, which never goes back."""
    start: int
    """Tick 0 of the presentation on the same clock; anything older is forgotten state."""
    clock: int
    """Tick at which thresholds are read."""
    learn: int
    """1 while thresholds move with the clock, 0 while they stand still."""
