"""The benchmark's network in plain C, compiled here and called through ctypes."""

import ctypes
import math
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from network import AT_POST, AT_PRE, DECAY, KICK, LEAK, MOST

LL, D, P = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p


class Fields(ctypes.Structure):
    _fields_ = [
        *((n, LL) for n in ("neurons", "volleys", "spikes", "deliveries", "touches")),
        *((n, D) for n in ("leak_log", "pre_log", "at_pre", "at_post", "most", "kick")),
        *((n, P) for n in ("leak", "decay", "start", "target", "in_start", "in_synapse")),
        *((n, P) for n in ("in_source", "weight", "v", "since", "pre", "cells", "touched")),
        *((n, P) for n in ("fired", "before")),
        *((n, LL) for n in ("fired_count", "last", "origin")),
    ]


def compiled():
    folder = Path(tempfile.mkdtemp())
    source = Path(__file__).with_name("plain.c")
    command = ["cc", "-O3", "-march=native", "-shared", "-fPIC", source, "-o", folder / "plain.so"]
    subprocess.run([*command, "-lm"], check=True)  # noqa: S603 - our own command
    return ctypes.CDLL(str(folder / "plain.so")).run


class Plain:
    """One circuit; `run` plays a drive."""

    def __init__(self, call, network):
        wires, n = network.synapses, network.neurons
        room = np.zeros(4 * n + 8)
        skip = -room.ctypes.data % 64 // 8  # no cell lies across two lines of the cache
        cells = room[skip : skip + 4 * n].reshape(n, 4)
        cells[:, 3] = -1
        self.held = {
            "leak": LEAK ** np.arange(4097),
            "decay": DECAY ** np.arange(1024),
            "start": wires.start,
            "target": wires.target,
            "in_start": wires.in_start,
            "in_synapse": wires.in_synapse,
            "in_source": wires.in_source,
            "weight": network.weights.copy(),
            "v": np.zeros(n),
            "since": np.zeros(n),
            "pre": np.zeros(n),
            "cells": cells,
            "touched": np.zeros(n + 1, np.int32),
            "fired": np.zeros(n + 1, np.int32),
            "before": np.zeros(n + 1, np.int32),
        }
        self.fields = Fields(neurons=n, at_pre=AT_PRE, at_post=AT_POST, most=MOST, kick=KICK)
        self.fields.leak_log, self.fields.pre_log = math.log(LEAK), math.log(DECAY)
        self.fields.last = -2
        for name, array in self.held.items():
            setattr(self.fields, name, array.ctypes.data)
        self.call = call

    def feed(self, drive):
        self.ticks = drive.ticks.astype(np.int64)
        self.lines = drive.lines.astype(np.int32)

    def run(self, until):
        ends = (P(self.ticks.ctypes.data), P(self.lines.ctypes.data))
        self.call(ctypes.byref(self.fields), *ends, LL(self.ticks.size), LL(until))
