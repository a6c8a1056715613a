"""Recurrent circuits from silence to 100 Hz: fused, stepped, plain C, and what others take.

    python benchmarks/bench_recurrent.py --peer-python PATH --peer-python OTHER ...

All play the same network and the same spikes on one thread. First table: by turns in one run, the
median of CPU time; ratios. Second table: CPU time of each over ours, the least of a few
runs on both sides. A peer is looked for in the environments that are given, else left out.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "recurrent"))

import peers
from network import circuit_of, drive_of, network_of
from plain import Plain, compiled
from steps import clocked

RATES = {0: 1_000_000, 0.01: 100_000, 0.1: 10_000, 1: 4_000, 10: 1_000, 100: 500}
PEER_TICKS = {0: 1000, 0.01: 1000, 0.1: 1000, 1: 1000, 10: 1000, 100: 200}


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


def beside_c(network, rates, rounds):
    call = compiled()
    print("rate Hz | spikes/s a neuron | fused ms/s | C/fused | C/float32 | stepped/fused")
    for rate in rates:
        ticks = RATES[rate]
        drive = drive_of(network, rate, min(ticks, 100_000 if rate else 1))
        played = [one_round(network, drive, ticks=ticks, call=call) for _ in range(rounds)]
        spent = {k: statistics.median(r[0][k] for r in played) for k in played[0][0]}
        real = played[0][1] / network.neurons / ticks * 1000
        told = f"{rate:7} | {real:17.3f} | {spent['fused'] / ticks * 1e6:10.5f} |"
        if rate:
            told += f" {spent['C'] / spent['fused']:7.2f} | {spent['C'] / spent['float32']:9.2f} |"
            told += f" {spent['stepped'] / spent['fused']:13.2f}"
        print(told, flush=True)


def ours_beside(network, drive, ticks):
    """Return the least CPU time of ours and of the numpy steps, and spikes."""
    ours = min(seconds(fused, fed(circuit_of(network), drive), ticks) for _ in range(9))
    return ours / ticks * 1000, clocked(network, drive, ticks)[0] / ticks * 1000


def beside_peers(network, rates, homes):
    print("\nrate Hz | fused ms/s | numpy steps |" + " |".join(f" {name}" for name in homes))
    for rate in rates:
        ticks = PEER_TICKS[rate]
        drive = drive_of(network, rate, ticks)
        spent = {
            name: peers.play(name, python, (network, drive, ticks))
            for name, python in homes.items()
        }
        own, steps = ours_beside(network, drive, ticks)
        told = [f"{spent[name][0] / own:{max(6, len(name))}.4g}" for name in homes]
        print(f"{rate:7} | {own * 1e3:10.5f} | {steps / own:11.4g} | {' | '.join(told)}")
        counts = ", ".join(f"{name} {spikes:.0f}" for name, (_, spikes) in spent.items())
        print(f"        spikes a second: {counts}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", action="append", default=[], metavar="PATH")
    parser.add_argument("--rates", type=float, nargs="*", default=list(RATES))
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    network = network_of()
    fused(circuit_of(network), 1)  # compiles
    fused(circuit_of(network, single=True), 1)
    beside_c(network, asked.rates, asked.rounds)
    homes, skipped = peers.found(asked.peer_python)
    beside_peers(network, asked.rates, homes)
    for name, reason in skipped.items():
        print(f"{name}: left out, {reason}")


if __name__ == "__main__":
    main()
