"""What is added to the loss of the frames that are learned, and what is remembered of them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.learning.asked import held_point
from simedge.learning.errors import LearnerError

__all__ = ["ClassPrior", "Hold", "Terms", "class_prior"]

Floats32 = NDArray[np.float32]


class ClassPrior(NamedTuple):
    """Where each frame is pulled, by its label."""

    target: NDArray[np.float64]
    """(classes, classes)"""
    mask: NDArray[np.bool_]
    alpha: float
    steps: int


class Hold(NamedTuple):
    """What holds the parameters while they are trained."""

    anchor: Floats32 | None = None
    rho: float = 0.0
    zero: NDArray[np.bool_] | None = None
    """Those that stay zero."""

    def apply(self, weights: NDArray[Any], before: NDArray[Any] | None, rate: float) -> None:
        """Pull weights to the anchor from where they were `before`; keep zero what has to be."""
        if before is not None:
            assert self.anchor is not None
            away = before.reshape(-1) - self.anchor
            weights -= (np.float32(rate * self.rho) * away).reshape(weights.shape)
        if self.zero is not None:
            weights[self.zero.reshape(weights.shape)] = 0.0


class Terms:
    """A class prior, an anchor, zeros; and the mean softmax of what was learned, by label.

    Parameters
    ----------
    classes
        Number of classes.
    """

    def __init__(self, classes: int) -> None:
        self.prior: ClassPrior | None = None
        self.held = Hold()
        self._sums = np.zeros((classes, classes))
        self._counts = np.zeros(classes, np.int64)

    @property
    def passes(self) -> int:
        """Multiply-accumulates for each parameter and frame, beyond those of learning."""
        steps = 0 if self.prior is None else 2 * self.prior.steps
        return steps + (self.held.anchor is not None)

    def hold(
        self, weights: NDArray[Any], *, anchor: ArrayLike | None, rho: float, share: float
    ) -> None:
        """Take over what `ParameterLearner.hold` was given; zero are the smallest of now."""
        point = held_point(anchor, rho=rho, sparsity=share, size=weights.size)
        zero = None
        if share:
            zero = np.zeros(weights.size, np.bool_)
            order = np.argsort(np.abs(weights).reshape(-1), kind="stable")
            zero[order[: int(share * weights.size)]] = True
        self.held = Hold(point, rho, zero)

    def note(self, label: int, chances: Floats32) -> None:
        """Remember what was said of a frame before it was learned."""
        self._sums[label] += chances
        self._counts[label] += 1

    def read(self, first: int, count: int) -> Floats32:
        """Return the means for some labels, float32 (count, classes), and forget them."""
        rows = slice(first, first + count)
        seen = np.maximum(self._counts[rows], 1)[:, None]
        table = (self._sums[rows] / seen).astype(np.float32)
        self._sums[rows], self._counts[rows] = 0.0, 0
        return table

    def dump(self) -> dict[str, Any]:
        """Return the prior and what is remembered; copies. What holds is for whoever trains."""
        prior = self.prior
        return {
            "prior": None if prior is None else tuple(prior),
            "sums": self._sums.copy(),
            "counts": self._counts.copy(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump; nothing holds any more."""
        self.prior = None if state["prior"] is None else ClassPrior(*state["prior"])
        self._sums[:], self._counts[:] = state["sums"], state["counts"]
        self.held = Hold()


def class_prior(
    target: ArrayLike, mask: ArrayLike, *, alpha: float, steps: int, classes: int
) -> ClassPrior:
    """Return a prior for frames by their label, copied; refuse what makes no sense."""
    prior = ClassPrior(np.array(target, np.float64), np.array(mask, np.bool_), alpha, steps)
    if prior.target.shape != (classes, classes) or prior.mask.shape != (classes,):
        raise LearnerError(f"a class prior of shape {prior.target.shape}")
    if steps < 1 or alpha < 0:
        raise LearnerError(f"KL needs steps >= 1 and alpha >= 0, got {steps}, {alpha}")
    return prior
