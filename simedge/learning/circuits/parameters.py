"""What machines ask of a circuit learner's parameters: those of its readout, and nothing else.

    L = v²/2μ if v < μ, else v - μ/2;   v = max(0, μ + max_{c≠y} s_c - s_y)

What margin winner-take-all calls errors is minus the gradient of L by the scores. The delta rule
takes a score to change with a weight by r, what the weight hears; so does a slope. Hence a step of
the readout's rate down the slope of a frame is what learning the frame does to the readout. Hidden
layers learn from frames that are learned, and from no other.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.learning.asked import check_labels, check_span, vector
from simedge.learning.circuits.forwards import Forwards, Made, Shown
from simedge.learning.circuits.jobs import Act
from simedge.learning.circuits.shop import Shop
from simedge.learning.circuits.teaching import hinge
from simedge.learning.ports import FrameLike
from simedge.learning.readout import loss_of
from simedge.learning.terms import class_prior
from simedge.learning.volleys import Prepared, prepare

__all__ = ["Parameters"]


class Parameters:
    """The part of a learner that deals with its readout's weights: see `ParameterLearner`.

    They are kept in double precision and travel in single; a linear readout's class by class, a
    spiking one's synapse by synapse, which are the same wires wherever the start is shared.
    """

    shop: Shop

    @property
    def params(self) -> int:
        """How many parameters travel: d."""
        return self.shop.readout_weights

    @property
    def learning_rate(self) -> float:
        """Step that a frame takes along its gradient."""
        return self.shop.readout.settings.rate

    def get_params(self) -> Act:
        """Read the parameters; value: float32 (d,), a copy."""
        shop = self.shop
        return Act(shop, lambda: shop.readout.taken(shop.known).astype(np.float32))

    def set_params(self, values: ArrayLike) -> Act:
        """Take over parameters, (d,); value None. Those that are there already stay exact."""
        shop, new = self.shop, vector(values, self.params)

        def put() -> None:
            old = shop.readout.taken(shop.known)
            weights = np.where(old.astype(np.float32) == new, old, new)
            shop.known = shop.readout.put(shop.known, weights)

        return Act(shop, put, writes=new.size)

    def hold(
        self, *, anchor: ArrayLike | None = None, rho: float = 0.0, sparsity: float = 0.0
    ) -> None:
        """Say what holds for every `learn` from now on, until this is called again."""
        weights = self.shop.readout.taken(self.shop.known)
        self.shop.terms.hold(weights, anchor=anchor, rho=rho, share=sparsity)

    def slope(self, frame: FrameLike) -> Forwards:
        """Take the gradient of one frame's loss; value: (loss, float32 (d,)); changes nothing.

        The loss told is the cross entropy, as that of `learn`. The frame is shown as it would be
        if it were learned.
        """
        self._check([frame.label], [frame])

        def make(shown: Sequence[Shown]) -> Made:
            loss, slope = self._loss(shown[0], frame.label), self._slope(shown[0], frame.label)
            return Made((loss, slope.astype(np.float32)))

        at = True, self._onset(frame)
        return Forwards(self.shop, self._gather([frame]), make, as_learned=at, passes=1)

    def loss_on(self, frames: Sequence[FrameLike]) -> Forwards:
        """Take the mean loss on frames in nats; value: float; changes nothing.

        Each frame begins at rest and thresholds do not move, as where a learner is evaluated.
        """
        labels = [frame.label for frame in frames]
        self._check(labels, frames)

        def make(shown: Sequence[Shown]) -> Made:
            pairs = zip(shown, labels, strict=True)
            return Made(sum(self._loss(*pair) for pair in pairs) / len(labels))

        return Forwards(self.shop, self._gather(frames), make)

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

    def train_on(self, frames: Sequence[FrameLike], labels: Sequence[int]) -> Forwards:
        """Predict frames of others, then take one step of the readout on their mean gradient.

        Value: the classes predicted before the step. The frames begin at rest.
        """
        self._check(labels, frames)
        shop = self.shop

        def make(shown: Sequence[Shown]) -> Made:
            found = tuple(int(np.argmax(one.seen.scores)) for one in shown)
            slopes = [self._slope(*pair) for pair in zip(shown, labels, strict=True)]
            step = self.learning_rate * np.mean(slopes, axis=0)
            return Made(found, shop.readout.put(shop.known, shop.readout.taken(shop.known) - step))

        return Forwards(shop, self._gather(frames), make, passes=1, writes=self.params)

    def _onset(self, frame: FrameLike) -> int | None:
        """Return the tick at which a frame goes on from the one before it, if it does."""
        rooms = self.shop.rooms
        if rooms.body.settings.reset == "frame":
            return None
        return rooms.onset(getattr(frame, "index", 0))

    def _check(self, labels: Sequence[int], frames: Sequence[FrameLike]) -> None:
        check_labels(labels, frames=frames, classes=self.shop.body.classes)

    def _loss(self, shown: Shown, label: int) -> float:
        return loss_of(float(self.shop.readout.chances(shown.seen.scores)[label]))

    def _slope(self, shown: Shown, label: int) -> NDArray[np.float64]:
        """Return the gradient of what was seen; nothing shown is nothing to go down."""
        shop = self.shop
        if shown.dark:
            return np.zeros(self.params)
        margin = shop.body.settings.rule.margin
        return shop.readout.slope(shown.seen, hinge(shown.seen.scores, label, margin))

    def _gather(self, frames: Sequence[FrameLike]) -> Prepared:
        return prepare(frames, self.shop.body.camera)
