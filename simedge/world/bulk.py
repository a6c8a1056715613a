"""What a reliable transfer costs, in closed form: bytes, sends again, rounds. No draw is made.

The transport is an ideal selective repeat over segments of 1448 bytes; a model of many megabytes
is never simulated segment by segment.
"""

import bisect
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from simedge.world.datagrams import LinkError

__all__ = ["ROUNDS_MAX", "Bulk", "bulk"]

_SEGMENT = 1448
_HEADERS = 52
_LENGTH_PREFIX = 4
_MILLION = 10**6
ROUNDS_MAX = 2**12
"""Most rounds that are told, reached above 99.7 % of loss."""


class Bulk(NamedTuple):
    """A transfer: its segments, bytes on the wire, and round trips until all is through."""

    segments: int
    sends: int
    first_bytes: int
    again_bytes: int
    ack_bytes: int
    rounds: int

    @property
    def wire_bytes(self) -> int:
        """Bytes that pass the forward direction."""
        return self.first_bytes + self.again_bytes


@lru_cache(maxsize=1024)
def bulk(message_bytes: int, lost_ppm: int) -> Bulk | None:
    """Return the costs of a message at a mean loss in parts per million; None: it never ends.

    With N = L + 4 bytes: n = ceil(N / 1448) segments, ceil(n 1e6 / (1e6 - p)) sends,
    F = N + 52 n bytes at first and ceil(F (sends - n) / n) again, 52 ceil(n / 2) of
    acknowledgements, and the least r >= 1 with n (p / 1e6)^r < 1/2 rounds.

    Examples
    --------
    >>> tuple(bulk(2_000_026, 200_000))
    (1382, 1728, 2071894, 518724, 35932, 5)
    """
    if message_bytes < 0 or not 0 <= lost_ppm <= _MILLION:
        raise LinkError(f"no transfer of {message_bytes} bytes at a loss of {lost_ppm} ppm")
    if lost_ppm == _MILLION:
        return None
    size = message_bytes + _LENGTH_PREFIX
    n = -(-size // _SEGMENT)
    sends = -(-n * _MILLION // (_MILLION - lost_ppm))
    first = size + _HEADERS * n
    again = -(-first * (sends - n) // n)
    return Bulk(n, sends, first, again, _HEADERS * -(-n // 2), _rounds(n, lost_ppm))


def _rounds(segments: int, lost_ppm: int) -> int:
    """Return the least r >= 1 with segments (p / 1e6)^r < 1/2, by whole numbers."""
    share = Fraction(lost_ppm, _MILLION)

    def through(rounds: int) -> bool:
        return bool(2 * segments * share.numerator**rounds < share.denominator**rounds)

    return 1 + bisect.bisect_left(range(1, ROUNDS_MAX), True, key=through)
