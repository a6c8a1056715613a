"""One Hypothesis profile for the suite: reproducible, no clock. And no work that is done twice.

The profile called `nightly` searches longer, `interpreted` shorter.
"""

import os
import sys

import numpy as np
from hypothesis import HealthCheck, settings

# Before there are workers: they, and hundreds of processes, would each compile all they import.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # each worker has a core, and no more

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("nightly", deadline=None, max_examples=20_000)
settings.register_profile("interpreted", settings.get_profile("ci"), max_examples=10)
interpreted = os.environ.get("NUMBA_DISABLE_JIT", "0") != "0"
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "interpreted" if interpreted else "ci"))
if interpreted:
    np.seterr(over="ignore")  # compiled whole numbers wrap around without a word
