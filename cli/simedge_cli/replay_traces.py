"""``simedge replay TRACE...``: a scenario over its own links, then over recorded ones."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simedge_cli.exits import Exit
from simedge_cli.figures import bits, percent, seconds
from simedge_cli.run import exit_code, run_watched

if TYPE_CHECKING:
    from simedge.run.replay_traces import Driven
    from simedge.run.result import Result
    from simedge.run.scenario import Scenario
    from simedge_cli.render import Screen

__all__ = ["comparison", "replay_traces"]

_WIDTHS = (26, 14, 14, 14)


def replay_traces(  # noqa: PLR0913 -- what the options ask for
    scenario: "Scenario",
    traces: list[str],
    *,
    options: dict[str, Any],
    trace: dict[str, Any],
    out: Path | None,
    screen: "Screen",
    shown: str,
) -> Exit:
    """Run a scenario twice with one seed and say what the traces change.

    Parameters
    ----------
    options, trace
        As `simedge.run.replay_traces.drive` takes them.
    out
        Run directory of the run over the traces; its twin is not kept.
    shown
        ``text``, ``json`` or nothing.
    """
    from simedge.run.replay_traces import drive

    driven = drive(
        scenario,
        traces,
        links=options["links"],
        mode=options["mode"],
        repeat=trace["repeat"],
        phase=trace["phase"],
    )
    twin = _twin(scenario, screen)
    if twin.interrupted:
        return Exit.INTERRUPTED
    result = run_watched(driven.scenario, out, screen=screen)
    if shown == "json":
        print(
            json.dumps(
                {**result.summary, "replay": _object(driven, twin, result.summary)}, allow_nan=False
            )
        )
    elif shown:
        for line in comparison(driven, twin.summary, result):
            print(line)
    return exit_code(result)


def _twin(scenario: "Scenario", screen: "Screen") -> "Result":
    """Run the scenario over its own links; nothing of it is written."""
    from simedge.run.simulate import simulate

    with screen.watching(f"{scenario.name}, synthetic links") as watch:
        return simulate(scenario.vary({"record.events": False}), watch=watch)


def _object(driven: "Driven", twin: "Result", replayed: dict[str, Any]) -> dict[str, Any]:
    from simedge.run.replay_traces import differences

    return {
        "mode": driven.mode,
        "takes": list(driven.takes),
        "cannot": driven.cannot,
        "differences": [
            {"name": name, "unit": unit, "synthetic": before, "replayed": after}
            for name, unit, before, after in differences(twin.summary, replayed)
        ],
        "synthetic": twin.summary,
    }


def comparison(driven: "Driven", synthetic: dict[str, Any], result: "Result") -> list[str]:
    """Return the report: what is taken, the figures side by side, what is not reproduced."""
    from simedge.run.replay_traces import differences

    scenario = driven.scenario
    lines = [f"{scenario.name}, seed {scenario.seed}, replay mode {driven.mode}"]
    lines += [f"  {take}" for take in driven.takes]
    lines += ["", _line("", "own links", "over traces", "change")]
    for name, unit, before, after in differences(synthetic, result.summary):
        change = None if before is None or after is None else after - before
        lines.append(_line(name, _text(before, unit), _text(after, unit), _signed(change, unit)))
    lines += ["", "own links: the scenario as written; equal seed, equal data and faults in both"]
    lines.append(driven.cannot)
    if result.path is not None:
        lines.append(f"run directory  {result.path}")
    return lines


def _line(*cells: str) -> str:
    first, *rest = (
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True))
    )
    return "".join([first, *rest]).rstrip()


def _text(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    match unit:
        case "share":
            return percent(value)
        case "bits":
            return bits(value)
        case "ms":
            return seconds(value / 1e3)
        case "s":
            return seconds(value)
        case _:
            return f"{value:,.0f}"


def _signed(change: float | None, unit: str) -> str:
    if change is None:
        return "-"
    sign = "+" if change >= 0 else "-"
    if unit == "share":
        return f"{sign}{100 * abs(change):.1f} points"
    return sign + _text(abs(change), unit)
