"""The benchmark's network step by step in numpy, on sparse rows: every tick, every neuron."""

import time

import numpy as np
from network import AT_POST, AT_PRE, DECAY, KICK, LEAK, MOST


def clocked(network, drive, ticks):
    """Return CPU seconds and spikes."""
    wires, n = network.synapses, network.neurons
    w = network.weights.copy()
    v, pre, post = np.zeros(n), np.zeros(n), np.zeros(n)
    fired, count = np.zeros(0, np.int64), 0
    cuts = np.searchsorted(drive.ticks, np.arange(ticks + 1))
    begin = time.process_time()
    for tick in range(ticks):
        v *= LEAK
        pre *= DECAY
        post *= DECAY
        v[drive.lines[cuts[tick] : cuts[tick + 1]]] += KICK
        if fired.size:
            out, back = rows(wires.start, fired), rows(wires.in_start, fired)
            target, into = wires.target[out], wires.in_synapse[back]
            v += np.bincount(target, w[out], n)
            w[out] += AT_PRE * post[target]
            w[into] += AT_POST * pre[wires.in_source[back]]
            touched = np.concatenate([out, into])
            w[touched] = np.clip(w[touched], 0.0, MOST)
            pre[fired] += 1.0
            post[fired] += 1.0
        fired = np.flatnonzero(v > 1.0)
        v[fired] = 0.0
        count += fired.size
    return time.process_time() - begin, count


def rows(start, chosen):
    """Return all places of some compressed rows."""
    begin, end = start[chosen].astype(np.int64), start[chosen + 1].astype(np.int64)
    lengths = end - begin
    shift = np.repeat(begin - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    return shift + np.arange(lengths.sum())
