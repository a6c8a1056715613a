"""The benchmark's network in Brian2, in its own environment: `python brian.py FILE MODE TICKS DIR`.

MODE is cpp (C++ standalone, built in DIR; compilation excluded), cython or numpy (a first tick,
which compiles, excluded). Traces and potentials are clocked, as Brian2's users write them for
speed; a spike raises the traces of its neuron once, through a synapse to itself that acts after
all others, which keeps them exclusive. Synapses act before thresholds are tested: that makes the
delay of one tick, and spikes are those of simedge but that the input comes a tick later.
"""

import sys
import time
from pathlib import Path

import brian2 as b
import numpy as np

held = np.load(sys.argv[1])
mode, ticks = sys.argv[2], int(sys.argv[3])
if mode == "cpp":
    b.set_device("cpp_standalone", build_on_run=False)
else:
    b.prefs.codegen.target = mode
b.defaultclock.dt = 1 * b.ms
n = int(held["neurons"])
tau, most = 20 * b.ms, float(held["most"])
at_pre, at_post, kick = (float(held[k]) for k in ("at_pre", "at_post", "kick"))
cells = b.NeuronGroup(
    n,
    "dv/dt = -v/tau : 1\ndpre/dt = -pre/tau : 1\ndpost/dt = -post/tau : 1",
    threshold="v > 1",
    reset="v = 0",
    method="exact",
)
skipped = mode != "cpp"
when = (held["ticks"] + skipped) * b.ms
drive = b.SpikeGeneratorGroup(n, held["lines"], when)
kicks = b.Synapses(drive, cells, on_pre="v_post += kick")
kicks.connect(j="i")
pairs = b.Synapses(
    cells,
    cells,
    "w : 1",
    on_pre="v_post += w\nw = clip(w + at_pre*post_post, 0, most)",
    on_post="w = clip(w + at_post*pre_pre, 0, most)",
)
pairs.connect(i=held["sources"], j=held["targets"])
pairs.w = held["weights"]
raised = b.Synapses(cells, cells, on_pre="pre_post += 1\npost_post += 1")
raised.connect(j="i")
pairs.pre.order, pairs.post.order, raised.pre.order = 0, 1, 2
seen = b.SpikeMonitor(cells, record=False)
net = b.Network(cells, drive, kicks, pairs, raised, seen)
net.schedule = ["start", "groups", "synapses", "thresholds", "resets", "end"]
if mode == "cpp":
    b.device.insert_code("before_network_run", "const std::clock_t begun = std::clock();")
    told = 'std::ofstream("spent") << double(std::clock() - begun) / CLOCKS_PER_SEC;'
    b.device.insert_code("after_network_run", told)
    net.run((ticks + 1) * b.ms)
    b.device.build(directory=sys.argv[4], compile=True, run=False, debug=False)
    spent = []
    for _ in range(9):
        b.device.run(sys.argv[4], with_output=False, run_args=[])
        spent.append(float(Path(sys.argv[4], "spent").read_text()))
    spent = min(spent)
else:
    net.run(1 * b.ms)
    begin = time.process_time()
    net.run((ticks + 1) * b.ms)
    spent = time.process_time() - begin
print("spent", spent, "spikes", seen.num_spikes)
