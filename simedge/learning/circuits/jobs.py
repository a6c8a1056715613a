"""Jobs of a circuit learner: a presentation, a row of a pass, steps to a prior, no λ."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simedge.learning.circuits.heard import Heard
from simedge.learning.circuits.readout import Seen
from simedge.learning.circuits.rooms import Carried, Known, Room, StreamRoom
from simedge.learning.circuits.shop import Shop
from simedge.learning.circuits.teaching import teach
from simedge.learning.errors import LearnerError
from simedge.learning.ports import Counts, FrameLike, Learned
from simedge.learning.readout import loss_of
from simedge.learning.volleys import Prepared

if TYPE_CHECKING:
    from simedge.neurons.recurrent.pages import Raster

__all__ = [
    "Act",
    "KlSteps",
    "PassRow",
    "Playing",
    "Presentation",
    "SetLambda",
    "counts_of",
    "run_together",
]

_NONE = np.empty(0, np.int64)
_SPLIT = 2
"""From so many presentations on, half of them are another core's."""
Counters = dict[str, int]


class Playing:
    """A presentation on a circuit of its own, volley by volley; nothing outside changes.

    `onset` is the tick at which it goes on from the one before it; None: it begins anew.
    """

    def __init__(
        self, shop: Shop, shown: tuple[Prepared, int], *, learns: bool, onset: int | None = None
    ) -> None:
        self._shop, self.shown, self._learns, self._onset = shop, shown, learns, onset
        prepared, index = shown
        first, stop = int(prepared.bounds[index]), int(prepared.bounds[index + 1])
        self.volleys = stop - first
        end = shop.body.camera.ticks
        self._stops = np.append(prepared.tick[first + 1 : stop].astype(np.int64), end)
        self.operations: NDArray[np.int64] = np.zeros(self.volleys, np.int64)
        self.room: Room | None = None
        self._begun: Counters = {}
        self._done = 0

    def play(self, until: int) -> bool:
        """Play to volley `until`, not included; tell whether the presentation is over."""
        if self.room is None:
            self.room = self._open()
            self._begun = self.room.circuit.counters
        stops = self._stops[self._done : until] if self.volleys else self._stops
        operations = self.room.circuit.run_to(self.room.start + stops)
        if self.volleys:
            self.operations[self._done : until] = operations
        self._done = until
        return until == self.volleys

    def _open(self) -> Room:
        shop = self._shop
        if self._onset is None:
            room = shop.rooms.take()
            room.open(shop.known, self.shown, adapts=self._learns)
            return room
        stream = shop.rooms.take_stream()
        stream.resume(shop.known, self.shown, carried=shop.carried, onset=self._onset)
        return stream

    def counted(self) -> Counters:
        """Return what the circuit has counted since it began."""
        if self.room is None:
            return {}
        now = self.room.circuit.counters
        return {name: count - self._begun[name] for name, count in now.items()}

    def close(self) -> None:
        """Leave the circuit to others."""
        if self.room is not None:
            self._shop.rooms.give(self.room)
            self.room = None


def counts_of(counted: Counters, *, volleys: int, macs: int, writes: int) -> Counts:
    """Return counts under the names of the port; `macs` and `writes` are beyond the circuit's."""
    if not counted:
        return Counts()
    return Counts(
        volleys=volleys,
        spikes=counted["spikes"],
        synaptic_events=counted["deliveries"],
        neuron_updates=counted["neuron_touches"],
        trace_touches=counted["trace_touches"],
        plasticity_updates=counted["trace_touches"],
        macs=counted["plasticity_macs"] + macs,
        weight_writes=counted["weight_writes"] + writes,
        modulator_bytes=counted["modulator_bytes"],
    )


class Presentation:
    """One frame: learned, or forwarded with thresholds frozen and its row kept (`kept_as`)."""

    def __init__(
        self,
        shop: Shop,
        shown: tuple[Prepared, int],
        *,
        frame: FrameLike | None = None,
        kept_as: tuple[int, int] | None = None,
        onset: int | None = None,
    ) -> None:
        self._shop, self._kept_as = shop, kept_as
        self._playing = Playing(shop, shown, learns=kept_as is None, onset=onset)
        self.volleys = self._playing.volleys
        self._played = self._told = 0
        self._counts, self._over = Counts(), False
        self._row: NDArray[np.float32] = np.empty(0, np.float32)
        self._value: Learned | NDArray[np.float32] | None = None
        self._taught: tuple[Known, Seen, int] | None = None
        self._carried: Carried | None = None
        self._frame = frame
        self._heard: dict[str, Raster] | None = None if shop.hear is None else {}
        shop.begin(self)

    def advance(self, count: int | None = None) -> NDArray[np.int64]:
        """Run the next `count` volleys (None: all left); return the operations of each."""
        first = self._told
        self._told = self.volleys if count is None else min(self.volleys, first + count)
        self._play(self._told)
        return self._playing.operations[first : self._told]

    def compute(self) -> None:
        """Run all volleys; those that nobody has asked for are still to be told of."""
        self._play(self.volleys)

    def _play(self, until: int) -> None:
        if self._over or (until <= self._played and until < self.volleys):
            return
        self._over = self._playing.play(until)
        self._played = until
        if self._over:
            self._finish()

    def _finish(self) -> None:
        """Decide and, if it is learned, teach the circuit; then it is another's."""
        shop, playing, room = self._shop, self._playing, self._playing.room
        assert room is not None
        seen = shop.readout.see(room, shop.known)
        chances = shop.readout.chances(seen.scores)
        writes, macs = 0, shop.readout.macs if self.volleys else 0
        if self._kept_as is not None:
            self._row, self._value = shop.readout.row(seen), chances.astype(np.float32)
        else:
            label = int(playing.shown[0].labels[playing.shown[1]])
            taught = teach(shop, room, (seen, label if self.volleys else None))
            self._taught = taught.known, seen, label
            writes, macs = taught.writes, macs + taught.macs
            self._value = self._learned(room, (seen, chances, label), taught.known)
        counted = playing.counted()
        self._counts = counts_of(counted, volleys=self.volleys, macs=macs, writes=writes)
        if isinstance(room, StreamRoom):
            self._carried = room.leave()
        playing.close()

    def _learned(
        self, room: Room, told: tuple[Seen, NDArray[np.float64], int], known: Known
    ) -> Learned:
        seen, chances, label = told
        if self._heard is not None:
            for name in ("inputs", *self._shop.body.populations):
                self._heard[name] = room.fired(name)
        fired, state, spikes = hashlib.sha256(), hashlib.sha256(), 0
        for name in self._shop.body.populations:
            ticks, neurons = room.fired(name)
            spikes += ticks.size
            for column in (ticks, neurons):
                fired.update(column.astype("<i4").tobytes())
        for array in (known.weights, known.thresholds, seen.counts, chances):
            state.update(np.ascontiguousarray(array).data)
        return Learned(
            loss=loss_of(float(chances[label])),
            correct=int(np.argmax(seen.scores)) == label,
            spikes=spikes,
            spike_digest=fired.digest(),
            weight_digest=state.digest(),
        )

    @property
    def counts(self) -> Counts:
        """What the job has done so far."""
        if not self._over:
            return counts_of(self._playing.counted(), volleys=self._played, macs=0, writes=0)
        passes = self._shop.terms.passes if self._taught is not None and self.volleys else 0
        if not passes:
            return self._counts
        counts, size = self._counts, self._shop.readout_weights
        macs, writes = counts.macs + passes * size, counts.weight_writes + size
        return counts._replace(macs=macs, weight_writes=writes)

    @property
    def macs(self) -> dict[str, int]:
        """Multiply-accumulates of decision and teaching."""
        return {"dense": self.counts.macs if self._over else 0}

    def commit(self) -> Learned | NDArray[np.float32]:
        """Finish; what was learned takes effect now, or the row is kept; return the value."""
        shop = self._shop
        shop.check(self)
        self.advance()
        shop.end(self)
        if self._kept_as is not None:
            shop.kept.keep(*self._kept_as, self._row[None])
        if self._taught is not None:
            known, seen, label = self._taught
            shop.take(known, (seen, label), dark=not self.volleys)
            shop.carried = self._carried
        value = self._value
        assert value is not None
        if shop.hear is not None and self._heard and isinstance(value, Learned):
            assert self._frame is not None
            shop.hear(Heard(self._frame, value.correct, self._heard))
        return value

    def discard(self) -> None:
        """Forget the presentation."""
        self._shop.end(self)
        self._over = True
        self._playing.close()


def run_together(works: Sequence[Presentation], executor: Executor) -> None:
    """Run presentations of different learners; half of them on another core."""
    half = len(works) // 2 if len(works) >= _SPLIT else 0
    other = executor.submit(_compute, works[:half]) if half else None
    _compute(works[half:])
    if other is not None:
        other.result()


def _compute(works: Sequence[Presentation]) -> None:
    for work in works:
        work.compute()


class PassRow:
    """The work of one row of a pass, computed already."""

    def __init__(
        self, shop: Shop, shown: tuple[Prepared, int], *, kept_as: tuple[int, int]
    ) -> None:
        playing = Playing(shop, shown, learns=False)
        playing.play(playing.volleys)
        assert playing.room is not None
        seen = shop.readout.see(playing.room, shop.known)
        self._shop, self._kept_as = shop, kept_as
        self._row = shop.readout.row(seen)
        self._value = shop.readout.chances(seen.scores).astype(np.float32)
        self._operations, self.volleys = playing.operations, playing.volleys
        macs = shop.readout.macs if self.volleys else 0
        self.counts = counts_of(playing.counted(), volleys=self.volleys, macs=macs, writes=0)
        """What the row took."""
        self.macs = {"dense": macs}
        """Multiply-accumulates of the readout."""
        playing.close()

    def advance(self, count: int | None = None) -> NDArray[np.int64]:
        """Return the operations of all volleys."""
        assert count is None, "a pass that is computed at once cannot be stepped"
        return self._operations

    def commit(self) -> NDArray[np.float32]:
        """Keep the row; return its softmax, float32 (classes,)."""
        self._shop.kept.keep(*self._kept_as, self._row[None])
        return self._value

    def discard(self) -> None:
        """Forget the row."""


class _Dense:
    """A job without volleys: nothing to advance."""

    volleys = 0

    def __init__(self, shop: Shop, *, macs: int = 0, writes: int = 0) -> None:
        self._shop = shop
        self.macs = {"dense": macs}
        self.counts = Counts(macs=macs, weight_writes=writes)
        shop.begin(self)

    def advance(self, count: int | None = None) -> NDArray[np.int64]:  # noqa: ARG002 - the port's
        """Return no operations."""
        return _NONE

    def discard(self) -> None:
        """Forget the job."""
        self._shop.end(self)


class KlSteps(_Dense):
    """Steps of the readout towards priors: `parts` are (address, rows, their priors)."""

    def __init__(
        self,
        shop: Shop,
        parts: Sequence[tuple[int, NDArray[np.int64], NDArray[np.float64]]],
        *,
        law: tuple[float, int],
        whole: bool,
    ) -> None:
        self._parts, self._law, self._whole = parts, law, whole
        self._result: Known | None = None
        size, rows = shop.readout_weights, sum(len(rows) for _, rows, _ in parts)
        writes = size * law[1] * sum(1 for _, rows, _ in parts if len(rows))
        super().__init__(shop, macs=2 * rows * size * law[1], writes=writes)

    def compute(self) -> None:
        """Work out what the readout becomes, once; it may be done on another core."""
        if self._result is not None:
            return
        shop, known = self._shop, self._shop.known
        for address, rows, prior in self._parts:
            if len(rows):
                levels = shop.kept.levels(address, rows)
                known = shop.readout.pulled(known, levels, (prior, *self._law))
        self._result = known

    def commit(self) -> Any:  # noqa: ANN401 -- one number, or one a part
        """Take the steps now; return the number of rows that took part, in each part."""
        self._shop.end(self)
        self.compute()
        assert self._result is not None
        self._shop.known = self._result
        took = tuple(len(rows) for _, rows, _ in self._parts)
        return took if self._whole else took[0]


class SetLambda(_Dense):
    """No share λ to set."""

    def __init__(self, shop: Shop, values: Sequence[float]) -> None:
        if len(values):
            raise LearnerError(
                f"{len(values)} lambdas for 0 hidden layers: the three-factor rule has no share λ"
            )
        super().__init__(shop)

    def commit(self) -> None:
        """Do nothing."""
        self._shop.end(self)


class Act(_Dense):
    """Something that happens when it is committed."""

    def __init__(
        self, shop: Shop, act: Callable[[], object], *, macs: int = 0, writes: int = 0
    ) -> None:
        self._act = act
        super().__init__(shop, macs=macs, writes=writes)

    def commit(self) -> object:
        """Do it now; return the value."""
        self._shop.end(self)
        return self._act()
