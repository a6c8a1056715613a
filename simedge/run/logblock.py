"""A full block of the event log, cut into records and framed natively.

msgpack packs a block in one call, which is faster than record by record but does not say where a
record ends. So the packed bytes are walked here; the checksum is taken on the way, eight bytes a
step, with a table for each (slicing-by-8: Kounavis and Berry, A systematic approach to building
high performance, software-based, CRC generators, 2005).
"""

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_leaf

__all__ = ["HEAD_BYTES", "frame_block"]

HEAD_BYTES = 8
"""Length and CRC-32 before each record, u32 little-endian."""

_POLYNOMIAL = 0xEDB88320
_STEP = 8
_ONES = 0xFFFFFFFF

_Bytes = NDArray[np.uint8]
_Words = NDArray[np.uint32]
_Whole = int | np.int64


def _tables() -> _Words:
    """Return table k: the checksum of a byte with k zero bytes behind it, shape (8, 256)."""
    row = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        row = np.where(row & 1, row >> 1 ^ np.uint32(_POLYNOMIAL), row >> 1)
    rows = [row]
    for _ in range(_STEP - 1):
        rows.append(rows[-1] >> 8 ^ row[rows[-1] & 255])
    return np.array(rows, np.uint32)


_TABLES = _tables()


def frame_block(packed: bytes, *, skip: int, records: int) -> memoryview | None:
    """Return packed records, each behind its length and checksum.

    Parameters
    ----------
    packed
        A msgpack array of the records.
    skip
        Bytes of the array's own head.
    records
        How many there are.

    Returns
    -------
    The bytes as the log stores them, or None if the records hold more than integers, text, bytes
    and arrays.
    """
    block = np.frombuffer(packed, np.uint8, offset=skip)
    framed = np.empty(len(block) + HEAD_BYTES * records, np.uint8)
    return framed.data if _frame(block, framed, _TABLES) == len(framed) else None


@native_leaf
def _frame(block: _Bytes, framed: _Bytes, tables: _Words) -> _Whole:
    """Frame record by record; return the bytes written, or -1 at what is no part of a record."""
    start: _Whole = np.int64(0)
    out: _Whole = np.int64(0)
    while start < len(block):
        end = _end(block, start)
        if end < 0:
            return -1
        check = _copy(block[start:end], framed[out + HEAD_BYTES :], tables)
        _put(framed[out:], end - start)
        _put(framed[out + 4 :], check)
        out += HEAD_BYTES + end - start
        start = end
    return out


@native_leaf
def _copy(body: _Bytes, to: _Bytes, tables: _Words) -> _Whole:
    """Copy a record; return its checksum."""
    check, place = np.int64(_ONES), 0
    while place + _STEP <= len(body):
        eight = body[place : place + _STEP]
        low = check
        for i in range(4):
            low ^= np.int64(eight[i]) << 8 * i
        check = np.int64(
            tables[7, low & 255]
            ^ tables[6, low >> 8 & 255]
            ^ tables[5, low >> 16 & 255]
            ^ tables[4, low >> 24]
            ^ tables[3, eight[4]]
            ^ tables[2, eight[5]]
            ^ tables[1, eight[6]]
            ^ tables[0, eight[7]]
        )
        for i in range(_STEP):
            to[place + i] = eight[i]
        place += _STEP
    for i in range(place, len(body)):
        to[i] = body[i]
        check = np.int64(tables[0, (check ^ body[i]) & 255]) ^ check >> 8
    return check ^ _ONES


@native_leaf
def _put(to: _Bytes, value: _Whole) -> None:
    """Write a u32, little-endian."""
    for i in range(4):
        to[i] = value >> 8 * i & 255


@native_leaf
def _end(block: _Bytes, place: _Whole) -> _Whole:
    """Return the end of the msgpack value at `place`, or -1 if it is no atom and no array."""
    left = np.int64(1)
    while left > 0:
        kind = np.int64(block[place])
        place, left = place + 1, left - 1
        if kind < 0x80 or kind >= 0xE0:  # the integer itself
            continue
        if 0xA0 <= kind < 0xC0:  # short text
            place += kind - 0xA0
        elif 0x90 <= kind < 0xA0:  # short array
            left += kind - 0x90
        elif 0xCC <= kind <= 0xD3:  # an integer of 1, 2, 4 or 8 bytes
            place += 1 << (kind & 3)
        elif 0xC4 <= kind <= 0xC6:  # bytes
            width = 1 << (kind - 0xC4)
            place += width + _number(block[place : place + width])
        elif 0xD9 <= kind <= 0xDB:  # text
            width = 1 << (kind - 0xD9)
            place += width + _number(block[place : place + width])
        elif 0xDC <= kind <= 0xDD:  # array
            width = 2 << (kind - 0xDC)
            place, left = place + width, left + _number(block[place : place + width])
        else:
            return -1
    return place


@native_leaf
def _number(octets: _Bytes) -> _Whole:
    """Return a big-endian number."""
    value = np.int64(0)
    for octet in octets:
        value = value << 8 | octet
    return value
