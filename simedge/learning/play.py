"""Batches of presentations for the native code: what is shown to whom, and what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.learning.pool import Pool
from simedge.learning.presentation import present
from simedge.learning.stage import Room, common_room
from simedge.learning.volleys import Prepared
from simedge.neurons.layout import COUNTERS

__all__ = ["ALL", "Outcome", "play"]

ALL: Final = (0, 2**40)
"""Every volley of a presentation."""


@dataclass(slots=True)
class Outcome:
    """What presentations give, a row each; what nobody wants is kept of the last one alone."""

    held: NDArray[np.float32]
    held_tick: NDArray[np.int64]
    features: NDArray[np.float32]
    raw: NDArray[np.float32]
    """Levels."""
    chances: NDArray[np.float32]
    """Softmax of the readout."""
    counters: NDArray[np.int32]
    spikes: NDArray[np.int32]
    """Layer by layer, ticks and then neurons; filled up to twice their number."""
    operations: NDArray[np.int64]
    """Of every volley, presentation after presentation."""

    @classmethod
    def room(
        cls,
        pool: Pool,
        rows: int,
        *,
        operations: int,
        learning: bool = False,
        tell: bool = False,
        keep: bool = True,
    ) -> "Outcome":
        """Return room for so many presentations: to learn, to tell spikes, to keep features."""
        stage, kept = pool.stage, rows if keep else 1
        learnt = rows if learning else 0
        return cls(
            np.empty((learnt, pool.held.shape[1]), np.float32),
            np.empty((learnt, pool.held_tick.shape[1]), np.int64),
            np.empty((kept, stage.features), np.float32),
            np.empty((kept, stage.features), np.float32),
            np.empty((rows, pool.weights.shape[1]), np.float32),
            np.empty((kept, len(COUNTERS)), np.int32),
            np.empty((rows if tell else 0, stage.spikes), np.int32),
            np.zeros(operations, np.int64),
        )


def play(  # noqa: PLR0913 - most go by name
    pool: Pool,
    shown: Prepared,
    jobs: Sequence[tuple[int, int, int, int]] | NDArray[np.int64],
    *,
    outcome: Outcome,
    part: tuple[int, int] = ALL,
    room: Room | None = None,
    begin: int | None = None,
) -> None:
    """Show presentations to learners of a pool, in one native call.

    Parameters
    ----------
    shown
        The presentations.
    jobs
        Who sees which, at what tick of its thresholds' clock, and where in `outcome.operations`
        those of its volleys begin. Learners of which `outcome` has room for weights learn.
    part
        Which volleys of each to run.
    room, begin
        Where an earlier part has begun.
    """
    stage = pool.stage
    asked = np.asarray(jobs, np.int64)
    room = room or common_room(stage)
    scratch, wiring, shape = room.scratch, stage.wiring, stage.binning
    if begin is None:
        begin = scratch.begin(stage.rest_ticks * len(asked))
    present(
        pool.held, pool.held_tick, pool.law, pool.weights, pool.mean,
        wiring.plan, wiring.table, stage.scaling,
        shape.slot, shape.rows, shape.gain, shape.modes,
        scratch.real, scratch.ints, room.spikes,
        shown.line, shown.tick, shown.start, shown.bounds, asked, *part,
        begin, stage.rest_ticks,
        outcome.held, outcome.held_tick, outcome.features, outcome.raw, outcome.chances,
        outcome.counters, outcome.spikes, outcome.operations,
    )  # fmt: skip
