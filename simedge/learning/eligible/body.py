"""What all learners of a run that are built alike share: where they begin, and stacks to play on.

Pixel events are spikes on two lines a pixel. Weights at the start are normal, of standard deviation
gain/√lines, or brought to that length; the readout starts at 0. Weights and feedback are drawn
under the name `learner`, the same at all devices, or under the device's own.
"""

from collections import deque
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simedge.core.streams import Streams, normals
from simedge.learning.eligible.hidden import Hidden
from simedge.learning.eligible.readout import Readout
from simedge.learning.eligible_settings import EligibleSettings, TessSettings
from simedge.learning.errors import LearnerError
from simedge.learning.rules.eligibility import Neuron, Synapses
from simedge.learning.rules.lazy_layout import Heard
from simedge.learning.rules.lazy_stack import LazyStack
from simedge.learning.rules.s_tllr import feedback_of, lazy_s_tllr
from simedge.learning.rules.stack import Readout as Scores
from simedge.learning.rules.stack import Stack
from simedge.learning.rules.tess import lazy_tess
from simedge.learning.volleys import Camera, Prepared

__all__ = ["Body"]

Floats = NDArray[np.float64]


class Body:
    """Layers as they begin, and as many stacks as are in use at once; other threads take them too.

    Parameters
    ----------
    name
        Whose the random streams are.
    """

    def __init__(
        self,
        settings: EligibleSettings,
        *,
        classes: int,
        camera: Camera,
        streams: Streams,
        name: str,
    ) -> None:
        self.settings, self.classes, self.camera = settings, classes, camera
        self.first_active = -(-settings.rule.first_active // settings.tick)
        if self.first_active >= camera.ticks:
            raise LearnerError(
                f"first_active is tick {self.first_active} of a presentation of {camera.ticks}: "
                "nothing would be learned"
            )
        self._stack = _drawn(settings, classes=classes, lines=camera.lines, stream=(streams, name))
        self.feedback: list[Floats] = []
        """B_l of each layer; none where layers make their own error."""
        if not isinstance(settings.rule, TessSettings):
            stream = streams.stream("learner", name, "feedback")
            self.feedback = feedback_of(self._stack.posts, classes, stream)
        self._free: deque[LazyStack] = deque()

    @property
    def local(self) -> bool:
        """Whether layers make their own errors."""
        return isinstance(self.settings.rule, TessSettings)

    def begin(self) -> Hidden:
        """Return hidden weights as they begin."""
        rule = self.settings.rule
        length = self.settings.gain if rule.standardise else None
        flat = np.concatenate([one.weights.T.ravel() for one in self._stack.layers])
        sizes = (self.camera.lines, *self.settings.hidden)
        return Hidden(flat, sizes, law=(rule.rate, rule.batch, length))

    def readout(self) -> Readout:
        """Return a readout that knows nothing."""
        neurons = self.settings.hidden[-1]
        return Readout(
            self.settings.readout, neurons=neurons, classes=self.classes, ticks=self.camera.ticks
        )

    def take(self, weights: Floats, gains: tuple[float, ...]) -> LazyStack:
        """Return a stack that nobody uses, with these hidden weights, and α_post of each layer."""
        try:
            stack = self._free.pop()
        except IndexError:
            stack = self._open()
            stack.rest_readout()
        stack.adopt([weights, *stack.parameters[1:]])
        stack.set_past_gains(gains)
        return stack

    def give(self, stack: LazyStack) -> None:
        """Put a stack back."""
        self._free.append(stack)

    def heard(self, shown: Prepared, index: int) -> Heard:
        """Return a presentation as a window hears it."""
        first, stop = int(shown.bounds[index]), int(shown.bounds[index + 1])
        starts = shown.start[first : stop + 1]
        volleys = np.searchsorted(shown.tick[first:stop], np.arange(self.camera.ticks + 1))
        lines = shown.line[starts[0] : starts[-1]]
        return Heard(lines, starts[volleys] - starts[0])

    def words(self) -> dict[str, int]:
        """Return the words that a device holds, by term."""
        return self._open().memory()

    def _open(self) -> LazyStack:
        rule, stack = self.settings.rule, self._stack
        if isinstance(rule, TessSettings):
            return lazy_tess(
                stack,
                ticks=self.camera.ticks,
                squash=rule.squash,
                mode=rule.mode,
                first_active=self.first_active,
            )
        return lazy_s_tllr(
            stack,
            feedback=self.feedback,
            ticks=self.camera.ticks,
            signal=rule.signal,
            mode=rule.mode,
            first_active=self.first_active,
        )


def _drawn(
    settings: EligibleSettings, *, classes: int, lines: int, stream: tuple[Streams, str]
) -> Stack:
    streams, name = stream
    draws, layers = streams.stream("learner", name, "eligible"), []
    for depth, (pre, post) in enumerate(pairwise((lines, *settings.hidden))):
        drawn = normals(draws.block(-(-pre * post // 4), depth))[: pre * post]
        layers.append(Synapses(weights=drawn.reshape(post, pre) * settings.gain / pre**0.5))
    readout = Scores(weights=np.zeros((classes, settings.hidden[-1])), bias=np.zeros(classes))
    law = settings.neuron
    neuron = Neuron(
        leak=law.leak,
        threshold=law.threshold,
        pre_decay=law.pre_decay,
        post_decay=law.post_decay,
        pre_gain=law.pre_gain,
        post_gain=law.post_gain,
        form="spike" if settings.rule.mode == "spike" else "triangle",
        lag=law.lag,
    )
    return Stack(layers=layers, readout=readout, neuron=neuron)
