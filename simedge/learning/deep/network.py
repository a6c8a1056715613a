"""A light convolutional feature extractor and a shallow classifier, as functions of one vector.

    h₀ = frame,  h_l = max(0, W_l * h_{l-1} + b_l),  z = O·n(h_L) + c,  P = softmax(z)

where n brings a frame's features to mean 0 and variance 1 (Ba et al. 2016), without parameters.

All parameters are one vector of float32: weights, then bias, of each layer from the frame up. The
gradient is that of back-propagation, written out (`layers.py`); the tests hold it to torch's own.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from simedge.core.streams import Streams, unit_floats
from simedge.learning.deep.layers import layers_of, normalised, unnormalised
from simedge.learning.reference_settings import DeepSettings

__all__ = ["TOGETHER", "Network", "Pull", "be_deterministic"]

TOGETHER = 16
"""Frames that are predicted at a time, empty ones if there are fewer: so each comes out the same,
bit for bit, whatever it is predicted with."""

_Array = TypeVar("_Array", Tensor, NDArray[np.float32])


def be_deterministic() -> None:
    """Bind torch to one thread and to algorithms that always give the same."""
    torch.set_num_threads(1)
    # What use_deterministic_algorithms sets, without the two seconds in which it loads a compiler.
    torch.set_deterministic_debug_mode("error")
    # None is read before it is written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


class Pull(NamedTuple):
    """What frames are drawn to beside their labels."""

    target: NDArray[np.float32]
    """(classes, classes), a row a label."""
    weight: NDArray[np.float32]
    """(classes,); 0 for a label without a prior."""


class Network:
    """Shapes and mathematics, without parameters: shared by all learners of a run."""

    def __init__(
        self, settings: DeepSettings, *, classes: int, channels: int, width: int, height: int
    ) -> None:
        self.classes = classes
        self.picture = (channels, height, width)
        self.layers = layers_of(settings, self.picture, classes)
        self.normal = settings.normalise
        self.params = sum(layer.params for layer in self.layers)
        self.features = self.layers[-1].weight[1]
        self._spans: list[tuple[slice, tuple[int, ...]]] = []
        """Where the weights and biases of each layer are, and their shape."""
        at = 0
        for layer in self.layers:
            for shape in (layer.weight, layer.weight[:1]):
                self._spans.append((slice(at, at + math.prod(shape)), shape))
                at += math.prod(shape)

    def named_parts(self, values: NDArray[np.float32]) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Yield the parameters of each layer under its name."""
        pairs = zip(self._spans[::2], self._spans[1::2], strict=True)
        for n, ((weights, _), (bias, _)) in enumerate(pairs, 1):
            yield f"layer {n}", values[weights.start : bias.stop]

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
        return [values[span].reshape(shape) for span, shape in self._spans]

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
        for first in range(0, count, TOGETHER):
            some = pictures[first : first + TOGETHER]
            level = torch.from_numpy(some.reshape(len(some), -1))
            pairs = zip(parts[:-2:2], parts[1:-2:2], strict=True)
            for layer, (weight, bias) in zip(self.layers[:-1], pairs, strict=True):
                level = level if layer.filter else _filled(level)
                level = layer.forward(layer.seen(level), weight, bias).relu_()
            top = normalised(level)[0] if self.normal else level
            said = torch.softmax(self.layers[-1].forward(_filled(top), *parts[-2:]), 1)
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
        """Return the cross entropies (frames,) and the gradient (d,) of the sum of the losses.

        With y the scores and t the labels, dy = P - t; a pull of weight w towards q adds w·(P - q).
        """
        parts = self.parts(torch.from_numpy(values))
        level = torch.from_numpy(pictures.reshape(len(pictures), -1))
        looks, tops, scale = [], [], level
        for n, layer in enumerate(self.layers):
            looks.append(layer.seen(level))
            level = layer.forward(looks[n], *parts[2 * n : 2 * n + 2])
            if n + 1 < len(self.layers):
                tops.append(level.relu_())
            if n + 2 == len(self.layers) and self.normal:
                level, scale = normalised(level)
        said, rows = torch.log_softmax(level, 1), np.arange(len(labels))
        off = said.exp()
        chances = off.numpy()
        if pull is not None:
            drawn = pull.weight[labels, None]
            weighed = pull.target[labels] * drawn
            chances *= 1 + weighed.sum(1, keepdims=True)
            chances -= weighed
        chances[rows, labels] -= 1
        slopes: list[Tensor] = []
        for n in reversed(range(len(self.layers))):
            slopes[:0] = self.layers[n].slopes(looks[n], off)
            if n:
                off = self.layers[n].back(off, parts[2 * n])
                if n + 1 == len(self.layers) and self.normal:
                    off = unnormalised(off, looks[n], scale)
                off = off * tops[n - 1].sign()  # what max(0, .) let through
        return -said.numpy()[rows, labels], torch.cat(slopes).numpy()

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
        own = torch.from_numpy(moved)
        weight, bias = (own[span].view(shape) for span, shape in self._spans[-2:])
        size = step / (
            len(features) * (1 + float((features.astype(np.float64) ** 2).sum(1).mean()))
        )
        for _ in range(steps):
            off = torch.softmax(torch.addmm(bias, top, weight.t()), 1) - wanted
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
    def activations(self) -> int:
        """Numbers that back-propagation keeps of one frame: what each layer puts out."""
        put_out = sum(layer.weight[0] * layer.positions for layer in self.layers)
        return put_out + self.normal * self.features


def _filled(level: Tensor) -> Tensor:
    """Return `TOGETHER` frames: those that there are, and empty ones."""
    missing = TOGETHER - len(level)
    return functional.pad(level, (0, 0, 0, missing)) if missing else level


def _by_kind(parts: list[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for kind, macs in parts:
        sums[kind] = sums.get(kind, 0) + macs
    return sums
