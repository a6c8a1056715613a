"""Lines and numbers of trace files, streamed: bounded memory, and every error with its line.

Blocks of plain text take a quick way; one with anything odd in it is read line by line.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Final

from simedge.world.traces.rows import LOSS_ONE, TraceError, fault

__all__ = [
    "LINE_BYTES_MAX",
    "ROWS_MAX",
    "Line",
    "blocks",
    "careful_lines",
    "lines",
    "refuse_binary",
    "scaled",
    "share",
]

LINE_BYTES_MAX: Final = 4096
ROWS_MAX: Final = 10**7
_BLOCK_BYTES: Final = 2**18
_NUMBER = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,2})?", re.ASCII)
_INT64_MAX: Final = 2**63 - 1
_POWERS: Final[tuple[int, ...]] = tuple(10**zeros for zeros in range(10))
_ZEROS: Final = MappingProxyType({power: zeros for zeros, power in enumerate(_POWERS)})
_WHOLE_DIGITS_MAX: Final = 9  # times 10^9 that is below 2^63
_MARK: Final = b"\xef\xbb\xbf"  # of UTF-8
_NO_TEXT: Final[Mapping[bytes, str]] = MappingProxyType(
    {
        b"\x1f\x8b": "compressed by gzip: unpack it first",
        b"BZh": "compressed by bzip2: unpack it first",
        b"\xfd7zXZ\0": "compressed by xz: unpack it first",
        b"\x28\xb5\x2f\xfd": "compressed by zstd: unpack it first",
        b"PK\x03\x04": "a zip archive: unpack it first",
        b"\xff\xfe": "text in UTF-16: save it as UTF-8",
        b"\xfe\xff": "text in UTF-16: save it as UTF-8",
    }
)

Line = tuple[int, str]


def lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a text file with their numbers from 1, white space at the ends cut.

    Raises
    ------
    TraceError
        At a line that is too long, or no text.
    """
    for number, block in blocks(path):
        if _plain(block):
            for place, text in enumerate(block.decode("ascii").split("\n"), number):
                yield place, text.strip()
        else:
            yield from careful_lines(path, number, block)


def blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield whole lines together, some 256 KiB at a time, with the number of the first.

    The end of the last line is cut; a line that is too long comes in a block that is too.
    """
    try:
        with path.open("rb") as file:
            number, rest = 1, file.read(_BLOCK_BYTES)
            refuse_binary(path, rest)
            rest = rest.removeprefix(_MARK)
            while rest:
                end = rest.rfind(b"\n")
                if end < 0 and len(rest) > LINE_BYTES_MAX:
                    end = len(rest)  # for its reader to refuse
                if end >= 0:
                    yield number, rest[:end]
                    number += rest.count(b"\n", 0, end + 1)
                    rest = rest[end + 1 :]
                more = file.read(_BLOCK_BYTES)
                if not more:
                    break
                rest += more
            if rest:
                yield number, rest
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror or error}") from error


def careful_lines(path: Path, number: int, block: bytes) -> Iterator[Line]:
    """Yield the lines of a block one by one and say which of them is no text."""
    for place, raw in enumerate(block.split(b"\n"), number):
        if len(raw) > LINE_BYTES_MAX:
            raise fault(path, place, f"a line of more than {LINE_BYTES_MAX} bytes")
        if b"\0" in raw:
            raise fault(path, place, "binary data, this is no text file")
        try:
            text = raw.decode().strip()
        except UnicodeDecodeError:
            raise fault(path, place, "binary data, this is no UTF-8 text") from None
        if "\r" in text:
            raise fault(path, place, "a carriage return inside a line: lines end in LF or CRLF")
        yield place, text


def refuse_binary(path: Path, start: bytes) -> None:
    """Refuse a file whose first bytes say that it is no text."""
    for magic, what in _NO_TEXT.items():
        if start.startswith(magic):
            raise fault(path, 1, f"binary data, {what}")


def _plain(block: bytes) -> bool:
    """Return whether lines are short and plain ASCII, so that nothing in them needs care."""
    return (
        block.isascii()
        and b"\0" not in block
        and block.count(b"\r") == block.count(b"\r\n") + block.endswith(b"\r")
        and max(map(len, block.split(b"\n"))) <= LINE_BYTES_MAX
    )


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
    whole, _, part = text.partition(".")
    zeros = _ZEROS.get(scale, -1)
    digits = whole + part
    short = 0 < len(whole) <= _WHOLE_DIGITS_MAX and len(part) <= zeros
    if short and digits.isascii() and digits.isdigit():  # the usual case, without Decimal
        return int(digits) * _POWERS[zeros - len(part)]
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
