"""Readers of the formats that are lines of figures.

===========  ================================================================================
mahimahi     one integer a line: the millisecond of a delivery opportunity (1,504 bytes)
two-column   seconds and Mbit/s, between white space or a comma
csv          our own: a header with units, ``t_s,rate_bps,delay_s,loss``; empty: as before
5g           1 Hz drives: ``t_s,dl_kbps,ul_kbps,ping_avg_ms,ping_loss_pct``
starlink     ``timestamp_utc,dl_mbps,ul_mbps``
===========  ================================================================================

Of 5g the uplink column counts acknowledgements, it is no capacity and is not read; half the round
trip is the delay each way, the loss of the pings is the loss. Comments begin with ``#``.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from simedge.world.traces.rows import Row, fault
from simedge.world.traces.text import ROWS_MAX, blocks, careful_lines, lines, scaled, share

__all__ = [
    "columns_of",
    "csv_rows",
    "header_of",
    "odd_times",
    "opportunity_times",
    "plain_times",
    "two_column_rows",
]

_MS: Final = 1_000_000
_TIMES: Final = MappingProxyType({"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1})
_RATES: Final = MappingProxyType({"bps": 1, "kbps": 10**3, "mbps": 10**6, "gbps": 10**9})
_DIGITS_MAX: Final = 12  # 31 years
_WIDTH: Final = len(Row._fields)
_TIME: Final = Row._fields.index("t_ns")


class _Column(NamedTuple):
    fields: tuple[str, ...]
    read: Callable[[str, str], int]

    @property
    def places(self) -> tuple[int, ...]:
        """Where its value stands in a row."""
        return tuple(map(Row._fields.index, self.fields))


def _times(scale: int) -> Callable[[str, str], int]:
    return lambda text, what: scaled(text, scale, what)


def _half_round_trip(text: str, what: str) -> int:
    return scaled(text, _MS, what) // 2


def _named(stem: str, fields: tuple[str, ...], units: Mapping[str, int]) -> dict[str, _Column]:
    return {f"{stem}_{unit}": _Column(fields, _times(scale)) for unit, scale in units.items()}


_COLUMNS: Final[Mapping[str, _Column]] = MappingProxyType(
    {
        **_named("t", ("t_ns",), _TIMES),
        **_named("rate", ("up_bps", "down_bps"), _RATES),
        **_named("up", ("up_bps",), _RATES),
        **_named("down", ("down_bps",), _RATES),
        **_named("delay", ("up_ns", "down_ns"), _TIMES),
        "loss": _Column(("loss",), share),
        "loss_pct": _Column(("loss",), lambda text, what: share(text, what, percent=True)),
    }
)
_FIVE_G: Final[Mapping[str, _Column]] = MappingProxyType(
    {
        "t_s": _COLUMNS["t_s"],
        "dl_kbps": _Column(("down_bps",), _times(1000)),
        "ping_avg_ms": _Column(("up_ns", "down_ns"), _half_round_trip),
        "ping_loss_pct": _COLUMNS["loss_pct"],
    }
)
_STARLINK: Final[Mapping[str, _Column]] = MappingProxyType(
    {
        "dl_mbps": _Column(("down_bps",), _times(10**6)),
        "ul_mbps": _Column(("up_bps",), _times(10**6)),
    }
)


def header_of(text: str) -> list[str]:
    """Return the names of the columns of a header line."""
    return [name.strip().lower() for name in text.split(",")]


def columns_of(layout: str, names: list[str]) -> dict[int, tuple[str, _Column]]:
    """Return the columns of a layout that a header has, by their place.

    Raises
    ------
    ValueError
        If a column has an unknown unit, or one that is needed is not there.
    """
    known = {"5g": _FIVE_G, "starlink": _STARLINK}.get(layout, _COLUMNS)
    if len(set(names)) < len(names):
        raise ValueError("a column stands there twice")
    if layout == "csv":
        for name in names:
            _check_unit(name)
        if not any(name.startswith("t_") for name in names):
            raise ValueError(f"no column of times: t_s, t_ms, ... (there are: {', '.join(names)})")
    found = {place: (name, known[name]) for place, name in enumerate(names) if name in known}
    needed = {"5g": ["t_s", "dl_kbps"], "starlink": ["timestamp_utc", *_STARLINK]}.get(layout, [])
    missing = [name for name in needed if name not in names]
    if missing:
        raise ValueError(f"no column {missing[0]} (there are: {', '.join(names)})")
    if not found:
        raise ValueError("no column with a rate, delay or loss")
    fields = [field for _, column in found.values() for field in column.fields]
    if len(set(fields)) < len(fields):
        raise ValueError(f"two columns say the same: {', '.join(names)}")
    return found


def _check_unit(name: str) -> None:
    if name in _COLUMNS:
        return
    stem, _, unit = name.partition("_")
    units = {"t": _TIMES, "delay": _TIMES, "rate": _RATES, "up": _RATES, "down": _RATES}.get(stem)
    if stem == "loss":
        raise ValueError(f"column {name!r} has an unknown unit (known: loss, loss_pct)")
    if units is None:
        raise ValueError(f"unknown column {name!r} (known: t, rate, up, down, delay, loss)")
    what = f"the unknown unit {unit!r}" if unit else "no unit"
    raise ValueError(f"column {name!r} has {what} (known: {', '.join(units)})")


def csv_rows(path: Path, layout: str) -> Iterator[Row]:
    """Yield the rows of a table with a header: csv, 5g, starlink."""
    table = ((n, text) for n, text in lines(path) if not text.startswith("#"))
    number, first = next(table, (1, ""))
    names = header_of(first)
    try:
        columns = columns_of(layout, names)
    except ValueError as error:
        raise fault(path, number, str(error)) from None
    clock = _Clock(names.index("timestamp_utc") if layout == "starlink" else None)
    plan = [(place, name, col.read, col.places) for place, (name, col) in columns.items()]
    width = len(names)
    for count, (line, text) in enumerate(table):
        cells = text.split(",")
        if len(cells) != width:
            what = f"{len(cells)} of {width} columns: cut off?"
            raise fault(path, line, what if text else "an empty line")
        if count >= ROWS_MAX:
            raise fault(path, line, f"more than {ROWS_MAX:,} rows")
        try:
            yield _row(line, cells, plan, clock=clock)
        except ValueError as error:
            raise fault(path, line, str(error)) from None


_Plan = list[tuple[int, str, Callable[[str, str], int], tuple[int, ...]]]


def _row(line: int, cells: list[str], plan: _Plan, *, clock: "_Clock") -> Row:
    fields: list[int | None] = [None] * _WIDTH
    fields[0] = line
    for place, name, read, targets in plan:
        text = cells[place]
        if text and not text.isspace():
            value = read(text, name)
            for target in targets:
                fields[target] = value
        elif _TIME in targets:
            raise ValueError(f"{name} is empty")
    if clock.place is not None:
        fields[_TIME] = clock.since_start_ns(cells[clock.place])
    return Row._make(fields)


class _Clock:
    """Times of day, since the first of them."""

    def __init__(self, place: int | None) -> None:
        self.place = place
        self._first: datetime | None = None

    def since_start_ns(self, text: str) -> int:
        """Return the nanoseconds since the first time that was read."""
        try:
            now = datetime.fromisoformat(text.strip())
        except ValueError:
            raise ValueError(f"no time as in 2024-04-19 16:23:00.001: {text[:40]!r}") from None
        if self._first is None:
            self._first = now
        if (now.tzinfo is None) is not (self._first.tzinfo is None):
            raise ValueError("some times have a time zone, some have none")
        since = (now - self._first) // timedelta(microseconds=1)
        if since < 0:
            raise ValueError(f"the times are not sorted: {text.strip()}")
        return since * 1000


def two_column_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file of seconds and Mbit/s."""
    count = 0
    for line, text in lines(path):
        if text.startswith("#"):
            continue
        cells = text.replace(",", " ").split()
        if len(cells) != 2:
            what = f"{len(cells)} columns, two are needed: seconds and Mbit/s"
            raise fault(path, line, what if text else "an empty line")
        count += 1
        if count > ROWS_MAX:
            raise fault(path, line, f"more than {ROWS_MAX:,} rows")
        try:
            rate = scaled(cells[1], 10**6, "the rate in Mbit/s")
            at = scaled(cells[0], 10**9, "the time in s")
        except ValueError as error:
            raise fault(path, line, str(error)) from None
        yield Row(line, at, up_bps=rate, down_bps=rate)


def opportunity_times(path: Path) -> Iterator[int]:
    """Yield the times of delivery opportunities in ns, and see that they do not decrease."""
    return chain.from_iterable(_opportunities(path))


def _opportunities(path: Path) -> Iterator[list[int]]:
    before = 0
    for number, block in blocks(path):
        times = plain_times(block)
        if times is None or times[0] < before or number + len(times) - 1 > ROWS_MAX:
            times = odd_times(path, number, block, before=before)
        before = times[-1]
        yield [at * _MS for at in times]
    if before == 0:
        raise fault(path, None, "no delivery opportunity after 0 ms")


def plain_times(block: bytes) -> list[int] | None:
    """Return the milliseconds of a block in which nothing is odd, else None."""
    parts = block.split(b"\n")
    if not block.translate(None, b"\r\n").isdigit() or max(map(len, parts)) > _DIGITS_MAX:
        return None
    try:
        times = list(map(int, parts))
    except ValueError:
        return None
    return times if times == sorted(times) else None


def odd_times(path: Path, number: int, block: bytes, *, before: int) -> list[int]:
    """Return the milliseconds of any block, line by line: it knows what is wrong where."""
    times = []
    for line, text in careful_lines(path, number, block):
        if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS_MAX:
            raise fault(path, line, _no_opportunity(text))
        at = int(text)
        if at < before:
            raise fault(path, line, f"the times are not sorted: {at} ms after {before} ms")
        if line > ROWS_MAX:
            raise fault(path, line, f"more than {ROWS_MAX:,} rows")
        before = at
        times.append(at)
    return times


def _no_opportunity(text: str) -> str:
    if not text:
        return "an empty line"
    if text.isascii() and text.isdigit():
        return f"a time of more than {_DIGITS_MAX} digits"
    if text.startswith("-"):
        return f"a time must not be negative, got {text[:40]}"
    return f"a whole number of milliseconds is needed, got {text[:40]!r}"
