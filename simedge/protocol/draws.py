"""What a machine leaves to chance: keyed draws whose position is part of its state.

Draw i of boot b takes the first word of the counter (0, i, lane, b). A machine that comes back
with an older position, or none, thus draws anew and not the same again. What is drawn aside has a
lane and a position of its own, so that neither shifts the other.
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

__all__ = ["ASIDE", "Draws"]

_LANE: Final = 1
"""Lane 0 of the same stream is the policy's, and so are those from 2 on, two for each layer."""
ASIDE: Final = 1 << 20
"""A lane that no policy reaches."""


class Draws:
    """The draws of one machine.

    Parameters
    ----------
    stream
        Where they come from; without one nothing may be left to chance.
    lane
        Which draws of the stream they are.
    """

    def __init__(self, stream: Stream | None, *, lane: int = _LANE) -> None:
        self._stream = stream
        self._lane = lane
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
        return self._stream.words(self.position, self._lane, self.boot)[0]
