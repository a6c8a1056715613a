"""``simedge fuzz``: look for faults that break a law, and keep the smallest world that shows it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simedge_cli.exits import Exit, complain, told
from simedge_cli.options import Changes, Json, Quiet

if TYPE_CHECKING:
    from simedge.testing.hunt import Search

__all__ = ["fuzz"]

_KEPT = Path("fuzz")


def fuzz(  # noqa: PLR0913 -- one parameter an option
    scenario: Annotated[str, typer.Argument(help="A YAML file or a bundled name.")],
    *,
    runs: Annotated[int, typer.Option(min=0, help="Schedules of faults to try.")] = 200,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Begin nothing new after so long.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Names the search: the same schedules again.")] = 1,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; all cores.")] = None,
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Where finds are kept, and tried first.")
    ] = _KEPT,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kind", help="Draw this kind of fault only; repeatable. All by default."),
    ] = None,
    changes: Changes = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search fault schedules for a broken law; shrink and keep what is found. Exit 1 then."""
    with told():
        from simedge.run.overrides import from_text
        from simedge.run.scenario import read
        from simedge.testing.hunt import fuzz as search
        from simedge.testing.hunt import keep, kept_seeds

        _check_kinds(kinds or [])
        world = read(scenario, overrides=[from_text(text) for text in changes or []]).scenario

        def watch(tried: int, traits: int) -> None:
            if not quiet:
                complain(f"{world.name}: {tried} of {runs} runs, {traits} traits seen")

        ended = search(
            world,
            runs=runs,
            minutes=minutes,
            seed=seed,
            jobs=jobs,
            seeds=kept_seeds(world, out),
            kinds=kinds or (),
            watch=watch,
        )
        path = None
        if ended.found is not None:
            path = ended.found.source or str(keep(ended.found, out))
        _tell(ended, path, as_json=as_json)
    if ended.found is not None:
        raise typer.Exit(Exit.FAILED)


def _check_kinds(kinds: list[str]) -> None:
    from simedge.run.problems import did_you_mean
    from simedge.testing.plans import KINDS

    for kind in kinds:
        if kind not in KINDS:
            hint = did_you_mean(kind, tuple(KINDS)) or f" (known: {', '.join(KINDS)})"
            complain(f"error: --kind {kind}: no such fault can be drawn{hint}")
            raise typer.Exit(Exit.USAGE)


def _tell(ended: "Search", path: str | None, *, as_json: bool) -> None:
    found = ended.found
    reproduce = None if path is None else f"simedge fuzz {path} --runs 0"
    if as_json:
        data = {
            "runs": ended.runs,
            "traits": ended.traits,
            "broken": None if found is None else found.outcome.broken,
            "finding": None if found is None else found.outcome.said,
            "run": None if found is None else found.run,
            "file": path,
            "reproduce": reproduce,
        }
        print(json.dumps(data))
    elif found is None:
        print(f"no law broke in {ended.runs} runs")
    else:
        print(f"broken: {found.outcome.said}\nkept: {path}\nagain: {reproduce}")
