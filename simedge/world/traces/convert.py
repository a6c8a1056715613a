"""Writers: any trace as our own CSV, or as delivery opportunities; streamed."""

from collections.abc import Iterator
from itertools import count
from typing import Final, Literal, TextIO

from simedge.world.capacity import OPPORTUNITY_BYTES
from simedge.world.traces.rows import LOSS_ONE, Direction, Row, TraceError
from simedge.world.traces.source import Source
from simedge.world.traces.tracks import load_track, rows_of

__all__ = ["Target", "write_csv", "write_opportunities", "write_trace"]

Target = Literal["csv", "mahimahi"]
_BITS: Final = 8 * OPPORTUNITY_BYTES
_MS: Final = 10**6
_SECOND_NS: Final = 10**9


def write_trace(
    source: Source,
    out: TextIO,
    to: Target,
    *,
    direction: Direction = "up",
    step_ns: int = 100 * _MS,
) -> None:
    """Write one direction of a trace in another format.

    Parameters
    ----------
    step_ns
        Delivery opportunities become the mean rate of steps of this length.

    Raises
    ------
    TraceError
        If the trace is wrong or has nothing to write.
    """
    if to == "mahimahi":
        write_opportunities(_opportunities(source, direction), out)
    elif source.kind == "opportunities":
        write_csv(_in_steps(source.times(), step_ns), out, direction=direction)
    else:
        write_csv(rows_of(source, direction), out, direction=direction)


def write_csv(rows: Iterator[Row], out: TextIO, *, direction: Direction) -> None:
    """Write rows as ``t_s,rate_bps,delay_s,loss``, empty where nothing is known."""
    out.write("t_s,rate_bps,delay_s,loss\n")
    up = direction == "up"
    for row in rows:
        rate = row.up_bps if up else row.down_bps
        cells = (
            _decimal(row.t_ns, _SECOND_NS),
            "" if rate is None else str(rate),
            _decimal(row.up_ns if up else row.down_ns, _SECOND_NS),
            _decimal(row.loss, LOSS_ONE),
        )
        out.write(",".join(cells) + "\n")


def write_opportunities(times: Iterator[int], out: TextIO) -> None:
    """Write the milliseconds of delivery opportunities."""
    out.writelines(f"{at // _MS}\n" for at in times)


def _decimal(value: int | None, one: int) -> str:
    if value is None:
        return ""
    whole, rest = divmod(value, one)
    digits = len(str(one)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".")


def _in_steps(times: Iterator[int], step_ns: int) -> Iterator[Row]:
    """Count opportunities in steps; one that ends a step belongs to it."""
    step = amount = 0
    for at in times:
        here = max(at - 1, 0) // step_ns
        while step < here:
            yield _step(step, amount, step_ns)
            step, amount = step + 1, 0
        amount += _BITS
    yield _step(step, amount, step_ns)


def _step(step: int, bits: int, step_ns: int) -> Row:
    rate = bits * _SECOND_NS // step_ns
    return Row(0, step * step_ns, up_bps=rate, down_bps=rate)


def _opportunities(source: Source, direction: Direction) -> Iterator[int]:
    if source.kind == "opportunities":
        yield from source.times()
        return
    steps = load_track(source, direction).steps
    if steps is None or steps.total < _BITS * _SECOND_NS:
        raise TraceError(f"{source.path}: no capacity {direction} for a delivery opportunity")
    for number in count(1):
        work = number * _BITS * _SECOND_NS
        if work > steps.total:
            return
        yield -(-steps.when(work) // _MS) * _MS
