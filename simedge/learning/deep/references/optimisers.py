"""Optimisers and schedules by name; every step takes gradients by parameter."""

import math
from typing import Final

import torch
from torch import Tensor

from simedge.learning.deep.references.settings import Steps

__all__ = ["Optimiser"]

_PATIENCE: Final = 5
_CUT: Final = 0.5


class Optimiser:
    """Steps parameters against gradients, at a rate that a schedule changes by epoch."""

    def __init__(self, parameters: dict[str, Tensor], steps: Steps, epochs: int) -> None:
        self._parameters = parameters
        self._steps = steps
        self._epochs = epochs
        self._inner = _made(list(parameters.values()), steps)
        self._best = -math.inf
        self._without = 0
        self.rate = steps.rate

    def step(self, gradients: dict[str, Tensor]) -> None:
        """Take one step."""
        for name, parameter in self._parameters.items():
            parameter.grad = gradients[name]
        with torch.enable_grad():
            self._inner.step()
        self._inner.zero_grad()

    def end_epoch(self, done: int, accuracy: float) -> None:
        """Settle the rate after `done` epochs, given the accuracy on the validation data."""
        if self._steps.schedule == "cosine":
            self.rate = self._steps.rate * (1 + math.cos(math.pi * done / self._epochs)) / 2
        if self._steps.schedule == "plateau":
            self._without = 0 if accuracy > self._best else self._without + 1
            self._best = max(self._best, accuracy)
            if self._without > _PATIENCE:
                self.rate, self._without = _CUT * self.rate, 0
        for group in self._inner.param_groups:
            group["lr"] = self.rate


def _made(parameters: list[Tensor], steps: Steps) -> torch.optim.Optimizer:
    decay = steps.weight_decay
    if steps.optimiser == "sgd":
        return torch.optim.SGD(
            parameters, lr=steps.rate, momentum=steps.momentum, weight_decay=decay
        )
    kind = torch.optim.Adam if steps.optimiser == "adam" else torch.optim.AdamW
    return kind(parameters, lr=steps.rate, weight_decay=decay)
