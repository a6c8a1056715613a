"""Laws of a circuit's pictures: every spike and every synapse once, never more than asked for."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.neurons.recurrent.circuit import RecurrentCircuit
from simedge.neurons.recurrent.parts import Population, Projection
from simedge.neurons.recurrent.wiring import synapses_of
from simedge.study.circuit_charts import (
    matrix_chart,
    matrix_rows,
    raster_chart,
    raster_rows,
    weight_chart,
    weight_rows,
)
from simedge.study.report.errors import MissingExtraError

SIZE, TICKS = 4, 12
WEIGHTS = st.lists(st.floats(0, 2), min_size=SIZE * SIZE, max_size=SIZE * SIZE)


def played(weights, fed):
    every = np.nonzero(np.ones((SIZE, SIZE)))
    drive = Projection(
        source="inputs",
        target="e",
        synapses=synapses_of(every, sources=SIZE, targets=SIZE),
        weights=np.array(weights),
        delay=0,
    )
    cells = Population(size=SIZE, gamma=0.8)
    circuit = RecurrentCircuit(SIZE, {"e": cells}, projections=[drive])
    ticks, lines = np.array(sorted(fed), np.int64).reshape(-1, 2).T
    circuit.feed(ticks, lines)
    circuit.run(TICKS)
    return circuit


@given(
    WEIGHTS,
    st.sets(st.tuples(st.integers(0, TICKS - 1), st.integers(0, SIZE - 1))),
    st.integers(0, 30),
)
def test_a_raster_has_every_spike_once_by_time(weights, fed, most):
    circuit = played(weights, fed)
    rows = raster_rows(circuit, ["inputs", "e"], tick_ns=500_000)
    ticks, neurons = circuit.spikes("e")
    seen = [(2 * row["t_ms"], row["neuron"]) for row in rows if row["population"] == "e"]
    assert sorted(seen) == sorted(zip(ticks.tolist(), neurons.tolist(), strict=True))
    assert {(2 * r["t_ms"], r["neuron"]) for r in rows if r["population"] == "inputs"} == fed
    assert [row["t_ms"] for row in rows] == sorted(row["t_ms"] for row in rows)
    assert raster_rows(circuit, ["inputs", "e"], tick_ns=500_000, most=most) == rows[:most]


@given(WEIGHTS, st.integers(1, 9))
def test_a_histogram_counts_every_synapse_and_a_matrix_names_it(weights, bins):
    circuit = played(weights, set())
    assert sum(row["synapses"] for row in weight_rows(circuit, 0, bins=bins)) == SIZE * SIZE
    rows = matrix_rows(circuit, 0)
    assert [row["weight"] for row in rows] == weights
    assert [(row["source"], row["target"]) for row in rows] == list(np.ndindex(SIZE, SIZE))
    assert len(matrix_rows(circuit, 0, most=2)) == 4


def values(chart):
    return chart.data.values


def test_charts_hold_their_rows_and_say_what_they_leave_out():
    pytest.importorskip("altair", reason="the extra 'report' (altair) is not installed")
    circuit = played([1.5] * SIZE * SIZE, {(tick, 0) for tick in range(TICKS)})
    fired = SIZE * TICKS
    raster = raster_chart(circuit, ["e"], tick_ns=10**6).to_dict()
    assert raster["title"] == f"{fired} spikes"
    assert values(raster_chart(circuit, ["e"], tick_ns=10**6)) == raster_rows(
        circuit, ["e"], tick_ns=10**6
    )
    few = raster_chart(circuit, ["e"], tick_ns=10**6, most=5).to_dict()
    assert few["title"] == f"the first 5 of {fired} spikes"
    assert values(weight_chart(circuit, 0)) == weight_rows(circuit, 0)
    assert matrix_chart(circuit, 0).to_dict()["title"] == f"{SIZE * SIZE} synapses"
    assert matrix_chart(circuit, 0, most=2).to_dict()["title"] == "the first 2 neurons"


def test_without_altair_charts_say_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'simedge\[report\]'"):
        weight_chart(played([1.0] * SIZE * SIZE, set()), 0)
