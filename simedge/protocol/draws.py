"""What a machine leaves to chance: keyed draws whose position is part of its state.

Draw i of boot b takes the first word of the counter (0, i, lane, b). A machine that comes back
with an older position, or none, thus draws anew and not the same again.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import fsum
from typing import Final

from simedge.core.streams import (
    Stream,
    bernoulli_threshold,
    exponential_ns,
    happens,
    integer_between,
    unit_float,
)

__all__ = ["Draws"]

_LANE: Final = 1
"""Lane 0 of the same stream is the policy's."""


class Draws:
    """The draws of one machine.

    Parameters
    ----------
    stream
        Where they come from; without one nothing may be left to chance.
    """

    def __init__(self, stream: Stream | None) -> None:
        self._stream = stream
        self.boot = 1
        self.position = 0
        """Draws so far."""

    def below(self, count: int) -> int:
        """Return an integer in [0, count), each as likely."""
        return integer_between(self._word(), 0, count - 1)

    def happens(self, share: Fraction) -> bool:
        """Return whether something of this probability happens."""
        return happens(self._word(), bernoulli_threshold(share))

    def exponential_ns(self, mean_ns: int) -> int:
        """Return an exponential delay of this mean, at least 1 ns."""
        return max(1, exponential_ns(self._word(), mean_ns))

    def weighted(self, weights: Sequence[float]) -> int:
        """Return an index, each as likely as its weight says; the weights are positive."""
        left = unit_float(self._word()) * fsum(weights)
        for index, weight in enumerate(weights[:-1]):
            left -= weight
            if left < 0:
                return index
        return len(weights) - 1

    def _word(self) -> int:
        assert self._stream is not None
        self.position += 1
        return self._stream.words(self.position, _LANE, self.boot)[0]
