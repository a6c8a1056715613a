"""``simedge trace``: look at recorded networks, convert them, fit links to them."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from simedge_cli.exits import Exit, complain, told
from simedge_cli.figures import bars, bits, percent, seconds
from simedge_cli.options import Json

if TYPE_CHECKING:
    from simedge.world.traces.figures import Figures
    from simedge.world.traces.source import Source

__all__ = ["trace"]

_BARS = 60
_HEAD = (
    *("trace", "format", "direction", "length", "mean", "p5", "p95"),
    *("outages", "longest", "loss", "burst", "delay p50", "p95"),
)

trace = typer.Typer(
    name="trace", help="Recorded networks: inspect, convert, fit.", no_args_is_help=True
)


class Form(StrEnum):
    """Formats of trace files."""

    MAHIMAHI = "mahimahi"
    TWO_COLUMN = "two-column"
    CSV = "csv"
    FIVE_G = "5g"
    STARLINK = "starlink"
    NTRACE = "ntrace"
    MESSAGES = "messages"


class Target(StrEnum):
    """Formats that are written."""

    CSV = "csv"
    MAHIMAHI = "mahimahi"


class Way(StrEnum):
    """Directions of a link."""

    UP = "up"
    DOWN = "down"


_Form = Annotated[Form | None, typer.Option("--from", help="Format, if its content misleads.")]


@trace.command()
def inspect(
    files: Annotated[list[str], typer.Argument(help="Trace files or bundled names.")],
    *,
    form: _Form = None,
    as_json: Json = False,
) -> None:
    """Say what traces are like: length, rate, outages, loss, bursts, delay.

    Quantiles of the rate are over windows of a second (more for very long traces), an outage is
    a second or more without any capacity.
    """
    with told():
        found = [
            (name, source, way, figures)
            for name in files
            for source in [_open(name, form)]
            for way, figures in _ways(source)
        ]
        if as_json:
            rows = [_object(source, way, figures) for _, source, way, figures in found]
            print(json.dumps({"traces": rows}))
            return
        for line in _table([_HEAD, *(_cells(s, way, f) for _, s, way, f in found)]):
            print(line)
        for _, source, way, figures in found:
            if figures.rates:
                print(f"{source.path.name} {way}  {_curve(figures)}")


@trace.command()
def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="A trace or a run directory.")],
    out: Annotated[str, typer.Argument(metavar="OUT", help="A file, or - for stdout.")],
    *,
    to: Annotated[
        Target | None, typer.Option(help="Else by the name: .up, .down: mahimahi; csv.")
    ] = None,
    direction: Annotated[
        Way | None, typer.Option(help="Of the trace; else by the name of OUT: .down, or up.")
    ] = None,
    step: Annotated[str, typer.Option(help="Of csv from opportunities.")] = "100 ms",
    form: _Form = None,
) -> None:
    """Write a trace as our CSV (t_s,rate_bps,delay_s,loss) or as delivery opportunities.

    The messages of a run directory become a recording of messages.
    """
    with told():
        from simedge.core.units import parse_duration_ns
        from simedge.run.recording import write_run
        from simedge.world.traces.convert import write_trace

        if out != "-" and Path(out).exists():
            complain(f"error: {out}: there is such a file already")
            raise typer.Exit(Exit.BAD_INPUT)
        with_path = Path(out).suffix in {".up", ".down"}
        way = direction or (Way.DOWN if Path(out).suffix == ".down" else Way.UP)
        target = to or (Target.MAHIMAHI if with_path else Target.CSV)
        run = Path(source) if Path(source).is_dir() else None
        found = None if run is not None else _open(source, form)
        step_ns = max(parse_duration_ns(step), 1)
        damage = None
        with _writing(out) as file:
            if run is not None:
                damage = write_run(run, file)
            elif found is not None:
                write_trace(
                    found,
                    file,
                    "csv" if target is Target.CSV else "mahimahi",
                    direction="up" if way is Way.UP else "down",
                    step_ns=step_ns,
                )
                other = "down" if way is Way.UP else "up"
                complain(f"{way.value} is written; for the other: --direction {other}")
        if damage is not None:
            complain(f"error: {source}: {damage}; the messages up to there are written")
            raise typer.Exit(Exit.BAD_INPUT)


@trace.command()
def fit(
    file: Annotated[str, typer.Argument(help="A trace file or a bundled name.")],
    *,
    form: _Form = None,
) -> None:
    """Write the link that fits a trace, as YAML: mean rates, bursty loss, a table of delays.

    Its outages, fading and order in time are not in the fit, and real bursts have heavier tails.
    """
    with told():
        from simedge.run.replay_traces import CANNOT
        from simedge.run.yaml_writer import dump
        from simedge.world.traces.figures import measure
        from simedge.world.traces.fit import fit as fit_link

        source = _open(file, form)
        found = fit_link(measure(source, "up"), measure(source, "down"))
        notes = [f"fitted to {source.path.name}, {CANNOT['fitted']}", *found.notes]
        for note in notes:
            print(f"# {note}")
        print(dump(found.link), end="")


@contextmanager
def _writing(out: str) -> Iterator[TextIO]:
    """Write to a file that is there only if all went well, or to stdout."""
    if out == "-":
        yield sys.stdout
        return
    part = Path(f"{out}.part")
    try:
        opened = part.open("w", encoding="utf-8")
    except OSError as error:
        why = f"no folder {part.parent}" if not part.parent.is_dir() else error.strerror
        complain(f"error: {out}: cannot be written: {why}")
        raise typer.Exit(Exit.BAD_INPUT) from None
    try:
        with opened as file:
            yield file
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _open(name: str, form: Form | None) -> "Source":
    from simedge.world.traces.source import open_trace

    return open_trace(name, None if form is None else form.value)


def _ways(source: "Source") -> "list[tuple[str, Figures]]":
    """Measure both directions, or the one that both are."""
    from simedge.world.traces.figures import measure

    up = measure(source, "up")
    if source.kind == "opportunities":
        return [("-", up)]
    down = measure(source, "down")
    return [("-", up)] if up == down else [("up", up), ("down", down)]


def _cells(source: "Source", way: str, figures: "Figures") -> tuple[str, ...]:
    rate, delay = figures.rate, figures.delay_ns
    rates = ("-",) * 3 if rate is None else tuple(map(_rate, (rate.mean, rate.p5, rate.p95)))
    burst = None if figures.burst_ns is None else figures.burst_ns / 1e9
    return (
        *(source.path.name, source.format, way, seconds(figures.duration_ns / 1e9), *rates),
        str(figures.outages),
        seconds(figures.outage_ns_max / 1e9) if figures.outages else "-",
        percent(figures.loss),
        seconds(burst),
        *(seconds(None if delay is None else delay[i] / 1e9) for i in (3, 6)),
    )


def _rate(bps: float) -> str:
    return f"{bits(bps)}/s"


def _curve(figures: "Figures") -> str:
    """Draw the rates, each bar the mean of its windows."""
    rates = figures.rates
    count = min(_BARS, len(rates))
    edges = [i * len(rates) // count for i in range(count + 1)]
    means = [sum(rates[a:b]) / (b - a) for a, b in pairwise(edges)]
    most = max(means) or 1.0
    return f"{bars([mean / most for mean in means])}  top {_rate(most if any(means) else 0)}"


def _object(source: "Source", way: str, figures: "Figures") -> dict[str, Any]:
    figures_of = {k: v for k, v in asdict(figures).items() if k != "rates"}
    return {"path": str(source.path), "format": source.format, "direction": way, **figures_of}


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
