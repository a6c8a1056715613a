"""Samples over virtual time, tidy: one line a measurement."""

import csv
from collections.abc import Iterable
from io import StringIO

from simedge.drivers.tally import Sample

__all__ = ["csv_text", "seconds_text"]

_HEAD = ("t_s", "entity", "metric", "value")
_FORMULA = ("=", "+", "-", "@")


def seconds_text(ns: int) -> str:
    """Write nanoseconds as seconds, exactly.

    >>> seconds_text(59_999_999_999), seconds_text(2_000_000_000), seconds_text(0)
    ('59.999999999', '2', '0')
    """
    whole, rest = divmod(ns, 10**9)
    return f"{whole}.{rest:09d}".rstrip("0") if rest else str(whole)


def csv_text(samples: Iterable[Sample]) -> str:
    """Write samples as CSV; text that a spreadsheet would take as a formula is escaped."""
    out = StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(_HEAD)
    for at_ns, entity, metric, value in samples:
        rows.writerow((seconds_text(at_ns), _cell(entity), _cell(metric), repr(value)))
    return out.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
