"""What machines know of the way: round trips, retry times, bits on the wire.

The estimator is that of RFC 6298 with gains 1/8 and 1/4, in whole nanoseconds.
"""

from typing import Final, cast

__all__ = ["GIVE", "JOIN_RETRY_NS_MAX", "RoundTrip", "backoff_ns", "bulk_bits", "wire_bits"]

_FIRST_NS: Final = 1_000_000_000
_LEAST_NS: Final = 200_000_000
_MOST_NS: Final = 10_000_000_000
JOIN_RETRY_NS_MAX: Final = 60_000_000_000
GIVE: Final = "give-"
"""What the timers of a server begin with that are for a device to which it owes something."""
_DATAGRAM_HEADER_BYTES: Final = 28
_LENGTH_BYTES: Final = 4
_SEGMENT_BYTES: Final = 1448
_SEGMENT_HEADER_BYTES: Final = 52


def wire_bits(data: bytes) -> int:
    """Return the bits of a datagram on the wire: contents, UDP and IPv4 headers."""
    return 8 * (len(data) + _DATAGRAM_HEADER_BYTES)


def bulk_bits(data: bytes) -> int:
    """Return the bits of a reliable message: its segments, and an answer to every second of them.

    What is lost and sent again below is not in it: no machine hears of that.
    """
    size = _LENGTH_BYTES + len(data)
    segments = -(-size // _SEGMENT_BYTES)
    return 8 * (size + _SEGMENT_HEADER_BYTES * (segments + -(-segments // 2)))


def backoff_ns(failed: int) -> int:
    """Return how long to wait before a reliable message is tried again that failed so often before.

    One second at first, then twice as long each time, up to a minute.
    """
    return RoundTrip().retry_ns(failed, JOIN_RETRY_NS_MAX)


class RoundTrip:
    """Smoothed round-trip time, its deviation and the retry time that follows from them."""

    __slots__ = ("deviation_ns", "smoothed_ns")

    def __init__(self) -> None:
        self.smoothed_ns = 0
        """0 before the first sample."""
        self.deviation_ns = 0

    def sample(self, rtt_ns: int) -> None:
        """Take one measurement, positive, of a message that was sent once."""
        if self.smoothed_ns == 0:
            self.smoothed_ns, self.deviation_ns = rtt_ns, rtt_ns // 2
            return
        error = abs(self.smoothed_ns - rtt_ns)
        self.deviation_ns += (error - self.deviation_ns) // 4
        self.smoothed_ns += (rtt_ns - self.smoothed_ns) // 8

    def retry_ns(self, resend: int, most_ns: int = _MOST_NS) -> int:
        """Return how long to wait for an answer to a message that was resent `resend` times."""
        base = _FIRST_NS
        if self.smoothed_ns:
            base = min(max(self.smoothed_ns + 4 * self.deviation_ns, _LEAST_NS), _MOST_NS)
        # The exponent is bounded: 2^20 times the least exceeds every maximum.
        return min(base << min(resend, 20), most_ns)

    def dump(self) -> list[object]:
        """Return the state."""
        return [self.smoothed_ns, self.deviation_ns]

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        self.smoothed_ns, self.deviation_ns = cast("list[int]", state)
