"""Laws of recurrent circuits with modulators, of questions, of silence, of compiled code."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from clocked import Clocked
from drawn_circuits import TICKS, drawn, gated
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.neurons.homeostasis import Homeostasis
from simedge.neurons.recurrent.parts import GatedRule, Population, Projection
from simedge.neurons.recurrent.wiring import one_to_one

seeds = st.integers(0, 2**31)
HALF = TICKS // 2


def state_of(circuit, case, tick=TICKS):
    """All that can be asked of a circuit, exactly."""
    told = [circuit.spikes(name) for name in ("inputs", *case.populations)]
    told += [circuit.weights(k) for k in range(len(case.projections))]
    told += [circuit.potentials(name, tick) for name in case.populations]
    told += [circuit.thresholds(name, tick) for name in case.populations]
    if is_gated(case):
        told += [circuit.counts(name) for name in case.populations]
        told += [circuit.active(name) for name in case.populations]
        told += [circuit.eligibilities(k, tick) for k in range(len(case.projections))]
    parts = [np.asarray(part).tobytes() for each in told for part in np.atleast_2d(each)]
    return hashlib.sha256(b"|".join([*parts, str(circuit.counters).encode()])).hexdigest()


def is_gated(case):
    return {type(p.rule) for p in case.projections} == {GatedRule}


def modulate(circuit, tick, words, scale=0.05):
    for name in ("a", "b"):
        circuit.gate(name, tick, scale * words.standard_normal(circuit.active(name).size))


def history(case, seed, between=lambda _circuit, _tick: None):
    """Play a window, gate, play another, with something done at every few ticks."""
    words = np.random.Generator(np.random.Philox(seed))
    circuit = case.feed(case.circuit())
    for tick in range(5, TICKS + 1, 5):
        circuit.run(tick)
        between(circuit, tick)
        if tick == HALF:
            modulate(circuit, tick, words)
    return circuit


@settings(max_examples=25)
@given(seeds, seeds)
def test_spikes_of_one_volley_have_no_order_under_modulators_either(seed, order):
    case = gated(seed)
    shuffled = gated(seed)
    ticks, lines = np.nonzero(case.fed)
    ways = np.random.Generator(np.random.Philox(order)).permutation(ticks.size)
    shuffled.feed = lambda circuit: circuit.feed(ticks[ways], lines[ways]) or circuit
    assert state_of(history(shuffled, seed), case) == state_of(history(case, seed), case)


@settings(max_examples=5)
@given(seeds, seeds)
def test_questions_change_nothing(seed, asked):
    case, words = gated(seed), np.random.Generator(np.random.Philox(asked))

    def ask(circuit, tick):
        for _ in range(7):
            later = tick + int(words.integers(0, 10_000))
            name, k = str(words.choice(["a", "b"])), int(words.integers(3))
            first = state_of(circuit, case, later)
            assert state_of(circuit, case, later) == first
            assert circuit.eligibilities(k, later).size == circuit.synapses(k).count
            assert circuit.nbytes > circuit.counts(name).nbytes

    assert state_of(history(case, seed, ask), case) == state_of(history(case, seed), case)


@settings(max_examples=25)
@given(seeds, seeds)
def test_a_modulator_moves_weights_and_nothing_else(seed, drawn_by):
    case = gated(seed)
    plain, moved = case.feed(case.circuit()), case.feed(case.circuit())
    for circuit in (plain, moved):
        circuit.run(HALF)
    held = [moved.weights(k).copy() for k in range(3)]
    modulate(moved, HALF, np.random.Generator(np.random.Philox(drawn_by)), scale=5.0)
    for k, weights in enumerate(held):
        changed = moved.weights(k) != weights
        assert not changed[moved.eligibilities(k, HALF) == 0].any()
        moved.weights(k)[:] = weights
    for circuit in (plain, moved):
        circuit.run(TICKS)
    for name in ("a", "b"):
        assert np.array_equal(plain.spikes(name), moved.spikes(name))
        assert np.array_equal(plain.potentials(name, TICKS), moved.potentials(name, TICKS))
        assert np.array_equal(plain.thresholds(name, TICKS), moved.thresholds(name, TICKS))
    for k in range(3):
        assert np.array_equal(plain.eligibilities(k, TICKS), moved.eligibilities(k, TICKS))


@settings(max_examples=25)
@given(seeds, st.integers(1, 10**9))
def test_silence_costs_a_gated_circuit_nothing_and_it_wakes_exactly(seed, gap):
    case = gated(seed)
    circuit = case.feed(case.circuit())
    circuit.run(TICKS + 10)
    counted, used = circuit.counters, circuit.nbytes
    before = [circuit.eligibilities(k, circuit.now) for k in range(3)]
    late = circuit.now + gap
    circuit.run(late)
    assert (circuit.counters, circuit.nbytes) == (counted, used)
    factor = case.projections[0].rule.row_factor
    for k in range(3):
        decayed = before[k] * factor**gap
        np.testing.assert_allclose(circuit.eligibilities(k, late), decayed, atol=1e-10)
    u = circuit.potentials("b", late - gap) * 0.9**gap
    np.testing.assert_allclose(circuit.potentials("b", late), u, atol=1e-10)


def spikes_from_nothing(law, start):
    """Let neurons begin below threshold, and count what fires with no input, tick by tick."""
    wires = one_to_one(start.size)
    drive = Projection(source="inputs", target="e", synapses=wires, weights=start, delay=0)
    population = Population(size=start.size, gamma=law.gamma, threshold=law)
    twin = Clocked(start.size, {"e": population}, [drive])
    fed = np.zeros((300, start.size), bool)
    fed[0] = True
    twin.run(fed)
    return int(twin.spikes("e").sum())


@settings(max_examples=25)
@given(
    gamma=st.floats(0.8, 0.99),
    low=st.floats(0.1, 0.9),
    start=st.lists(st.floats(0, 1), min_size=1, max_size=9),
)
def test_nothing_fires_from_nothing_up_to_the_bound_and_something_beyond(gamma, low, start):
    rate = (1 - gamma) * low * (1 - 1e-9)
    law = Homeostasis(initial=1.0, low=low, rate=rate, target=1.0, gamma=gamma)
    assert spikes_from_nothing(law, np.array([*start, 1.0])) == 0
    quick = max(low, 1 - 3 * rate)
    object.__setattr__(law, "rate", 3 * rate)  # which its door refuses
    if gamma > quick:
        assert spikes_from_nothing(law, np.array([1.0])) > 0


def told():
    """Play a few small circuits of every kind; return what is left of each."""
    cases = [drawn(seed) for seed in range(4)] + [gated(seed) for seed in range(3)]
    played = []
    for case in cases:
        circuit = case.feed(case.circuit())
        circuit.run(HALF)
        if is_gated(case):
            modulate(circuit, HALF, np.random.Generator(np.random.Philox(5)))
        circuit.run(TICKS)
        played.append(state_of(circuit, case))
    return played


def test_plain_python_does_what_compiled_code_does():
    paths = [str(Path(__file__).parent), *sys.path]
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(paths)}
    code = "import test_recurrent_laws as laws; print(' '.join(laws.told()))"
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert done.stdout.split() == told()
