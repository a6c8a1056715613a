"""The jobs of a deep learner: a frame that is learned, and acts that happen when they end."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from simedge.learning.deep.body import Body
from simedge.learning.deep.frames import Prepared
from simedge.learning.ports import Counts, Learned
from simedge.learning.readout import loss_of

__all__ = ["Act", "Presentation", "run_together"]

_NO_SPIKES = hashlib.sha256(b"").digest()
_NONE = np.empty(0, np.int64)


class _Dense:
    """A job without volleys: nothing to advance."""

    __slots__ = ("_body", "counts", "macs")

    volleys = 0

    def __init__(self, body: Body, macs: Mapping[str, int], *, writes: int = 0) -> None:
        self._body = body
        self.macs = dict(macs)
        """Multiply-accumulates by kind of layer."""
        self.counts = Counts(macs=sum(macs.values()), weight_writes=writes)
        """What the job does."""
        body.begin(self)

    def advance(self, count: int | None = None) -> NDArray[np.int64]:  # noqa: ARG002 - the port's
        """Return no operations."""
        return _NONE

    def discard(self) -> None:
        """Forget the job."""
        self._body.end(self)


class Presentation(_Dense):
    """One frame that is learned."""

    __slots__ = ("_index", "_shown")

    def __init__(self, body: Body, shown: Prepared, index: int) -> None:
        self._shown, self._index = shown, index
        macs, writes = body.plan.network.learning_macs, 0
        if body.closes:
            writes = body.values.size
            macs["dense"] += body.plan.step_macs
        super().__init__(body, macs, writes=writes)

    def compute(self) -> None:
        """Predict the frame, and those after it."""
        self._body.chances(self._shown, self._index)

    def commit(self) -> Learned:
        """Learn now; return what came of it."""
        body, shown, index = self._body, self._shown, self._index
        body.end(self)
        chances, label = body.chances(shown, index), int(shown.labels[index])
        body.take(shown.pictures[index], label, chances)
        told = hashlib.sha256(body.named)
        told.update(chances.data)
        said = chances.tolist()
        return Learned(
            loss=loss_of(said[label]),
            correct=said.index(max(said)) == label,
            spikes=0,
            spike_digest=_NO_SPIKES,
            weight_digest=told.digest(),
        )


class Act(_Dense):
    """What happens when the job ends; `ahead`, if given, is worked out before, by any thread."""

    __slots__ = ("_act", "_ahead", "_found")

    def __init__(
        self,
        body: Body,
        act: Callable[..., object],
        *,
        macs: Mapping[str, int],
        writes: int = 0,
        ahead: Callable[[], object] | None = None,
    ) -> None:
        self._act, self._ahead = act, ahead
        self._found: tuple[object, ...] = ()
        super().__init__(body, macs, writes=writes)

    def compute(self) -> None:
        """Work out what can be worked out ahead, once."""
        if self._ahead is not None and not self._found:
            self._found = (self._ahead(),)

    def commit(self) -> object:
        """Do it now; return the value."""
        self._body.end(self)
        self.compute()
        return self._act(*self._found)


def run_together(works: Sequence[Presentation], executor: Executor) -> None:  # noqa: ARG001
    """Predict frames that wait.

    What is done together are the frames of a batch of one device. Devices together would save
    little, and rounding would depend on who they are.
    """
    for work in works:
        work.compute()
