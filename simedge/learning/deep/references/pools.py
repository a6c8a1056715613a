"""Pooling, and its adjoint: how a signal for what was passed on becomes one for the neurons."""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from simedge.learning.deep.references.shapes import Layer

__all__ = ["Passed", "cells", "cells_back", "passed_on", "signal_back"]


class Passed(NamedTuple):
    """What a layer passes on."""

    level: Tensor
    places: Tensor | None
    """Which neuron each maximum was taken from."""


def passed_on(layer: Layer, spikes: Tensor, *, average: bool) -> Passed:
    """Pool spikes: the maximum (of spikes, a logical or) or the mean of 2 x 2, or fewer cells."""
    if layer.after == "P" and not average:
        level, places = functional.max_pool2d_with_indices(spikes, (2, 2))
        return Passed(level, places)
    if layer.after == "P":
        return Passed(functional.avg_pool2d(spikes, 2), None)
    side = {"A": 2, "G": 1}.get(layer.after)
    return Passed(spikes if side is None else _squeezed(spikes, side, side), None)


def signal_back(layer: Layer, signal: Tensor, places: Tensor | None) -> Tensor:
    """Return what a signal (batch, *above) for the pooled outputs means for the neurons."""
    signal = signal.reshape(-1, *layer.above)
    if layer.after == "":
        return signal
    down, across = layer.shape[1:]
    if places is not None:
        flat = signal.new_zeros(*signal.shape[:2], down * across)
        return flat.scatter_(2, places.flatten(2), signal.flatten(2)).view(-1, *layer.shape)
    if layer.after == "P":
        spread = signal.repeat_interleave(2, 2).repeat_interleave(2, 3) / 4
        return functional.pad(spread, (0, across - spread.shape[3], 0, down - spread.shape[2]))
    return _spread(signal, down, across)


def cells(layer: Layer, level: Tensor) -> Tensor:
    """Return what a local loss sees of a layer's neurons, (batch, layer.local)."""
    if not layer.conv:
        return level.repeat_interleave(layer.cell, 1)
    down, across = (min(layer.cell, side) for side in layer.shape[1:])
    return _squeezed(level, down, across).flatten(1)


def cells_back(layer: Layer, signal: Tensor) -> Tensor:
    """Return what a signal (batch, layer.local) means for the neurons: the adjoint of `cells`."""
    if not layer.conv:
        return signal.view(len(signal), -1, layer.cell).sum(2)
    down, across = (min(layer.cell, side) for side in layer.shape[1:])
    return _spread(signal.view(len(signal), -1, down, across), *layer.shape[1:])


def _squeezed(level: Tensor, down: int, across: int) -> Tensor:
    rows = _means(level.shape[2], down).to(level.dtype)
    columns = _means(level.shape[3], across).to(level.dtype)
    return rows @ level @ columns.T


def _spread(signal: Tensor, down: int, across: int) -> Tensor:
    rows = _means(down, signal.shape[2]).to(signal.dtype)
    columns = _means(across, signal.shape[3]).to(signal.dtype)
    return rows.T @ signal @ columns


@lru_cache(maxsize=64)
def _means(size: int, count: int) -> Tensor:
    """Return the matrix (count, size) that takes means of a line as adaptive pooling does."""
    means = torch.zeros(count, size, dtype=torch.float64)
    for i in range(count):
        first, stop = i * size // count, -(-(i + 1) * size // count)
        means[i, first:stop] = 1 / (stop - first)
    return means
