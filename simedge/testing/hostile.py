"""Bad input by the million: bytes and texts that are nearly sound, drawn number by number.

Which one comes at an index depends on the seed and the index alone, so that any slice can be made
again, and what it did be looked at.
"""

import zlib
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgpack
import numpy as np

__all__ = ["bad_bytes", "bad_frame", "bad_text", "lots"]

Lots = np.random.Generator
_Any = TypeVar("_Any")
_FRAME_BYTES_MAX: Final = 1_300
_ODD: Final[tuple[Any, ...]] = (
    *(0, 1, -1, 6, 7, 255, 256, 2**16, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1, -(2**63)),
    *(True, False, None, 0.0, float("nan"), float("inf"), "", "1", b"", b"\0" * 64),
    *([], {}, [[[[]]]], {"a": 1}, msgpack.ExtType(5, b"x"), msgpack.Timestamp(1, 2)),
)
"""Values that no field expects, or only just."""
_CLAIMS: Final = tuple(
    bytes.fromhex(each)
    for each in ("ddffffffff", "dcffff", "dfffffffff", "c6ffffffff", "dbffffffff", "c9ffffffff01")
)
"""Headers that announce gigabytes, of an array, map, bytes, text or extension."""
_SNIPPETS: Final = (
    *("*a", "&a [*a, *a]", "!!python/object:os.system x", "<<: *a", "{", "}", "[" * 200, "]"),
    *("- - - -", ": :", "? ", "|", ">", "---", "...", "%YAML 9.9", "\t", "\0", "\ufeff", "\u2028"),
    *("nan", ".inf", "-1", "1e999", "0x", "1" * 400, "99999999999999999999 s", "-5 ms", "1/0"),
    *("null", "true", "''", '"\\uD800"', "é" * 50, "#", "{kind: }", "[1, [2, [3]]]", "\U0001f980"),
)


def lots(seed: int, index: int) -> Lots:
    """Return the draws of one input."""
    return np.random.Generator(np.random.Philox(key=[seed, index]))


def _one(draw: Lots, of: Sequence[_Any]) -> _Any:
    return of[int(draw.integers(len(of)))]


def bad_frame(draw: Lots, sound: Sequence[bytes]) -> bytes:
    """Return bytes in place of a message: now and then they are sound after all."""
    ways = (_noise, bad_bytes, _sealed, _sealed, _odd_field, _odd_field, _claim, _forged, _as_is)
    return _one(draw, ways)(draw, sound)


def bad_bytes(draw: Lots, sound: Sequence[bytes]) -> bytes:
    """Return one of some byte strings, cut, stretched, spliced, or with other bits."""
    data = bytearray(_one(draw, sound))
    for _ in range(1 + draw.integers(3)):
        spot, way = int(draw.integers(len(data) + 1)), draw.integers(6)
        if way == 0:
            del data[spot:]
        elif way == 1:
            del data[spot : spot + 1 + int(draw.integers(8))]
        elif way == 2:
            data[spot:spot] = draw.bytes(1 + int(draw.integers(8)))
        elif way == 3:
            other = _one(draw, sound)
            data[spot:] = other[int(draw.integers(len(other) + 1)) :]
        elif data:
            data[spot % len(data)] ^= 1 << int(draw.integers(8)) if way > 4 else 0xFF
    return bytes(data)


def bad_text(draw: Lots, sound: Sequence[str]) -> str:
    """Return one of some texts with lines or characters moved, lost, doubled, or put in."""
    lines = _one(draw, sound).split("\n")
    for _ in range(1 + draw.integers(4)):
        spot = int(draw.integers(len(lines)))
        lines[spot : spot + 1] = _in_place_of(lines[spot], draw, other=_one(draw, lines))
        lines = lines or [""]
    return "\n".join(lines)


def _in_place_of(line: str, draw: Lots, *, other: str) -> list[str]:
    cut = int(draw.integers(len(line) + 1))
    snippet = _one(draw, _SNIPPETS)
    choices: tuple[list[str], ...] = (
        [],
        [line, line],
        [" " * int(draw.integers(5)) + line],
        [line[:cut] + snippet + line[cut:]],
        [line.partition(":")[0] + ": " + snippet],
        [line[:cut], line[cut:]],
        [other],
        [line[:cut] + line[cut + 1 :]],
    )
    return _one(draw, choices)


# ------------------------------------------------------------------------------------- messages
def _noise(draw: Lots, sound: Sequence[bytes]) -> bytes:
    del sound
    return draw.bytes(int(draw.integers(_FRAME_BYTES_MAX)))


def _as_is(draw: Lots, sound: Sequence[bytes]) -> bytes:
    return _one(draw, sound)


def _seal(body: bytes) -> bytes:
    return body + zlib.crc32(body).to_bytes(4, "big")


def _sealed(draw: Lots, sound: Sequence[bytes]) -> bytes:
    """Return changed bytes under a right check sum, so that more than that is asked."""
    return _seal(bad_bytes(draw, sound)[:-4])


def _fields(draw: Lots, sound: Sequence[bytes]) -> list[Any]:
    return list(msgpack.unpackb(_one(draw, sound)[:-4]))


def _odd_field(draw: Lots, sound: Sequence[bytes]) -> bytes:
    """Return a message in which one field or two are of another type or range."""
    fields = _fields(draw, sound)
    for _ in range(1 + draw.integers(2)):
        fields[int(draw.integers(len(fields)))] = _one(draw, _ODD)
    if draw.integers(8) == 0:
        fields = fields[: int(draw.integers(len(fields)))] + fields[int(draw.integers(3)) :]
    return _seal(msgpack.packb(fields))


def _claim(draw: Lots, sound: Sequence[bytes]) -> bytes:
    """Return a message with a header in it that announces gigabytes, or nests without end."""
    body, spot = _one(draw, sound)[:-4], int(draw.integers(12))
    claim = _one(draw, _CLAIMS)
    deep = draw.bytes(1)[0] % 4 == 0
    return _seal(body[:spot] + (b"\x91" * 600 if deep else claim) + body[spot:])


def _forged(draw: Lots, sound: Sequence[bytes]) -> bytes:
    """Return a message of the right form whose numbers are those of no one."""
    fields = _fields(draw, sound)
    for place in 1 + draw.permutation(9)[: 1 + draw.integers(3)]:
        size = 2 ** int(draw.integers(1, 33))
        fields[place] = int(draw.integers(size))
    return _seal(msgpack.packb(fields))
