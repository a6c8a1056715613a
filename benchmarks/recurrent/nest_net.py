"""The benchmark's network in NEST, in its own environment: `python nest_net.py FILE - TICKS`.

Its spikes are those of simedge but that the input comes a tick later. Its `stdp_synapse` looks at
past post spikes when a pre spike comes, and clips then.
"""

import sys
import time
from itertools import pairwise

import nest
import numpy as np

held, ticks = np.load(sys.argv[1]), int(sys.argv[3])
n, most = int(held["neurons"]), float(held["most"])
nest.verbosity = nest.VerbosityLevel.ERROR if hasattr(nest, "VerbosityLevel") else 30
nest.set(resolution=1.0, local_num_threads=1)
cells = nest.Create(
    "iaf_psc_delta",
    n,
    {"E_L": 0.0, "V_m": 0.0, "V_th": 1.0, "V_reset": 0.0, "tau_m": 20.0, "t_ref": 0.0}
    | {"tau_minus": 20.0, "C_m": 1.0, "I_e": 0.0},
)
order = np.argsort(held["lines"], kind="stable")
lines, when = held["lines"][order], held["ticks"][order] + 1.0
cuts = np.searchsorted(lines, np.arange(n + 1))
drive = nest.Create("spike_generator", n)
drive.set([{"spike_times": when[a:b]} for a, b in pairwise(cuts)])
nest.Connect(drive, cells, "one_to_one", {"weight": float(held["kick"]), "delay": 1.0})
up, down = float(held["at_post"]) / most, -float(held["at_pre"]) / most
ids = np.array(cells.tolist())
nest.CopyModel(
    "stdp_synapse",
    "pairs",
    {"lambda": up, "alpha": down / up, "mu_plus": 0.0, "mu_minus": 0.0}
    | {"Wmax": most, "tau_plus": 20.0},
)
size = held["sources"].size
nest.Connect(
    ids[held["sources"]],
    ids[held["targets"]],
    "one_to_one",
    {"synapse_model": "pairs", "weight": held["weights"], "delay": np.full(size, 1.0)},
)
nest.Prepare()
begin = time.process_time()
nest.Run(ticks + 2.0)
spent = time.process_time() - begin
spikes = nest.GetKernelStatus("local_spike_counter")
nest.Cleanup()
print("spent", spent, "spikes", int(spikes))
