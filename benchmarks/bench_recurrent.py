"""Recurrent circuits over four decades of rate: fused, stepped, plain C.

`python benchmarks/bench_recurrent.py`. All play the same network and the same spikes, by turns in
one run; what is printed is the median of CPU time, and ratios.
"""

import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "recurrent"))

from network import circuit_of, drive_of, network_of
from plain import Plain, compiled

RATES = {0.01: 100_000, 0.1: 10_000, 1: 4_000, 10: 1_000, 100: 500}
ROUNDS = 9


def fused(circuit, ticks):
    circuit.run(ticks)


def stepped(circuit, ticks):
    while circuit.step(ticks):
        pass


def fed(circuit, drive):
    circuit.feed(drive.ticks, drive.lines)
    return circuit


def seconds(play, circuit, ticks):
    begin = time.process_time()
    play(circuit, ticks)
    return time.process_time() - begin


def one_round(network, drive, *, ticks, call):
    plain = Plain(call, network)
    plain.feed(drive)
    spent = {"C": seconds(lambda c, t: c.run(t), plain, ticks)}
    ours = {}
    for name, play in (("fused", fused), ("stepped", stepped)):
        ours[name] = fed(circuit_of(network), drive)
        spent[name] = seconds(play, ours[name], ticks)
    single = fed(circuit_of(network, single=True), drive)
    spent["float32"] = seconds(fused, single, ticks)
    for circuit in ours.values():
        assert circuit.counters["spikes"] == plain.fields.spikes
        assert np.allclose(circuit.weights(1), plain.held["weight"], atol=1e-12)
    return spent, plain.fields.spikes


def main():
    network, call = network_of(), compiled()
    print("rate Hz | spikes/s a neuron |  C ms/s | C/fused | C/float32 | stepped/fused")
    for rate, ticks in RATES.items():
        drive = drive_of(network, rate, ticks)
        rounds = [one_round(network, drive, ticks=ticks, call=call) for _ in range(ROUNDS)]
        spent = {k: statistics.median(r[0][k] for r in rounds) for k in rounds[0][0]}
        real = rounds[0][1] / network.neurons / ticks * 1000
        per_second = spent["C"] / ticks * 1e6
        print(
            f"{rate:7} | {real:17.3f} | {per_second:7.3f} | {spent['C'] / spent['fused']:7.2f} | "
            f"{spent['C'] / spent['float32']:9.2f} | {spent['stepped'] / spent['fused']:13.2f}"
        )


if __name__ == "__main__":
    main()
