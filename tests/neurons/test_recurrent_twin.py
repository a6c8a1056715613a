"""The recurrent circuit is its slow twin, however it is played."""

import threading

import numpy as np
from clocked import Clocked, raster
from drawn_circuits import INPUTS, TICKS, drawn
from hypothesis import assume, given
from hypothesis import strategies as st

seeds = st.integers(0, 2**31)


def played(case, **options):
    circuit = case.feed(case.circuit(**options))
    circuit.run(TICKS)
    return circuit


def state_of(circuit, case):
    """All that a history leaves, exactly."""
    names = ["inputs", *case.populations]
    return (
        [[part.tolist() for part in circuit.spikes(name)] for name in names],
        [circuit.weights(k).tobytes() for k in range(len(case.projections))],
        [circuit.potentials(name, TICKS).tobytes() for name in case.populations],
        [circuit.thresholds(name, TICKS).tobytes() for name in case.populations],
        circuit.counters,
    )


@given(seeds)
def test_lazy_is_clocked(seed):
    case = drawn(seed)
    twin = Clocked(INPUTS, case.populations, case.projections)
    twin.run(case.fed)
    assume(twin.margin > 1e-9)
    circuit = played(case)
    for name, cells in twin.cells.items():
        assert tuple(part.tolist() for part in circuit.spikes(name)) == raster(twin.spikes(name))
        np.testing.assert_allclose(circuit.potentials(name, TICKS - 1), cells.u, atol=1e-9)
        np.testing.assert_allclose(circuit.thresholds(name, TICKS), cells.theta, atol=1e-9)
    for k in range(len(case.projections)):
        np.testing.assert_allclose(circuit.weights(k), twin.weights(k), atol=1e-9)


@given(seeds, st.booleans())
def test_fused_and_stepped_are_one_history(seed, single):
    case = drawn(seed)
    stepped = case.feed(case.circuit(single=single))
    while stepped.step(TICKS):
        pass
    assert state_of(stepped, case) == state_of(played(case, single=single), case)


@given(seeds, st.lists(st.integers(0, TICKS), max_size=5))
def test_a_horizon_leaves_no_mark(seed, horizons):
    case = drawn(seed)
    halting = case.feed(case.circuit())
    for horizon in [*sorted(horizons), TICKS]:
        halting.run(horizon)
    assert state_of(halting, case) == state_of(played(case), case)


@given(seeds, seeds)
def test_the_order_in_which_spikes_are_reported_does_not_matter(seed, order):
    case = drawn(seed)
    ticks, lines = np.nonzero(case.fed)
    ways = np.random.Generator(np.random.Philox(order)).permutation(
        np.tile(np.arange(ticks.size), 2)
    )
    shuffled = case.circuit()
    shuffled.feed(ticks[ways], lines[ways])
    shuffled.run(TICKS)
    assert state_of(shuffled, case) == state_of(played(case), case)


@given(seeds)
def test_a_frame_forgets_all_but_weights_and_thresholds(seed):
    case = drawn(seed)
    case.populations = {n: p for n, p in case.populations.items() if isinstance(p.threshold, float)}
    kept = {"inputs", *case.populations}
    case.projections = [p for p in case.projections if {p.source, p.target} <= kept]
    assume(case.populations)
    circuit = played(case)
    fresh = case.circuit()
    for k in range(len(case.projections)):
        fresh.weights(k)[:] = circuit.weights(k)
    before = {name: circuit.spikes(name)[0].size for name in case.populations}
    start = 10 * TICKS
    circuit.reset(start)
    case.feed(circuit, start).run(start + TICKS)
    case.feed(fresh).run(TICKS)
    for name in case.populations:
        ticks, neurons = circuit.spikes(name)
        again = ticks[before[name] :] - start, neurons[before[name] :]
        assert [part.tolist() for part in again] == [p.tolist() for p in fresh.spikes(name)]
    for k in range(len(case.projections)):
        np.testing.assert_allclose(circuit.weights(k), fresh.weights(k), atol=1e-9)


def test_circuits_on_threads_are_those_played_one_after_the_other():
    cases = [drawn(seed) for seed in range(8)]
    circuits = [case.feed(case.circuit()) for case in cases]
    threads = [threading.Thread(target=circuit.run, args=(TICKS,)) for circuit in circuits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for case, circuit in zip(cases, circuits, strict=True):
        assert state_of(circuit, case) == state_of(played(case), case)
    assert sum(circuit.counters["spikes"] for circuit in circuits) > 100


@given(seeds)
def test_held_synapses_and_thresholds_do_not_move(seed):
    case = drawn(seed)
    circuit = case.feed(case.circuit())
    circuit.run(TICKS // 2)
    circuit.learn(synapses=False, thresholds=False)
    weights = [circuit.weights(k).tobytes() for k in range(len(case.projections))]
    bars = [circuit.thresholds(name, TICKS // 2).tobytes() for name in case.populations]
    circuit.run(TICKS)
    assert weights == [circuit.weights(k).tobytes() for k in range(len(case.projections))]
    assert bars == [circuit.thresholds(name, TICKS).tobytes() for name in case.populations]
