"""Parameters that travel, gradients and tables by class: what protocols ask of a deep learner."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.learning.asked import check_labels, check_span
from simedge.learning.deep.body import Body
from simedge.learning.deep.frames import Prepared
from simedge.learning.deep.jobs import Act
from simedge.learning.deep.network import Pull
from simedge.learning.errors import LearnerError
from simedge.learning.ports import FrameLike

__all__ = ["Travels"]

_FREE = {"dense": 0}


class Travels:
    """All parameters of the model, in the order of its layers."""

    _body: Body

    @property
    def params(self) -> int:
        """How many parameters travel: d, the whole model."""
        return self._body.values.size

    @property
    def learning_rate(self) -> float:
        """Step along a gradient, before momentum."""
        return self._body.plan.rule.rate

    def get_params(self) -> Act:
        """Read the parameters; value: float32 (d,), a copy."""
        return Act(self._body, lambda: np.array(self._body.values), macs=_FREE)

    def set_params(self, values: ArrayLike) -> Act:
        """Take over parameters, (d,); value None.

        Gradients gathered towards the next step, and momentum, stay: none is older than a batch.
        """
        new = self._body.vector(values)
        return Act(self._body, lambda: self._body.become(new), macs=_FREE, writes=new.size)

    def hold(
        self, *, anchor: ArrayLike | None = None, rho: float = 0.0, sparsity: float = 0.0
    ) -> None:
        """Say what holds for every `learn` from now on, until this is called again.

        Parameters
        ----------
        anchor, rho
            The loss gains rho/2 times the squared distance to these parameters, (d,).
        sparsity
            Share of the parameters, the smallest in size when learning next begins, that are zero
            from then on.
        """
        self._body.hold(anchor, rho, sparsity)

    def slope(self, frame: FrameLike) -> Act:
        """Take the gradient of one frame's loss; value: (loss, float32 (d,)); changes nothing."""
        shown = self._shown([frame], [frame.label])

        def taken() -> object:
            losses, gradient = self._gradient(shown)
            return float(losses[0]), gradient

        return Act(self._body, taken, macs=self._body.plan.network.learning_macs)

    def loss_on(self, frames: Sequence[FrameLike]) -> Act:
        """Take the mean loss on frames in nats; value: float; changes nothing."""
        shown, network = self._shown(frames, [f.label for f in frames]), self._body.plan.network

        def mean() -> float:
            chances = network.seen(self._body.values, shown.pictures)[1]
            own = chances[np.arange(len(frames)), shown.labels].astype(np.float64)
            losses = -np.log(np.maximum(own, np.finfo(np.float32).tiny))
            return float(losses.mean())

        return Act(self._body, mean, macs=_times(network.forward_macs, len(frames)))

    def class_table(self, first: int, count: int) -> Act:
        """Read, and forget, the mean softmax of the frames learned since, by their label.

        Value: float32 (count, classes) for the labels first .. first + count - 1; the row of a
        label that was not seen is zero.
        """
        check_span(first, count, classes=self._body.plan.network.classes)

        def read() -> NDArray[np.float32]:
            body, span = self._body, slice(first, first + count)
            seen = np.maximum(body.table_count[span], 1)[:, None]
            rows = (body.table[span] / seen).astype(np.float32)
            body.table[span], body.table_count[span] = 0, 0
            return rows

        return Act(self._body, read, macs=_FREE)

    def set_class_prior(
        self, target: ArrayLike, mask: ArrayLike, *, alpha: float, steps: int = 1
    ) -> Act:
        """From now on pull each frame that is learned towards the row of its label; value None.

        The loss of a frame gains alpha·steps times the cross entropy of the row and the softmax:
        there is one gradient a frame, so `steps` are one step as long. `target` is
        (classes, classes); rows outside `mask`, (classes,), pull nothing.
        """
        wanted, prior = np.asarray(mask, np.bool_), np.asarray(target, np.float32)
        classes = self._body.plan.network.classes
        if prior.shape != (classes, classes) or wanted.shape != (classes,):
            raise LearnerError(f"a row a class, got shapes {prior.shape}, {wanted.shape}")
        if alpha < 0 or steps < 1:
            raise LearnerError(f"a prior needs alpha >= 0 and steps >= 1, got {alpha}, {steps}")
        pull = Pull(prior.copy(), (alpha * steps * wanted).astype(np.float32))
        drawn = pull if pull.weight.any() else None
        return Act(self._body, lambda: self._body.set_pull(drawn), macs=_FREE)

    def train_on(self, frames: Sequence[FrameLike], labels: Sequence[int]) -> Act:
        """Predict frames of others, then take one step on their mean gradient.

        Value: the classes predicted before the step, a tuple.
        """
        shown, body = self._shown(frames, labels), self._body

        def trained() -> tuple[int, ...]:
            said = body.plan.network.seen(body.values, shown.pictures)[1].argmax(axis=1)
            _, gradient = self._gradient(shown)
            body.step(gradient / np.float32(len(frames)))
            return tuple(said.tolist())

        macs = _times(body.plan.network.learning_macs, len(frames))
        macs["dense"] += body.plan.step_macs
        return Act(body, trained, macs=macs, writes=body.values.size)

    def _gradient(self, shown: Prepared) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self._body.plan.network.gradient(self._body.values, shown.pictures, shown.labels)

    def _shown(self, frames: Sequence[FrameLike], labels: Sequence[int]) -> Prepared:
        """Return frames as pictures, with these labels."""
        check_labels(labels, frames=frames, classes=self._body.plan.network.classes)
        pictures = self._body.plan.retina.prepare(frames).pictures
        return Prepared(np.array(labels, np.int64), pictures)


def _times(macs: dict[str, int], count: int) -> dict[str, int]:
    return {kind: count * each for kind, each in macs.items()}
