"""``simedge run``: one run, watched, interruptible, finished."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from simedge_cli.exits import Exit, complain, told
from simedge_cli.options import (
    Changes,
    Duration,
    NoColor,
    Quiet,
    Record,
    Recorded,
    RunOut,
    Seed,
)

if TYPE_CHECKING:
    from simedge.run.overrides import Override
    from simedge.run.result import Result
    from simedge.run.scenario import Scenario
    from simedge_cli.render import Screen

__all__ = ["exit_code", "interrupts", "overrides", "run", "run_watched"]

_ROOT = Path("runs")


def run(  # noqa: PLR0913 -- one parameter an option
    scenario: Annotated[
        str | None, typer.Argument(help="A YAML file or a bundled name (k20_lossy).")
    ] = None,
    *,
    out: RunOut = None,
    changes: Changes = None,
    seed: Seed = None,
    duration: Duration = None,
    record: Recorded = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(help='Virtual time between checkpoints to resume from, as "10 s".'),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="RUN_DIR", help="Go on with a run that stopped."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json and no table.")] = (
        False
    ),
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Run a scenario and write its run directory, or go on with one that stopped."""
    given = (out, changes, seed, duration, record, checkpoint)
    if (scenario is None) == (resume is None) or (resume is not None and any(given)):
        what = "" if scenario or resume else "Missing argument 'SCENARIO': "
        complain(f"error: {what}give a scenario with its options, or --resume RUN_DIR alone")
        raise typer.Exit(Exit.USAGE)
    with told():
        from simedge.run.scenario import read
        from simedge_cli.render import Screen

        screen = Screen(progress=not quiet, no_color=no_color)
        if resume is not None:
            result = _resumed(resume, screen=screen)
        else:
            asked = overrides(changes or [], seed=seed, duration=duration, record=record)
            if checkpoint is not None:
                asked.append(_checkpoints(checkpoint))
            loaded = read(str(scenario), overrides=asked)
            for note in loaded.notes:
                complain(f"note: {note}")
            result = run_watched(loaded.scenario, out, screen=screen)
        if as_json:
            print(json.dumps(result.summary, allow_nan=False))
        elif not quiet:
            screen.show(result, scenario=scenario or str(Path(str(resume)) / "scenario.yaml"))
    raise typer.Exit(exit_code(result))


def _checkpoints(every: str) -> "Override":
    from simedge.run.overrides import Override

    return Override(path="checkpoint.every", value=every, label="--checkpoint")


def _resumed(path: Path, *, screen: "Screen") -> "Result":
    """Go on with a run that stopped, watched as a new one is."""
    import asyncio

    from simedge.run.resume import resume_async

    def say(word: str) -> None:
        complain(f"note: {word}")

    with interrupts() as came, screen.watching(path.name) as watch:
        return asyncio.run(resume_async(path, watch=watch, stop=lambda: bool(came), say=say))


def overrides(
    texts: list[str], *, seed: int | None, duration: str | None, record: Record | None
) -> list["Override"]:
    """Return the changes that options ask for."""
    from simedge.run.overrides import Override, from_text

    asked = [from_text(text) for text in texts]
    if seed is not None:
        asked.append(Override(path="seed", value=seed, label="--seed"))
    if duration is not None:
        asked.append(Override(path="duration", value=duration, label="--duration"))
    if record is not None:
        events = record is Record.EVENTS
        asked.append(Override(path="record.events", value=events, label="--record"))
    return asked


def run_watched(scenario: "Scenario", out: Path | None, *, screen: "Screen") -> "Result":
    """Run a scenario with its progress shown; interrupts end it in good order."""
    import asyncio

    root = _ROOT if out is None else None
    with interrupts() as came, screen.watching(scenario.name) as watch:
        from simedge.core.native_cache import is_cold
        from simedge.run.simulate import run_async

        if is_cold():
            screen.say(f"{scenario.name}: compiling native code, which only a first run does")
        return asyncio.run(
            run_async(scenario, out=out, root=root, watch=watch, stop=lambda: bool(came))
        )


@contextmanager
def interrupts() -> Iterator[list[int]]:
    """Collect interrupts: the first ends the run between two records, a second one aborts.

    A request to terminate counts as a first, however often it comes.
    """
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if came and number == signal.SIGINT:
            os._exit(Exit.INTERRUPTED)
        came.append(number)
        os.write(2, b"\nstopping between two records; Ctrl-C aborts\n")

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_code(result: "Result") -> Exit:
    """Return how a command ends that ran this."""
    if result.interrupted:
        return Exit.INTERRUPTED
    return Exit.FAILED if result.summary["invariants"]["broken"] else Exit.OK
