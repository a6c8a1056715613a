"""A pass over proxy rows in one native call, each row still a job of its own.

Rows are forwarded on neuron state of their own and change nothing, so all rows of a pass may be
computed when its first one starts, as long as nothing is learned before the last one ends.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from simedge.learning.play import Outcome
from simedge.learning.ports import Counts
from simedge.learning.readout import Readout

__all__ = ["PassRow", "rows_of_pass"]


def rows_of_pass(
    given: Outcome,
    bounds: NDArray[np.int64],
    readout: Readout,
    *,
    address: int,
    first: int,
    dense: bool,
) -> "list[PassRow]":
    """Cut what a pass gave into the work of its rows `first`, `first` + 1, ...

    Volleys of row i are [bounds[i], bounds[i + 1]). `dense` says that there are no hidden layers:
    then a row has no volleys.
    """
    ends, counters = bounds.tolist(), given.counters.tolist()
    rows = []
    for i, (begin, end) in enumerate(itertools.pairwise(ends)):
        macs = readout.weights.size if begin < end else 0
        counts = Counts(*counters[i])
        counts = counts._replace(macs=counts.macs + macs)
        operations = given.operations[begin : begin if dense else end]
        rows.append(PassRow(readout, (address, first + i), (given, i), operations, counts, macs))
    return rows


class PassRow:
    """The work of one row of a pass, computed already."""

    __slots__ = ("_given", "_kept_as", "_operations", "_readout", "counts", "macs", "volleys")

    def __init__(  # noqa: PLR0917 - built in one place
        self,
        readout: Readout,
        kept_as: tuple[int, int],
        given: tuple[Outcome, int],
        operations: NDArray[np.int64],
        counts: Counts,
        macs: int,
    ) -> None:
        self._readout, self._kept_as, self._given = readout, kept_as, given
        self._operations = operations
        self.volleys = operations.size
        self.counts = counts
        """What the row took."""
        self.macs = {"dense": macs}
        """Multiply-accumulates of the readout."""

    def advance(self, count: int | None = None) -> NDArray[np.int64]:
        """Return the operations of all volleys."""
        assert count is None, "a pass that is computed at once cannot be stepped"
        return self._operations

    def commit(self) -> NDArray[np.float32]:
        """Keep the row's features; return its softmax, float32 (classes,)."""
        given, row = self._given
        self._readout.kept.keep(*self._kept_as, given.raw[row : row + 1])
        return np.asarray(given.chances[row], np.float32)

    def discard(self) -> None:
        """Forget the row."""
