"""The benchmark's network in other simulators, each in an environment of its own."""

import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from network import AT_POST, AT_PRE, KICK, MOST

HERE = Path(__file__).parent
PEERS = {
    "Brian2 C++": ("brian2", "brian.py", "cpp"),
    "Brian2 cython": ("brian2", "brian.py", "cython"),
    "Brian2 numpy": ("brian2", "brian.py", "numpy"),
    "NEST": ("nest", "nest_net.py", ""),
    "torch dense": ("torch", "dense.py", ""),
}
"""Module, script, mode."""
LONGEST = {"torch dense": 100}
"""Ticks that are enough where every tick costs the same."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def found(pythons):
    """Return the interpreter of each peer that is installed, and why others are left out."""
    homes, skipped = {}, {}
    for name, (module, _, _) in PEERS.items():
        able = [python for python in pythons if ran([python, "-c", f"import {module}"])[0] == 0]
        if able:
            homes[name] = able[0]
        else:
            skipped[name] = f"no --peer-python has {module}" if pythons else "no --peer-python"
    return homes, skipped


def ran(command):
    """Return exit code, what was said, and what went wrong."""
    environment = os.environ | ONE_THREAD
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)  # noqa: S603 - our own command
    return done.returncode, done.stdout, done.stderr


def play(name, python, case):
    """Return CPU seconds a simulated second, and spikes a second.

    `case` is network, drive, ticks.
    """
    network, drive, ticks = case
    ticks = min(ticks, LONGEST.get(name, ticks))
    _, script, mode = PEERS[name]
    sources, targets = network.synapses.pairs()
    mine = drive.ticks < ticks
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder, "held.npz")
        np.savez(
            held,
            neurons=network.neurons,
            lines=drive.lines[mine],
            ticks=drive.ticks[mine],
            sources=sources,
            targets=targets,
            weights=network.weights,
            at_pre=AT_PRE,
            at_post=AT_POST,
            most=MOST,
            kick=KICK,
        )
        told = [python, str(HERE / script), str(held), mode, str(ticks), str(Path(folder, "built"))]
        code, said, wrong = ran(told)
    if code:
        raise RuntimeError(f"{name} failed: {wrong[-2000:]}")
    words = said.split()
    at = words.index("spent")
    return float(words[at + 1]) / ticks * 1000, int(words[at + 3]) / ticks * 1000
