"""LLS, LLS-M and LLS-MxM on spike counts: the local loss of `rules/lls.py`, one row at a time.

Of the arrivals k_j of its lines and the spikes n_i of its neurons a layer takes

    x = √k - m_x at length 1,   a = √n - m_a,   m ← m + (√· - m)/min(frames, horizon)

The running means take the place of BatchNorm's frozen statistics: rows come one by one. With g_a of
the loss of a, L = |a| and s_i = 1 if neuron i fired, else `slope` (LeakyReLU's derivative: a count
grows with what drives its neuron),

    W ← W - η·(L·g_a ⊙ s) ⊗ x,   μ ← μ - η_m·dμ,   M ← M - η_m·dM

μ (C,) or M (C, C) begin normal with standard deviation 0.01. L makes the step the same for quiet
and busy layers. Steps are plain: a frame is a step here, and moments of one frame each say little.
Between a silent line and a silent neuron nothing changes, and a layer that heard nothing or fired
nothing learns nothing. (LLS, arXiv 2405.15868.)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from simedge.core.streams import Streams, normals
from simedge.learning.own_rule import LayerSeen, OwnRule
from simedge.learning.rules.basis import basis
from simedge.learning.rules.lls import Head

__all__ = ["LocalLoss"]

Floats = NDArray[np.float64]
_SPREAD = 0.01


class LocalLoss(OwnRule):
    """The local loss of one layer; `settings` are `LocalLossSettings`."""

    settings: Any

    @override
    def begin(self, streams: Streams) -> None:
        """Draw what mixes scores; nothing was heard yet."""
        self.pre_mean, self.post_mean = np.zeros(self.lines), np.zeros(self.neurons)
        self.frames = 0
        shape = {"lls": (), "lls-m": (self.classes,)}.get(self.name, (self.classes, self.classes))
        self.mixing: Floats | None = None
        if shape:
            stream = streams.stream("learner", "learner", f"mixing-{self.layer}")
            size = int(np.prod(shape))
            drawn = normals(stream.block(-(-size // 4)))[:size]
            self.mixing = _SPREAD * drawn.reshape(shape)

    @property
    @override
    def name(self) -> str:
        """Which of the three it is."""
        return str(self.settings.kind)

    @override
    def change(self, seen: LayerSeen) -> Floats:
        """Go down the layer's own loss by one step."""
        pre, post = np.sqrt(seen.heard), np.sqrt(seen.fired)
        change = np.zeros((self.neurons, self.lines))
        if pre.any() and post.any():
            change = self._step(pre - self.pre_mean, post - self.post_mean, seen)
        self.frames += 1
        share = 1.0 / min(self.frames, self.settings.horizon)
        self.pre_mean += share * (pre - self.pre_mean)
        self.post_mean += share * (post - self.post_mean)
        return change

    @override
    def macs(self, seen: LayerSeen, change: Floats) -> int:
        """Return the work of the loss, the means and the step."""
        return self._head().macs(1) + 2 * (self.lines + self.neurons) + int(change.size)

    def _step(self, pre: Floats, post: Floats, seen: LayerSeen) -> Floats:
        found = self._head().judge(post[None], seen.target[None])
        if self.mixing is not None and found.mixing is not None:
            self.mixing -= self.settings.mixing_rate * found.mixing
        length = np.sqrt((post * post).sum())
        signal = length * found.activation[0] * np.where(seen.fired > 0, 1.0, self.settings.slope)
        heard = pre / max(float(np.sqrt((pre * pre).sum())), np.finfo(float).tiny)
        change: Floats = -self.settings.rate * signal[:, None] * heard
        change[np.ix_(seen.fired == 0, seen.heard == 0)] = 0.0
        return change

    def _head(self) -> Head:
        settings = self.settings
        directions = basis(self.classes, self.neurons, settings.wave)
        return Head(basis=directions, mixing=self.mixing, temperature=settings.temperature)
