"""``simedge replay``: a run once more, or a scenario over recorded networks."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from simedge_cli.exits import Exit, complain, told
from simedge_cli.options import Changes, Duration, Json, NoColor, Recorded, RunOut, Seed

__all__ = ["replay"]


class Mode(StrEnum):
    """What is taken from a trace."""

    TIME = "time"
    FITTED = "fitted"
    UID = "uid"


class Repeat(StrEnum):
    """What follows the end of a trace."""

    WRAP = "wrap"
    HOLD = "hold"
    STOP = "stop"


def replay(  # noqa: PLR0913 -- one parameter an option
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN_DIR | TRACE...",
            help="A run directory; or one trace, or two: up and down.",
        ),
    ],
    *,
    scenario: Annotated[
        str | None, typer.Option(help="For traces: a YAML file or a bundled name (k20_lossy).")
    ] = None,
    links: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DEVICES", help="Groups or devices whose links follow; repeatable; else all."
        ),
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(help="time (default), fitted, or uid (default for recorded messages)."),
    ] = None,
    repeat: Annotated[Repeat, typer.Option(help="After the end of a trace.")] = Repeat.WRAP,
    phase: Annotated[
        str, typer.Option(help='Where in the trace a device begins: random, or "10 s" for all.')
    ] = "random",
    out: RunOut = None,
    changes: Changes = None,
    seed: Seed = None,
    duration: Duration = None,
    record: Recorded = None,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say it by the exit code.")] = False,
    no_color: NoColor = False,
) -> None:
    """Run a run directory again, or a scenario over recorded networks (--scenario).

    A directory: exit 0 if all that was recorded came again, 4 with the first difference if not.
    Traces: the scenario runs twice with one seed, over its own links and over the traces, and
    the differences are printed. No mode brings the recorded network back; each says what it
    cannot reproduce.
    """
    code = Exit.OK
    with told():
        if scenario is None:
            code = _again(what, as_json=as_json, quiet=quiet, no_color=no_color)
        else:
            from simedge.run.scenario import read
            from simedge_cli.render import Screen
            from simedge_cli.replay_traces import replay_traces
            from simedge_cli.run import overrides

            asked = overrides(changes or [], seed=seed, duration=duration, record=record)
            loaded = read(scenario, overrides=asked)
            for note in loaded.notes:
                complain(f"note: {note}")
            code = replay_traces(
                loaded.scenario,
                what,
                options={"links": links or (), "mode": mode and mode.value},
                trace={"repeat": repeat.value, "phase": phase},
                out=out,
                screen=Screen(progress=not quiet, no_color=no_color),
                shown="json" if as_json else "" if quiet else "text",
            )
    raise typer.Exit(code)


def _again(what: list[str], *, as_json: bool, quiet: bool, no_color: bool) -> Exit:
    from simedge_cli.replay_run import replay_run

    if len(what) > 1 or Path(what[0]).is_file():
        complain("error: traces need a scenario to drive: --scenario k20_lossy")
        return Exit.USAGE
    return replay_run(Path(what[0]), as_json=as_json, quiet=quiet, no_color=no_color)
