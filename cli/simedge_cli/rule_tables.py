"""``simedge rules`` and ``simedge rules costs``: what is known of learning rules, as tables."""

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from simedge_cli.exits import Exit, complain

if TYPE_CHECKING:
    from simedge.learning.rules.catalogue import Gap, Rule
    from simedge.learning.rules.published import Figure

__all__ = ["Form", "FormOption", "Sheet", "costs", "show_rules", "table"]


class Form(StrEnum):
    """How a table is written."""

    TEXT = "text"
    MD = "md"
    JSON = "json"


FormOption = Annotated[Form, typer.Option("--format", help="For people, for pages, for programs.")]


class Sheet(NamedTuple):
    """A table."""

    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def cut(self, *columns: int) -> "Sheet":
        """Return the first column and some others."""
        places = (0, *columns)
        rows = [tuple(row[n] for n in places) for row in self.rows]
        return Sheet(tuple(self.heads[n] for n in places), rows)

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [self.heads, ("---",) * len(self.heads), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


_FIGURES = ("tasks", "five_tasks")


def table(form: FormOption = Form.TEXT) -> None:
    """Print every learning rule: what it needs, where it runs, what it reached, what it costs."""
    show_rules(form)


def show_rules(form: Form) -> None:
    """Print the catalogue of rules."""
    from simedge.learning.rules.catalogue import RULES, measured

    held = measured()
    if form is Form.JSON:
        found = [_as_data(rule, held) for rule in RULES]
        about = {key: value for key, value in held.items() if key not in _FIGURES}
        print(json.dumps({"rules": found, "measured": about}, indent=2, ensure_ascii=False))
        return
    known = _properties()
    # A page scrolls; on a screen of a hundred columns ten of words would be cut off.
    halves = [known] if form is Form.MD else [known.cut(1, 2), known.cut(*range(3, 10))]
    sheets = [*(("", half) for half in halves), (_about(held), _figures(held))]
    sheets += [(_KEPT, _forgotten(held))] if "five_tasks" in held else []
    _show(form, sheets)


_MemoryOption = Annotated[
    str | None, typer.Option(help="Say instead what fits a device of this memory: 512MiB.")
]


def costs(form: FormOption = Form.TEXT, memory: _MemoryOption = None) -> None:
    """Print figures of papers on costs beside what our formulas give; differing ones are told."""
    from simedge.learning.rules.published import figures

    if memory is not None:
        _fits(form, memory)
        return
    found = figures()
    if form is Form.JSON:
        rows = [{**f._asdict(), "verdict": f.verdict} for f in found]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if form is Form.MD:
        print(_HEAD)
    _show(form, [("", _published(found))])


def _fits(form: Form, memory: str) -> None:
    """Print what trainings that authors report need, beside what a device may use."""
    from simedge.core.units import UnitError, parse_bytes
    from simedge.learning.rules.training_memory import PLACES, THROUGH_TIME, training_bytes
    from simedge.world.memory import limit_bytes

    try:
        limit = limit_bytes(parse_bytes(memory))
    except UnitError as error:
        complain(f"error: {error}")
        raise typer.Exit(Exit.BAD_INPUT) from None
    found = [(p, rule, training_bytes(p, rule)) for p in PLACES for rule in THROUGH_TIME]
    if form is Form.JSON:
        rows = [
            {"training": p.name, "rule": rule, "bytes": held, "fits": sum(held.values()) <= limit}
            for p, rule, held in found
        ]
        print(json.dumps({"limit": limit, "trainings": rows}, indent=2, ensure_ascii=False))
        return
    heads = ("training", "T", "batch", "rule", "for P", "for state", "MiB", f"fits {memory}")
    cells = [
        (
            *(p.name, str(p.ticks), str(p.batch), rule),
            *(f"{size / 2**20:.1f}" for size in (sum(held[:-1]), held[-1], sum(held))),
            "yes" if sum(held) <= limit else "no",
        )
        for p, rule, held in ((p, rule, list(held.values())) for p, rule, held in found)
    ]
    title = (
        f"A device may use {limit / 2**20:.1f} MiB of {memory}. Parameters, gradients and Adam's "
        "moments (for P); one word a neuron and device tick, or two of traces (for state)."
    )
    _show(form, [(title, Sheet(heads, cells))])


_HEAD = """# What learning rules cost on paper

`simedge rules costs --format md` writes this page. Figures that papers print stand beside what
the formulas in `simedge/learning/rules/costs.py` give: T device ticks, A of them active, C
classes, n_l neurons, m_l pooled widths, a the area of the input over 32 x 32. *Agrees*: to the
printed digit, cut off or rounded. *By a fit*: the formula was made to give what is printed, and
has parts that nothing explains. *Inside*: within the range that is printed. *Differs*: it does
not follow from the rule as written.

Ranges are those of the abstracts; figures of tables are as they were handed down to us, not
checked against the papers. Memory is of activations and traces, without weights, accumulators and
slots of optimisers. P is 229 376 for still images and 294 912·a for events. The ranks behind the
250 of LANCE are not known to us: on its widest input 35 gives less, 34 gives 253.
"""


def _show(form: Form, sheets: list[tuple[str, Sheet]]) -> None:
    if form is Form.MD:
        print("\n".join(f"{title}\n\n{s.markdown()}".lstrip() for title, s in sheets), end="")
        return
    from simedge_cli.render import Screen

    screen = Screen()
    for number, (title, sheet) in enumerate(sheets):
        if number and not title:
            print()
        screen.show_sheet(title, sheet.heads, sheet.rows)


_SILENCE = {
    "free": "yes, cost 0",
    "closed form": "yes, closed form",
    "every tick": "no, every tick",
    "as the host": "as its host rule",
    "no time": "frames",
}


def _properties() -> Sheet:
    from simedge.learning.rules.catalogue import RULES

    heads = (
        *("rule", "what", "source", "local in time", "in space", "memory", "work a tick"),
        *("exact in silence", "torch", "runs"),
    )
    rows = [
        (
            *(r.name, r.title, r.source, r.time, r.space, r.memory, r.compute),
            *(_SILENCE[r.silence], r.torch, r.where),
        )
        for r in RULES
    ]
    return Sheet(heads, rows)


def _figures(held: dict[str, Any]) -> Sheet:
    from simedge.learning.rules.catalogue import RULES, against, beside, cost

    rows = []
    for rule in RULES:
        own = cost(rule.name)
        paid = ("-", "-") if own is None else (f"{own.macs:,}", f"{4 * own.words:,}")
        reached = [against(held, task, rule.name) for task in held["tasks"]]
        rows.append((rule.name, *(cell for gap in reached for cell in _cells(gap)), *paid))
    heads = [
        head for task in held["tasks"] for head in (f"{task}, %", f"minus {beside(held, task)}")
    ]
    return Sheet(("rule", *heads, "MACs a window", "bytes"), rows)


def _cells(gap: "Gap | None") -> tuple[str, str]:
    if gap is None:
        return "-", "-"
    points = "" if gap.points is None else f"{gap.points:+.1f}"
    mark = " *" if gap.own_circuit else ""
    return f"{100 * gap.mean:.1f} ± {100 * gap.spread:.1f}{mark}", points


def _about(held: dict[str, Any]) -> str:
    from simedge.learning.rules.catalogue import TICKS, WIDTHS

    sizes = ", ".join(
        f"{task} {one['learned']} learned and {one['held_out']} held out"
        for task, one in held["tasks"].items()
    )
    net = "-".join(map(str, WIDTHS))
    return (
        f"Accuracy, mean ± sd of {len(held['seeds'])} seeds, {held['tries']} settings tried of "
        f"each, by {held['program']} at commit {held['commit'][:12]} ({sizes}). *: learned from "
        "pixel events in a circuit of its own, the others one net 64-64. Costs by formula for a "
        f"dense net {net}, {TICKS} device ticks, all active (a frame: one): learning without the "
        "pass forward, state without weights; -: by spikes, by what tasks show, or not measured."
    )


_KEPT = (
    "Five tasks in turn on the digits, none seen again, by benchmarks/continual.py: accuracy at "
    "the end, and how far it fell from its best, mean over tasks and seeds. classes: two of the "
    "ten a task; permuted: all ten, pixels in another order each. plain: nothing is protected."
)


def _forgotten(held: dict[str, Any]) -> Sheet:
    streams = held["five_tasks"]["streams"]
    heads = [h for s in streams for h in (f"{s}, %", "forgotten, points", "of plain's")]
    rows = [(name, *_losses(held, name)) for name in ("plain", "code-cl", "lance")]
    return Sheet(("rule", *heads), rows)


def _losses(held: dict[str, Any], name: str) -> list[str]:
    from simedge.learning.rules.catalogue import kept

    found = [kept(held, stream, name) for stream in held["five_tasks"]["streams"]]
    return [
        cell
        for one in found
        if one is not None
        for cell in (
            f"{100 * one.accuracy:.1f}",
            f"{100 * one.forgetting:.1f}",
            f"{one.of_plain:.2f}",
        )
    ]


def _as_data(rule: "Rule", held: dict[str, Any]) -> dict[str, Any]:
    from simedge.learning.rules.catalogue import against, cost, kept

    own = cost(rule.name)
    gaps = {task: against(held, task, rule.name) for task in held["tasks"]}
    tasks = {
        s: kept(held, s, rule.name) for s in held.get("five_tasks", {"streams": ()})["streams"]
    }
    return rule._asdict() | {
        "where": rule.where,
        "measured": {task: gap and gap._asdict() for task, gap in gaps.items()},
        "five_tasks": {stream: one and one._asdict() for stream, one in tasks.items()},
        "macs": own and own.macs,
        "bytes": own and 4 * own.words,
    }


def _published(found: "list[Figure]") -> Sheet:
    heads = ("paper", "figure", "formula", "printed", "formula gives", "")
    rows = [(f.paper, f.what, f.formula, f.printed, f.shown, f.verdict) for f in found]
    return Sheet(heads, rows)
