"""Reader of ``.ntrace`` files, the network traces of the LPP tools, format version 1.

JSON with a header and `entries`: ``dateTime``, ``dlBw`` and ``ulBw`` in kbit/s, ``dlLatency`` and
``ulLatency`` in microseconds, each of them optional; positions are not read. The latency to the
first bytes of a direction is taken as its one-way delay. The format allows 5,000 entries, so a
file is read whole and a larger one refused.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from simedge.world.traces.rows import Row, TraceError, fault
from simedge.world.traces.text import refuse_binary

__all__ = ["ntrace_rows"]

_FILE_BYTES_MAX: Final = 16 * 2**20
_INT64_MAX: Final = 2**63 - 1
_ENTRIES = re.compile(r'"entries"\s*:\s*\[\s*')
_NEXT = re.compile(r"\s*,?\s*")
_FIELDS: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {
        "ulBw": ("up_bps", 1000),
        "dlBw": ("down_bps", 1000),
        "ulLatency": ("up_ns", 1000),
        "dlLatency": ("down_ns", 1000),
    }
)


def ntrace_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of an ntrace file."""
    text = _text(path)
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise fault(path, error.lineno, f"no JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise fault(path, None, f"no JSON that can be read: {error}") from None
    version = data.get("version") if isinstance(data, dict) else None
    if version != 1 or isinstance(version, bool):
        raise fault(path, 1, f"an ntrace file has version 1, this one {version!r}")
    entries = data.get("entries")
    if not isinstance(entries, list):
        raise fault(path, 1, "an ntrace file has a list of entries")
    places = _places(text, len(entries))
    first: datetime | None = None
    for number, entry in enumerate(entries):
        line = places[number]
        try:
            when = _time(entry)
            first = first or when
            yield Row(line, _since(first, when), **_figures(entry))
        except ValueError as error:
            raise fault(path, line, f"entry {number + 1}: {error}") from None


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _FILE_BYTES_MAX:
            raise fault(path, None, f"more than {_FILE_BYTES_MAX:,} bytes: no ntrace file")
        raw = path.read_bytes()
        refuse_binary(path, raw)
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise fault(path, None, "binary data, this is no UTF-8 text") from None
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror or error}") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"numbers must be finite, got {name}")


def _places(text: str, count: int) -> list[int]:
    """Return the line of each entry; 1 where that cannot be told."""
    found = _ENTRIES.search(text)
    decoder, numbers = json.JSONDecoder(), list[int]()
    at, line, counted = (found.end() if found else 0), 1, 0
    while found and len(numbers) < count:
        line += text.count("\n", counted, at)
        counted = at
        numbers.append(line)
        try:
            _, end = decoder.raw_decode(text, at)
        except ValueError:
            break
        gap = _NEXT.match(text, end)
        at = end if gap is None else gap.end()
    return numbers + [1] * (count - len(numbers))


def _time(entry: Any) -> datetime:  # noqa: ANN401 -- whatever JSON has
    if not isinstance(entry, dict):
        raise ValueError("an entry is an object")  # noqa: TRY004 -- a fault of the file
    text = entry.get("dateTime")
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        raise ValueError(f"no dateTime as in 2012-04-23T18:25:43.511Z: {text!r}") from None
    return when


def _since(first: datetime, now: datetime) -> int:
    if (now.tzinfo is None) is not (first.tzinfo is None):
        raise ValueError("some times have a time zone, some have none")
    since = (now - first) // timedelta(microseconds=1)
    if since < 0:
        raise ValueError("the times are not sorted")
    return since * 1000


def _figures(entry: dict[str, Any]) -> dict[str, int]:
    figures = {}
    for name, (field, scale) in _FIELDS.items():
        value = entry.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"{name} must be a whole number, not negative, got {value!r}")
        if value * scale > _INT64_MAX:
            raise ValueError(f"{name} is too large, got {value}")
        figures[field] = value * scale
    return figures
