"""The sans-I/O port between machines and drivers: what a machine is told, what it answers.

A machine is handed one event and the present time and returns effects, in the order in which they
take place. It has no clock, no socket, no timer and no entropy of its own. Its state is plain
data: ``dump`` and ``load`` are exact inverses and survive msgpack.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from simedge.protocol.asks import Asked, Floats, KlPart, KlStep, Op, ProxyPass, SetLambda, Value

__all__ = [
    "CancelTimer",
    "Checkpoint",
    "Effect",
    "Event",
    "Floats",
    "Forgotten",
    "FrameLearned",
    "Handler",
    "KlPart",
    "KlStep",
    "LearnerCall",
    "LearnerDone",
    "LinkStatus",
    "Machine",
    "Note",
    "NoteKind",
    "Plain",
    "ProxyPass",
    "Received",
    "Restarted",
    "RolledBack",
    "Sample",
    "Send",
    "SendOutcome",
    "SetLambda",
    "SetTimer",
    "Started",
    "TimerFired",
]

Plain = dict[str, object]
"""State as plain data: numbers, text, bytes, nil, lists and dictionaries with text keys."""


# ---------------------------------------------------------------------------------------- events
@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The machine starts for the first time; `boot` is 1."""

    boot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted:
    """The machine is back after a crash, with what the fault left of its state."""

    boot: int
    """The stored boot number plus one."""
    checkpoint: Plain | None
    """A ``dump``: of the crash, of the last local checkpoint, or nothing at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLearned:
    """The learner finished frames."""

    n: int
    """How many, at least 1."""
    loss: float
    """Their mean task loss in nats; NaN is skipped and counted."""
    correct: bool
    """Whether the (last) frame was predicted right before it was learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerDone:
    """A learner call took effect."""

    call: int
    value: Value
    """What the operation returns: see its arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One whole message arrived; its contents may be anything."""

    data: bytes
    src: int
    """Number of the device that sent it, as the driver knows it; 0 is the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOutcome:
    """A reliable send ended; never raised for datagrams."""

    tag: int
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired:
    """A timer that was set earlier is due."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """The driver knows that the way to `other` is up or down."""

    other: int
    up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """The connection to another is forgotten at this end alone: whether and how it joined."""

    other: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """What was published is to be as it was: somebody put an old backup in place."""

    state: Plain
    """A ``dump`` of that time."""


Event = (
    Started
    | Restarted
    | FrameLearned
    | LearnerDone
    | Received
    | SendOutcome
    | TimerFired
    | LinkStatus
    | Forgotten
    | RolledBack
)


# --------------------------------------------------------------------------------------- effects
@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send one message; (cls, boot, seq, resend) name it among all messages of its sender."""

    dst: int
    data: bytes
    cls: str
    """Class of its flow: token, prior, report, have, join, reply, proxy, request, model, delta,
    gradient, frame, table, sparse, prediction.
    """
    boot: int
    seq: int
    resend: int = 0
    """How often these bytes went to this destination before."""
    reliability: Literal["datagram", "reliable"] = "datagram"
    """`reliable`: once, whole and in order for each pair, or not at all, told by `SendOutcome`."""
    tag: int = 0
    """The machine's own name for a reliable send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTimer:
    """Wake the machine at an absolute time, later than now; an existing id is replaced."""

    id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTimer:
    """Forget a timer."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerCall:
    """Ask the learner; the driver makes it a job and answers with ``LearnerDone(call, value)``.

    A server's learner is asked in the same way; it answers at once, free of charge.
    """

    call: int
    op: Op
    args: Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A measurement for the metrics, never for the event log."""

    metric: str
    value: float
    labels: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Take the local checkpoint now: learner and machine, as they are after this event."""


NoteKind = Literal["merged", "published", "applied", "joined", "refused", "action"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something for the event log, which the driver writes.

    ========= ======== ============================= =======================================
    kind      of       subject                       detail
    ========= ======== ============================= =======================================
    merged    server   number of the sending device  base version
    merged    peer, fd number of the sending device  base version, versions behind, capture (us)
    published elal     block address                 version, SHA-256 of the message
    published fd       number of the device          version, SHA-256 of the table
    published others   code of the contents          version, SHA-256 of the contents
    applied   elal     block address                 KL steps
    applied   fd       number of the device          version
    applied   station  code of a model               version
    applied   peer     0                             models or updates that were merged
    joined    device   boot                          status of the reply (0 accepted)
    refused   all      number of the sender, or 0    counter that was raised
    action    policy   number of the decision        SHA-256 of the Hebbian shares (float64)
    ========= ======== ============================= =======================================

    A server is that of elal or one that stations train for; a peer has no server. How many entries
    a detail has is part of the log's format.
    """

    kind: NoteKind
    subject: int
    detail: tuple[int | str | bytes, ...]


Effect = Send | SetTimer | CancelTimer | LearnerCall | Sample | Checkpoint | Note

Handler = Callable[..., list[Effect]]
"""A method of a machine that takes something and the present time."""


class Machine(Protocol):
    """What every driver turns: a pure state machine."""

    counters: dict[str, int]
    """Refusals by cause and other tallies; they survive restarts, as they are the observer's."""

    def handle(self, event: Event, now: int) -> list[Effect]:
        """Return the effects of one event at `now`, nanoseconds of virtual time.

        Never raises on what a ``Received`` contains.
        """

    def dump(self) -> Plain:
        """Return the whole state as plain data."""

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned; the inverse of it."""
