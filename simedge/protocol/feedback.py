"""What a device learns from the server's reports: round trips and the share of tokens lost."""

from typing import Final, cast

from simedge.protocol.machine import Plain
from simedge.protocol.transport import RoundTrip
from simedge.protocol.wire import U32_MAX, Report

__all__ = ["Feedback"]

_KEPT: Final = 0.8
_REMEMBERED: Final = 1024


class Feedback:
    """Round-trip estimate and smoothed share of tokens that did not arrive."""

    def __init__(self) -> None:
        self.trip = RoundTrip()
        self.fail = 0.0
        self._max_seq = 0
        self._received = 0
        self._sent_at: dict[int, int] = {}

    def restart(self) -> None:
        """Forget counts and sendings, which belong to a boot; estimates stay."""
        self._max_seq = 0
        self._received = 0
        self._sent_at.clear()

    def sent(self, seq: int, now: int) -> None:
        """Remember when a token left for the only time."""
        self._sent_at[seq] = now
        if len(self._sent_at) > _REMEMBERED:
            del self._sent_at[next(iter(self._sent_at))]

    def resent(self, seq: int) -> None:
        """Forget when a token left: it did so again, and no answer tells which time it means."""
        self._sent_at.pop(seq, None)

    def heard(self, report: Report, now: int) -> int | None:
        """Take a report of this boot; return the round trip in nanoseconds if it shows one."""
        sent, received = report.max_seq - self._max_seq, report.received - self._received
        self._max_seq, self._received = report.max_seq, report.received
        if received < 0 or sent <= 0:  # fewer received: the server forgot, differences begin anew
            return None
        self._fade(min(max(1.0 - received / sent, 0.0), 1.0))
        return self._round_trip(report, now)

    def missed(self) -> None:
        """Take note that reports fail to come."""
        self._fade(1.0)

    def dump(self) -> Plain:
        """Return the state as plain data."""
        return {
            "trip": self.trip.dump(),
            "fail": self.fail,
            "max_seq": self._max_seq,
            "received": self._received,
            "sent_at": [[seq, at] for seq, at in self._sent_at.items()],
        }

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        plain = cast("Plain", state)
        self.trip.load(plain["trip"])
        self.fail = cast("float", plain["fail"])
        self._max_seq = cast("int", plain["max_seq"])
        self._received = cast("int", plain["received"])
        self._sent_at = dict(cast("list[tuple[int, int]]", plain["sent_at"]))

    def _fade(self, share: float) -> None:
        self.fail = _KEPT * self.fail + (1.0 - _KEPT) * share

    def _round_trip(self, report: Report, now: int) -> int | None:
        sent_at = self._sent_at.get(report.max_seq)
        for seq in [seq for seq in self._sent_at if seq <= report.max_seq]:
            del self._sent_at[seq]
        if sent_at is None or report.hold_us == U32_MAX:
            return None
        rtt_ns = now - sent_at - 1_000 * report.hold_us
        if rtt_ns <= 0:
            return None
        self.trip.sample(rtt_ns)
        return rtt_ns
