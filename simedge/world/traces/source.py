"""The door to trace files: which format one has, and its rows, streamed as often as asked."""

import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from simedge.world.traces.messages import COLUMNS, message_rows
from simedge.world.traces.ntrace import ntrace_rows
from simedge.world.traces.rows import FORMATS, Format, Kind, Message, Row, TraceError, fault
from simedge.world.traces.tables import csv_rows, header_of, opportunity_times, two_column_rows
from simedge.world.traces.text import lines

__all__ = ["Source", "bundled", "open_trace"]

_TIME_NS_MAX: Final = 2**61  # 73 years: no sum of two leaves 64 bits
_PACKAGE = Path(__file__).parents[2]
# Inside an installed wheel, or beside the package in a source tree.
_FOLDERS = (_PACKAGE / "_data" / "traces", _PACKAGE.parent / "traces")
_READERS: Final[Mapping[Format, Callable[[Path], Iterator[Row]]]] = MappingProxyType(
    {
        "two-column": two_column_rows,
        "ntrace": ntrace_rows,
        "csv": lambda path: csv_rows(path, "csv"),
        "5g": lambda path: csv_rows(path, "5g"),
        "starlink": lambda path: csv_rows(path, "starlink"),
    }
)


@dataclass(frozen=True, slots=True)
class Source:
    """A trace file of a known format; nothing of it is held, every reading streams it anew."""

    path: Path
    format: Format

    @property
    def kind(self) -> Kind:
        """Whether it has rows of figures, delivery opportunities or messages."""
        match self.format:
            case "mahimahi":
                return "opportunities"
            case "messages":
                return "messages"
            case _:
                return "rows"

    def rows(self) -> Iterator[Row]:
        """Yield rows of figures, times strictly increasing; a row said twice counts once.

        Raises
        ------
        TraceError
            At the first line that is wrong.
        """
        before: Row | None = None
        for row in _READERS[self.format](self.path):
            if row.t_ns > _TIME_NS_MAX:
                raise fault(self.path, row.line, f"a time of {row.t_ns // 10**9} s is too large")
            if before is not None and row.t_ns <= before.t_ns:
                if row._replace(line=before.line) == before:
                    continue  # recorders stutter
                what = f"the times are not sorted: {row.t_ns / 1e9:.9g} s"
                raise fault(self.path, row.line, f"{what} after {before.t_ns / 1e9:.9g} s")
            before = row
            yield row
        if before is None:
            raise fault(self.path, None, "no rows")

    def times(self) -> Iterator[int]:
        """Return the times of delivery opportunities in ns (raises `TraceError`)."""
        return opportunity_times(self.path)

    def messages(self) -> Iterator[Message]:
        """Yield messages (raises `TraceError`)."""
        message = None
        for message in message_rows(self.path):
            yield message
        if message is None:
            raise fault(self.path, None, "no messages")


def bundled() -> dict[str, Path]:
    """Return the traces that come with the package, by name."""
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    files = [] if folder is None else sorted(folder.iterdir())
    return {path.stem: path for path in files if path.suffix not in {".md", ".py", ""}}


def open_trace(source: str | Path, form: Format | None = None) -> Source:
    """Return the trace that a path or a bundled name stands for.

    Parameters
    ----------
    source
        A name that comes with the package is that, wherever the user stands.
    form
        Its format; by default what its content and name say.

    Raises
    ------
    TraceError
        If there is none, or its format cannot be told.
    """
    path = bundled().get(str(source), Path(source))
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        known = ", ".join(bundled()) or "none"
        raise TraceError(f"{path}: no such trace (bundled: {known})") from None
    if not stat.S_ISREG(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "no regular file"
        raise TraceError(f"{path}: {what}, no trace")
    return Source(path, form or _detect(path))


def _detect(path: Path) -> Format:
    first = next((found for found in lines(path) if _tells(found[1])), None)
    if first is None:
        raise fault(path, None, "an empty file")
    line, text = first
    if path.suffix.lower() == ".ntrace" or text.startswith("{"):
        return "ntrace"
    found = _of_numbers(text) or _of_header(header_of(text))
    if found is None:
        raise fault(path, line, f"no format of a trace (known: {', '.join(FORMATS)})")
    return found


def _tells(text: str) -> bool:
    return bool(text) and not text.startswith("#")


def _of_numbers(text: str) -> Format | None:
    cells = text.replace(",", " ").split()
    if not all(_is_number(cell) for cell in cells) or len(cells) > 2:
        return None
    return "mahimahi" if len(cells) == 1 else "two-column"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _of_header(names: list[str]) -> Format | None:
    if names[0] == COLUMNS[0]:
        return "messages"
    if "timestamp_utc" in names:
        return "starlink"
    if "dl_kbps" in names:
        return "5g"
    return "csv" if any(name.partition("_")[0] in {"t", "rate"} for name in names) else None
