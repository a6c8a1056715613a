"""What an event log tells in one pass: traffic of each link, bits over time, latencies, marks."""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from simedge.run.eventlog import LogReader, LogRecord

__all__ = ["History", "Mark", "history_of", "read_history"]

Mark = tuple[int, str, str]
"""Nanoseconds of virtual time, what happened, to whom."""

_MARKED = {"crashed": "crash", "fault-started": "fault"}


@dataclass(slots=True, kw_only=True)
class History:
    """Gathered from records, in their order.

    ``sent`` and ``lost`` count datagrams of each link by its name, ``wire_bits`` all their bits,
    tries of hop ARQ included. ``bits`` adds up both directions, as the summary does.
    """

    sent: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    wire_bits: Counter[str] = field(default_factory=Counter)
    update_ns: "array[int]" = field(default_factory=lambda: array("q"))
    marks: list[Mark] = field(default_factory=list)
    records: int = 0
    damage: str | None = None
    _times: "array[int]" = field(default_factory=lambda: array("q"))
    _bits: "array[int]" = field(default_factory=lambda: array("q"))
    _seen: set[tuple[str, str]] = field(default_factory=set)
    _waiting: dict[tuple[str, str], int] = field(default_factory=dict)

    def bits_until(self, at_ns: int) -> int:
        """Return the bits that all devices and the server had put on links up to a time."""
        place = bisect_right(self._times, at_ns)
        return self._bits[place - 1] if place else 0

    def take(self, record: LogRecord) -> None:
        """Take in the next record."""
        self.records += 1
        gather = _GATHERERS.get(record.kind)
        if gather is not None:
            gather(self, record)

    def _sent(self, record: LogRecord) -> None:
        assert isinstance(record.detail, tuple), "a datagram is billed"
        wire_bytes = record.detail[3]
        assert isinstance(wire_bytes, int), "bytes are counted"
        bits = 8 * wire_bytes
        key = record.target, str(record.subject)
        if key not in self._seen:  # a try of hop ARQ is no new datagram
            self._seen.add(key)
            self.sent[record.target] += 1
        self.wire_bits[record.target] += bits
        self._times.append(record.at)
        self._bits.append(bits + (self._bits[-1] if self._bits else 0))

    def _lost(self, record: LogRecord) -> None:
        self.lost[record.target] += 1

    def _arrived(self, record: LogRecord) -> None:
        self._waiting[record.target, str(record.subject)] = record.at

    def _learned(self, record: LogRecord) -> None:
        since = self._waiting.pop((record.target, str(record.subject)), None)
        if since is not None:
            self.update_ns.append(record.at - since)

    def _dropped(self, record: LogRecord) -> None:
        self._waiting.pop((record.target, str(record.subject)), None)

    def _marked(self, record: LogRecord) -> None:
        self.marks.append((record.at, _MARKED[record.kind], record.target))


_GATHERERS: dict[str, Callable[[History, LogRecord], None]] = {
    "sent": History._sent,  # noqa: SLF001 -- its own
    "lost": History._lost,  # noqa: SLF001
    "frame-arrived": History._arrived,  # noqa: SLF001
    "frame-learned": History._learned,  # noqa: SLF001
    "frame-dropped": History._dropped,  # noqa: SLF001
    "crashed": History._marked,  # noqa: SLF001
    "fault-started": History._marked,  # noqa: SLF001
}


def history_of(records: Iterable[LogRecord]) -> History:
    """Gather what records tell."""
    history = History()
    for record in records:
        history.take(record)
    return history


def read_history(log: Path) -> History:
    """Gather what an event log tells; ``damage`` says what stopped it before its end."""
    reader = LogReader(log)
    history = history_of(reader)
    history.damage = reader.damage
    return history
