"""The rows of a pass over proxy items, each a job of its own, computed at once."""

import numpy as np
from numpy.typing import NDArray

from simedge.learning.deep.body import Body
from simedge.learning.ports import Counts

__all__ = ["PassRow"]

_NONE = np.empty(0, np.int64)


class PassRow:
    """The work of one row of a pass, computed already."""

    __slots__ = ("_body", "_chances", "_features", "_kept_as", "counts", "macs")

    volleys = 0

    def __init__(  # noqa: PLR0917 - built in one place
        self,
        body: Body,
        kept_as: tuple[int, int],
        features: NDArray[np.float32],
        chances: NDArray[np.float32],
    ) -> None:
        self._body, self._kept_as = body, kept_as
        self._features, self._chances = features, chances
        self.macs = body.plan.network.forward_macs
        """Multiply-accumulates by kind of layer."""
        self.counts = Counts(macs=sum(self.macs.values()))
        """What the row took."""

    def advance(self, count: int | None = None) -> NDArray[np.int64]:  # noqa: ARG002 - the port's
        """Return no operations."""
        return _NONE

    def commit(self) -> NDArray[np.float32]:
        """Keep the row's features; return its softmax, float32 (classes,)."""
        self._body.kept.keep(*self._kept_as, self._features[None])
        return self._chances.copy()

    def discard(self) -> None:
        """Forget the row."""
