"""What a trace is like: rate, outages, loss, bursts and delay, in one pass and bounded memory."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from simedge.world.capacity import OPPORTUNITY_BYTES
from simedge.world.traces.rows import LOSS_ONE, Direction, Message, Row
from simedge.world.traces.source import Source

__all__ = ["Figures", "Spread", "measure"]

_SECOND_NS: Final = 10**9
_WINDOWS_MAX: Final = 2**16
_OUTAGE_NS: Final = _SECOND_NS
"""No capacity for this long is an outage."""


class _Windows:
    """Bits in equal windows of time: a second each, doubled when they become too many."""

    def __init__(self) -> None:
        self.width_ns = _SECOND_NS
        self._work = list[int]()  # bit ns/s

    def add(self, start: int, end: int, bps: int) -> None:
        """Add a rate from start to end."""
        self._grow(end)
        while start < end:
            window = start // self.width_ns
            stop = min(end, (window + 1) * self.width_ns)
            self._work[window] += bps * (stop - start)
            start = stop

    def put(self, at: int, bits: int) -> None:
        """Add bits at an instant; one that ends a window belongs to it."""
        self._grow(max(at, 1))
        self._work[max(at - 1, 0) // self.width_ns] += bits * _SECOND_NS

    def rates(self, length_ns: int) -> list[int]:
        """Return the mean rate of each window up to a length, the last one cut short."""
        self._grow(length_ns)
        widths = (min(self.width_ns, length_ns - i * self.width_ns) for i in range(len(self._work)))
        return [work // width for work, width in zip(self._work, widths, strict=True)]

    def _grow(self, end: int) -> None:
        while -(-end // self.width_ns) > _WINDOWS_MAX:
            self.width_ns *= 2
            pairs = [*self._work, 0]
            self._work = [pairs[i] + pairs[i + 1] for i in range(0, len(pairs) - 1, 2)]
        self._work += [0] * (-(-end // self.width_ns) - len(self._work))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Mean and quantiles of what was measured."""

    mean: float
    p5: int
    p50: int
    p95: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One direction of a trace in figures; None where the file says nothing.

    Parameters
    ----------
    duration_ns
        L, after which it repeats.
    rate
        In bit/s over windows of `window_ns`; the mean is over time.
    rates
        The windows, in order.
    outages, outage_ns, outage_ns_max
        Stretches of at least a second without any capacity: how many, together, the longest.
    loss
        Share of the time's or of the messages' loss.
    loss_bad
        Mean loss while anything is lost.
    bursts, burst_ns
        Stretches with loss: how many, how long on average.
    delay_ns
        One way; of rows weighted by how long they hold.
    messages
        How many, in a recording of messages.
    """

    duration_ns: int
    rows: int
    window_ns: int
    rate: Spread | None
    rates: tuple[int, ...]
    outages: int
    outage_ns: int
    outage_ns_max: int
    loss: float | None
    loss_bad: float | None
    bursts: int
    burst_ns: int | None
    delay_ns: tuple[int, ...] | None
    messages: int | None = None


DELAY_SHARES: Final = (1, 10, 25, 50, 75, 90, 95, 99)
"""Percentiles of the delay that are kept."""


class _Held:
    """A value that holds until the next: how long each, and its stretches above 0."""

    def __init__(self) -> None:
        self._value: int | None = None
        self._since = self._start = 0
        self.weighted = self.known_ns = self.positive_ns = self.stretches = 0

    def take(self, at: int, value: int | None) -> None:
        """Take the value in force from a time on; None: as before."""
        if value is None:
            return
        self.pass_to(at)  # the first value also holds before its time
        if value and not self._value:
            self.stretches += 1
        self._value = value

    def pass_to(self, at: int) -> None:
        """Count the time up to a time."""
        if self._value is None:
            return
        span = at - self._since
        self.known_ns += span
        self.weighted += self._value * span
        self.positive_ns += span if self._value else 0
        self._since = at


class _Gaps:
    """Stretches without capacity."""

    def __init__(self) -> None:
        self.count = self.total_ns = self.longest_ns = 0
        self._since: int | None = None

    def capacity(self, at: int, *, some: bool) -> None:
        """Take whether there is capacity from a time on."""
        if some and self._since is not None:
            self._close(at - self._since)
        self._since = None if some else (at if self._since is None else self._since)

    def gap(self, span: int) -> None:
        """Take a gap as a whole."""
        self._close(span)

    def _close(self, span: int) -> None:
        if span >= _OUTAGE_NS:
            self.count += 1
            self.total_ns += span
            self.longest_ns = max(self.longest_ns, span)


class _Delays:
    """Delays and how long each held: 16 bytes a change."""

    def __init__(self) -> None:
        self._values, self._spans = array("q"), array("q")
        self._at = 0

    def take(self, at: int, value: int | None) -> None:
        """Take the delay in force from a time on; None: as before."""
        if value is None:
            return
        self.pass_to(at)
        self.count(value, 0)

    def pass_to(self, at: int) -> None:
        """Count the time up to a time; the first delay also holds before its own."""
        if self._spans:
            self._spans[-1] += at - self._at
            self._at = at

    def count(self, value: int, weight: int = 1) -> None:
        """Count a delay once."""
        self._values.append(value)
        self._spans.append(weight)

    def quantiles(self) -> tuple[int, ...] | None:
        """Return the percentiles `DELAY_SHARES`."""
        if not self._values:
            return None
        values = np.frombuffer(self._values, dtype=np.int64)
        order = np.argsort(values, kind="stable")
        done = np.cumsum(np.frombuffer(self._spans, dtype=np.int64)[order])
        total = int(done[-1])
        wanted = [-(-percent * total // 100) for percent in DELAY_SHARES]
        return tuple(int(values[order[place]]) for place in np.searchsorted(done, wanted))


def measure(source: Source, direction: Direction) -> Figures:
    """Read a trace once and say what one direction of it is like (raises `TraceError`)."""
    match source.kind:
        case "opportunities":
            return _of_times(source.times())
        case "messages":
            return _of_messages(m for m in source.messages() if m.direction == direction)
        case "rows":
            return _of_rows(source.rows(), direction)


def _of_times(times: Iterator[int]) -> Figures:
    windows, gaps = _Windows(), _Gaps()
    before = count = edge = bits = 0
    for at in times:
        if at > edge:  # the window is over: it is added up as a whole
            windows.put(before, bits)
            edge, bits = -(-at // windows.width_ns) * windows.width_ns, 0
        if at - before >= _OUTAGE_NS:
            gaps.gap(at - before)
        before, count, bits = at, count + 1, bits + 8 * OPPORTUNITY_BYTES
    windows.put(before, bits)
    mean = count * 8 * OPPORTUNITY_BYTES * _SECOND_NS / before
    rates = windows.rates(before)
    return Figures(
        duration_ns=before,
        rows=count,
        window_ns=windows.width_ns,
        rate=_spread(rates, mean),
        rates=tuple(rates),
        outages=gaps.count,
        outage_ns=gaps.total_ns,
        outage_ns_max=gaps.longest_ns,
        loss=None,
        loss_bad=None,
        bursts=0,
        burst_ns=None,
        delay_ns=None,
    )


def _of_rows(rows: Iterator[Row], direction: Direction) -> Figures:
    windows, gaps, loss, delays, rate = _Windows(), _Gaps(), _Held(), _Delays(), _Held()
    count, before, last = 0, 0, 0
    bps: int | None = None
    for row in rows:
        start = last if count else 0
        count, before, last = count + 1, last, row.t_ns
        up = direction == "up"
        now_bps = row.up_bps if up else row.down_bps
        if bps is None and now_bps is not None:  # it also holds before its time
            start, bps = 0, now_bps
            gaps.capacity(0, some=bps > 0)
        windows.add(start, last, bps or 0)
        if now_bps is not None:
            bps = now_bps
            gaps.capacity(last, some=bps > 0)
            rate.take(last, bps)
        loss.take(last, row.loss)
        delays.take(last, row.up_ns if up else row.down_ns)
    end = last + (last - before) if count > 1 else last + _SECOND_NS
    windows.add(last, end, bps or 0)
    gaps.capacity(end, some=True)
    for held in (loss, delays, rate):
        held.pass_to(end)
    return _figures(end, count, windows=windows, gaps=gaps, parts=(rate, loss, delays), bps=bps)


def _figures(
    end: int,
    count: int,
    *,
    windows: _Windows,
    gaps: _Gaps,
    parts: tuple[_Held, _Held, _Delays],
    bps: int | None,
) -> Figures:
    rate, loss, delays = parts
    rates = [] if bps is None else windows.rates(end)
    return Figures(
        duration_ns=end,
        rows=count,
        window_ns=windows.width_ns,
        rate=_spread(rates, rate.weighted / rate.known_ns) if rates else None,
        rates=tuple(rates),
        outages=gaps.count,
        outage_ns=gaps.total_ns,
        outage_ns_max=gaps.longest_ns,
        loss=loss.weighted / loss.known_ns / LOSS_ONE if loss.known_ns else None,
        loss_bad=loss.weighted / loss.positive_ns / LOSS_ONE if loss.positive_ns else None,
        bursts=loss.stretches,
        burst_ns=loss.positive_ns // loss.stretches if loss.stretches else None,
        delay_ns=delays.quantiles(),
    )


def _of_messages(messages: Iterator[Message]) -> Figures:
    """Count messages; a burst lasts from the first one lost to the next one that came."""
    delays = _Delays()
    lost = bursts = burst_ns = end = count = 0
    since: dict[str, int] = {}
    for message in messages:
        if message.under_way:
            continue
        count += 1
        end = max(end, message.send_ns)
        if message.recv_ns is None:
            lost += 1
            since.setdefault(message.link, message.send_ns)
            continue
        delays.count(message.recv_ns - message.send_ns)
        if message.link in since:
            bursts += 1
            burst_ns += message.send_ns - since.pop(message.link)
    return Figures(
        duration_ns=end,
        rows=count,
        window_ns=_SECOND_NS,
        rate=None,
        rates=(),
        outages=0,
        outage_ns=0,
        outage_ns_max=0,
        loss=lost / count if count else None,
        loss_bad=1.0 if lost else None,
        bursts=bursts + len(since),
        burst_ns=burst_ns // bursts if bursts else None,
        delay_ns=delays.quantiles(),
        messages=count,
    )


def _spread(rates: list[int], mean: float) -> Spread:
    ordered = sorted(rates)

    def at(percent: int) -> int:
        return ordered[max(-(-percent * len(ordered) // 100) - 1, 0)]

    return Spread(mean=mean, p5=at(5), p50=at(50), p95=at(95))
