"""Stops change nothing, and what is told of the way to each is what was done on it."""

import numpy as np
from drawn_circuits import INPUTS, TICKS, drawn, gated, growing
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.neurons.recurrent.circuit import RecurrentCircuit
from simedge.neurons.recurrent.parts import GatedRule
from simedge.neurons.recurrent.stops import StoppingCircuit

STOPS = st.lists(st.integers(0, 2 * TICKS), max_size=8).map(sorted)


def told(circuit, names):
    counted = circuit.counters
    rasters = [column.tolist() for name in names for column in circuit.spikes(name)]
    eligible = [
        circuit.eligibilities(k, TICKS).tolist()
        for k, projection in enumerate(circuit.parts()[2])
        if isinstance(projection.rule, GatedRule)
    ]
    return counted, rasters, circuit.weights(0).tolist(), eligible


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), stops=STOPS, kind=st.sampled_from([drawn, gated, growing]))
def test_one_call_for_all_stops_is_one_call_for_each(seed, stops, kind):
    parts = kind(seed)
    if not parts.projections:
        return
    made = [
        parts.feed(cls(INPUTS, parts.populations, projections=parts.projections))
        for cls in (StoppingCircuit, RecurrentCircuit)
    ]
    operations, done = made[0].run_to(np.array(stops, np.int64)).tolist(), [0]
    for stop in stops:
        made[1].run(stop)
        counted = made[1].counters
        done.append(counted["deliveries"] + counted["trace_touches"])
    assert operations == np.diff(done).tolist()
    assert told(made[0], parts.populations) == told(made[1], parts.populations)


def test_buffers_that_grow_on_the_way_change_nothing():
    parts = gated(3, size=200)  # its rows do not fit at first
    fed = np.nonzero(np.ones((400, INPUTS), bool))
    told_of = []
    for stops in ([400], range(1, 401)):
        circuit = StoppingCircuit(INPUTS, parts.populations, projections=parts.projections)
        circuit.feed(*fed)
        held = circuit.nbytes
        operations = circuit.run_to(np.array(stops, np.int64))
        assert circuit.nbytes > held
        told_of.append((operations.sum(), told(circuit, parts.populations)))
    assert told_of[0] == told_of[1]
