"""Training of a network by a rule, on any data set that fits into memory.

    history = train(frames, labels, Training(rule=rule_of("s-tllr"), net="vgg9"))

Results are a function of data, settings and seed on one machine. Torch is bound to one thread and
to deterministic algorithms, in the whole process.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simedge.learning.deep.network import be_deterministic
from simedge.learning.deep.references.blocks import FrameNet, learn_frames
from simedge.learning.deep.references.draws import Draws
from simedge.learning.deep.references.in_time import learn_in_time, local_rule
from simedge.learning.deep.references.ledger import Costs
from simedge.learning.deep.references.modulators import feedback_of
from simedge.learning.deep.references.optimisers import Optimiser
from simedge.learning.deep.references.settings import Training
from simedge.learning.deep.references.shapes import Plan, plan
from simedge.learning.deep.references.spiking import SpikingNet
from simedge.learning.deep.references.surrogates import pseudo_derivative
from simedge.learning.deep.references.through_time import learn_through_time
from simedge.learning.errors import LearnerError

__all__ = ["Data", "Epoch", "History", "train"]

_TOGETHER = 128
"""Samples that are predicted at a time."""


class Data(NamedTuple):
    """Samples and labels.

    Attributes
    ----------
    frames
        float32, recordings (samples, ticks, channels, height, width) or pictures (samples,
        channels, height, width).
    labels
        Integers 0 .. classes-1, (samples,).
    """

    frames: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """What an epoch came to: mean loss while learning, accuracies after it, the rate in it."""

    loss: float
    rate: float
    validation: float
    test: float


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a training came to.

    Attributes
    ----------
    epochs
        One after the other.
    costs
        Of one sample in the last step.
    sizes
        Samples to learn from, for validation and for the test.
    sha256
        Of all parameters at the end.
    """

    epochs: tuple[Epoch, ...]
    costs: Costs
    sizes: tuple[int, int, int]
    sha256: str

    @property
    def validation(self) -> float:
        """Accuracy on the validation data at the end."""
        return self.epochs[-1].validation

    @property
    def test(self) -> float:
        """Accuracy on the test data at the end; nothing was chosen by it."""
        return self.epochs[-1].test


class _Pupil(Protocol):
    """A network and its rule."""

    parameters: dict[str, Tensor]

    def learn(self, frames: Tensor, labels: Tensor, optimiser: Optimiser) -> float:
        """Step once by a batch; return the loss."""

    def predict(self, frames: Tensor) -> Tensor:
        """Return scores (batch, classes)."""

    costs: Costs
    """Of the last step."""


def train(
    frames: NDArray[np.float32],
    labels: NDArray[np.int64],
    settings: Training,
    *,
    test: Data | None = None,
    watch: Callable[[int, Epoch], None] | None = None,
) -> History:
    """Train by a rule and measure on held-out data.

    Parameters
    ----------
    frames, labels
        As in `Data`. A part of each class, drawn by the seed, is held out for validation and,
        without `test`, for the test.
    settings
        Rule, network, steps, seed.
    test
        Held-out data; nothing is learned from it or chosen by it.
    watch
        Told the number and figures of each epoch.

    Raises
    ------
    LearnerError
        If the data do not fit together, or the rule does not fit the network.
    """
    be_deterministic()
    draws = Draws(settings.seed, _dtype(settings))
    given = _checked(Data(frames, labels))
    learning, checking, testing = _parts(given, settings, draws, held_out=test)
    if testing.frames.shape[1:] != given.frames.shape[1:]:
        raise LearnerError(
            f"test frames of shape {testing.frames.shape[1:]}, others {given.frames.shape[1:]}"
        )
    classes = 1 + int(max(given.labels.max(), testing.labels.max()))
    network = plan(settings.net, given.frames.shape[-3:], classes, width=settings.width)
    pupil = (_OfFrames if settings.rule.frames else _OfSpikes)(network, settings, draws)
    optimiser = Optimiser(pupil.parameters, settings.steps, settings.epochs)
    epochs = []
    for turn in range(settings.epochs):
        rate = optimiser.rate
        order = draws.order("epoch", len(learning.labels), turn)
        loss = _epoch(pupil, learning, settings, optimiser=optimiser, order=order)
        epoch = Epoch(
            loss=loss, rate=rate, validation=_right(pupil, checking), test=_right(pupil, testing)
        )
        optimiser.end_epoch(turn + 1, epoch.validation)
        epochs.append(epoch)
        if watch is not None:
            watch(turn, epoch)
    sizes = len(learning.labels), len(checking.labels), len(testing.labels)
    return History(
        epochs=tuple(epochs), costs=pupil.costs, sizes=sizes, sha256=_sha256(pupil.parameters)
    )


class _OfSpikes:
    """A spiking network; pictures are shown for all device ticks of a window."""

    def __init__(self, network: Plan, settings: Training, draws: Draws) -> None:
        psi = pseudo_derivative(settings.rule.psi, settings.neurons.threshold)
        self._net = SpikingNet(network, settings.neurons, draws, psi=psi, average=settings.average)
        self._ticks = settings.ticks
        self.parameters = self._net.parameters
        self.costs = self._net.ledger.costs
        self._through = settings.rule.name == "bptt"
        self._rule = settings.rule if self._through else local_rule(self._net, settings.rule)
        self._feedback = [] if self._through else feedback_of(self._net, self._rule, draws)

    def learn(self, frames: Tensor, labels: Tensor, optimiser: Optimiser) -> float:
        shown = self._shown(frames)
        if self._through:
            loss, gradients = learn_through_time(self._net, self._rule, shown, labels=labels)
        else:
            loss, gradients = learn_in_time(
                self._net,
                self._rule,
                shown,
                labels=labels,
                feedback=self._feedback,
                step=optimiser.step if self._rule.commit == "tick" else None,
            )
        self.costs = self._net.ledger.costs
        if gradients:
            optimiser.step(gradients)
        return float(loss)

    def predict(self, frames: Tensor) -> Tensor:
        return self._net.predict(self._shown(frames))

    def _shown(self, frames: Tensor) -> Tensor:
        if frames.dim() == 4:
            return frames.expand(self._ticks, *frames.shape)
        return frames.transpose(0, 1)


class _OfFrames:
    """A network of blocks; of recordings it sees the mean over their device ticks."""

    def __init__(self, network: Plan, settings: Training, draws: Draws) -> None:
        self._rule = settings.rule
        self._net = FrameNet(network, self._rule, draws, average=settings.average)
        self.parameters = self._net.parameters
        self.costs = self._net.ledger.costs

    def learn(self, frames: Tensor, labels: Tensor, optimiser: Optimiser) -> float:
        loss, gradients = learn_frames(self._net, self._rule, _still(frames), labels=labels)
        self.costs = self._net.ledger.costs
        optimiser.step(gradients)
        return float(loss)

    def predict(self, frames: Tensor) -> Tensor:
        return self._net.predict(_still(frames))


def _still(frames: Tensor) -> Tensor:
    return frames if frames.dim() == 4 else frames.mean(1)


def _epoch(
    pupil: _Pupil, data: Data, settings: Training, *, optimiser: Optimiser, order: NDArray[np.int64]
) -> float:
    """Learn every sample once; return the mean loss."""
    losses = []
    for first in range(0, len(order), settings.batch):
        chosen = order[first : first + settings.batch]
        if len(chosen) < 2 and first:
            break  # too few to normalise
        shown = torch.from_numpy(data.frames[chosen]).to(_dtype(settings))
        losses.append(pupil.learn(shown, torch.from_numpy(data.labels[chosen]), optimiser))
    mean = sum(losses) / len(losses)
    if not math.isfinite(mean):
        raise LearnerError(
            f"the rule {settings.rule.name} diverged: a mean loss of {mean} (NaN or overflow); "
            f"a smaller rate than {settings.steps.rate:g} may help"
        )
    return mean


def _right(pupil: _Pupil, data: Data) -> float:
    """Return the accuracy, ties to the lowest class."""
    right = 0
    dtype = next(iter(pupil.parameters.values())).dtype
    for first in range(0, len(data.labels), _TOGETHER):
        shown = torch.from_numpy(data.frames[first : first + _TOGETHER]).to(dtype)
        said = pupil.predict(shown).numpy().argmax(1)
        right += int((said == data.labels[first : first + _TOGETHER]).sum())
    return right / len(data.labels)


def _checked(data: Data) -> Data:
    frames, labels = np.asarray(data.frames), np.asarray(data.labels)
    if frames.ndim not in {4, 5} or min(frames.shape) < 1:
        raise LearnerError(f"frames must be of 4 or 5 dimensions, none empty, got {frames.shape}")
    if labels.shape != frames.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise LearnerError(f"{len(frames)} frames need as many whole labels, got {labels.shape}")
    if labels.min() < 0:
        raise LearnerError(f"labels are 0 or more, got {labels.min()}")
    if not np.isfinite(frames).all():
        raise LearnerError("frames hold numbers that are not finite")
    return Data(frames.astype(np.float32, copy=False), labels.astype(np.int64))


def _parts(
    data: Data, settings: Training, draws: Draws, *, held_out: Data | None
) -> tuple[Data, Data, Data]:
    """Deal out each class: to learn from, for validation, for the test unless that is given."""
    share = settings.test if held_out is None else 0.0
    places: tuple[list[int], list[int], list[int]] = ([], [], [])
    order = draws.order("split", len(data.labels))
    for label in range(int(data.labels.max()) + 1):
        own = [int(i) for i in order if data.labels[i] == label]
        checked = math.ceil(settings.validation * len(own))
        tested = checked + math.ceil(share * len(own))
        for part, some in zip(
            places, (own[tested:], own[:checked], own[checked:tested]), strict=True
        ):
            part.extend(some)
    learning, checking, testing = (Data(data.frames[p], data.labels[p]) for p in places)
    testing = testing if held_out is None else _checked(held_out)
    if not len(learning.labels) or not len(testing.labels):
        raise LearnerError(f"{len(data.labels)} samples are too few to hold some out")
    return learning, checking, testing


def _dtype(settings: Training) -> torch.dtype:
    return torch.float32 if settings.precision == "single" else torch.float64


def _sha256(parameters: dict[str, Tensor]) -> str:
    sha = hashlib.sha256()
    for name, part in parameters.items():
        sha.update(name.encode())
        sha.update(part.detach().numpy().tobytes())
    return sha.hexdigest()
