"""The softmax readout: weights, rates, running mean, features kept for the prior, KL steps."""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_leaf
from simedge.learning.features import Binning, shape
from simedge.learning.rules.delta import add_outer, pull, room_for
from simedge.neurons.kinds import Ints, Reals, Whole

__all__ = ["Kept", "Readout", "loss_of"]

_TINY: Final = float(np.finfo(np.float32).tiny)


class Kept:
    """Levels of proxy rows by address and row, as the last pass over them saw them."""

    __slots__ = ("_blocks", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._blocks: dict[int, tuple[Reals, NDArray[np.bool_]]] = {}

    def keep(self, address: int, first: int, raws: Reals) -> None:
        """Remember what the rows from `first` on look like, float32 (rows, features)."""
        stop = first + len(raws)
        held = self._blocks.get(address)
        if held is None or len(held[1]) < stop:
            held = self._room(address, stop)
        held[0][first:stop] = raws
        held[1][first:stop] = True

    def rows(self, address: int, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the wanted rows of an address that have been seen, ascending."""
        held = self._blocks.get(address)
        if held is None:
            return np.empty(0, np.int64)
        size = min(len(wanted), len(held[1]))
        return np.flatnonzero(wanted[:size] & held[1][:size])

    def levels(self, address: int, rows: NDArray[np.int64]) -> Reals:
        """Return the levels of these rows, (rows, features); a copy."""
        return self._blocks[address][0][rows]

    @property
    def bytes(self) -> int:
        """Bytes of all that is kept."""
        return sum(4 * self._size * int(np.count_nonzero(b[1])) for b in self._blocks.values())

    def dump(self) -> dict[int, dict[int, Reals]]:
        """Return the levels by address and row; copies."""
        return {
            address: {int(row): raws[row].copy() for row in np.flatnonzero(seen)}
            for address, (raws, seen) in self._blocks.items()
        }

    def load(self, state: Mapping[int, Mapping[int, Reals]]) -> None:
        """Take over a dump."""
        self._blocks = {}
        for address, rows in state.items():
            for row, raw in rows.items():
                self.keep(address, row, raw[None])

    def _room(self, address: int, rows: int) -> tuple[Reals, NDArray[np.bool_]]:
        """Make room for so many rows; what is there stays."""
        raws, seen = np.zeros((rows, self._size), np.float32), np.zeros(rows, np.bool_)
        if address in self._blocks:
            before, known = self._blocks[address]
            raws[: len(known)], seen[: len(known)] = before, known
        self._blocks[address] = raws, seen
        return raws, seen


@dataclass(slots=True, kw_only=True)
class Readout:
    """State of a readout. `weights` is float32 (classes, features)."""

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
    settled: bool = False
    """Whether the mean stays, so that features mean what they meant in earlier tasks."""
    kept: Kept = field(init=False)

    def __post_init__(self) -> None:
        self.kept = Kept(self.mean.size)

    def learn(
        self, seen: tuple[Reals, Reals], own: Reals, label: int, *, share: float = 1.0
    ) -> None:
        """Move by the delta rule, O += η·(y* - P)⊗r, and let the mean follow.

        `seen` is (levels, features); `own` is P and becomes the change; `share` of η is taken.
        """
        raw, features = seen
        rate, part = share * self.rate, self._part
        self.learned += follow(self.weights, self.mean, raw, features, own, label, rate, part)

    def centre(self, mean: Reals) -> None:
        """Take over a mean; one that is not ours counts as one over a 16th of the horizon."""
        if not np.array_equal(mean, self.mean):
            self.mean[:] = mean
            self.learned = self.horizon // 16

    @property
    def _part(self) -> float:
        if self.settled or not self.horizon:
            return 0.0
        return 1.0 / min(self.learned + 1, self.horizon)

    def step(
        self,
        weights: Reals,
        binning: Binning,
        raws: Reals,
        *,
        prior: tuple[NDArray[np.float64], float, int],
    ) -> None:
        """Move `weights` towards the priors of kept rows, whose levels are written over.

        `prior` is (targets (rows, classes), rate times α, number of steps).
        """
        approach(weights, raws, self.mean, *binning, *prior, *room_for(len(raws), self.classes))


def loss_of(chance: float) -> float:
    """Return the cross entropy -ln P[label], at most that of the smallest float32."""
    return -math.log(max(chance, _TINY))


@native_leaf
def follow(  # noqa: PLR0913 - arrays in tuples are slow to hand over
    weights: Reals,
    mean: Reals,
    raw: Reals,
    features: Reals,
    own: Reals,
    label: Whole,
    rate: float,
    share: float,
) -> Whole:
    """Take one delta step, then move the mean by `share` towards the levels; return 1.

    If nothing was seen, nothing moves: return 0. `own` becomes η·(y* - P).
    """
    seen, part = np.float32(0.0), np.float32(share)
    for i in range(raw.size):
        seen = max(seen, raw[i])
    if seen == 0.0:
        return 0
    for c in range(own.size):
        own[c] = np.float32(rate) * (np.float32(c == label) - own[c])
    add_outer(weights, features, own)
    for i in range(mean.size):
        mean[i] += part * (raw[i] - mean[i])
    return 1


@native_leaf
def approach(  # noqa: PLR0913 - arrays in tuples are slow to hand over
    weights: Reals,
    raws: Reals,
    mean: Reals,
    slot: Ints,
    rows: NDArray[np.int64],
    gain: Reals,
    modes: NDArray[np.int64],
    spikes: Ints,
    target: NDArray[np.float64],
    step: float,
    steps: Whole,
    scores: Reals,
    products: Reals,
    errors: Reals,
) -> None:
    """Centre and scale levels (rows, features) as things stand now, then take KL steps."""
    binning = Binning(slot, rows, gain, modes, spikes)
    for i in range(raws.shape[0]):
        shape(binning, raws[i], mean, raws[i])
    pull(weights, raws, (target, step, steps), (scores, products, errors))
