"""Circuits whose state is taken out between windows and put back into them, or into equal ones.

All decays are lazy, so what is put back goes on exactly, however much later its next volley is.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.neurons.errors import CircuitError
from simedge.neurons.recurrent import places as at
from simedge.neurons.recurrent.layout import Layout
from simedge.neurons.recurrent.pages import make_room
from simedge.neurons.recurrent.parts import Population, Projection
from simedge.neurons.recurrent.stops import StoppingCircuit

__all__ = ["OnwardCircuit", "State"]

_FADED: Final = 1e-12
"""Eligibilities that have decayed to this part change nothing."""
_Ints = NDArray[np.int64]


class State(NamedTuple):
    """All that moves in a circuit but weights: never written to."""

    moving: _Ints
    """Potentials, thresholds, traces, with their ticks, bit by bit."""
    ints: _Ints
    """Counters, clocks, lists, what is due."""
    log: _Ints
    """Spikes on their way."""
    rows: NDArray[np.float64]
    """Eligibilities."""


class OnwardCircuit(StoppingCircuit):
    """A circuit that has room for all eligibilities from the start."""

    def __init__(
        self,
        inputs: int,
        populations: Mapping[str, Population],
        *,
        projections: Sequence[Projection],
    ) -> None:
        super().__init__(inputs, populations, projections=projections)
        self._moving = _moving(self._layout)
        joins = zip(self._layout.joins, self._layout.counts, strict=True)
        size = sum(n for row, n in joins if row[at.RULE] == at.GATED and not row[at.GROWN])
        self._arrays.ints[at.ROWS_ROOM] = size
        self._arrays = self._arrays._replace(rows=np.empty(size))

    def take(self, *, eligibilities: bool = True) -> State:
        """Close the window, with or without its eligibilities, and return what is left; copies."""
        if eligibilities:
            for row in self._windows():
                self._arrays.ints[row[at.COUNTS] :][: row[at.SIZE]] = 0
                self._arrays.ints[row[at.NOTED] + at.ACTIVE_COUNT] = 0
        else:
            self.close_window()
        self.forget_spikes()
        self._arrays, _ = make_room(
            self._arrays, self._layout, [(0, 0) for _ in self._layout.names]
        )
        arrays = self._arrays
        return State(
            arrays.marks[self._moving],
            arrays.ints.copy(),
            arrays.log.copy(),
            arrays.rows[: arrays.ints[at.ROWS_USED]].copy(),
        )

    def put(self, state: State) -> None:
        """Go on from what an equal circuit left.

        Raises
        ------
        CircuitError
            If it was another circuit's.
        """
        arrays = self._arrays
        if state.moving.shape != self._moving.shape or state.ints.shape != arrays.ints.shape:
            raise CircuitError("this is the state of another circuit")
        arrays.marks[self._moving] = state.moving
        arrays.ints[:] = state.ints
        arrays.rows[: state.rows.size] = state.rows
        self._arrays = arrays._replace(log=state.log.copy())
        self.forget_spikes()
        self._fed = self.now

    def recall(self, tick: int) -> None:
        """Let neurons that fired in earlier windows be active too, while their rows last."""
        ints = self._arrays.ints
        for row in self._windows():
            if not row[at.ROW_TABLE]:
                continue
            rows, ticks = (ints[row[name] :][: row[at.SIZE]] for name in (at.ROW_AT, at.ROW_TICK))
            count = row[at.NOTED] + at.ACTIVE_COUNT
            active = ints[row[at.ACTIVE] :][: row[at.SIZE]]
            left = np.log(self._arrays.real[row[at.ROW_TABLE] + 1]) * (tick - ticks)
            lasting = np.flatnonzero((rows >= 0) & (left > np.log(_FADED)))
            more = np.setdiff1d(lasting, active[: ints[count]])
            active[ints[count] :][: more.size] = more
            ints[count] += more.size

    def _windows(self) -> Iterator[list[int]]:
        return (row for row in self._layout.rows if row[at.COUNTED])


def _moving(layout: Layout) -> _Ints:
    """Return where in `real` things move."""
    spans = []
    for row, size in zip(layout.rows[1:], layout.sizes[1:], strict=True):
        spans.append((row[at.CELL], at.CELL_FIELDS * size))
        spans.append((row[at.BODY], at.BODY_FIELDS * size))
        spans.append((row[at.BAR], at.BAR_FIELDS * size))
        if row[at.GROWTH]:
            spans.append((row[at.LATE], size))
    ends = zip(layout.joins, layout.ends, layout.counts, strict=True)
    for row, (sources, _), count in ends:
        if row[at.RULE] in {at.PAIRED, at.GATED}:
            spans.append((row[at.PRE], sources))
        if row[at.RULE] == at.PAIRED:
            spans.append((row[at.ARRIVED], sources))
        if row[at.GROWN]:
            spans.append((row[at.GROWN], count))
    return np.concatenate([np.arange(first, first + size) for first, size in spans])
