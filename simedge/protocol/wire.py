"""KT/1, the wire format: one msgpack array of eleven elements, then its CRC-32.

A receiver accepts only the one shortest form of a message, so that accepted messages and byte
strings are the same thing. Reading is a pure function of the bytes and is remembered by them: a
broadcast is read once, whoever receives it.
"""

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import msgpack

from simedge.protocol.errors import ProtocolError, WireError
from simedge.protocol.quantiser import Codes, unpack_rows
from simedge.protocol.shape import DATAGRAM_BYTES_MAX, ENVELOPE_BYTES_MIN, Shape

__all__ = [
    "U32_MAX",
    "X_MODES",
    "Join",
    "Kind",
    "Message",
    "Reply",
    "Report",
    "Status",
    "capture_ns",
    "decode",
    "encode",
    "have_code",
    "too_short",
    "unsound",
]

U32_MAX: Final = 2**32 - 1
X_MODES: Final[Mapping[str, int]] = MappingProxyType({"proxy": 0, "class": 1})
"""What the flags of a join say that rows are about."""
_U64_MAX: Final = 2**64 - 1
_VERSION: Final = 1
_ELEMENTS: Final = 11
_REMEMBERED: Final = 512
_REPORT = struct.Struct(">IIII")
_JOIN = struct.Struct(">32sHHHH")
_REPLY = struct.Struct(">BI")
_PARAM_CODE_MAX: Final = 7
_PARAM_ENCS: Final = (0x00, 0x0E, 0x0F)
_LOWEST: Final = (1, 0, 1, 1, 0, 0, 0, 0, 0)
_HIGHEST: Final = (6, U32_MAX, U32_MAX, U32_MAX, U32_MAX, U32_MAX, _U64_MAX, U32_MAX, 255)


class Kind(IntEnum):
    """What a message is; reports and haves share a number, as do joins and their replies."""

    TOKEN = 1
    PRIOR = 2
    REPORT = 3
    JOIN = 4
    PROXY = 5
    PARAMS = 6


class Status(IntEnum):
    """The server's answer to a join."""

    ACCEPTED = 0
    MISMATCH = 1
    VERSION = 2
    BOOT_TOO_LOW = 3
    FULL = 4
    JOIN_FIRST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of KT/1; the defaults are those of kinds that do not use the field."""

    kind: int
    dev: int
    """Sender; 0 is the server."""
    boot: int
    seq: int
    """Counts messages of this kind, sender and boot; a retransmission keeps it."""
    blk: int = 0
    g: int = 0
    t_us: int
    n: int = 0
    enc: int = 0
    payload: bytes
    rows: Codes | None = field(default=None, compare=False, repr=False)
    """The coded rows of a token or prior that was read; not sent but derived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the server heard of a device: feedback for its policy and its timers."""

    boot: int
    max_seq: int
    received: int
    hold_us: int
    """Microseconds since `max_seq` arrived, saturating."""

    def pack(self) -> bytes:
        """Return the payload."""
        return _REPORT.pack(self.boot, self.max_seq, self.received, min(self.hold_us, U32_MAX))

    @staticmethod
    def unpack(payload: bytes) -> "Report":
        """Return the report of a payload of 16 bytes."""
        boot, max_seq, received, hold_us = _REPORT.unpack(payload)
        return Report(boot=boot, max_seq=max_seq, received=received, hold_us=hold_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """What a device says of itself: both ends must mean the same proxy set in the same shape."""

    pset: bytes
    classes: int
    rows: int
    blocks: int
    wants_proxy: bool = False
    x_mode: int = 0
    """0 proxy, 1 class; other values are left to the receiver to refuse."""
    part_level: int = 0

    def pack(self) -> bytes:
        """Return the payload."""
        flags = self.wants_proxy | self.x_mode << 1 | self.part_level << 3
        return _JOIN.pack(self.pset, self.classes, self.rows, self.blocks, flags)

    @staticmethod
    def unpack(payload: bytes) -> "Join":
        """Return the join of a payload of 40 bytes."""
        pset, classes, rows, blocks, flags = _JOIN.unpack(payload)
        return Join(
            pset=pset,
            classes=classes,
            rows=rows,
            blocks=blocks,
            wants_proxy=bool(flags & 1),
            x_mode=flags >> 1 & 3,
            part_level=flags >> 3,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The server's answer, with the lowest boot number that it accepts of this device."""

    status: int
    lowest_boot: int

    def pack(self) -> bytes:
        """Return the payload."""
        return _REPLY.pack(self.status, self.lowest_boot)

    @staticmethod
    def unpack(payload: bytes) -> "Reply":
        """Return the reply of a payload of 5 bytes."""
        status, lowest_boot = _REPLY.unpack(payload)
        return Reply(status=status, lowest_boot=lowest_boot)


def have_code(version: int) -> int:
    """Return the byte that stands for a held version in a have vector; 0 is none.

    >>> [have_code(g) for g in (0, 1, 254, 255, 256)]
    [0, 1, 254, 255, 1]
    """
    return 0 if version == 0 else 1 + (version - 1) % 255


def encode(message: Message) -> bytes:
    """Return the bytes of a message: its body and, big-endian, the body's CRC-32."""
    body: bytes = msgpack.packb(
        (
            _VERSION,
            message.kind,
            message.dev,
            message.boot,
            message.seq,
            message.blk,
            message.g,
            message.t_us,
            message.n,
            message.enc,
            message.payload,
        )
    )
    return body + zlib.crc32(body).to_bytes(4, "big")


@lru_cache(maxsize=_REMEMBERED)
def decode(data: bytes, shape: Shape, limit: int = DATAGRAM_BYTES_MAX) -> Message:
    """Return the message of a byte string.

    Parameters
    ----------
    data
        Anything.
    shape
        Classes, blocks and coding that payloads must fit.
    limit
        Most bytes of a message.

    Raises
    ------
    WireError
        With the first cause of: ``oversize``, ``corrupt``, ``malformed`` (no array that begins
        with an integer), ``bad_version``, ``malformed`` (anything else).
    """
    if len(data) > limit:
        raise WireError("oversize")
    body = data[:-4]
    if len(data) < ENVELOPE_BYTES_MIN or zlib.crc32(body) != int.from_bytes(data[-4:], "big"):
        raise WireError("corrupt")
    if body[:2] != b"\x9b\x01":
        _check_start(body)
    fields = _unpack(body)
    _, kind, dev, boot, seq, blk, g, t_us, n, enc, payload = fields
    rows = _check_payload(fields, shape)
    return Message(
        kind=kind,
        dev=dev,
        boot=boot,
        seq=seq,
        blk=blk,
        g=g,
        t_us=t_us,
        n=n,
        enc=enc,
        payload=payload,
        rows=rows,
    )


def capture_ns(data: bytes) -> tuple[int, int]:
    """Return (block address, time in nanoseconds) of a message that is known to be sound."""
    fields = msgpack.unpackb(data[:-4])
    return fields[5], 1_000 * fields[7]


def unsound(data: bytes) -> bytes:
    """Return a sound message with all bits of its rows set: no sum is right, no float a number."""
    return _with_payload(data, lambda payload: b"\xff" * len(payload))


def too_short(data: bytes) -> bytes:
    """Return a sound message whose payload lacks its last byte."""
    return _with_payload(data, lambda payload: payload[:-1])


# --------------------------------------------------------------------------------------- below
def _with_payload(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    fields = msgpack.unpackb(data[:-4])
    body: bytes = msgpack.packb([*fields[:-1], change(fields[-1])])
    return body + zlib.crc32(body).to_bytes(4, "big")


_Fields = tuple[int, int, int, int, int, int, int, int, int, int, bytes]


def _check_start(body: bytes) -> None:
    """Refuse what is no array that begins with the integer 1."""
    reader = msgpack.Unpacker(max_buffer_size=len(body), **_limits(body))
    reader.feed(body)
    try:
        # An array header announces, and allocates nothing.
        version = reader.unpack() if reader.read_array_header() else None
    except (ValueError, msgpack.UnpackException) as error:
        raise WireError("malformed") from error
    if type(version) is not int:
        raise WireError("malformed")
    if version != _VERSION:
        raise WireError("bad_version")


def _limits(body: bytes) -> dict[str, int]:
    return {
        "max_array_len": _ELEMENTS,
        "max_map_len": 0,
        "max_str_len": 0,
        "max_ext_len": 0,
        "max_bin_len": len(body),
    }


def _unpack(body: bytes) -> _Fields:
    """Return the eleven elements, each of its exact type and range, in the one shortest form."""
    try:
        fields = msgpack.unpackb(body, use_list=False, **_limits(body))
    except (ValueError, msgpack.UnpackException) as error:
        raise WireError("malformed") from error
    if type(fields) is not tuple or len(fields) != _ELEMENTS or type(fields[-1]) is not bytes:
        raise WireError("malformed")
    for value, low, high in zip(fields[1:-1], _LOWEST, _HIGHEST, strict=True):
        # A boolean is an int to isinstance, but not on the wire.
        if type(value) is not int or not low <= value <= high:
            raise WireError("malformed")
    if msgpack.packb(fields) != body:
        raise WireError("malformed")
    return fields


def _check_payload(fields: _Fields, shape: Shape) -> Codes | None:
    kind, dev, blk, enc, payload = fields[1], fields[2], fields[5], fields[9], fields[10]
    if kind <= Kind.PRIOR:
        return _rows(fields, shape)
    if kind == Kind.REPORT:
        fine = len(payload) == (_REPORT.size if dev == 0 else shape.blocks)
    elif kind == Kind.JOIN:
        fine = len(payload) == (_REPLY.size if dev == 0 else _JOIN.size)
    elif kind == Kind.PROXY:
        fine = dev == 0
    else:
        fine = blk <= _PARAM_CODE_MAX and enc in _PARAM_ENCS
    if not fine:
        raise WireError("malformed")
    return None


def _rows(fields: _Fields, shape: Shape) -> Codes:
    """Return the coded rows of a token (from a device) or a prior (from the server)."""
    kind, dev, blk, enc, payload = fields[1], fields[2], fields[5], fields[9], fields[10]
    if (kind == Kind.PRIOR) != (dev == 0) or enc != shape.coding.enc:
        raise WireError("malformed")
    try:
        _, _, count = shape.span(blk)
    except ProtocolError as error:
        raise WireError("malformed") from error
    rows = unpack_rows(payload, count, shape)
    rows.flags.writeable = False  # shared by all who receive these bytes
    return rows
