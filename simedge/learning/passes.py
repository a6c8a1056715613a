"""A pass over proxy rows in one native call, each row still a job of its own.

Rows are forwarded on neuron state of their own and change nothing, so all rows of a pass may be
computed when its first one starts, as long as nothing is learned before the last one ends.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simedge.learning.ports import Counts
from simedge.learning.readout import Readout
from simedge.learning.rules.delta import softmax_in_place
from simedge.neurons.layout import COUNTERS

__all__ = ["PassRow", "Yield", "rows_of_pass"]


@dataclass(frozen=True, slots=True)
class Yield:
    """What forwarding presentations gives, a row each.

    Scores (rows, padded classes), raw levels (rows, features), counters (rows, counters), and the
    operations of all volleys, end to end.
    """

    scores: NDArray[np.float32]
    raw: NDArray[np.float32]
    counters: NDArray[np.int32]
    operations: NDArray[np.int64]


def rows_of_pass(
    given: Yield,
    bounds: NDArray[np.int64],
    readout: Readout,
    *,
    address: int,
    first: int,
    dense: bool,
) -> "list[PassRow]":
    """Cut what a pass gave into the work of its rows `first`, `first` + 1, ...

    `dense` says that there are no hidden layers: then a row has no volleys.
    """
    return [
        PassRow(
            readout,
            (address, first + i),
            given.operations[bounds[i] : bounds[i + 1]],
            raw=given.raw[i],
            scores=given.scores[i],
            counters=given.counters[i],
            dense=dense,
        )
        for i in range(bounds.size - 1)
    ]


class PassRow:
    """The work of one row of a pass, computed already."""

    __slots__ = (
        "_counters", "_kept_as", "_operations", "_raw", "_readout", "_scores", "macs", "volleys",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - built in one place
        self,
        readout: Readout,
        kept_as: tuple[int, int],
        operations: NDArray[np.int64],
        *,
        raw: NDArray[np.float32],
        scores: NDArray[np.float32],
        counters: NDArray[np.int32],
        dense: bool,
    ) -> None:
        self._readout, self._kept_as = readout, kept_as
        self._raw, self._scores, self._counters = raw, scores, counters
        work = readout.weights.shape[0] * readout.classes if operations.size else 0
        self.macs = {"dense": work}
        """Multiply-accumulates of the readout."""
        self._operations = operations[:0] if dense else operations
        self.volleys = self._operations.size

    def advance(self, count: int | None = None) -> NDArray[np.int64]:
        """Return the operations of all volleys."""
        assert count is None, "a pass that is computed at once cannot be stepped"
        return self._operations

    @property
    def counts(self) -> Counts:
        """What the row took."""
        counts = dict(zip(COUNTERS, self._counters.tolist(), strict=True))
        counts["macs"] += self.macs["dense"]
        return Counts(**counts)

    def commit(self) -> NDArray[np.float32]:
        """Keep the row's features; return its softmax, float32 (classes,)."""
        self._readout.keep(*self._kept_as, self._raw)
        own = self._scores.copy()
        softmax_in_place(own, self._readout.classes)
        return own[: self._readout.classes]

    def discard(self) -> None:
        """Forget the row."""
