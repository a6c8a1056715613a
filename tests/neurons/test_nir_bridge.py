"""Laws of NIR: out and back is the same circuit; what either side cannot say is refused by name."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from drawn_circuits import INPUTS, TICKS, drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.neurons.errors import CircuitError
from simedge.neurons.homeostasis import Homeostasis
from simedge.neurons.nir_bridge import from_nir, read_nir, to_nir, write_nir
from simedge.neurons.recurrent.circuit import RecurrentCircuit
from simedge.neurons.recurrent.parts import Population, Projection
from simedge.neurons.recurrent.wiring import one_to_one, synapses_of

nir = pytest.importorskip("nir", reason="the extra 'nir' is not installed")

TICK_NS = 2_000_000


def plain(population):
    """Return a population that NIR can say."""
    law = population.threshold
    first = law.initial if isinstance(law, Homeostasis) else law
    return replace(population, threshold=first, soft=False)


def sayable(seed):
    one = drawn(seed)
    one.populations = {name: plain(population) for name, population in one.populations.items()}
    return one


def assert_same_course(one, circuits):
    """Feed both the same and compare all spikes and what was learned."""
    for circuit in circuits:
        one.feed(circuit).run(TICKS + 20)
    first, second = circuits
    for name in one.populations:
        for a, b in zip(first.spikes(name), second.spikes(name), strict=True):
            assert a.tolist() == b.tolist()
    for k in range(len(one.projections)):
        assert first.weights(k).tolist() == second.weights(k).tolist()


@given(st.integers(0, 2**32 - 1))
def test_out_and_back_is_the_same_circuit(seed):
    one = sayable(seed)
    graph = to_nir(one.circuit(), tick_ns=TICK_NS)
    assert_same_course(one, (one.circuit(), from_nir(graph)))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_through_a_file_and_back_is_the_same_circuit(tmp_path_factory, seed):
    one, path = sayable(seed), tmp_path_factory.mktemp("nir") / "circuit.nir"
    write_nir(path, one.circuit(), tick_ns=TICK_NS)
    assert_same_course(one, (one.circuit(), read_nir(path)))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_euler_of_the_graph_alone_fires_as_the_circuit(seed):
    """One step of dt of NIR's own equations is a tick, to rounding: no metadata is needed."""
    one = sayable(seed)
    graph = to_nir(one.circuit(), tick_ns=TICK_NS)
    for name in one.populations:
        node = graph.nodes[name]
        share = TICK_NS / 1e9 / node.tau
        v = np.zeros(node.tau.size)
        population = one.populations[name]
        u = np.zeros(population.size)
        for _ in range(TICKS):
            v = v + share * ((node.v_leak - v) + node.r * 0.1)
            u = population.gamma * u + 0.1 + population.bias
            np.testing.assert_allclose(v, u, rtol=1e-9, atol=1e-12)
            fired = u > population.threshold
            v, u = np.where(fired, node.v_reset, v), np.where(fired, 0.0, u)


def one_population(**options):
    neurons = Population(**{"size": 2, "gamma": 0.9, **options})
    drive = Projection(
        source="inputs", target="e", synapses=one_to_one(2), weights=np.full(2, 0.7), delay=0
    )
    return RecurrentCircuit(2, {"e": neurons}, projections=[drive])


def test_what_nir_cannot_say_is_refused_by_name():
    with pytest.raises(CircuitError, match="no soft reset, population e has"):
        to_nir(one_population(soft=True), tick_ns=TICK_NS)
    law = Homeostasis(gamma=0.9)
    with pytest.raises(CircuitError, match="no homeostasis, thresholds of population e adapt"):
        to_nir(one_population(threshold=law), tick_ns=TICK_NS)
    for name in ("a/b", "output", "projection-0"):
        renamed = RecurrentCircuit(
            2,
            {name: Population(size=2, gamma=0.9)},
            projections=[
                Projection(
                    source="inputs",
                    target=name,
                    synapses=one_to_one(2),
                    weights=np.ones(2),
                )
            ],
        )
        with pytest.raises(CircuitError, match=name):
            to_nir(renamed, tick_ns=TICK_NS)


def lif(size=2, **options):
    one = np.ones(size)
    numbers = {"tau": 0.02, "r": 10.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0, **options}
    return nir.LIF(**{name: value * one for name, value in numbers.items()})


def foreign(nodes, edges):
    ends = {
        "in": nir.Input(input_type={"input": np.array([2])}),
        "out": nir.Output(output_type={"output": np.array([2])}),
    }
    return nir.NIRGraph({**ends, **nodes}, [*edges, ("n", "out")], type_check=False)


STRAIGHT = [("in", "w"), ("w", "n")]


def weights(bias=None):
    matrix = np.array([[0.5, 0.25], [0.0, 2.0]])
    return nir.Linear(weight=matrix) if bias is None else nir.Affine(weight=matrix, bias=bias)


def test_a_graph_of_others_becomes_a_circuit_by_eulers_rule():
    """Resistance and bias are folded in: R·dt/τ = 0.5 of each weight."""
    graph = foreign({"w": weights(np.full(2, 0.1)), "n": lif(r=5.0)}, STRAIGHT)
    circuit = from_nir(graph, tick_ns=TICK_NS)
    inputs, populations, (drive,) = circuit.parts()
    assert (inputs, drive.delay, drive.source, drive.target) == (2, 0, "inputs", "n")
    assert populations["n"].gamma == pytest.approx(0.9)
    assert populations["n"].bias == pytest.approx(0.05)
    assert drive.weights.tolist() == pytest.approx([0.25, 0.125, 1.0])


def test_a_loop_without_a_delay_takes_one_tick_and_delays_add_up():
    two = {"d1": nir.Delay(np.full(2, 0.004)), "d2": nir.Delay(np.full(2, 0.002))}
    nodes = {"w": weights(), "n": lif(), "back": weights(), **two}
    around = [("n", "d1"), ("d1", "d2"), ("d2", "back"), ("back", "n"), ("n", "n")]
    circuit = from_nir(foreign(nodes, STRAIGHT + around), tick_ns=TICK_NS)
    found = {(p.source, p.delay, p.synapses.count) for p in circuit.parts()[2]}
    assert found == {("inputs", 0, 3), ("n", 3, 3), ("n", 1, 2)}


@pytest.mark.parametrize(
    ("nodes", "edges", "match"),
    [
        ({"n": lif(tau=np.array([0.02, 0.03]))}, [("in", "n")], "tau of n is not"),
        ({"n": lif(v_reset=0.5)}, [("in", "n")], "those of n to 0.5"),
        ({"n": nir.IF(r=np.ones(2), v_threshold=np.ones(2))}, [("in", "n")], "no IF, node n"),
        ({"n": lif(), "d": nir.Delay(np.array([0.0, 0.1]))}, [("in", "d"), ("d", "n")], "node d"),
        ({"n": lif(), "d": nir.Delay(np.full(2, 0.003))}, [("in", "d"), ("d", "n")], "no whole"),
        ({"n": lif(), "w": weights()}, [*STRAIGHT, ("w", "w")], "w feeds itself"),
        ({"n": lif(3), "w": weights()}, STRAIGHT, "must be 3 x 2"),
        ({"n": lif(), "w": nir.Linear(np.ones((2, 5)))}, STRAIGHT, "with 2 columns"),
        ({"n": lif(), "w": weights(np.array([0.1, 0.2]))}, STRAIGHT, "the bias of what n hears"),
        ({"n": lif(), "b": nir.Input({"input": np.array([2])})}, [("b", "n")], "has one input"),
    ],
)
def test_what_a_circuit_cannot_be_is_refused_by_name(nodes, edges, match):
    with pytest.raises(CircuitError, match=match):
        from_nir(foreign(nodes, edges), tick_ns=TICK_NS)


def test_a_graph_that_does_not_say_its_tick_is_refused():
    with pytest.raises(CircuitError, match="give tick_ns"):
        from_nir(foreign({"n": lif()}, [("in", "n")]))


def test_a_synapse_of_weight_zero_stays_a_synapse():
    wires = synapses_of((np.array([0, 1]), np.array([1, 0])), sources=2, targets=2)
    drive = Projection(source="inputs", target="e", synapses=wires, weights=np.array([0.0, 1.0]))
    circuit = RecurrentCircuit(2, {"e": Population(size=2, gamma=0.5)}, projections=[drive])
    back = from_nir(to_nir(circuit, tick_ns=TICK_NS))
    assert back.weights(0).tolist() == [0.0, 1.0]
    assert [ends.tolist() for ends in back.synapses(0).pairs()] == [[0, 1], [1, 0]]


def test_other_readers_accept_the_file(tmp_path):
    write_nir(tmp_path / "c.nir", one_population(), tick_ns=TICK_NS)
    graph = nir.read(tmp_path / "c.nir")
    assert {name: type(node).__name__ for name, node in graph.nodes.items()} == {
        "inputs": "Input",
        "projection-0": "Linear",
        "e": "LIF",
        "output": "Output",
    }


def test_a_file_that_is_no_graph_is_named(tmp_path):
    path = tmp_path / "x.nir"
    path.write_text("no")
    with pytest.raises(CircuitError, match=r"x\.nir: no NIR graph"):
        read_nir(path)


def test_without_its_extra_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(CircuitError, match=r"pip install 'simedge\[nir\]'"):
        to_nir(one_population(), tick_ns=TICK_NS)


def test_inputs_are_counted_as_drawn():
    assert sayable(1).circuit().parts()[0] == INPUTS
