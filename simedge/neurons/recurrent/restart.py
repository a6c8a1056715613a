"""A frame begins: what was on its way is forgotten, in time that follows what was active."""

from simedge.core.native_cache import native_leaf, native_part
from simedge.neurons.kinds import Index, Whole
from simedge.neurons.recurrent.bared import bared
from simedge.neurons.recurrent.firing import threshold_at
from simedge.neurons.recurrent.pairing import post_traces, pre_traces
from simedge.neurons.recurrent.places import (
    CHANNEL_FIELDS,
    CHANNELS_FROM,
    CHANNELS_UNTIL,
    CURSOR,
    DUE,
    FROM_LOG,
    GATED,
    HEAD,
    HEARD_FROM,
    HEARD_UNTIL,
    LAW,
    NEVER,
    PAIRED,
    POPULATION_FIELDS,
    POPULATIONS,
    POST,
    PROJECTION_FIELDS,
    RESET,
    REST,
    RULE,
    SELVES,
    SIZE,
    START,
    TICKS,
    Arrays,
)
from simedge.neurons.recurrent.selves import crossing, forget_selves, put
from simedge.neurons.recurrent.traces import forget_traces

__all__ = ["restart"]


@native_leaf
def restart(arrays: Arrays, tick: Whole) -> None:
    """Forget potentials, traces and spikes on their way; the frame begins at `tick`."""
    c = bared(arrays)
    ints, plan = c.ints, c.plan
    ints[START] = tick
    for channel in range(plan[CHANNELS_FROM], plan[CHANNELS_UNTIL], CHANNEL_FIELDS):
        ints[channel + CURSOR] = ints[ints[channel + FROM_LOG] + TICKS]
        ints[channel + DUE] = NEVER
    forget_selves(c)
    for pop in range(HEAD + POPULATION_FIELDS, plan[POPULATIONS], POPULATION_FIELDS):
        if plan[pop + POST] >= 0:
            forget_traces(c, post_traces(c, pop), tick)
        for q in range(plan[pop + HEARD_FROM], plan[pop + HEARD_UNTIL], PROJECTION_FIELDS):
            if plan[q + RULE] == PAIRED or plan[q + RULE] == GATED:
                forget_traces(c, pre_traces(c, q), tick)
        if plan[pop + SELVES] >= 0:
            wind_up(c, pop, tick)


@native_part
def wind_up(c: Arrays, pop: Whole, tick: Whole) -> None:
    """Note when a bias will make neurons fire that begin at 0: all of them at one tick."""
    law = c.plan[pop + LAW]
    bar = threshold_at(c, pop, Index(0), tick) - c.real[law + REST]
    ticks = crossing(c, pop, c.real[law + RESET], bar)
    if ticks != NEVER:
        for neuron in range(c.plan[pop + SIZE]):
            put(c, c.plan[pop + SELVES] + neuron, tick + ticks)
