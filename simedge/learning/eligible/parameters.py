"""What machines ask of a learner's parameters: those of its readout, then its mean and length.

They are kept in double precision and travel in single. What learning a frame does to weights of
the readout is a step down the frame's slope; hidden layers learn from those frames, and from no
others.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.learning.asked import check_labels, check_span, vector
from simedge.learning.eligible.jobs import Act, Showing
from simedge.learning.eligible.readout import Readout
from simedge.learning.eligible.shop import Seen, Shop
from simedge.learning.ports import FrameLike
from simedge.learning.readout import loss_of
from simedge.learning.terms import class_prior
from simedge.learning.volleys import Prepared, prepare

__all__ = ["Parameters"]


class Parameters:
    """The part of a learner that deals with its readout's weights: see `ParameterLearner`."""

    shop: Shop

    @property
    def params(self) -> int:
        """How many parameters travel: d."""
        return self.shop.readout.numbers

    @property
    def learning_rate(self) -> float:
        """Step that a frame takes along its gradient."""
        return self.shop.readout.settings.rate

    def get_params(self) -> Act:
        """Read the parameters; value: float32 (d,), a copy."""
        shop = self.shop
        return Act(shop, lambda: _numbers(shop.readout).astype(np.float32))

    def set_params(self, values: ArrayLike) -> Act:
        """Take over parameters, (d,); value None. Those that are there already stay exact."""
        shop, new = self.shop, vector(values, self.params)

        def put() -> None:
            readout = shop.readout
            old = _numbers(readout)
            weights, mean = np.split(
                np.where(old.astype(np.float32) == new, old, new), [shop.readout_size]
            )
            readout.weights = weights
            readout.centre(mean[:-1], float(mean[-1]))

        return Act(shop, put, writes=new.size)

    def hold(
        self, *, anchor: ArrayLike | None = None, rho: float = 0.0, sparsity: float = 0.0
    ) -> None:
        """Say what holds for every `learn` from now on, until this is called again.

        Only weights are held; mean and length are not.
        """
        weights = self.shop.readout.weights
        point = None if anchor is None else vector(anchor, self.params)[: weights.size]
        self.shop.terms.hold(weights, anchor=point, rho=rho, share=sparsity)

    def slope(self, frame: FrameLike) -> Showing:
        """Take the gradient of one frame's loss; value: (loss, float32 (d,)); changes nothing.

        The loss is the cross entropy alone, the gradient also that by which mean and length follow.
        """
        self._check([frame.label], [frame])

        def finish(found: list[Seen]) -> tuple[float, NDArray[np.float32]]:
            (seen,) = found
            slope = self.shop.slope(seen, seen.label)
            whole = np.concatenate([slope, self.shop.readout.drift(seen.counts)])
            return loss_of(float(seen.chances[seen.label])), whole.astype(np.float32)

        return Showing(self.shop, self._gather([frame]), finish, passes=1)

    def loss_on(self, frames: Sequence[FrameLike]) -> Showing:
        """Take the mean loss on frames in nats; value: float; changes nothing."""
        self._check([frame.label for frame in frames], frames)

        def finish(found: list[Seen]) -> float:
            return sum(loss_of(float(seen.chances[seen.label])) for seen in found) / len(found)

        return Showing(self.shop, self._gather(frames), finish)

    def class_table(self, first: int, count: int) -> Act:
        """Read, and forget, the mean softmax of the frames learned since, by their label."""
        terms = self.shop.terms
        check_span(first, count, classes=self.shop.body.classes)
        return Act(self.shop, lambda: terms.read(first, count))

    def set_class_prior(
        self, target: ArrayLike, mask: ArrayLike, *, alpha: float, steps: int = 1
    ) -> Act:
        """From now on pull each frame that is learned towards the row of its label; value None."""
        terms, classes = self.shop.terms, self.shop.body.classes
        prior = class_prior(target, mask, alpha=alpha, steps=steps, classes=classes)

        def put() -> None:
            terms.prior = prior

        return Act(self.shop, put)

    def train_on(self, frames: Sequence[FrameLike], labels: Sequence[int]) -> Showing:
        """Predict frames of others, then take one step of the readout on their mean gradient.

        Value: the classes predicted before the step.
        """
        self._check(labels, frames)
        shop = self.shop

        def finish(found: list[Seen]) -> tuple[int, ...]:
            slopes = [shop.slope(*pair) for pair in zip(found, labels, strict=True)]
            step = self.learning_rate * np.mean(slopes, axis=0)
            shop.readout.weights = shop.readout.weights - step
            for seen in found:
                shop.readout.follow(seen.counts)
            return tuple(int(seen.chances.argmax()) for seen in found)

        return Showing(shop, self._gather(frames), finish, passes=1, writes=self.params)

    def _check(self, labels: Sequence[int], frames: Sequence[FrameLike]) -> None:
        check_labels(labels, frames=frames, classes=self.shop.body.classes)

    def _gather(self, frames: Sequence[FrameLike]) -> Prepared:
        return prepare(frames, self.shop.body.camera)


def _numbers(readout: Readout) -> NDArray[np.float64]:
    """Return weights, mean and length, end to end."""
    return np.concatenate([readout.weights, readout.mean, [readout.length]])
