"""What people see of a run: the one file with rich."""

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from simedge.run.needs import caveat_of, reported_name
from simedge.run.result import Progress, Result
from simedge_cli.figures import bits, percent, seconds, spread, times
from simedge_cli.table import sections

if TYPE_CHECKING:
    from simedge.study.course import StudyProgress
    from simedge.study.table import Table as StudyTable
    from simedge.validation.finding import Report

__all__ = ["Screen", "forms_table", "progress_line", "result_table", "study_line", "study_table"]

_REFRESH_S = 0.1
_BAR_WIDTH = 24
_BAR_LEAST = 8
_PLAIN_WIDTH = 140


class Screen:
    """Progress on the standard error output, results on the standard output.

    There are escape codes and progress only on a terminal.
    """

    def __init__(self, *, progress: bool = True, no_color: bool = False) -> None:
        self._out = _console(stderr=False, no_color=no_color)
        self._error = _console(stderr=True, no_color=no_color)
        self._progress = progress
        self._live: Live | None = None

    @contextmanager
    def watching(self, name: str) -> Iterator[Callable[[Progress], None] | None]:
        """Show a live line while a run goes on; yield what takes its progress."""
        console = self._error
        if not self._progress or not console.is_terminal or console.is_dumb_terminal:
            yield None
            return
        with Live(
            Text(f"{name}: loading"), console=console, auto_refresh=False, transient=True
        ) as live:
            shown_s = 0.0

            def watch(progress: Progress) -> None:
                nonlocal shown_s
                now_s = time.monotonic()
                if now_s - shown_s >= _REFRESH_S:
                    shown_s = now_s
                    live.update(progress_line(name, progress, width=console.width), refresh=True)

            live.refresh()
            self._live = live
            yield watch
            self._live = None

    @contextmanager
    def studying(self, name: str) -> Iterator[Callable[["StudyProgress"], None] | None]:
        """Show a live line while a study goes on, and a line for each run that fails."""
        console = self._error
        if not self._progress or not console.is_terminal or console.is_dumb_terminal:
            yield None
            return
        first = Text(f"{name}: loading")
        with Live(first, console=console, auto_refresh=False, transient=True) as live:

            def watch(progress: "StudyProgress") -> None:
                for row in progress.news:
                    if row.status == "failed":
                        live.console.print(Text(f"{row.run}: {row.reason}", style="red"))
                live.update(study_line(name, progress), refresh=True)

            live.refresh()
            yield watch

    def show_study(self, table: "StudyTable", *, name: str) -> None:
        """Print the figures of a study, cell by cell, and where they are."""
        self._out.print(study_table(table, name=name))
        if table.path is not None:
            line = Text.assemble(("study directory  ", "bold"), f"{table.path}")
            self._out.print(line, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Show a few words in place of the progress, if that is shown."""
        if self._live is not None:
            self._live.update(Text(text), refresh=True)

    def show(self, result: Result, *, scenario: str) -> None:
        """Print the table of a result, the run directory and what to do next."""
        self._out.print(result_table(result))
        for line in _next(result, scenario):
            self._out.print(line, highlight=False, soft_wrap=True)

    def show_forms(self, reports: Iterable["Report"], *, seed: int) -> None:
        """Print the table of closed forms."""
        self._out.print(forms_table(reports, seed=seed))

    def show_sheet(self, title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print rows of text under their heads."""
        sheet = Table(box=None, padding=(0, 1), header_style="bold")
        for place, head in enumerate(heads):
            sheet.add_column(head, no_wrap=not place, overflow="fold")
        for row in rows:
            sheet.add_row(*map(Text, row))
        if title:
            self._out.print(Text(f"\n{title}\n"))
        self._out.print(sheet)


def _console(*, stderr: bool, no_color: bool) -> Console:
    console = Console(stderr=stderr, no_color=True if no_color else None, highlight=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    return console


def progress_line(name: str, progress: Progress, *, width: int = _PLAIN_WIDTH) -> Text:
    """Return virtual time, speed, time left, accuracy, traffic and devices up on one line.

    Where that is wider than the screen, first the bar is shorter, then traffic and speed go.
    """
    share = progress.now_ns / progress.duration_ns if progress.duration_ns else 1.0
    speed = progress.now_ns / 1e9 / progress.wall_s if progress.wall_s > 0 else 0.0
    left = (progress.duration_ns - progress.now_ns) / 1e9 / speed if speed > 0 else None
    now, end = seconds(progress.now_ns / 1e9), seconds(progress.duration_ns / 1e9)
    down = "bold red" if progress.devices_up < progress.devices else ""
    parts = {
        "time": (f" {share:4.0%}  {now} of {end}", ""),
        "speed": (f"  {times(speed)} real time", "cyan"),
        "left": (f"  ETA {seconds(left)}", "cyan"),
        "accuracy": (f"  accuracy {percent(progress.accuracy)}", "bold"),
        "traffic": (f"  up {bits(progress.bits_up)}  down {bits(progress.bits_down)}", ""),
        "devices": (f"  {progress.devices_up}/{progress.devices} up", down),
    }
    for least in ("traffic", "speed"):
        if _room(name, parts, width) < _BAR_LEAST:
            del parts[least]
    room = _room(name, parts, width)
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{name} ", style="bold")
    _bar(line, share, most=max(_BAR_LEAST, min(_BAR_WIDTH, room)))
    for text, style in parts.values():
        line.append(text, style=style)
    return line


def _room(name: str, parts: Mapping[str, tuple[str, str]], width: int) -> int:
    return width - len(name) - 1 - sum(len(text) for text, _ in parts.values())


def _bar(line: Text, share: float, *, most: int) -> None:
    full = round(share * most)
    line.append("━" * full, style="green")
    line.append("━" * (most - full), style="dim")


def study_line(name: str, progress: "StudyProgress") -> Text:
    """Return runs done, failed and under way, and the time left, on one line."""
    ended = progress.done + progress.failed
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{name} ", style="bold")
    _bar(line, ended / progress.runs if progress.runs else 1.0, most=_BAR_WIDTH)
    line.append(f" {ended}/{progress.runs} runs  {progress.running} under way")
    left = "-" if progress.left_s is None else seconds(progress.left_s)
    line.append(f"  {seconds(progress.wall_s)}  ETA {left}", style="cyan")
    if progress.failed:
        line.append(f"  {progress.failed} failed", style="bold red")
    return line


def study_table(table: "StudyTable", *, name: str) -> Table:
    """Return mean and standard deviation of each figure, a line a cell."""
    from simedge.study.report.tables import HEADLINES

    counts = table.counts()
    said = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    shown = Table(title=f"{name}: {said}", title_justify="left", box=None, pad_edge=False)
    for factor in table.factors:
        shown.add_column(factor, style="bold cyan", overflow="fold")
    shown.add_column("runs", justify="right")
    for metric in table.metrics:
        shown.add_column(metric, justify="right", overflow="fold")
    known = {one.path: one.unit for one in HEADLINES}
    units = {metric: known.get(metric, "") for metric in table.metrics}
    for cell in table.summary(name)["cells"]:
        figures = cell["metrics"].values()
        done = str(max((one["n"] for one in figures), default=0))
        texts = (spread(one, units[path]) for path, one in cell["metrics"].items())
        shown.add_row(*cell["factors"].values(), done, *texts)
    levels = {level for cell in table.summary(name)["cells"] for level in cell["factors"].values()}
    told = ["± is the standard deviation over seeds"] if len(table.seeds) > 1 else []
    told += filter(None, map(caveat_of, sorted(levels)))
    shown.caption = "\n".join(told) or None
    return shown


def result_table(result: Result) -> Table:
    """Return everything that a person wants to know of a run."""
    s = result.summary
    state = " (interrupted)" if result.interrupted else ""
    rule = f", {s['rule']}" if s["rule"] else ""
    who = f"{s['devices']} devices, {reported_name(s['protocol'])}{rule}"
    table = Table(
        title=f"{s['scenario']}, seed {s['seed']}: {who}{state}",
        title_justify="left",
        show_header=False,
        box=None,
        pad_edge=False,
    )
    table.add_column(style="bold cyan", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    target = None if result.target is None else float(result.target)
    for title, rows in sections(s, target=target, compile_s=result.compile_s):
        for index, (name, value) in enumerate(rows):
            table.add_row(title if index == 0 else "", name, value)
    table.caption = caveat_of(s["protocol"])
    return table


def forms_table(reports: Iterable["Report"], *, seed: int) -> Table:
    """Return rows of closed forms: what theory says, what was measured, how far it may be off."""
    from simedge.validation.table import allowed, figure

    table = Table(
        title=f"closed forms, seed {seed}", title_justify="left", box=None, pad_edge=False
    )
    table.add_column("row", style="bold cyan", no_wrap=True)
    table.add_column("checked", overflow="fold", max_width=46)
    for name in ("expected", "measured", "tolerance", "n"):
        table.add_column(name, overflow="fold", justify="right")
    table.add_column("", no_wrap=True)
    for report in reports:
        row = report.row
        state = Text("ok", style="green") if report.ok else Text("FAILED", style="bold red")
        table.add_row(row.id, Text(row.check, style="bold"), "", "", "", "", state)
        table.add_row("", Text(row.formula, style="dim"), "", "", "", f"{report.seconds:.1f} s")
        for case, findings in report.found:
            for found in findings:
                table.add_row(
                    "",
                    Text(f"  {case.parameters}: {found.what}"),
                    figure(found.expected),
                    figure(found.measured),
                    allowed(found.tolerance),
                    f"{found.n:,}",
                    Text("") if found.ok else Text("FAILED", style="bold red"),
                )
    return table


def _resuming(path: Path) -> str:
    command = shlex.join(["simedge", "run", "--resume", str(path)])
    kept = any((path / "checkpoint").glob("manifest-*.json"))
    return command if kept else f"{command}   (begins anew: it ran without --checkpoint)"


def _next(result: Result, scenario: str) -> list[Text]:
    lines = [Text()]
    if result.path is not None:
        lines.append(Text.assemble(("run directory  ", "bold"), f"{result.path}"))
        if result.interrupted:
            lines.append(Text.assemble(("go on with it  ", "bold"), _resuming(result.path)))
        again = shlex.join(["simedge", "run", str(result.path / "scenario.yaml")])
        lines.append(Text.assemble(("the same again ", "bold"), again))
    change = (
        "protocol.kind=elal"
        if result.summary["protocol"] == "isolated"
        else ("protocol.kind=isolated")
    )
    other = shlex.join(["simedge", "run", scenario, "--set", change])
    lines.append(Text.assemble(("change a line  ", "bold"), other))
    return lines
