"""Datagrams, their names and their fates: the plain data that links, networks and drivers share."""

from typing import Final, NamedTuple

from simedge.core.errors import SimedgeError
from simedge.core.records import Due

__all__ = [
    "NOTHING",
    "UNKNOWN_NS",
    "Datagram",
    "Fate",
    "Flight",
    "LinkError",
    "RouteChange",
    "Step",
    "Uid",
    "Whole",
]

UNKNOWN_NS: Final = -1
"""Time of sending of what came from outside the run."""


class LinkError(SimedgeError, ValueError):
    """A link, a route or a topology was built or used against its rules."""


class Uid(NamedTuple):
    """Name of a datagram: it keys every draw that decides its fate.

    `source` and `destination` are names of the first sender and the last receiver. `resend`
    counts earlier sends of the same message, so that equal bytes need not meet an equal fate.
    """

    source: str
    destination: str
    cls: str
    boot: int
    seq: int
    fragment: int = 0
    resend: int = 0


class Whole:
    """A datagram that a link has cut into fragments, as its far end knows it."""

    __slots__ = ("datagram", "first_ns", "left", "missing", "parts")

    def __init__(self, datagram: "Datagram", count: int) -> None:
        self.datagram = datagram
        self.first_ns: int | None = None
        """When the first fragment arrived."""
        self.parts: list[bytes | None] | None = [None] * count
        """What has arrived; None once the datagram is delivered or given up."""
        self.missing = count
        self.left = count
        """Fragments still under way, copies included."""


class Datagram(NamedTuple):
    """One lossy message on its way: a named tuple, since millions are made.

    Parameters
    ----------
    uid
        Its name.
    data
        The message; a corrupting link changes one bit of it.
    wire_bytes
        Its size on the wire, headers included.
    path
        Numbers of the devices still to visit, the receiver last. Relays look up the way to
        ``path[-1]`` anew, so that a route that changes under way helps.
    cause
        Why it was sent (payload, retransmission, ack, join, ...): for the accounts.
    sent_ns
        When its first sender sent it, if that is known.
    whole
        The datagram that it is a fragment of, if any.
    """

    uid: Uid
    data: bytes
    wire_bytes: int
    path: tuple[int, ...]
    cause: str = "payload"
    sent_ns: int = 0
    whole: Whole | None = None


class Flight(NamedTuple):
    """Payload of an arrival: which datagram in flight on which link."""

    link: int
    ticket: int


class Fate(NamedTuple):
    """What has just happened to a datagram: one line of the event log.

    `kind` is ``sent`` (it entered the link `target`; `cause` is the datagram's), ``lost``
    (`cause`: ``loss``, ``queue_drop``, ``down``, ``mtu``, ``trace_end``, ``reassembly``;
    ``no_route`` with the number of the device that had no path), ``duplicated`` (`copies` extra
    ones), ``corrupted`` or ``retried`` (`copies` more tries of hop ARQ).
    """

    kind: str
    target: int
    datagram: Datagram
    cause: str = ""
    copies: int = 0


class RouteChange(NamedTuple):
    """A path in use changed: from, to, and the device numbers on the new way (empty: none)."""

    source: int
    destination: int
    path: tuple[int, ...]


class Step(NamedTuple):
    """Answer of every object of the network: what to schedule, and what to log."""

    dues: tuple[Due, ...] = ()
    fates: tuple[Fate, ...] = ()
    changes: tuple[RouteChange, ...] = ()


NOTHING: Final = Step()
