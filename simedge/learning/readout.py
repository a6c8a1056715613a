"""The softmax readout: weights, rates, running mean, features kept for the prior, KL steps."""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_leaf, unlocked_leaf
from simedge.learning.features import Binning, shape
from simedge.learning.rules.delta import add_outer, pull, room_for, score
from simedge.neurons.kinds import Reals, Whole

__all__ = ["Readout", "loss_of", "padded", "rate_scores"]


def padded(classes: int) -> int:
    """Return how many numbers a row of weights holds: a whole number of vector registers."""
    return -(-classes // 8) * 8


@dataclass(slots=True, kw_only=True)
class Readout:
    """State of a readout. `weights` is float32 (features, padded classes), the padding 0."""

    classes: int
    weights: Reals
    rate: float
    kl_rate: float
    horizon: int
    """Presentations over which levels are averaged; 0: features are not centred."""
    mean: Reals
    """Running mean of the levels."""
    learned: int = 0
    """Presentations learned."""
    kept: dict[int, dict[int, Reals]] = field(default_factory=dict)
    """Levels of proxy rows by address and row, as the last pass over them saw them."""

    def learn(self, raw: Reals, features: Reals, error: Reals) -> None:
        """Move by the delta rule, O += η·ε⊗r, and let the mean follow; `error` is η·ε."""
        share = 1.0 / min(self.learned + 1, self.horizon) if self.horizon else 0.0
        self.learned += follow(self.weights, self.mean, (raw, features), error, share)

    def error(self, own: Reals, label: int) -> Reals:
        """Return η·(y* - P), padded."""
        error = np.float32(-self.rate) * own
        error[label] += np.float32(self.rate)
        return error

    def keep(self, address: int, row: int, raw: Reals) -> None:
        """Remember what one proxy row looks like."""
        self.kept.setdefault(address, {})[row] = raw.copy()

    def rows_of(self, address: int, wanted: NDArray[np.bool_]) -> list[int]:
        """Return the wanted rows of an address that have been seen, ascending."""
        held = self.kept.get(address, {})
        return [int(row) for row in np.flatnonzero(wanted) if int(row) in held]

    def stepped(
        self,
        binning: Binning,
        raws: list[Reals],
        *,
        target: NDArray[np.float64],
        step: float,
        steps: int,
    ) -> Reals:
        """Return the weights after steps to the priors of kept rows; `step` is rate times α."""
        weights, rows, (size, width) = self.weights.copy(), len(raws), self.weights.shape
        seen = (binning, np.stack(raws), self.mean)
        features = np.empty((size, rows), np.float32)
        approach(weights, seen, features, (target, step, steps), room_for(rows, width))
        return weights

    @property
    def kept_bytes(self) -> int:
        """Bytes of the kept levels."""
        return sum(raw.nbytes for block in self.kept.values() for raw in block.values())


def loss_of(own: Reals, label: int) -> float:
    """Return the cross entropy -ln P[label], at most that of the smallest float32."""
    return -math.log(max(float(own[label]), float(np.finfo(np.float32).tiny)))


@native_leaf
def follow(
    weights: Reals, mean: Reals, seen: tuple[Reals, Reals], error: Reals, share: float
) -> Whole:
    """Take one delta step, then move the mean by `share` towards the levels; return 1.

    If nothing was seen, nothing moves: return 0.
    """
    raw, features = seen
    active = np.int32(0)
    for i in range(raw.size):
        active += np.int32(raw[i] != 0.0)
    if active == 0:
        return 0
    add_outer(weights, features, error)
    part = np.float32(share)
    for i in range(mean.size):
        mean[i] += part * (raw[i] - mean[i])
    return 1


@native_leaf
def rate_scores(
    binning: Binning, raw: Reals, mean: Reals, weights: Reals, out: tuple[Reals, Reals]
) -> None:
    """Set out = (features, scores) of one presentation's levels."""
    shape(binning, raw, mean, out[0])
    score(weights, out[0], out[1])


@unlocked_leaf
def approach(
    weights: Reals,
    seen: tuple[Binning, Reals, Reals],
    features: Reals,
    prior: tuple[NDArray[np.float64], float, Whole],
    room: tuple[Reals, Reals, Reals],
) -> None:
    """Centre and scale kept levels (rows, features) as things stand now, then take KL steps.

    `prior` is (target, step, steps); `features` and `room` are written over.
    """
    binning, raws, mean = seen
    for i in range(raws.shape[0]):
        shape(binning, raws[i], mean, raws[i])
        for f in range(raws.shape[1]):
            features[f, i] = raws[i, f]
    pull(weights, features, prior[0], prior[1], prior[2], room)
