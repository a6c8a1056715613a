"""A trace in memory as links follow it: capacity, delay and loss of one direction over time."""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import file_digest
from itertools import count
from pathlib import Path

from simedge.world.capacity import (
    Capacity,
    CapacityError,
    Levels,
    Opportunities,
    OpportunityCapacity,
    Repeat,
    StepCapacity,
    Steps,
)
from simedge.world.traces.rows import LOSS_ONE, Direction, Message, Row, TraceError
from simedge.world.traces.source import Source

__all__ = ["Track", "digest", "load_track", "rows_of"]

_SECOND_NS = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One direction of a trace, shared by all links that follow it.

    Parameters
    ----------
    path
        The file.
    period_ns
        L, after which it repeats.
    rows
        Of the file, both directions.
    steps, opportunities
        Its capacity, at most one of them; without any the link keeps its own rate.
    delay, loss
        One-way delay in ns, and loss in parts of `LOSS_ONE`, where the file has them.
    """

    path: Path
    period_ns: int
    rows: int
    steps: Steps | None = None
    opportunities: Opportunities | None = None
    delay: Levels | None = None
    loss: Levels | None = None

    def capacity(self, *, repeat: Repeat, phase_ns: int) -> Capacity | None:
        """Return the capacity as one link follows it, or None if the file has none."""
        try:
            if self.opportunities is not None:
                shared = self.opportunities
                return OpportunityCapacity(shared, repeat=repeat, phase_ns=phase_ns)
            if self.steps is not None:
                return StepCapacity(self.steps, repeat=repeat, phase_ns=phase_ns)
        except CapacityError as error:
            raise TraceError(f"{self.path}: {error}") from error
        return None


def load_track(source: Source, direction: Direction) -> Track:
    """Read one direction of a trace.

    Of messages the losses and delays of each second are kept; they tell no capacity.

    Raises
    ------
    TraceError
        If the file is wrong, or says nothing of this direction.
    """
    if source.kind == "opportunities":
        opportunities = Opportunities(source.times())
        period_ns = opportunities.period_ns
        return Track(
            path=source.path,
            period_ns=period_ns,
            rows=len(opportunities),
            opportunities=opportunities,
        )
    return _of_rows(source, direction)


def rows_of(source: Source, direction: Direction) -> Iterator[Row]:
    """Return the rows of a trace; of messages those of each second of one direction."""
    return _counted(source, direction, count())


def _counted(source: Source, direction: Direction, rows: Iterator[int]) -> Iterator[Row]:
    """Return the rows of a trace; a number is taken from `rows` for each line of the file."""
    if source.kind == "messages":
        return _seconds((message for message, _ in zip(source.messages(), rows)), direction)  # noqa: B905 -- one is endless
    return (row for row, _ in zip(source.rows(), rows))  # noqa: B905 -- one is endless


def _of_rows(source: Source, direction: Direction) -> Track:
    column = _Columns(direction)
    before = last = 0
    lines = count()
    for row in _counted(source, direction, lines):
        before, last = last, row.t_ns
        column.take(row)
    period_ns = last + (last - before) if column.count > 1 else last + _SECOND_NS
    if not any((column.rates, column.delays, column.losses)):
        raise TraceError(f"{source.path}: nothing for the direction {direction}")

    # One after the other: no more than one of them is there twice.
    rates, delays, losses = column.rates.drained(), column.delays.drained(), column.losses.drained()
    return Track(
        path=source.path,
        period_ns=period_ns,
        rows=next(lines),
        steps=None if rates is None else Steps(rates, period_ns=period_ns),
        delay=None if delays is None else Levels(delays, period_ns=period_ns),
        loss=None if losses is None else Levels(losses, period_ns=period_ns),
    )


class _Table:
    """A column: the rows where it changes are enough."""

    def __init__(self) -> None:
        self._times, self._values = array("q"), array("q")

    def take(self, at: int, value: int | None) -> None:
        if value is not None and (not self._values or self._values[-1] != value):
            self._times.append(at)
            self._values.append(value)

    def __len__(self) -> int:
        return len(self._times)

    def drained(self) -> Iterator[tuple[int, int]] | None:
        """Return the rows, if any, and let go of them: they last as long as the iterator."""
        times, values = self._times, self._values
        self._times, self._values = array("q"), array("q")
        return zip(times, values, strict=True) if times else None


class _Columns:
    def __init__(self, direction: Direction) -> None:
        self.rates, self.delays, self.losses = _Table(), _Table(), _Table()
        self.count = 0
        up: Callable[[Row], tuple[int | None, int | None]] = lambda row: (row.up_bps, row.up_ns)  # noqa: E731
        self._of = up if direction == "up" else (lambda row: (row.down_bps, row.down_ns))

    def take(self, row: Row) -> None:
        self.count += 1
        rate, delay = self._of(row)
        self.rates.take(row.t_ns, rate)
        self.delays.take(row.t_ns, delay)
        self.losses.take(row.t_ns, row.loss)


def _seconds(messages: Iterator[Message], direction: Direction) -> Iterator[Row]:
    """Yield a row a second of sending: mean delay of what came, share of what did not."""
    bins: dict[int, list[int]] = {}
    for message in messages:
        if message.direction != direction or message.under_way:
            continue
        second = bins.setdefault(message.send_ns // _SECOND_NS, [0, 0, 0])
        second[0] += 1
        if message.recv_ns is None:
            second[1] += 1
        else:
            second[2] += message.recv_ns - message.send_ns
    for second_s, (sent, lost, delay_ns) in sorted(bins.items()):
        mean_ns = delay_ns // (sent - lost) if sent > lost else None
        loss = LOSS_ONE * lost // sent
        yield Row(0, second_s * _SECOND_NS, up_ns=mean_ns, down_ns=mean_ns, loss=loss)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file (raises `TraceError`)."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror or error}") from error
