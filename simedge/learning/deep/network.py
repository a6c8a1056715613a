"""A light convolutional feature extractor and a shallow classifier, as functions of one vector.

    h₀ = frame,  h_l = max(0, W_l * h_{l-1} + b_l),  z = O·n(h_L) + c,  P = softmax(z)

where n brings a frame's features to mean 0 and variance 1 (Ba et al. 2016), without parameters.

All parameters are one vector of float32: weights, then bias, of each layer from the frame up. The
gradient is that of torch's own back-propagation.
"""

import math
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from simedge.core.streams import Streams, unit_floats
from simedge.learning.errors import LearnerError
from simedge.learning.reference_settings import DeepSettings, FilterSettings

__all__ = ["TOGETHER", "Network", "Pull", "be_deterministic"]

TOGETHER = 16
"""Frames that are predicted at a time, empty ones if there are fewer: so each comes out the same,
bit for bit, whatever it is predicted with."""

_Array = TypeVar("_Array", Tensor, NDArray[np.float32])


def be_deterministic() -> None:
    """Bind torch to one thread and to algorithms that always give the same."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)


class Pull(NamedTuple):
    """What frames are drawn to beside their labels."""

    target: NDArray[np.float32]
    """(classes, classes), a row a label."""
    weight: NDArray[np.float32]
    """(classes,); 0 for a label without a prior."""


class _Layer(NamedTuple):
    weight: tuple[int, ...]
    """(outputs, inputs a position...)"""
    filter: FilterSettings | None
    """None for a dense layer."""
    positions: int
    """Outputs of one row of the weights."""

    @property
    def fan_in(self) -> int:
        return math.prod(self.weight[1:])

    @property
    def params(self) -> int:
        return math.prod(self.weight) + self.weight[0]

    @property
    def macs(self) -> int:
        return math.prod(self.weight) * self.positions

    @property
    def kind(self) -> str:
        return "dense" if self.filter is None else "conv"


class Network:
    """Shapes and mathematics, without parameters: shared by all learners of a run."""

    def __init__(
        self, settings: DeepSettings, *, classes: int, channels: int, width: int, height: int
    ) -> None:
        self.classes = classes
        self.picture = (channels, height, width)
        self.layers = _layers(settings, self.picture, classes)
        self.normal = settings.normalise
        self.params = sum(layer.params for layer in self.layers)
        self.features = self.layers[-1].weight[1]

    def start(self, streams: Streams, name: str) -> NDArray[np.float32]:
        """Draw parameters: weights uniform in ±√(6/inputs), the last ±√(1/inputs); biases 0."""
        parts = []
        for n, layer in enumerate(self.layers):
            size, last = math.prod(layer.weight), n + 1 == len(self.layers)
            stream = streams.stream("learner", name, f"deep-{n + 1}")
            unit = unit_floats(stream.block(-(-size // 4)))[:size]
            bound = math.sqrt((1 if last else 6) / layer.fan_in)
            parts += [bound * (2 * unit - 1), np.zeros(layer.weight[0])]
        return np.concatenate(parts).astype(np.float32)

    def parts(self, values: _Array) -> list[_Array]:
        """Return the weights and biases of each layer, views of a vector of all."""
        parts, at = [], 0
        for layer in self.layers:
            for shape in (layer.weight, layer.weight[:1]):
                stop = at + math.prod(shape)
                parts.append(values[at:stop].reshape(shape))
                at = stop
        return parts

    def scores(
        self, values: NDArray[np.float32], pictures: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the scores of frames, (frames, classes), as the plain formula gives them."""
        parts = self.parts(torch.from_numpy(values))
        with torch.no_grad():
            top = self._features(torch.from_numpy(pictures), parts)
            return _dense(top, parts[-2:]).numpy()

    def seen(
        self, values: NDArray[np.float32], pictures: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return features (frames, features) and softmax (frames, classes), `TOGETHER` at a time.

        What is said of a frame does not depend on the others, to the last bit.
        """
        count = len(pictures)
        features = np.empty((count, self.features), np.float32)
        chances = np.empty((count, self.classes), np.float32)
        parts = self.parts(torch.from_numpy(values))
        with torch.no_grad():
            for first in range(0, count, TOGETHER):
                some = pictures[first : first + TOGETHER]
                room = np.zeros((TOGETHER, *self.picture), np.float32)
                room[: len(some)] = some
                top = self._features(torch.from_numpy(room), parts)
                said = torch.softmax(_dense(top, parts[-2:]), 1)
                features[first : first + TOGETHER] = top.numpy()[: len(some)]
                chances[first : first + TOGETHER] = said.numpy()[: len(some)]
        return features, chances

    def gradient(
        self,
        values: NDArray[np.float32],
        pictures: NDArray[np.float32],
        labels: NDArray[np.int64],
        *,
        pull: Pull | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the cross entropies (frames,) and the gradient (d,) of the sum of the losses."""
        leaves = [p.requires_grad_() for p in self.parts(torch.from_numpy(values.copy()))]
        scores = _dense(self._features(torch.from_numpy(pictures), leaves), leaves[-2:])
        said = torch.log_softmax(scores, 1)
        losses = functional.nll_loss(said, torch.from_numpy(labels), reduction="none")
        total = losses.sum()
        if pull is not None:
            weighed = torch.from_numpy(pull.target[labels] * pull.weight[labels, None])
            total = total - (weighed * said).sum()
        slopes = torch.autograd.grad(total, leaves)
        gradient = torch.cat([slope.reshape(-1) for slope in slopes])
        return losses.detach().numpy(), gradient.numpy()

    def pulled(
        self,
        values: NDArray[np.float32],
        features: NDArray[np.float32],
        target: NDArray[np.float32],
        *,
        step: float,
        steps: int,
    ) -> NDArray[np.float32]:
        """Return parameters whose readout went `steps` steps towards a prior on kept features.

        A step is divided by the mean square length of the features: so it is stable up to about 4,
        however strong they are.
        """
        moved = values.copy()
        top, wanted = torch.from_numpy(features), torch.from_numpy(target)
        weight, bias = self.parts(torch.from_numpy(moved))[-2:]
        size = step / (
            len(features) * (1 + float((features.astype(np.float64) ** 2).sum(1).mean()))
        )
        with torch.no_grad():
            for _ in range(steps):
                off = torch.softmax(_dense(top, [weight, bias]), 1) - wanted
                weight.sub_(off.T @ top, alpha=size)
                bias.sub_(off.sum(0), alpha=size)
        return moved

    @property
    def forward_macs(self) -> dict[str, int]:
        """Multiply-accumulates of one frame that is predicted, by kind of layer."""
        return _by_kind([(layer.kind, layer.macs) for layer in self.layers])

    @property
    def learning_macs(self) -> dict[str, int]:
        """Multiply-accumulates of one frame that is learned.

        Forward, the gradient of weights, and the gradient of inputs, but of the frame itself.
        """
        bottom, *others = self.layers
        parts = [(bottom.kind, 2 * bottom.macs)]
        return _by_kind(parts + [(layer.kind, 3 * layer.macs) for layer in others])

    @property
    def readout(self) -> slice:
        """Where the readout's parameters are."""
        return slice(self.params - self.layers[-1].params, self.params)

    @property
    def activations(self) -> int:
        """Numbers that back-propagation keeps of one frame: what each layer puts out."""
        put_out = sum(layer.weight[0] * layer.positions for layer in self.layers)
        return put_out + self.normal * self.features

    def _features(self, pictures: Tensor, parts: list[Tensor]) -> Tensor:
        """Return what the readout sees of pictures, (frames, features)."""
        level = pictures
        pairs = zip(parts[:-2:2], parts[1:-2:2], strict=True)
        for layer, (weight, bias) in zip(self.layers[:-1], pairs, strict=True):
            if layer.filter is None:
                level = _dense(level.flatten(1), [weight, bias])
            else:
                stride, padding = layer.filter.stride, layer.filter.padding
                level = functional.conv2d(level, weight, bias, stride=stride, padding=padding)
            level = functional.relu(level)
        top = level.flatten(1)
        return functional.layer_norm(top, top.shape[1:]) if self.normal else top


def _dense(level: Tensor, parts: list[Tensor]) -> Tensor:
    return functional.linear(level, parts[0], parts[1])


def _layers(
    settings: DeepSettings, picture: tuple[int, int, int], classes: int
) -> tuple[_Layer, ...]:
    layers: list[_Layer] = []
    channels, down, across = picture
    for wish in settings.layers:
        below = down, across
        down, across = (
            (side + 2 * wish.padding - wish.kernel) // wish.stride + 1 for side in below
        )
        if min(down, across) < 1:
            raise LearnerError(
                f"a kernel of {wish.kernel} does not fit into {below[1]} x {below[0]} positions"
            )
        shape = (wish.maps, channels, wish.kernel, wish.kernel)
        layers.append(_Layer(shape, wish, down * across))
        channels = wish.maps
    inputs = channels * down * across
    if settings.hidden:
        layers.append(_Layer((settings.hidden, inputs), None, 1))
        inputs = settings.hidden
    return (*layers, _Layer((classes, inputs), None, 1))


def _by_kind(parts: list[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for kind, macs in parts:
        sums[kind] = sums.get(kind, 0) + macs
    return sums
