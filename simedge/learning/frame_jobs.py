"""A presentation as a job: shown at once, volley by volley, or together with those of others."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simedge.learning.jobs import Workshop
from simedge.learning.play import Outcome, play
from simedge.learning.ports import Counts, Learned
from simedge.learning.readout import loss_of
from simedge.learning.stage import Room
from simedge.learning.volleys import Prepared, joined
from simedge.neurons.layout import COUNTERS

__all__ = ["Presentation", "run_together"]

_NONE = np.empty(0, np.int64)
_SPLIT = 4
"""From so many presentations on, half of them are another core's."""


class Presentation:
    """One frame: learned, or forwarded on scratch state with thresholds frozen.

    Parameters
    ----------
    shown, index
        The frame as `prepare` gave it.
    kept_as
        Address and row, if it is not learned but forwarded.
    """

    __slots__ = (
        "_at", "_begin", "_done", "_index", "_kept_as", "_kept_macs", "_outcome", "_row", "_ticks",
        "learns", "room", "shop", "shown", "volleys",
    )  # fmt: skip

    def __init__(
        self, shop: Workshop, shown: Prepared, index: int, *, kept_as: tuple[int, int] | None = None
    ) -> None:
        self.shop, self.shown, self._index, self._kept_as = shop, shown, index, kept_as
        self._ticks = int(shown.bounds[index + 1] - shown.bounds[index])
        self.volleys = self._ticks if shop.plan.columns else 0
        shop.begin(self)
        self._done = self._row = self._at = 0
        self._outcome: Outcome | None = None
        self._kept_macs = shop.kept_macs  # the commit may end a task, and with it change this
        self.learns = kept_as is None and shop.plan.plastic
        """Whether hidden weights change."""
        self.room: Room | None = None
        """Where it runs, if volley by volley."""

    def advance(self, count: int | None = None) -> NDArray[np.int64]:
        """Run the next `count` volleys (None: all left); return the operations of each."""
        left = self._ticks - self._done
        if count is None or count > left or not self.volleys:
            count = left
        if self._outcome is None or (self.room is not None and self._done < self._ticks):
            self._run(count)
        first, self._done = self._at + self._done, self._done + count
        assert self._outcome is not None
        return self._outcome.operations[first : first + count] if self.volleys else _NONE

    def _run(self, count: int) -> None:
        """Run the next volleys: all of them in a room for all, else in the learner's own."""
        shop, done = self.shop, self._done
        if self._outcome is None:
            self._outcome = Outcome.room(
                shop.pool,
                1,
                operations=self._ticks,
                learning=self.learns,
                tell=self._kept_as is None,
            )
            if count < self._ticks:
                self.room = shop.own_room = shop.own_room or Room(shop.stage)
                self._begin = self.room.scratch.begin(shop.stage.rest_ticks)
        job = (shop.place, self._index, shop.clock, done)
        if self.room is None:
            play(shop.pool, self.shown, [job], outcome=self._outcome)
        else:
            part, room = (done, done + count), self.room
            play(
                shop.pool,
                self.shown,
                [job],
                outcome=self._outcome,
                part=part,
                room=room,
                begin=self._begin,
            )

    @property
    def _over(self) -> bool:
        return self._done == self._ticks and self._outcome is not None

    @property
    def counts(self) -> Counts:
        """What the job has done so far."""
        if self._outcome is None or not self._done:
            return Counts()
        if not self._over:
            assert self.room is not None
            return Counts(*self.room.scratch.ints[: len(COUNTERS)].tolist())
        counts = Counts(*self._outcome.counters[self._row].tolist())
        dense = self.shop.readout.weights.size
        if self._kept_as is not None:
            return counts._replace(macs=counts.macs + dense)
        macs = counts.macs + (2 + self.shop.terms.passes) * dense + self._kept_macs
        return counts._replace(macs=macs, weight_writes=counts.weight_writes + dense)

    @property
    def macs(self) -> dict[str, int]:
        """Multiply-accumulates of the readout: one pass to predict, another to learn."""
        if not self._over or not self._done:
            return {"dense": 0}
        dense = self.shop.readout.weights.size
        if self._kept_as is not None:
            return {"dense": dense}
        return {"dense": (2 + self.shop.terms.passes) * dense + self._kept_macs}

    def commit(self) -> Learned | NDArray[np.float32]:
        """Finish; learn or keep the features now; return `Learned`, or the proxy row's softmax."""
        self.advance()
        shop, outcome, row = self.shop, self._outcome, self._row
        shop.end(self)
        assert outcome is not None
        chances = outcome.chances[row]
        if self._kept_as is not None:
            shop.readout.kept.keep(*self._kept_as, outcome.raw[row : row + 1])
            return np.asarray(chances, np.float32)
        label = int(self.shown.labels[self._index])
        learned = self._learned(outcome, chances.tolist(), label)
        shop.teach((outcome.raw[row], outcome.features[row]), chances, label)
        if self.learns:
            shop.held[:], shop.held_tick[:] = outcome.held[row], outcome.held_tick[row]
            shop.clock += shop.plan.camera.ticks
        return learned

    @property
    def seen(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Return levels, features and softmax; known when all volleys have run."""
        outcome, row = self._outcome, self._row
        assert outcome is not None
        return outcome.raw[row], outcome.features[row], outcome.chances[row]

    def _learned(self, outcome: Outcome, chances: list[float], label: int) -> Learned:
        row = self._row
        spikes = int(outcome.counters[row, 1])
        told, state = hashlib.sha256(), hashlib.sha256()
        told.update(outcome.spikes[row, : 2 * spikes].data)
        if self.learns:
            state.update(outcome.held[row].data)
        state.update(outcome.features[row].data)
        state.update(outcome.chances[row].data)
        return Learned(
            loss=loss_of(chances[label]),
            correct=chances.index(max(chances)) == label,
            spikes=spikes,
            spike_digest=told.digest(),
            weight_digest=state.digest(),
        )

    def discard(self) -> None:
        """Forget the presentation."""
        self.shop.end(self)

    @property
    def waits(self) -> bool:
        """Whether nothing of it has run yet."""
        return self._outcome is None

    def place_in(self, outcome: Outcome, row: int, at: int) -> None:
        """Say where the outcome is found of a presentation that runs together with others."""
        self._outcome, self._row, self._at = outcome, row, at

    @property
    def asked(self) -> tuple[Prepared, int]:
        """What is shown."""
        return self.shown, self._index


def run_together(works: Sequence[Presentation], executor: Executor) -> None:
    """Run presentations that wait, of different learners of one pool; half on another core."""
    half = len(works) // 2 if len(works) >= _SPLIT else 0
    other = executor.submit(play, **_batch(works[:half])) if half else None
    play(**_batch(works[half:]))
    if other is not None:
        other.result()


def _batch(works: Sequence[Presentation]) -> dict[str, Any]:
    """Return the arguments of `play` for presentations that learn."""
    pool, shown = works[0].shop.pool, joined([work.asked for work in works])
    places = shown.bounds.tolist()
    outcome = Outcome.room(
        pool, len(works), operations=places[-1], learning=works[0].learns, tell=True
    )
    jobs = []
    for row, (work, place) in enumerate(zip(works, places, strict=False)):
        work.place_in(outcome, row, place)
        jobs.append((work.shop.place, row, work.shop.clock, place))
    return {"pool": pool, "shown": shown, "jobs": jobs, "outcome": outcome}
