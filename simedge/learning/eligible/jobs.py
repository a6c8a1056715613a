"""Jobs of a learner with eligibilities: presentations, and what needs none.

A presentation is played at once, when its first volley is asked for; what its device ticks took is
then told volley by volley. One pass gives the prediction and the gradients.
"""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from simedge.learning.eligible.shop import Seen, Shop
from simedge.learning.ports import Counts, Learned
from simedge.learning.readout import loss_of
from simedge.learning.rules.lazy_stack import LazyStack, LazyWindow
from simedge.learning.volleys import Prepared

__all__ = [
    "Act",
    "KlSteps",
    "Learning",
    "PassRow",
    "Playing",
    "Showing",
    "look",
    "run_together",
]

_NONE: Final = np.empty(0, np.int64)


def look(shop: Shop, stack: LazyStack, shown: tuple[Prepared, int]) -> Seen:
    """Predict one presentation on a stack of its own; nothing is learned or counted."""
    prepared, index = shown
    dark = prepared.bounds[index] == prepared.bounds[index + 1]
    window = None if dark else stack.see(shop.body.heard(prepared, index))
    return shop.seen(int(prepared.labels[index]), window)


class Playing:
    """One presentation, and what its volleys took."""

    def __init__(self, shop: Shop, shown: tuple[Prepared, int], *, learns: bool) -> None:
        prepared, index = shown
        self._shop, self._shown, self._learns = shop, shown, learns and shop.hidden.moves
        first, stop = int(prepared.bounds[index]), int(prepared.bounds[index + 1])
        self._ticks = prepared.tick[first:stop]
        self.volleys = stop - first
        self.stack: LazyStack | None = None
        """Where gradients wait."""
        self.window: LazyWindow | None = None
        self.seen: Seen | None = None

    def play(self) -> Seen:
        """Play all of it, once."""
        if self.seen is not None:
            return self.seen
        shop, (prepared, index) = self._shop, self._shown
        label = int(prepared.labels[index])
        if self.volleys:
            self.stack, heard = shop.take(), shop.body.heard(prepared, index)
            if self._learns:
                self.window = shop.play(self.stack, heard, label)
            else:
                self.window = self.stack.see(heard)
                self.close()
        self.seen = shop.seen(label, self.window)
        return self.seen

    def spent(self, told: int) -> NDArray[np.int64]:
        """Return weights added, neurons and traces touched up to the end of each volley told.

        What happens between volleys is the earlier one's.
        """
        if self.window is None:
            return np.zeros((0, 3), np.int64)
        ends = np.append(self._ticks[1:], len(self.window.spent)) - 1
        return np.asarray(self.window.spent[ends[:told]])

    def counts(self, told: int) -> Counts:
        """Return what the first volleys have taken."""
        if self.window is None or not told:
            return Counts()
        syn, neu, trc = self.spent(told)[-1].tolist()
        over = told == self.volleys
        end = self.window.spent.shape[0] if over else int(self._ticks[told])
        spikes = sum(int(np.searchsorted(ticks, end)) for ticks, _ in self.window.trains)
        return Counts(
            volleys=told,
            spikes=spikes,
            synaptic_events=syn,
            neuron_updates=neu,
            trace_touches=trc,
            plasticity_updates=trc if self._learns else 0,
            macs=self.window.macs if over else 0,
        )

    def close(self) -> None:
        """Leave the stack to others, without what it was taught."""
        if self.stack is not None:
            if self._learns:
                self.stack.forget()
            self._shop.body.give(self.stack)
            self.stack = None


class Showing:
    """Presentations one after another; then something is made of them.

    Parameters
    ----------
    finish
        Makes the value of what was seen, and has the effect.
    passes, writes
        Multiply-accumulates that it takes for each weight of the readout and presentation with
        events, beyond the one of centring, and the weights that it changes.
    """

    def __init__(
        self,
        shop: Shop,
        shown: Prepared,
        finish: Callable[[list[Seen]], object],
        *,
        rows: Sequence[int] | None = None,
        passes: int = 0,
        writes: int = 0,
    ) -> None:
        self._shop, self._finish = shop, finish
        indices = range(shown.labels.size) if rows is None else rows
        self._parts = [self._playing((shown, index)) for index in indices]
        self.volleys = sum(part.volleys for part in self._parts)
        self._lit = sum(part.volleys > 0 for part in self._parts)
        self._passes, self._writes = 1 + passes, writes
        self._told = 0
        self._begun = False
        self._start()

    def _playing(self, shown: tuple[Prepared, int]) -> Playing:
        return Playing(self._shop, shown, learns=False)

    def _start(self) -> None:
        self._shop.begin(self)

    def advance(self, count: int | None = None) -> NDArray[np.int64]:
        """Run the next `count` volleys (None: all left); return the operations of each."""
        first, self._begun = self._told, True
        self._told = self.volleys if count is None else min(self.volleys, first + count)
        parts, at = [_NONE], 0
        for part in self._parts:
            begin, end = max(first - at, 0), min(self._told - at, part.volleys)
            at += part.volleys
            if end > begin:
                part.play()
                steps = np.diff(part.spent(end).sum(axis=1), prepend=0)
                parts.append(steps[begin:])
        return np.concatenate(parts)

    @property
    def _over(self) -> bool:
        return self._begun and self._told == self.volleys

    @property
    def counts(self) -> Counts:
        """What the job has done so far."""
        totals, left = np.zeros(len(Counts()), np.int64), self._told
        for part in self._parts:
            totals += part.counts(min(left, part.volleys))
            left -= min(left, part.volleys)
        counts = Counts(*totals.tolist())
        if not self._over:
            return counts
        writes = counts.weight_writes + self._writes
        return counts._replace(macs=counts.macs + self._dense, weight_writes=writes)

    @property
    def _dense(self) -> int:
        return self._passes * self._lit * self._shop.readout_size

    @property
    def macs(self) -> dict[str, int]:
        """Multiply-accumulates of learning and of what is made of what was seen."""
        return {"dense": self.counts.macs if self._over else 0}

    def commit(self) -> Any:  # noqa: ANN401 -- whatever is made
        """Finish; what was made takes effect now; return the value."""
        self._shop.check(self)
        value = self._made()
        self._shop.end(self)
        return value

    def _made(self) -> object:
        self.advance()
        return self._finish([part.play() for part in self._parts])

    def discard(self) -> None:
        """Leave all as if nothing had begun."""
        self._shop.end(self)
        for part in self._parts:
            part.close()


class Learning(Showing):
    """One frame that is learned; value `Learned`."""

    def __init__(self, shop: Shop, shown: tuple[Prepared, int]) -> None:
        prepared, index = shown
        super().__init__(shop, prepared, self._learned, rows=[index])
        self._steps = shop.hidden.macs if self.volleys and shop.hidden.due else 0
        if self.volleys:
            self._passes += 1 + shop.terms.passes
            pulls = shop.readout_size if shop.terms.passes else 0
            self._writes = shop.readout.numbers + pulls
            self._writes += shop.hidden.writes if shop.hidden.due else 0

    def compute(self) -> None:
        """Play the frame; volleys that nobody has asked for are still to be told of."""
        self._parts[0].play()

    @override
    def _playing(self, shown: tuple[Prepared, int]) -> Playing:
        return Playing(self._shop, shown, learns=True)

    @property
    @override
    def _dense(self) -> int:
        follows = 2 * self._shop.readout.features if self.volleys else 0
        return super()._dense + follows + self._steps

    def _learned(self, found: list[Seen]) -> Learned:
        shop, (seen,), (part,) = self._shop, found, self._parts
        fired, state, spikes = hashlib.sha256(), hashlib.sha256(), 0
        for train in () if part.window is None else part.window.trains:
            spikes += train[0].size
            for column in train:
                fired.update(column.astype("<i4").tobytes())
        shop.learn(seen, part.stack)
        part.close()
        known = shop.hidden.weights, shop.readout.weights, shop.readout.mean
        for array in (*known, seen.counts, seen.chances):
            state.update(array.data)
        return Learned(
            loss=loss_of(float(seen.chances[seen.label])),
            correct=int(seen.chances.argmax()) == seen.label,
            spikes=spikes,
            spike_digest=fired.digest(),
            weight_digest=state.digest(),
        )


def run_together(works: Sequence[Learning], executor: Executor) -> None:
    """Play frames of different learners; half of them on another core."""
    half = len(works) // 2
    other = executor.submit(_compute, works[:half]) if half else None
    _compute(works[half:])
    if other is not None:
        other.result()


def _compute(works: Sequence[Learning]) -> None:
    for work in works:
        work.compute()


class PassRow(Showing):
    """A proxy item that is kept, one of many; value: softmax, float32 (classes,)."""

    def __init__(
        self, shop: Shop, shown: tuple[Prepared, int], *, kept_as: tuple[int, int]
    ) -> None:
        self._kept_as = kept_as
        super().__init__(shop, shown[0], self._kept, rows=[shown[1]])

    @override
    def _start(self) -> None:
        """Rows of a pass are made together."""

    @override
    def commit(self) -> Any:
        """Keep the row; return its softmax."""
        return self._made()

    @override
    def discard(self) -> None:
        """Forget the row."""

    def _kept(self, found: list[Seen]) -> NDArray[np.float32]:
        (seen,) = found
        self._shop.kept.keep(*self._kept_as, seen.counts.astype(np.float32)[None])
        return seen.chances.astype(np.float32)


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
        self._result: NDArray[np.float64] | None = None
        size, rows = shop.readout_size, sum(len(rows) for _, rows, _ in parts)
        writes = size * law[1] * sum(1 for _, rows, _ in parts if len(rows))
        super().__init__(
            shop, macs=rows * (2 * size * law[1] + shop.readout.features), writes=writes
        )

    def compute(self) -> None:
        """Work out what the readout becomes, once; it may be done on another core."""
        if self._result is not None:
            return
        shop, readout = self._shop, self._shop.readout.weights
        for address, rows, prior in self._parts:
            if len(rows):
                counts = shop.kept.levels(address, rows).astype(np.float64)
                readout = shop.readout.pulled(readout, counts, (prior, *self._law))
        self._result = readout

    def commit(self) -> Any:  # noqa: ANN401 -- one number, or one a part
        """Take the steps now; return the number of rows that took part, in each part."""
        self._shop.end(self)
        self.compute()
        assert self._result is not None
        self._shop.readout.weights = self._result
        took = tuple(len(rows) for _, rows, _ in self._parts)
        return took if self._whole else took[0]


class Act(_Dense):
    """Something that happens when it is committed."""

    def __init__(
        self, shop: Shop, act: Callable[[], object], *, macs: int = 0, writes: int = 0
    ) -> None:
        self._act = act
        super().__init__(shop, macs=macs, writes=writes)

    def commit(self) -> Any:  # noqa: ANN401 -- whatever the act returns
        """Do it now; return the value."""
        self._shop.end(self)
        return self._act()
