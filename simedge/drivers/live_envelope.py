"""What a driver reads of a message on a socket: who says that it is from whom, and its name."""

import zlib
from typing import Final, NamedTuple

import msgpack

from simedge.protocol.shape import ENVELOPE_BYTES_MIN
from simedge.protocol.wire import U32_MAX, Kind

__all__ = ["Envelope", "envelope_of"]

_ELEMENTS: Final = 11
_UP: Final = ("", "token", "prior", "have", "join", "proxy")
_DOWN: Final = ("", "token", "prior", "report", "reply", "proxy")
_PARAMS: Final = (
    "request", "model", "delta", "gradient", "frame", "table", "sparse", "prediction",
)  # fmt: skip


class Envelope(NamedTuple):
    """The first fields of an intact message."""

    kind: int
    dev: int
    boot: int
    seq: int
    code: int

    @property
    def joins(self) -> bool:
        """Whether a device asks to join."""
        return self.kind == Kind.JOIN and self.dev > 0

    @property
    def cls(self) -> str:
        """Class of its flow."""
        if self.kind == Kind.PARAMS:
            return _PARAMS[self.code] if self.code < len(_PARAMS) else "unknown"
        return (_UP if self.dev else _DOWN)[self.kind]


def envelope_of(data: bytes) -> Envelope | None:
    """Return the envelope of a message, or nothing if it is not intact; never raises.

    Whether the message is one is for the machine to judge.
    """
    body = data[:-4]
    if len(data) < ENVELOPE_BYTES_MIN or zlib.crc32(body) != int.from_bytes(data[-4:], "big"):
        return None
    try:
        fields = msgpack.unpackb(
            body,
            use_list=False,
            max_array_len=_ELEMENTS,
            max_map_len=0,
            max_str_len=0,
            max_ext_len=0,
            max_bin_len=len(body),
        )
    except (ValueError, msgpack.UnpackException):
        return None
    if type(fields) is not tuple or len(fields) != _ELEMENTS:
        return None
    numbers = fields[1:6]
    if any(type(number) is not int or not 0 <= number <= U32_MAX for number in numbers):
        return None
    envelope = Envelope(*numbers)
    return envelope if Kind.TOKEN <= envelope.kind <= Kind.PARAMS else None
