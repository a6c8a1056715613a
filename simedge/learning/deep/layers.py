"""Layers as functions of their parameters: forward, and back, without a graph of what was done.

    y = max(0, W·patches(x) + b);   dW = Σ dy·patches(x)ᵀ,  db = Σ dy,  dx = patches*(Wᵀ·dy)

where dy is 0 wherever y is. Levels are (frames, numbers), float32.

For networks this small, torch's graph takes longer than the sums: see `benchmarks/bench_deep.py`.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from simedge.learning.errors import LearnerError
from simedge.learning.reference_settings import DeepSettings, FilterSettings

__all__ = ["Layer", "layers_of", "normalised", "unnormalised"]

_EPS = 1e-5


class Layer(NamedTuple):
    """One layer: filters over a picture, or dense."""

    weight: tuple[int, ...]
    """(outputs, inputs a position...)"""
    filter: FilterSettings | None
    """None for a dense layer."""
    positions: int
    """Outputs of one row of the weights."""
    below: tuple[int, ...] = ()
    """Channels, rows and columns that filters see."""
    places: Tensor | None = None
    """Where each number of each patch is among those below; the one after the last is 0."""

    @property
    def fan_in(self) -> int:
        """Inputs a position."""
        return math.prod(self.weight[1:])

    @property
    def params(self) -> int:
        """Weights and biases."""
        return math.prod(self.weight) + self.weight[0]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one frame forward."""
        return math.prod(self.weight) * self.positions

    @property
    def kind(self) -> str:
        """What it is priced as."""
        return "dense" if self.filter is None else "conv"

    def seen(self, level: Tensor) -> Tensor:
        """Return what each row of the weights is multiplied with: patches, or the level itself."""
        if self.filter is None or self.places is None:
            return level
        wide = functional.pad(level, (0, 1)) if self.filter.padding else level
        return wide.index_select(1, self.places).view(-1, self.fan_in, self.positions)

    def forward(self, seen: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Return W·x + b; of filters, each frame by itself: alike in any company."""
        if self.filter is None:
            return torch.addmm(bias, seen, weight.t())
        rows = weight.view(1, self.weight[0], self.fan_in).expand(len(seen), -1, -1)
        return torch.baddbmm(bias.view(1, -1, 1), rows, seen).flatten(1)

    def slopes(self, seen: Tensor, off: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of weights and biases, flat, from that of what was put out."""
        if self.filter is None:
            return (off.t() @ seen).view(-1), off.sum(0)
        each = off.view(-1, self.weight[0], self.positions)
        return torch.bmm(each, seen.transpose(1, 2)).sum(0).view(-1), each.sum((0, 2))

    def back(self, off: Tensor, weight: Tensor) -> Tensor:
        """Return the gradient of the level below."""
        if self.filter is None:
            return off @ weight
        wish, rows = self.filter, weight.view(self.weight[0], self.fan_in)
        patches = torch.matmul(rows.t(), off.view(-1, self.weight[0], self.positions))
        return functional.fold(
            patches, self.below[1:], wish.kernel, padding=wish.padding, stride=wish.stride
        ).flatten(1)


def normalised(level: Tensor) -> tuple[Tensor, Tensor]:
    """Bring each frame to mean 0 and variance 1; return it, and 1/√(variance + ε)."""
    top, _, scale = torch.native_layer_norm(level, level.shape[1:], None, None, _EPS)
    return top, scale


def unnormalised(off: Tensor, top: Tensor, scale: Tensor) -> Tensor:
    """Return the gradient of what `normalised` was given: s·(d - mean d - n·mean d·n)."""
    along = (off * top).mean(1, keepdim=True)
    return (off - off.mean(1, keepdim=True)).addcmul_(top, along, value=-1).mul_(scale)


def layers_of(
    settings: DeepSettings, picture: tuple[int, int, int], classes: int
) -> tuple[Layer, ...]:
    """Return the layers from the frame up; the last is the readout."""
    layers: list[Layer] = []
    channels, down, across = picture
    for wish in settings.layers:
        below = channels, down, across
        down, across = (
            (side + 2 * wish.padding - wish.kernel) // wish.stride + 1 for side in below[1:]
        )
        if min(down, across) < 1:
            raise LearnerError(
                f"a kernel of {wish.kernel} does not fit into {below[2]} x {below[1]} positions"
            )
        shape = (wish.maps, channels, wish.kernel, wish.kernel)
        places = torch.from_numpy(_places(wish, below))
        layers.append(Layer(shape, wish, down * across, below, places))
        channels = wish.maps
    inputs = channels * down * across
    if settings.hidden:
        layers.append(Layer((settings.hidden, inputs), None, 1))
        inputs = settings.hidden
    return (*layers, Layer((classes, inputs), None, 1))


def _places(wish: FilterSettings, below: tuple[int, int, int]) -> NDArray[np.int64]:
    """Return the place of each number of each patch, (inputs · positions,)."""
    numbers, edge = math.prod(below), wish.padding
    flat = np.arange(numbers).reshape(below)
    wide = np.pad(flat, ((0, 0), (edge, edge), (edge, edge)), constant_values=numbers)
    side = (wish.kernel, wish.kernel)
    patches = np.lib.stride_tricks.sliding_window_view(wide, side, axis=(1, 2))
    patches = patches[:, :: wish.stride, :: wish.stride]
    return np.ascontiguousarray(patches.transpose(0, 3, 4, 1, 2)).reshape(-1)
