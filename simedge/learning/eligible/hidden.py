"""Hidden weights of one device: as they are used, as they are learned, and the steps they take."""

import copy
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerError
from simedge.learning.rules.optimiser import Adam
from simedge.learning.rules.standardisation import standardised, unstandardised

__all__ = ["Hidden"]

Floats = NDArray[np.float64]
_OF_ADAM: Final = 4
"""Multiply-accumulates of Adam a weight: two for the moments, a square, the step."""
_OF_STANDARD: Final = 7
"""Of standardising: two for lengths before and after, one along, three back, one to be used."""


class Hidden:
    """Weights of all layers, flat, by layer and pre neuron.

    Parameters
    ----------
    weights
        At the start.
    sizes
        Lines, then neurons of each layer.
    law
        Step of Adam, frames to a step, and the length of a neuron's weights at the start if they
        are standardised.
    """

    def __init__(
        self, weights: Floats, sizes: Sequence[int], *, law: tuple[float, int, float | None]
    ) -> None:
        rate, self._batch, length = law
        self.weights = weights.copy()
        """As they are used."""
        self._shapes = list(pairwise(sizes))
        self._learned: list[Floats] = []
        if length is not None:
            matrices = self._matrices(weights)
            gains = [np.full(len(one), length) for one in matrices]
            self._learned = [*(one.copy() for one in matrices), *gains]
        self._standardise()
        self._adam = Adam(rate=rate)
        self._gathered = np.zeros(weights.size if self._batch > 1 else 0)
        self._waiting = 0

    @property
    def size(self) -> int:
        """Numbers that are learned."""
        return sum(one.size for one in self._learned) or self.weights.size

    @property
    def moves(self) -> bool:
        """Whether anything is learned at all."""
        return self._adam.rate > 0

    @property
    def due(self) -> bool:
        """Whether the next frame makes a step."""
        return self.moves and self._waiting + 1 == self._batch

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a step."""
        return _OF_ADAM * self.size + (_OF_STANDARD * self.weights.size if self._learned else 0)

    @property
    def writes(self) -> int:
        """Weights that a step writes."""
        return self.size + (self.weights.size if self._learned else 0)

    @property
    def words(self) -> dict[str, int]:
        """Words of a device: weights as used and as learned, gradients, moments."""
        copies = self.size if self._learned else 0
        return {
            "weights": self.weights.size + copies,
            "gradients": self.weights.size if self.moves else 0,
            "moments": self._adam.slots * self.size if self.moves else 0,
        }

    def take(self, gradient: Floats) -> None:
        """Take a frame's gradient; once there are enough, go a step down their mean."""
        if not self.moves:
            return
        self._waiting += 1
        if self._batch > 1:
            self._gathered += gradient
            gradient = self._gathered / self._batch
        if self._waiting < self._batch:
            return
        if self._learned:
            self._adam.step(self._learned, self._back(gradient))
            self._standardise()
        else:
            self._adam.step([self.weights], [gradient])
        self._gathered[:], self._waiting = 0.0, 0

    def feed(self) -> list[Floats]:
        """Return all arrays that the next step depends on."""
        adam = self._adam
        return [self.weights, *self._learned, *adam.first, *adam.second, self._gathered]

    @property
    def steps(self) -> tuple[int, int]:
        """Steps taken, and frames that wait for the next."""
        return self._adam.steps, self._waiting

    def dump(self) -> dict[str, Any]:
        """Return what is known and kept; copies."""
        adam = self._adam
        kept = self.weights, self._learned, adam.first, adam.second, self._gathered
        return {"arrays": copy.deepcopy(kept), "steps": self.steps}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump."""
        weights, learned, first, second, gathered = copy.deepcopy(state["arrays"])
        if np.shape(weights) != self.weights.shape or len(learned) != len(self._learned):
            raise LearnerError("a dump of another learner: weights have another shape")
        self.weights, self._learned, self._gathered = weights, [*learned], gathered
        steps, self._waiting = state["steps"]
        self._adam = Adam(rate=self._adam.rate, steps=steps, first=[*first], second=[*second])

    def _matrices(self, flat: Floats) -> list[Floats]:
        """Return weights of each layer, (post, pre): views."""
        found, first = [], 0
        for pre, post in self._shapes:
            found.append(flat[first : first + pre * post].reshape(pre, post).T)
            first += pre * post
        return found

    def _back(self, gradient: Floats) -> list[Floats]:
        """Return the gradients of what is learned."""
        half = len(self._shapes)
        pairs = [
            unstandardised(*parts)
            for parts in zip(
                self._learned[:half],
                self._learned[half:],
                self._matrices(gradient),
                strict=True,
            )
        ]
        return [*(one for one, _ in pairs), *(other for _, other in pairs)]

    def _standardise(self) -> None:
        """Renew the weights that are used."""
        half, used = len(self._shapes), self._matrices(self.weights)
        for mine, raw, gain in zip(used, self._learned[:half], self._learned[half:], strict=False):
            mine[:] = standardised(raw, gain)
