"""How a descent gradient g becomes a change of weights: W ← W - η·opt(g).

    plain:  opt(g) = g
    Adam:   m ← β₁·m + (1-β₁)·g,  v ← β₂·v + (1-β₂)·g²,
            opt(g) = (m/(1-β₁ⁿ))/(√(v/(1-β₂ⁿ)) + 1e-8)        at its n-th step

β₁ = 0.9, β₂ = 0.999; η in weight per unit of gradient (plain), or in weight (Adam). Weights are
changed in place, float64 of any shape. (Kingma and Ba, arXiv 1412.6980.)
"""

from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerError

__all__ = ["Adam", "Optimiser", "Plain"]

Floats = NDArray[np.float64]

_BETA_1: Final = 0.9
_BETA_2: Final = 0.999
_LEAST: Final = 1e-8


class Optimiser(Protocol):
    """What takes steps."""

    def step(self, weights: list[Floats], gradients: list[Floats]) -> None:
        """Change weights in place, each by its own gradient."""
        ...

    @property
    def slots(self) -> int:
        """Words that are kept a weight."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """Gradient descent."""

    rate: float

    slots = 0
    """Nothing is kept."""

    def __post_init__(self) -> None:
        _check(self.rate)

    def step(self, weights: list[Floats], gradients: list[Floats]) -> None:
        """Take one step of η·g."""
        for weight, gradient in zip(weights, gradients, strict=True):
            weight -= self.rate * gradient  # noqa: PLW2901 -- in place


@dataclass(slots=True, kw_only=True)
class Adam:
    """Steps of about η a weight, whatever the size of gradients."""

    rate: float = 1e-3
    steps: int = 0
    first: list[Floats] = field(default_factory=list)
    """m of each weight, made at the first step."""
    second: list[Floats] = field(default_factory=list)
    """v of each weight."""

    slots = 2
    """m and v."""

    def __post_init__(self) -> None:
        _check(self.rate)

    def step(self, weights: list[Floats], gradients: list[Floats]) -> None:
        """Take one step; moments begin at 0."""
        if not self.first:
            self.first = [np.zeros_like(weight) for weight in weights]
            self.second = [np.zeros_like(weight) for weight in weights]
        self.steps += 1
        for i, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
            self.first[i] += (1.0 - _BETA_1) * (gradient - self.first[i])
            self.second[i] += (1.0 - _BETA_2) * (gradient * gradient - self.second[i])
            mean = self.first[i] / (1.0 - _BETA_1**self.steps)
            size = np.sqrt(self.second[i] / (1.0 - _BETA_2**self.steps))
            weight -= self.rate * mean / (size + _LEAST)  # noqa: PLW2901 -- in place


def _check(rate: float) -> None:
    if not rate >= 0.0:
        raise LearnerError(f"a learning rate must not be negative, got {rate}")
