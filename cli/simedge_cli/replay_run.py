"""``simedge replay RUN_DIR``: a recorded run once more, is it the same."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simedge_cli.exits import Exit, complain

if TYPE_CHECKING:
    from simedge.run.eventlog import LogRecord, Value
    from simedge.run.replay import Difference, Replay

__all__ = ["fields", "replay_run", "shown"]

_BYTES_SHOWN = 8


def replay_run(run_dir: Path, *, as_json: bool, quiet: bool, no_color: bool) -> Exit:
    """Run the scenario of a run directory again and compare the event logs."""
    from simedge.run.replay import replay as run_again
    from simedge_cli.render import Screen

    screen = Screen(progress=not quiet, no_color=no_color)
    with screen.watching(f"replay of {run_dir.name}") as watch:
        found = run_again(run_dir, watch=watch)
    if as_json:
        print(json.dumps(_object(found)))
    elif not quiet:
        for line in _lines(found):
            print(line)
    if not quiet:
        for line in filter(None, (found.damage, *found.parts)):
            complain(f"{found.path}: {line}")
    return Exit.OK if found.equal else Exit.MISMATCH


def _lines(found: "Replay") -> list[str]:
    difference = found.difference
    if difference is not None:
        return [
            f"{found.path}: record {difference.index} is another",
            f"  recorded  {shown(difference.recorded)}",
            f"  replayed  {shown(difference.replayed)}",
        ]
    if found.damage is not None:
        return [f"{found.path}: the {found.records:,} whole records are equal, the log is damaged"]
    if found.recorded_sha256 not in {None, found.replayed_sha256}:
        return [
            f"{found.path}: the hash of the log is another",
            f"  recorded  {found.recorded_sha256}",
            f"  replayed  {found.replayed_sha256}",
        ]
    if not found.equal:
        return [f"{found.path}: the history is equal, the directory is damaged"]
    return [f"{found.path}: equal, {_what(found)}"]


def _what(found: "Replay") -> str:
    part = "" if found.status == "done" else f" of a run that is {found.status}"
    if found.records is None:
        return f"by the hash alone{part}: {found.replayed_sha256}"
    return f"{found.records:,} records{part}, hash {found.replayed_sha256}"


def shown(record: "LogRecord | None") -> str:
    """Write a record on one line: when, where, what, and its detail."""
    if record is None:
        return "(no record: the log ends here)"
    at, order, target, kind, subject, detail = record
    return f"{at / 1e9:.9f} s  {target}  {kind}  {_text(subject)}  {_text(detail)}  (order {order})"


def _text(value: "Value") -> str:
    match value:
        case tuple():
            return "[" + ", ".join(map(_text, value)) + "]"
        case bytes():
            dots = "..." if len(value) > _BYTES_SHOWN else ""
            return f"0x{value[:_BYTES_SHOWN].hex()}{dots}"
        case _:
            return str(value)


def _object(found: "Replay") -> dict[str, Any]:
    return {
        "equal": found.equal,
        "path": str(found.path),
        "status": found.status,
        "records": found.records,
        "recorded_sha256": found.recorded_sha256,
        "replayed_sha256": found.replayed_sha256,
        "difference": None if found.difference is None else _sides(found.difference),
        "damage": found.damage,
        "parts": list(found.parts),
    }


def _sides(difference: "Difference") -> dict[str, Any]:
    recorded, replayed = difference.recorded, difference.replayed
    return {
        "index": difference.index,
        "recorded": None if recorded is None else fields(recorded),
        "replayed": None if replayed is None else fields(replayed),
    }


def fields(record: "LogRecord") -> dict[str, Any]:
    """Return a record as JSON has it."""
    return {name: _plain(value) for name, value in record._asdict().items()}


def _plain(value: "Value") -> Any:  # noqa: ANN401 -- whatever JSON has
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value.hex() if isinstance(value, bytes) else value
