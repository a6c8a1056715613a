"""What every recorded network comes down to: rows of figures, opportunities, or messages."""

from pathlib import Path
from typing import Final, Literal, NamedTuple

from simedge.core.errors import SimedgeError

__all__ = [
    "FORMATS",
    "LOSS_ONE",
    "Direction",
    "Format",
    "Kind",
    "Message",
    "Row",
    "TraceError",
    "fault",
]

Format = Literal["mahimahi", "two-column", "csv", "5g", "starlink", "ntrace", "messages"]
Kind = Literal["rows", "opportunities", "messages"]
Direction = Literal["up", "down"]
FORMATS: Final[tuple[Format, ...]] = (
    "mahimahi",
    "two-column",
    "csv",
    "5g",
    "starlink",
    "ntrace",
    "messages",
)
LOSS_ONE: Final = 10**9
"""A loss of everything: losses are whole parts of 10^9."""


class TraceError(SimedgeError, ValueError):
    """A recorded network that cannot be read or does not fit its use."""


def fault(path: Path, line: int | None, what: str) -> TraceError:
    """Return an error that says where."""
    return TraceError(f"{path}: {what}" if line is None else f"{path}:{line}: {what}")


class Row(NamedTuple):
    """Figures from a time on; None: as before, or nothing known.

    Parameters
    ----------
    line
        Where it stands in the file.
    t_ns
        Since the start of the recording.
    up_bps, down_bps
        Capacity; both are the same in a file of one direction.
    up_ns, down_ns
        One-way delay.
    loss
        Parts of `LOSS_ONE`.
    """

    line: int
    t_ns: int
    up_bps: int | None = None
    down_bps: int | None = None
    up_ns: int | None = None
    down_ns: int | None = None
    loss: int | None = None


class Message(NamedTuple):
    """What became of one message on one link."""

    line: int
    uid: str
    link: str
    direction: str
    size_bytes: int
    send_ns: int
    recv_ns: int | None
    under_way: bool = False
    """The recording ended before it came or was lost."""
