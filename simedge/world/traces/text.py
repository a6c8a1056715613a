"""Lines and numbers of trace files, streamed: bounded memory, and every error with its line."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final

from simedge.world.traces.rows import LOSS_ONE, TraceError, fault

__all__ = ["LINE_BYTES_MAX", "ROWS_MAX", "Line", "lines", "scaled", "share"]

LINE_BYTES_MAX: Final = 4096
ROWS_MAX: Final = 10**7
_NUMBER = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,2})?")
_INT64_MAX: Final = 2**63 - 1

Line = tuple[int, str]


def lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a text file with their numbers from 1, white space at the ends cut.

    Raises
    ------
    TraceError
        At a line that is too long, or no text.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(LINE_BYTES_MAX + 1):
                number += 1
                if len(raw) > LINE_BYTES_MAX:
                    raise fault(path, number, f"a line of more than {LINE_BYTES_MAX} bytes")
                if b"\0" in raw:
                    raise fault(path, number, "binary data, this is no text file")
                try:
                    text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError:
                    raise fault(path, number, "binary data, this is no UTF-8 text") from None
                yield number, text.strip()
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror or error}") from error


def scaled(text: str, scale: int, what: str) -> int:
    """Return a number times a scale, to the nearest whole number.

    >>> scaled("1.11000013351", 10**9, "t_s")
    1110000134

    Raises
    ------
    ValueError
        If it is no number, not finite, negative or too large; the caller knows the line.
    """
    text = text.strip()
    if _NUMBER.fullmatch(text) is None:
        if text.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
            raise ValueError(f"{what} must be finite, got {text}")
        long = len(text) > 24
        raise ValueError(f"{what} must be a number, got {text[:24]!r}{'...' if long else ''}")
    value = Decimal(text) * scale
    if value < 0:
        raise ValueError(f"{what} must not be negative, got {text}")
    if value > _INT64_MAX:
        raise ValueError(f"{what} is too large, got {text[:40]}")
    return int(value.to_integral_value())


def share(text: str, what: str, *, percent: bool = False) -> int:
    """Return a loss in parts of `LOSS_ONE`, at most all of it."""
    value = scaled(text, LOSS_ONE // 100 if percent else LOSS_ONE, what)
    if value > LOSS_ONE:
        limit = "0 to 100 percent" if percent else "a share in [0, 1]"
        raise ValueError(f"{what} must be {limit}, got {text.strip()}")
    return value
