"""What stands in a report, in order: sections of text and tables, whatever the form."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simedge.run.needs import reported_name
from simedge.study.report.firing import firing, weights
from simedge.study.report.links import links_of
from simedge.study.report.models import caveats, modelled, not_modelled
from simedge.study.report.runs import Run, Skipped
from simedge.study.report.tables import (
    Table,
    comparison,
    devices,
    every_figure,
    headline,
    link_table,
    settings_that_differ,
)

__all__ = ["Section", "content", "title"]

ROWS_SHOWN = 400
_RUNS_SHOWN = 100
_COLUMNS_SHOWN = 12
_ORIGINS_SHOWN = 20
_BROKEN_SHOWN = 50
_SIGNS_SHOWN = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of a report: words, a list, a table, or text as it is; charts go by its name.

    Parameters
    ----------
    folded
        Whether a page shows table or text only when asked to: long ones.
    """

    name: str
    title: str
    words: str = ""
    listed: tuple[str, ...] = ()
    table: Table | None = None
    verbatim: str = ""
    folded: bool = False


def title(runs: Sequence[Run]) -> str:
    """Return the title: of one run what it is, of several how many they are."""
    if len(runs) > 1:
        return f"{len(runs)} runs"
    s = runs[0].summary
    rule = f", {s['rule']}" if s["rule"] else ""
    state = "" if runs[0].status == "done" else f" ({runs[0].status})"
    protocol = reported_name(s["protocol"])
    return f"{s['scenario']}, seed {s['seed']}: {s['devices']} devices, {protocol}{rule}{state}"


def content(runs: Sequence[Run], skipped: Sequence[Skipped]) -> list[Section]:
    """Return the sections of a report of one run, or of several as one row each."""
    sections = _one(runs[0]) if len(runs) == 1 else _several(runs)
    if skipped:
        told = tuple(f"{one.path}: {one.why}" for one in skipped)
        sections.insert(1, Section(name="skipped", title="Left out", listed=told))
    return sections


def _one(run: Run) -> list[Section]:
    note = "" if run.history is not None else "No event log was kept: some charts need one."
    about = " ".join(filter(None, (run.scenario.about, *caveats([run.summary["protocol"]]), note)))
    broken = tuple(str(text) for text in run.summary["invariants"]["broken"][:_BROKEN_SHOWN])
    links = link_table(links_of(run), most=ROWS_SHOWN)
    first = Section(name="headline", title="Figures", words=about, table=headline(run))
    return [
        first,
        *([Section(name="broken", title="Broken invariants", listed=broken)] if broken else []),
        Section(name="charts", title="Curves"),
        Section(name="devices", title="Devices", table=devices(run, most=ROWS_SHOWN)),
        Section(name="links", title="Links", table=links),
        *_circuits(run),
        Section(name="modelled", title="What is modelled", listed=tuple(modelled(run))),
        Section(name="left-out", title="What is not", listed=tuple(not_modelled(run))),
        Section(name="summary", title="Every figure", table=every_figure(run)),
        Section(name="setting", title="The setting that made it", verbatim=_cut(run.text)),
        Section(name="provenance", title="Where it came from", verbatim=_origin(run)),
    ]


def _circuits(run: Run) -> list[Section]:
    """Return who fired and what became of the weights of circuits that were kept."""
    if not run.circuits:
        return []
    words = "Of devices whose spikes were kept: rates while frames were shown, and the weights."
    fired = Section(name="circuits", title="Circuits", words=words, table=firing(run.circuits))
    wires = Section(name="weights", title="Weights", table=weights(run.circuits))
    return [fired, wires]


def _several(runs: Sequence[Run]) -> list[Section]:
    origins = "\n".join(f"# {run.name}\n{_origin(run)}" for run in runs[:_ORIGINS_SHOWN])
    differing = settings_that_differ(runs[:_COLUMNS_SHOWN], most=ROWS_SHOWN // 2)
    few = "" if len(runs) <= _COLUMNS_SHOWN else f"Of the first {_COLUMNS_SHOWN} runs."
    return [
        Section(
            name="headline",
            title="Figures",
            words=" ".join(caveats(run.summary["protocol"] for run in runs)),
            table=comparison(runs, most=_RUNS_SHOWN),
        ),
        Section(name="charts", title="Curves"),
        Section(name="setting", title="Settings that differ", words=few, table=differing),
        Section(name="modelled", title="What is modelled", listed=_common(runs, modelled)),
        Section(name="left-out", title="What is not", listed=_common(runs, not_modelled)),
        Section(name="provenance", title="Where they came from", verbatim=origins),
    ]


def _common(runs: Sequence[Run], say: Callable[[Run], list[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for run in runs for text in say(run)))


def _cut(text: str) -> str:
    if len(text) <= _SIGNS_SHOWN:
        return text
    return f"{text[:_SIGNS_SHOWN]}\n# and so on: {len(text) - _SIGNS_SHOWN:,} more signs"


def _origin(run: Run) -> str:
    told = {"run": run.name, "wall_s": run.summary["wall_s"], **run.provenance}
    return json.dumps(told, indent=2, ensure_ascii=False)
