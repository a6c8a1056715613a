"""The two Kullback-Leibler terms between a prior and a device's own opinion.

``kl_forward`` = KL(P_g || P_k) is in the loss: its gradient in the readout's logits is P_k - P_g.
``kl_reverse`` = KL(P_k || P_g) is in the policy's state and reward.
"""

import numpy as np
from numpy.typing import NDArray

from simedge.protocol.machine import Floats

__all__ = ["kl_terms"]

_LEAST = 1e-12


def kl_terms(prior: Floats, own: NDArray[np.floating]) -> tuple[float, float]:
    """Return (kl_forward, kl_reverse) in nats, each the mean over the rows.

    Parameters
    ----------
    prior
        P_g, float64 [R, C], R >= 1.
    own
        P_k, [R, C], floored at 10^-12 and normalised here.
    """
    floored = np.maximum(own.astype(np.float64), _LEAST)
    floored /= floored.sum(axis=1, keepdims=True)
    # A prior is positive unless its floor is 0 and its rows are floats.
    difference = np.log(np.maximum(prior, _LEAST)) - np.log(floored)
    rows = len(prior)
    forward = float((prior * difference).sum()) / rows
    return forward, float((floored * -difference).sum()) / rows
