"""Parameters of a learner as one vector, its gradient, and what else machines ask of it.

What travels is the readout: weights O, (classes, features) row by row, then the running mean m of
the levels, (features,), unless features are not centred. Without m, O would be read on features
that it never learned on. Hidden weights and thresholds stay on the device.

The loss of m is ‖m - levels‖² / 4η with η the rate of the readout: a step of η along the mean
gradient of a batch takes m half way to the mean of the batch.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.learning.asked import check_labels, check_span, vector
from simedge.learning.frame_jobs import Presentation
from simedge.learning.jobs import Act, Workshop
from simedge.learning.ports import Counts, FrameLike, Work
from simedge.learning.readout import loss_of
from simedge.learning.terms import class_prior
from simedge.learning.volleys import Prepared, prepare

__all__ = ["Forwards", "Parameters", "Seen"]

_NONE = np.empty(0, np.int64)
_NOWHERE = (-1, 0)
_HALF = np.float32(0.5)


class Seen(NamedTuple):
    """What a presentation leaves that was not learned."""

    label: int
    raw: NDArray[np.float32]
    """Levels."""
    features: NDArray[np.float32]
    chances: NDArray[np.float32]
    """Softmax."""


class Forwards:
    """Presentations one after another, none of them learned; then something is made of them.

    Parameters
    ----------
    shown
        The presentations.
    finish
        Makes the value of what was seen, and has the effect.
    passes, writes
        Multiply-accumulates that it takes for each weight of the readout and presentation, and the
        weights that it changes.
    once
        Multiply-accumulates that it takes besides.
    """

    def __init__(
        self,
        shop: Workshop,
        shown: Prepared,
        finish: Callable[[list[Seen]], object],
        *,
        passes: int = 0,
        once: int = 0,
        writes: int = 0,
    ) -> None:
        self._shop, self._shown, self._finish = shop, shown, finish
        self._sizes = np.diff(shown.bounds).tolist() if shop.plan.columns else []
        self._count = shown.bounds.size - 1
        self.volleys = sum(self._sizes)
        self._running: Presentation | None = None
        self._into = 0
        self._seen: list[Seen] = []
        self._spent = Counts()
        self._dense = passes * self._count * shop.readout.weights.size + once
        self._writes = writes

    def advance(self, count: int | None = None) -> NDArray[np.int64]:
        """Run the next `count` volleys (None: all left); return the operations of each."""
        parts, left = [_NONE], self.volleys if count is None else count
        while len(self._seen) < self._count:
            work = self._running = self._running or self._next()
            rest = self._sizes[len(self._seen)] - self._into if self._sizes else 0
            if rest > 0 and not left:
                break
            take = min(left, rest)
            parts.append(work.advance(take if self._sizes else None))
            left, self._into = left - take, self._into + take
            if take == rest:
                self._close(work)
        return np.concatenate(parts)

    def _next(self) -> Presentation:
        return Presentation(self._shop, self._shown, len(self._seen), kept_as=_NOWHERE)

    def _close(self, work: Presentation) -> None:
        self._spent = add(self._spent, work.counts)
        label = int(self._shown.labels[len(self._seen)])
        self._seen.append(Seen(label, *work.seen))
        work.discard()
        self._running, self._into = None, 0

    @property
    def _now(self) -> Counts:
        return self._spent if self._running is None else add(self._spent, self._running.counts)

    @property
    def counts(self) -> Counts:
        """What the job has done so far."""
        now = self._now
        if not self._over:
            return now
        writes = now.weight_writes + self._writes
        return now._replace(macs=now.macs + self._dense, weight_writes=writes)

    @property
    def macs(self) -> dict[str, int]:
        """Multiply-accumulates: one pass of the readout a presentation, and what is made of it."""
        passes = self._count * self._shop.readout.weights.size
        return {"dense": passes + self._dense if self._over else 0}

    @property
    def _over(self) -> bool:
        return len(self._seen) == self._count

    def commit(self) -> object:
        """Finish; return the value."""
        self.advance()
        return self._finish(self._seen)

    def discard(self) -> None:
        """Leave all as if nothing had begun."""
        if self._running is not None:
            self._running.discard()
            self._running = None


def add(one: Counts, other: Counts) -> Counts:
    """Return the sum of two counts."""
    return Counts(*(mine + more for mine, more in zip(one, other, strict=True)))


class Parameters:
    """The part of a learner that deals with its readout's parameters: see `ParameterLearner`."""

    _shop: Workshop

    @property
    def params(self) -> int:
        """How many parameters travel: d."""
        readout = self._shop.readout
        return int(readout.weights.size + (readout.mean.size if readout.horizon else 0))

    @property
    def learning_rate(self) -> float:
        """Step that a frame takes along its gradient."""
        return self._shop.readout.rate

    def get_params(self) -> Work:
        """Read the parameters; value: float32 (d,), a copy."""
        readout, size = self._shop.readout, self.params
        parts = readout.weights.reshape(-1), readout.mean
        return Act(self._shop, lambda: np.concatenate(parts)[:size])

    def set_params(self, values: ArrayLike) -> Work:
        """Take over parameters, (d,); value None."""
        readout, new = self._shop.readout, vector(values, self.params)

        def put() -> None:
            weights, mean = np.split(new, [readout.weights.size])
            readout.weights[:] = weights.reshape(readout.weights.shape)
            if readout.horizon:
                readout.centre(mean)

        return Act(self._shop, put, writes=self.params)

    def hold(
        self, *, anchor: ArrayLike | None = None, rho: float = 0.0, sparsity: float = 0.0
    ) -> None:
        """Say what holds for every `learn` from now on, until this is called again.

        Only weights are held; the running mean is not.
        """
        weights = self._shop.readout.weights
        point = None if anchor is None else vector(anchor, self.params)[: weights.size]
        self._shop.terms.hold(weights, anchor=point, rho=rho, share=sparsity)

    def slope(self, frame: FrameLike) -> Work:
        """Take the gradient of one frame's loss; value: (loss, float32 (d,)); changes nothing.

        The loss is the cross entropy alone, the gradient also that of the running mean's loss.
        """
        self._check([frame.label], [frame])

        def finish(seen: list[Seen]) -> tuple[float, NDArray[np.float32]]:
            (one,) = seen
            error = one.chances.copy()
            loss = loss_of(float(error[one.label]))
            error[one.label] -= np.float32(1.0)
            slope = np.outer(error, one.features).reshape(-1)
            return loss, np.concatenate([slope, self._drift(one.raw)])

        return Forwards(self._shop, self._gather([frame]), finish, passes=1)

    def loss_on(self, frames: Sequence[FrameLike]) -> Work:
        """Take the mean loss on frames in nats; value: float; changes nothing."""
        self._check([frame.label for frame in frames], frames)

        def finish(seen: list[Seen]) -> float:
            return sum(loss_of(float(one.chances[one.label])) for one in seen) / len(seen)

        return Forwards(self._shop, self._gather(frames), finish)

    def class_table(self, first: int, count: int) -> Work:
        """Read, and forget, the mean softmax of the frames learned since, by their label."""
        check_span(first, count, classes=self._shop.readout.classes)
        return Act(self._shop, lambda: self._shop.terms.read(first, count))

    def set_class_prior(
        self, target: ArrayLike, mask: ArrayLike, *, alpha: float, steps: int = 1
    ) -> Work:
        """From now on pull each frame that is learned towards the row of its label; value None."""
        classes = self._shop.readout.classes
        prior = class_prior(target, mask, alpha=alpha, steps=steps, classes=classes)

        def put() -> None:
            self._shop.terms.prior = prior

        return Act(self._shop, put)

    def train_on(self, frames: Sequence[FrameLike], labels: Sequence[int]) -> Work:
        """Predict frames of others, then take one step on their mean gradient.

        Value: the classes predicted before the step. Hidden layers do not learn from it.
        """
        self._check(labels, frames)
        readout = self._shop.readout

        def finish(seen: list[Seen]) -> tuple[int, ...]:
            found = tuple(int(np.argmax(one.chances)) for one in seen)
            before = readout.weights.copy()
            for one, label in zip(seen, labels, strict=True):
                shown = one.raw, one.features
                readout.learn(shown, one.chances.copy(), label, share=1 / len(seen))
            readout.weights[:] = self._shop.allowed(before, readout.weights)
            return found

        once, writes = self._shop.kept_macs, readout.weights.size
        shop, shown = self._shop, self._gather(frames)
        return Forwards(shop, shown, finish, passes=1, once=once, writes=writes)

    def _check(self, labels: Sequence[int], frames: Sequence[FrameLike]) -> None:
        check_labels(labels, frames=frames, classes=self._shop.readout.classes)

    def _drift(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the gradient of the running mean's loss; nothing seen is nothing to follow."""
        readout = self._shop.readout
        if not readout.horizon:
            return readout.mean[:0]
        if not raw.any() or not readout.rate:
            return np.zeros_like(raw)
        drift: NDArray[np.float32] = (readout.mean - raw) * np.float32(_HALF / readout.rate)
        return drift

    def _gather(self, frames: Sequence[Any]) -> Prepared:
        return prepare(frames, self._shop.plan.camera)
