"""The benchmark's network as dense tensors: `python dense.py FILE - TICKS`, with torch.

Every tick, every synapse that could be. snnTorch steps its neurons in this way and has no STDP;
here only the plain operations remain.
"""

import math
import sys
import time

import numpy as np
import torch

torch.set_num_threads(1)
torch.set_grad_enabled(False)
held, ticks = np.load(sys.argv[1]), int(sys.argv[3])
n, most = int(held["neurons"]), float(held["most"])
at_pre, at_post, kick = (float(held[k]) for k in ("at_pre", "at_post", "kick"))
decay = math.exp(-1 / 20)
w, mask = torch.zeros(n, n), torch.zeros(n, n)
places = torch.from_numpy(held["targets"]), torch.from_numpy(held["sources"])
w[places], mask[places] = torch.from_numpy(held["weights"]).float(), 1.0
fed = torch.zeros(ticks, n)
mine = held["ticks"] < ticks
fed[held["ticks"][mine], held["lines"][mine]] = kick
v, pre, post, spikes = (torch.zeros(n) for _ in range(4))
count = 0
begin = time.process_time()
for tick in range(ticks):
    v = decay * v + fed[tick] + w @ spikes
    pre, post = decay * pre, decay * post
    change = at_pre * torch.outer(post, spikes) + at_post * torch.outer(spikes, pre)
    w = torch.clamp(w + mask * change, 0.0, most)
    pre, post = pre + spikes, post + spikes
    spikes = (v > 1.0).float()
    v = v * (1.0 - spikes)
    count += int(spikes.sum())
print("spent", time.process_time() - begin, "spikes", count)
