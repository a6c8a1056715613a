"""``simedge compare A B``: two runs or studies side by side; reads directories, runs nothing."""

import json
import statistics
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simedge_cli.exits import complain, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simedge.study.compare import CellPair, Comparison, FigurePair, Records

__all__ = ["Form", "compare"]

Rows = list[tuple[str, ...]]

_HEAD = ("what", "A", "B", "B - A", "95 % interval", "Student's", "p")
_SIGNS_SHOWN = 60
_NONE = "-"


class Form(StrEnum):
    """What a comparison is written as."""

    TEXT = "text"
    MD = "md"
    JSON = "json"


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A run or study directory.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    *,
    form: Annotated[Form, typer.Option("--format", help="Text, Markdown or JSON.")] = Form.TEXT,
    every: Annotated[
        bool, typer.Option("--all", help="Of studies: every figure, not their metrics alone.")
    ] = False,
) -> None:
    """Compare two runs or studies: figures by pairs of seeds, first setting, first record."""
    with told():
        from simedge.study.compare import compare as make

        found = make(first, second)
        match form:
            case Form.JSON:
                print(json.dumps(_object(found), ensure_ascii=False, allow_nan=False))
            case Form.MD:
                print("\n".join(_markdown(found, every=every)))
            case Form.TEXT:
                print("\n".join(_text(found, every=every)))
        for note in found.notes:
            complain(f"note: {note}")


def _text(found: "Comparison", *, every: bool) -> list[str]:
    lines = [f"A  {found.a}", f"B  {found.b}"]
    for title, table, said in _sheets(found, every=every):
        lines += ["", title, *_columns(table), *said]
    return [*lines, *_of_records(found.records)]


def _sheets(found: "Comparison", *, every: bool) -> list[tuple[str, Rows, list[str]]]:
    """Return the title, the table and the words of each cell, and of all cells together."""
    metrics = () if every else found.metrics
    cells = [[one for one in cell.figures if _asked(one, metrics)] for cell in found.cells]
    sheets = [
        (_title(cell), _table([_row(one) for one in figures]), _said(cell))
        for cell, figures in zip(found.cells, cells, strict=True)
    ]
    means = [row for of_one in zip(*cells, strict=False) if (row := _mean(of_one))]
    if len(cells) > 1 and len({len(figures) for figures in cells}) == 1 and means:
        sheets.append((f"mean of the {len(cells)} cells", _table(means), []))
    return sheets


def _asked(one: "FigurePair", metrics: tuple[str, ...]) -> bool:
    return one.headline.path in metrics if metrics else one.a is not None or one.b is not None


def _mean(of_cells: "Sequence[FigurePair]") -> tuple[str, ...]:
    """Return the row of one figure's means over cells; nothing where a cell has none."""
    from simedge.study.report.written import figure

    pairs = [(one.a, one.b) for one in of_cells if one.pair is not None]
    if len(pairs) < len(of_cells) or len({one.headline for one in of_cells}) > 1:
        return ()
    unit, (a, b) = of_cells[0].headline.unit, map(statistics.fmean, zip(*pairs, strict=True))
    shown = (of_cells[0].headline.label, figure(a, unit), figure(b, unit))
    return (*shown, _difference(b - a, unit), *[_NONE] * (len(_HEAD) - 4))


def _table(rows: Rows) -> Rows:
    """Put rows under their heads, without columns that have nothing."""
    whole = [_HEAD, *rows]
    kept = [n for n in range(len(_HEAD)) if not n or any(row[n] != _NONE for row in rows)]
    return [tuple(row[n] for n in kept) for row in whole]


def _difference(value: float, unit: str) -> str:
    """Write a difference; of shares in points, as 2 % more may be 2 % of what there was."""
    from simedge.study.report.written import figure

    return f"{100 * value:+z.2f} points" if unit == "%" else figure(value, unit)


def _markdown(found: "Comparison", *, every: bool) -> list[str]:
    lines = ["# Comparison", "", f"- A: {_safe(str(found.a))}", f"- B: {_safe(str(found.b))}"]
    for title, (head, *figures), said in _sheets(found, every=every):
        rows = [head, ("---", *["---:"] * (len(head) - 1)), *figures]
        table = ["| " + " | ".join(map(_safe, row)) + " |" for row in rows]
        lines += ["", f"## {_safe(title)}", "", *table, "", *(f"- {_safe(line)}" for line in said)]
    if found.records is not None:
        lines += ["", "## Records", "", *(f"    {line}" for line in _of_records(found.records))]
    return lines + (
        ["", "## Notes", "", *(f"- {_safe(note)}" for note in found.notes)] if found.notes else []
    )


def _safe(text: str) -> str:
    """Keep text from being read as Markdown or HTML."""
    for sign in "\\|<`*":
        text = text.replace(sign, f"\\{sign}")
    return text


def _title(cell: "CellPair") -> str:
    count = len(cell.seeds)
    return f"{cell.title}: {count} seed{'' if count == 1 else 's'}"


def _row(one: "FigurePair") -> tuple[str, ...]:
    from simedge.study.report.written import figure

    unit, pair = one.headline.unit, one.pair
    shown = [one.headline.label, figure(one.a, unit), figure(one.b, unit)]
    if pair is None:
        return (*shown, *[_NONE] * (len(_HEAD) - 3))
    ends = (pair.interval.low, pair.interval.high), pair.student or (None, None)
    spans = [
        _NONE
        if low is None or high is None
        else f"{_difference(low, unit)} to {_difference(high, unit)}".replace(" points to", " to")
        for low, high in ends
    ]
    return (*shown, _difference(pair.mean, unit), *spans, figure(pair.p))


def _said(cell: "CellPair") -> list[str]:
    lines = [f"event logs with one hash: {cell.equal_logs} of {len(cell.seeds)}"]
    if cell.setting is None:
        return [*lines, "settings: no difference"]
    one = cell.setting
    return [*lines, f"first setting that differs: {one.path}: {_value(one.a)} / {_value(one.b)}"]


def _value(value: Any) -> str:  # noqa: ANN401 -- whatever a setting holds
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SIGNS_SHOWN else f"{text[:_SIGNS_SHOWN]}..."


def _of_records(records: "Records | None") -> list[str]:
    from simedge_cli.replay_run import shown

    if records is None:
        return []
    lines = [records.note] if records.note else []
    if records.difference is not None:
        lines += [
            f"record {records.difference.index} is the first that differs",
            f"  A  {shown(records.difference.recorded)}",
            f"  B  {shown(records.difference.replayed)}",
        ]
    elif records.equal is not None:
        lines.append(f"all {records.equal:,} records are equal")
    return ["", *lines]


def _columns(rows: Rows) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            text.rjust(width) if place else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _object(found: "Comparison") -> dict[str, Any]:
    from simedge_cli.replay_run import fields

    facts, records = found.facts(), found.records
    if records is None:
        return {**facts, "records": None}
    first = records.difference
    sides = None if first is None else (first.recorded, first.replayed)
    return {
        **facts,
        "records": {
            "equal": records.equal,
            "note": records.note,
            "first": None if first is None else first.index,
            "a": None if sides is None or sides[0] is None else fields(sides[0]),
            "b": None if sides is None or sides[1] is None else fields(sides[1]),
        },
    }
