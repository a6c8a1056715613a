"""Learners on spikes whose synapses remember: S-TLLR and TESS behind the port of devices.

A presentation is a window of T device ticks; its pixel events are spikes on two lines a pixel. The
class is predicted by softmax(Σ z/T), then the window's gradients are committed by Adam. A prior
moves the readout alone, by the mean counts r of the top layer: with P = softmax(O·r + b),

    O ← O - η_KL·α·(P - P_g) ⊗ r,   b ← b - η_KL·α·(P - P_g)

Pass a class as ``learner=`` to `simedge.simulate`, or subclass it to set other constants. (S-TLLR,
arXiv 2306.15220; TESS, arXiv 2502.01837.)
"""

from abc import abstractmethod
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from simedge.core.streams import Streams, normals
from simedge.learning.own import OwnLearner
from simedge.learning.ports import FrameLike
from simedge.learning.rules.delta import softmax
from simedge.learning.rules.eligibility import Neuron, Synapses
from simedge.learning.rules.lazy_layout import Heard
from simedge.learning.rules.lazy_stack import LazyStack, Mode
from simedge.learning.rules.optimiser import Adam
from simedge.learning.rules.s_tllr import feedback_of, lazy_s_tllr
from simedge.learning.rules.stack import Readout, Stack
from simedge.learning.rules.tess import lazy_tess
from simedge.learning.volleys import Camera, Prepared, prepare

__all__ = ["EligibleLearner", "STllrLearner", "TessLearner"]

Floats = NDArray[np.float64]


class EligibleLearner(OwnLearner):
    """What both rules share; learned are hidden weights, flat, the readout and its bias."""

    __slots__ = ("_camera", "_stack")
    # Made anew from what is learned; so it is no part of dumps and digests.

    hidden: ClassVar[tuple[int, ...]] = (100,)
    """Neurons of each layer."""
    tick_ns: ClassVar[int] = 1_000_000
    """Device tick."""
    gain: ClassVar[float] = 2.0
    """Standard deviation of weights at the start, times the root of the lines."""
    rate: ClassVar[float] = 5e-3
    """Size of a step."""
    kl_rate: ClassVar[float] = 0.5
    """η_KL: step of a prior of weight 1."""
    mode: ClassVar[Mode] = "exact"
    neuron: ClassVar[Neuron] = Neuron(leak=0.9, pre_decay=0.9)

    @override
    def begin(self, streams: Streams) -> None:
        span = max(1, -(-self.span_ns // self.tick_ns))
        self._camera = Camera(
            width=self.width, height=self.height, tick_ns=self.tick_ns, ticks=span
        )
        sizes, stream = (
            (self._camera.lines, *self.hidden),
            streams.stream("learner", "learner", "eligible"),
        )
        layers = []
        for depth, (pre, post) in enumerate(pairwise(sizes)):
            drawn = normals(stream.block(-(-pre * post // 4), depth))[: pre * post]
            layers.append(Synapses(weights=drawn.reshape(post, pre) * self.gain / pre**0.5))
        readout = Readout(weights=np.zeros((self.classes, sizes[-1])), bias=np.zeros(self.classes))
        stack = Stack(layers=layers, readout=readout, neuron=self.neuron)
        self._stack = self.open(stack, streams, span)
        self.weights, self.readout, self.bias = self._stack.parameters
        learned = self._stack.parameters
        self.moments = [[np.zeros_like(one) for one in learned] for _ in range(2)]
        self.steps = 0

    @abstractmethod
    def open(self, stack: Stack, streams: Streams, ticks: int) -> LazyStack:
        """Return the rule of a stack."""

    @override
    def scores(self, frame: FrameLike) -> Floats:
        return self._fresh().see(self._heard(frame)).scores / self._camera.ticks

    @override
    def update(self, frame: FrameLike) -> None:
        stack = self._fresh()
        stack.learn(self._heard(frame), np.eye(self.classes)[frame.label])
        first, second = self.moments
        stack.commit(Adam(rate=self.rate, steps=self.steps, first=first, second=second))
        self.steps += 1

    @override
    def pull(self, frame: FrameLike, target: Floats, weight: float) -> None:
        seen = self._fresh().see(self._heard(frame))
        ticks = self._camera.ticks
        error = softmax(seen.scores / ticks) - target
        step = self.kl_rate * weight
        self.readout -= step * np.outer(seen.counts / ticks, error).ravel()
        self.bias -= step * error

    def _fresh(self) -> LazyStack:
        """Return the stack with what is learned by now, which a load may have replaced."""
        self._stack.adopt([self.weights, self.readout, self.bias])
        return self._stack

    def _heard(self, frame: FrameLike) -> Heard:
        shown: Prepared = prepare([frame], self._camera)
        volleys = np.searchsorted(shown.tick, np.arange(self._camera.ticks + 1))
        return Heard(shown.line, shown.start[volleys])


class STllrLearner(EligibleLearner):
    """S-TLLR with direct feedback."""

    __slots__ = ()

    rule = "s-tllr"

    @override
    def open(self, stack: Stack, streams: Streams, ticks: int) -> LazyStack:
        stream = streams.stream("learner", "learner", "feedback")
        feedback = feedback_of(stack.posts, stack.classes, stream)
        return lazy_s_tllr(stack, feedback=feedback, ticks=ticks, mode=self.mode)


class TessLearner(EligibleLearner):
    """TESS: every layer teaches itself."""

    __slots__ = ()

    rule = "tess"

    @override
    def open(self, stack: Stack, streams: Streams, ticks: int) -> LazyStack:
        return lazy_tess(stack, ticks=ticks, mode=self.mode)
