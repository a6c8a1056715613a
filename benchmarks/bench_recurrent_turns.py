"""Brian2 C++ standalone, plain C and ours by turns, where they are close: 1, 10 and 100 Hz.

`python benchmarks/bench_recurrent_turns.py PYTHON`, an interpreter that has Brian2. CPU time of
each over ours: by the least of all turns, and the median of the ratios of each turn.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "recurrent"))

from bench_recurrent import fed, fused, seconds
from network import AT_POST, AT_PRE, KICK, MOST, circuit_of, drive_of, network_of
from plain import Plain, compiled

HERE = Path(__file__).parent
TICKS = {1: 1000, 10: 1000, 100: 300}
TURNS = 15


def built(python, case, ticks):
    """Return where the peer's program is, and the environment it runs in."""
    (network, drive), folder = case, Path(tempfile.mkdtemp())
    numbers = {"at_pre": AT_PRE, "at_post": AT_POST, "most": MOST, "kick": KICK}
    sources, targets = network.synapses.pairs()
    np.savez(
        folder / "held.npz", neurons=network.neurons, lines=drive.lines, ticks=drive.ticks,
        sources=sources, targets=targets, weights=network.weights, **numbers,
    )  # fmt: skip
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    told = [python, HERE / "recurrent" / "brian.py", folder / "held.npz", "cpp", str(ticks)]
    subprocess.run([*told, folder / "built"], env=outside, check=True, capture_output=True)  # noqa: S603
    return folder / "built", outside


def main():
    network, call = network_of(), compiled()
    fused(circuit_of(network), 1)  # compiles
    print("rate Hz | Brian2 C++: least, median | C: least, median")
    for rate, ticks in TICKS.items():
        drive = drive_of(network, rate, ticks)
        home, outside = built(sys.argv[1], (network, drive), ticks)
        spent = {"peer": [], "C": [], "ours": []}
        for _ in range(TURNS):
            subprocess.run([home / "main"], cwd=home, env=outside, check=True, capture_output=True)  # noqa: S603
            spent["peer"].append(float(Path(home, "spent").read_text()))
            spent["ours"].append(seconds(fused, fed(circuit_of(network), drive), ticks))
            plain = Plain(call, network)
            plain.feed(drive)
            spent["C"].append(seconds(lambda c, t: c.run(t), plain, ticks))
        told = f"{rate:7}"
        for name in ("peer", "C"):
            ratios = [a / b for a, b in zip(spent[name], spent["ours"], strict=True)]
            least = min(spent[name]) / min(spent["ours"])
            told += f" | {least:6.2f}, {statistics.median(ratios):6.2f}"
        print(told, flush=True)


if __name__ == "__main__":
    main()
