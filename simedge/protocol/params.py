"""Kind 6, parameters and their like: what machines that exchange models say to each other.

Merging a model is not idempotent, unlike merging a token. A receiver therefore keeps the highest
(boot, seq) that it handled of each sender and kind, and drops the rest.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, cast

import numpy as np

from simedge.protocol.asks import Params, Value
from simedge.protocol.errors import ProtocolError, WireError
from simedge.protocol.machine import Send
from simedge.protocol.post import Post
from simedge.protocol.register import stamp_of
from simedge.protocol.shape import (
    DATAGRAM_BYTES_MAX,
    MESSAGE_BYTES_AROUND_MAX,
    RELIABLE_BYTES_MAX,
    Coding,
    Ground,
    Shape,
)
from simedge.protocol.wire import U32_MAX, Kind, Message, decode

__all__ = [
    "FLOAT32",
    "OPAQUE",
    "Code",
    "Once",
    "Parcel",
    "bytes_of",
    "check_size",
    "checked",
    "read_message",
    "send_params",
    "shape_on",
    "values_of",
]

FLOAT32: Final = 0x0F
"""The byte that names float32 values on the wire."""
OPAQUE: Final = 0
"""The byte that names contents without a number format."""
_LITTLE: Final = np.dtype("<f4")


class Code(IntEnum):
    """What a message of kind 6 contains; its name in small letters is the class of its flow."""

    REQUEST = 0
    MODEL = 1
    DELTA = 2
    GRADIENT = 3
    FRAME = 4
    TABLE = 5
    SPARSE = 6
    PREDICTION = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What a message of kind 6 says."""

    code: Code
    payload: bytes
    enc: int = FLOAT32
    g: int = 0
    """Base version or age; beyond the range of the wire it is written as the highest."""
    n: int = 0
    """Samples, likewise."""
    captured_ns: int
    """When the newest frame that went into it was captured."""


def bytes_of(values: Params) -> bytes:
    """Return float32 values, little-endian."""
    return values.astype(_LITTLE, copy=False).tobytes()


def values_of(message: Message, count: int) -> Params:
    """Return the values of a message that is all float32, a copy of its own.

    Raises
    ------
    WireError
        ``malformed``, if there are not `count` of them, or one is no finite number: a single one
        would spoil every model that it is merged into.
    """
    if message.enc != FLOAT32 or len(message.payload) != _LITTLE.itemsize * count:
        raise WireError("malformed")
    values = np.frombuffer(message.payload, _LITTLE).astype(np.float32)
    if not np.isfinite(values).all():
        raise WireError("malformed")
    return values


def checked(value: Value, shape: tuple[int, ...]) -> Params:
    """Return the array that a learner answered with.

    Raises
    ------
    ProtocolError
        If it is none of this shape.
    """
    if not isinstance(value, np.ndarray) or value.shape != shape:
        raise ProtocolError(f"the learner must answer with an array of shape {shape}")
    return value


def read_message(data: bytes, shape: Shape) -> Message:
    """Return the message of a byte string.

    Raises
    ------
    WireError
        As ``wire.decode`` does.
    """
    if len(data) <= DATAGRAM_BYTES_MAX:
        return decode(data, shape)
    # What is read is remembered by its bytes; megabytes that are read once are not worth it.
    return decode.__wrapped__(data, shape, RELIABLE_BYTES_MAX)


def send_params(post: Post, parcel: Parcel, *, dst: int, tag: int = 0) -> Send:
    """Return the sending of a new message: reliable under a tag, but a prediction is a datagram."""
    message = Message(
        kind=Kind.PARAMS,
        dev=post.dev,
        seq=post.sender.number(Kind.PARAMS),
        boot=post.sender.boot,  # after the number, which may raise it
        blk=parcel.code,
        g=min(parcel.g, U32_MAX),
        t_us=parcel.captured_ns // 1_000,
        n=min(parcel.n, U32_MAX),
        enc=parcel.enc,
        payload=parcel.payload,
    )
    cls = parcel.code.name.lower()
    if parcel.code == Code.PREDICTION:
        return post.send(message, dst=dst, cls=cls)
    return post.send_whole(message, dst=dst, cls=cls, tag=tag)


def shape_on(ground: Ground) -> Shape:
    """Return a shape for reading messages where nobody sends rows."""
    return Shape(
        classes=ground.classes,
        blocks=max(1, ground.blocks),
        rows=max(1, ground.rows),
        coding=Coding.default(ground.classes),
    )


def check_size(ground: Ground) -> int:
    """Return the number of parameters, and refuse none or more than a message holds.

    Raises
    ------
    ProtocolError
        If the ground does not say how many there are, or they are too many.
    """
    most = (RELIABLE_BYTES_MAX - MESSAGE_BYTES_AROUND_MAX) // _LITTLE.itemsize
    if not 1 <= ground.params <= most:
        raise ProtocolError(f"params must be in 1..{most}, got {ground.params}")
    return ground.params


class Once:
    """The at-most-once filter: the highest (boot, seq) that was handled of a sender and kind."""

    def __init__(self) -> None:
        self._highest: dict[tuple[int, int], int] = {}

    def take(self, message: Message) -> bool:
        """Enter a sound message; return whether it is newer than all that were handled."""
        key, stamp = (message.dev, message.kind), stamp_of(message.boot, message.seq)
        if stamp <= self._highest.get(key, 0):
            return False
        self._highest[key] = stamp
        return True

    def dump(self) -> list[object]:
        """Return the state."""
        return [[*key, stamp] for key, stamp in self._highest.items()]

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        rows = cast("list[tuple[int, int, int]]", state)
        self._highest = {(dev, kind): stamp for dev, kind, stamp in rows}
