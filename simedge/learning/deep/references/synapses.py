"""Synapses of a layer: what spikes become below, and the two products that learning needs.

Standardised weights (Qiao et al., arXiv 1903.10520), row by row of w, with a gain g of each row:

    ŵ = g·(w - mean) / √(var·fan_in + 1e-4),  var unbiased
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_weight

from simedge.learning.deep.references.shapes import Layer

__all__ = ["Synapses", "current", "current_back", "products", "standardised"]


class Synapses(NamedTuple):
    """Weights of one layer, as its neurons feel them."""

    weight: Tensor
    recurrent: Tensor | None = None
    bias: Tensor | None = None


def standardised(weight: Tensor, gain: Tensor) -> Tensor:
    """Return ŵ; differentiable by both."""
    rows = weight.flatten(1)
    fan_in = rows.shape[1]
    mean = rows.mean(1, keepdim=True)
    var = rows.var(1, keepdim=True) if fan_in > 1 else torch.zeros_like(mean)
    return (gain[:, None] * (rows - mean) / torch.sqrt(var * fan_in + 1e-4)).view_as(weight)


def current(layer: Layer, level: Tensor, weight: Tensor) -> Tensor:
    """Return what comes in from below, (batch, *shape)."""
    if layer.conv:
        return functional.conv2d(level, weight, padding=1)
    return level.flatten(1) @ weight.T


def current_back(layer: Layer, post: Tensor, weight: Tensor) -> Tensor:
    """Return what a signal at the neurons means for the inputs, (batch, *below)."""
    if layer.conv:
        return functional.conv_transpose2d(post, weight, padding=1)
    return (post @ weight).reshape(-1, *layer.below)


def products(layer: Layer, post: Tensor, pre: Tensor) -> Tensor:
    """Return Σ post ⊗ pre over batch and positions, in the shape of the weights."""
    if not layer.conv:
        return post.flatten(1).T @ pre.flatten(1)
    if math.prod(layer.shape[1:]) <= _FEW:  # so few positions that unfolding them is quicker
        columns = functional.unfold(pre, 3, padding=1)
        return torch.einsum("bop,bip->oi", post.flatten(2), columns).view(layer.weight)
    return conv2d_weight(pre, layer.weight, post, padding=1)  # type: ignore[no-any-return, no-untyped-call]


_FEW = 16
