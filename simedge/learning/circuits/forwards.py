"""Presentations one after another, none of them learned; then something is made of them."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.learning.circuits.jobs import Playing, counts_of
from simedge.learning.circuits.readout import Seen
from simedge.learning.circuits.rooms import Known
from simedge.learning.circuits.shop import Shop
from simedge.learning.ports import Counts
from simedge.learning.volleys import Prepared

__all__ = ["Forwards", "Made", "Shown"]

_NONE = np.empty(0, np.int64)


class Shown(NamedTuple):
    """What a presentation leaves."""

    seen: Seen
    dark: bool
    """Whether it had no events: then nothing is to be learned from it."""


class Made(NamedTuple):
    """What is made of presentations."""

    value: object
    known: Known | None = None
    """What is known from then on; None: what was known."""


class Forwards:
    """Presentations one after another.

    Parameters
    ----------
    shown
        The presentations.
    make
        Makes the value and what is known of what they leave; has no effect.
    as_learned
        Whether thresholds move while they last, as they do when a frame is learned, and the tick
        at which they go on (None: each begins anew).
    passes, writes
        Multiply-accumulates of `make` for each weight of the readout and presentation, and the
        weights that it changes.
    """

    def __init__(
        self,
        shop: Shop,
        shown: Prepared,
        make: Callable[[Sequence[Shown]], Made],
        *,
        as_learned: tuple[bool, int | None] = (False, None),
        passes: int = 0,
        writes: int = 0,
    ) -> None:
        self._shop, self._shown, self._make = shop, shown, make
        self._adapts, self._onset = as_learned
        self._passes, self._writes = passes, writes
        self._count = shown.bounds.size - 1
        self.volleys = int(shown.bounds[-1] - shown.bounds[0])
        self._running: Playing | None = None
        self._into = self._played = self._macs = 0
        self._seen: list[Shown] = []
        self._spent: Counter[str] = Counter()
        shop.begin(self)

    def advance(self, count: int | None = None) -> NDArray[np.int64]:
        """Run the next `count` volleys (None: all left); return the operations of each."""
        parts, left = [_NONE], self.volleys if count is None else count
        while len(self._seen) < self._count:
            playing = self._running = self._running or self._next()
            rest = playing.volleys - self._into
            if rest and not left:
                break
            first, self._into = self._into, self._into + min(left, rest)
            left -= self._into - first
            self._played += self._into - first
            over = playing.play(self._into)
            parts.append(playing.operations[first : self._into])
            if over:
                self._close(playing)
        return np.concatenate(parts)

    def _next(self) -> Playing:
        shown = self._shown, len(self._seen)
        return Playing(self._shop, shown, learns=self._adapts, onset=self._onset)

    def _close(self, playing: Playing) -> None:
        shop, dark = self._shop, not playing.volleys
        assert playing.room is not None
        self._seen.append(Shown(shop.readout.see(playing.room, shop.known), dark))
        self._spent.update(playing.counted())
        self._macs += 0 if dark else shop.readout.macs + self._passes * shop.readout_weights
        playing.close()
        self._running, self._into = None, 0

    @property
    def counts(self) -> Counts:
        """What the job has done so far."""
        counted = self._spent.copy()
        if self._running is not None:
            counted.update(self._running.counted())
        writes = self._writes if self._over else 0
        return counts_of(dict(counted), volleys=self._played, macs=self._macs, writes=writes)

    @property
    def macs(self) -> dict[str, int]:
        """Multiply-accumulates of the readout and of what is made of what it says."""
        return {"dense": self._macs if self._over else 0}

    @property
    def _over(self) -> bool:
        return len(self._seen) == self._count

    def commit(self) -> object:
        """Finish; what was made takes effect now; return the value."""
        shop = self._shop
        shop.check(self)
        self.advance()
        value, known = self._make(self._seen)
        shop.end(self)
        if known is not None:
            shop.known = known
        return value

    def discard(self) -> None:
        """Leave all as if nothing had begun."""
        self._shop.end(self)
        if self._running is not None:
            self._running.close()
            self._running = None
