"""Recurrent circuits by size: time to wire, bytes a plastic synapse, the price of silence.

`python benchmarks/bench_recurrent_size.py`. Bytes are those that a circuit keeps from its first
spike to its last (tracemalloc), wiring, weights, traces, eligibilities, logs and all.
"""

import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "recurrent"))

from network import AT_POST, AT_PRE, DECAY, LEAK, MOST

from simedge.core.streams import Streams
from simedge.neurons.recurrent.circuit import RecurrentCircuit
from simedge.neurons.recurrent.parts import GatedRule, PairRule, Population, Projection
from simedge.neurons.recurrent.wiring import fixed_fan_out, one_to_one, uniform_weights

PAIR = PairRule(at_pre=AT_PRE, at_post=AT_POST, pre_factor=DECAY, post_factor=DECAY, high=MOST)
GATED = GatedRule(pre_factor=DECAY, row_factor=0.99)


def wired(neurons, fan_out):
    stream = Streams(1).stream("bench", "size", "wiring")
    return fixed_fan_out(stream, fan_out, sources=neurons, targets=neurons, autapses=False)


def circuit_of(neurons, fan_out, rule):
    synapses = wired(neurons, fan_out)
    drawn = uniform_weights(Streams(1).stream("bench", "size", "w"), synapses, 0.0, high=MOST)
    kicks = np.full(neurons, 1.5)
    wires = one_to_one(neurons)
    return RecurrentCircuit(
        neurons,
        {"e": Population(size=neurons, gamma=LEAK)},
        projections=[
            Projection(source="inputs", target="e", synapses=wires, weights=kicks, delay=0),
            Projection(source="e", target="e", synapses=synapses, weights=drawn, rule=rule),
        ],
        record=False,
    )


def wake(circuit, neurons):
    """Let one neuron in twenty fire, each at a tick of its own."""
    lines = np.arange(0, neurons, 20)
    circuit.feed(np.arange(lines.size), lines)
    circuit.run(lines.size + 10)
    assert circuit.counters["spikes"] == lines.size


def bytes_of(neurons, fan_out, rule):
    """Return bytes kept and the most that was held while it was built."""
    tracemalloc.start()
    circuit = circuit_of(neurons, fan_out, rule)
    wake(circuit, neurons)
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept >= circuit.nbytes
    return kept, most


def silence(neurons):
    """Return wall-clock milliseconds of one simulated second in which nothing happens."""
    circuit = circuit_of(neurons, 10, PAIR)
    wake(circuit, 1000)
    start = circuit.now + 1000
    times = []
    for second in range(1, 200):
        begin = time.perf_counter()
        circuit.run(start + 1000 * second)
        times.append(time.perf_counter() - begin)
    return min(times) * 1e3


def main():
    wake(circuit_of(1000, 10, PAIR), 1000)  # compiles
    wake(circuit_of(1000, 10, GATED), 1000)
    print("10^6 synapses         | s to wire | MB kept | bytes a synapse | MB at most")
    for neurons, fan_out in ((10_000, 100), (1_000_000 // 64, 64)):
        for name, rule in (("pair", PAIR), ("gated", GATED)):
            spent = []
            for _ in range(3):
                begin = time.process_time()
                wired(neurons, fan_out)
                spent.append(time.process_time() - begin)
            kept, most = bytes_of(neurons, fan_out, rule)
            print(
                f"{neurons:6} x {fan_out:3}, {name:5}   | {min(spent):9.2f} | {kept / 1e6:7.1f} | "
                f"{kept / neurons / fan_out:15.1f} | {most / 1e6:10.1f}"
            )
    print("\nneurons | projections' synapses | ms a silent second")
    for neurons in (1_000, 10_000, 100_000, 1_000_000):
        print(f"{neurons:7} | {11 * neurons:21} | {silence(neurons):.4f}", flush=True)


if __name__ == "__main__":
    main()
