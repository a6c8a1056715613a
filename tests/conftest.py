"""One Hypothesis profile for the suite: reproducible, no clock.

The one called `nightly` searches longer, `interpreted` shorter.
"""

import os

import numpy as np
from hypothesis import HealthCheck, settings

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
