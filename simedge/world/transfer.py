"""One transfer: what it is, where it stands, and what its bytes have cost on each link."""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from simedge.world.bulk import Bulk, bulk
from simedge.world.datagrams import Datagram
from simedge.world.shared_link import SharedLink

__all__ = ["Spent", "Stage", "Transfer"]


class Stage(Enum):
    """Where a transfer stands: it moves, has passed the links, is whole, or lost an end."""

    MOVING = "moving"
    PASSED = "passed"
    WHOLE = "whole"
    BROKEN = "broken"


class Spent(NamedTuple):
    """Bytes on the wire over all links: data with what was sent again, of that again, ACKs."""

    data: int = 0
    again: int = 0
    acks: int = 0

    def __sub__(self, other: "Spent") -> "Spent":
        """Return what has come since."""
        return Spent(self.data - other.data, self.again - other.again, self.acks - other.acks)


class Transfer:
    """A reliable send on its way.

    Parameters
    ----------
    number
        Its place among all transfers of the run.
    message
        What is sent.
    tag
        The machine's name for it.
    source, destination
        Numbers of its ends.
    """

    __slots__ = (
        "_on", "_spent", "cost", "deadline", "destination", "flow", "links", "message",
        "number", "passed_bytes", "source", "stage", "tag",
    )  # fmt: skip

    def __init__(
        self, number: int, message: Datagram, *, tag: int, source: int, destination: int
    ) -> None:
        self.number = number
        self.message = message
        self.tag = tag
        self.source = source
        self.destination = destination
        self.stage = Stage.MOVING
        self.cost: Bulk | None = None
        """Known from its first path on, unless that loses everything."""
        self.flow: int | None = None
        self.links: tuple[SharedLink, ...] = ()
        self.deadline: int | None = None
        """When it fails, if nothing happens before."""
        self.passed_bytes = 0
        self._on: dict[int, int] = {}
        self._spent = Spent()

    @property
    def pair(self) -> tuple[int, int]:
        """Its ends."""
        return self.source, self.destination

    @property
    def wire_bytes(self) -> int:
        """Bytes that have to pass its path, of what is known of it."""
        return 0 if self.cost is None else self.cost.wire_bytes

    def price(self, ppm: int) -> bool:
        """Settle what it costs at a mean loss; return whether it ever ends."""
        self.cost = bulk(len(self.message.data), ppm)
        return self.cost is not None

    @property
    def spent(self) -> Spent:
        """What it has cost so far, over all links."""
        return self._spent

    def advance(self, passed_bytes: int, back: Iterable[SharedLink]) -> Spent:
        """Take notice of the bytes that have passed its path; return what that has cost.

        Sends again, tries of hop ARQ and acknowledgements are in proportion to the bytes that
        passed each link, rounded down: it does not matter how often one looks.

        Parameters
        ----------
        passed_bytes
            Since it began, of `wire_bytes`.
        back
            The reverse of each of its links.
        """
        before, cost = self._spent, self.cost
        gain, self.passed_bytes = passed_bytes - self.passed_bytes, passed_bytes
        if not gain or cost is None:
            return Spent()
        wire = cost.wire_bytes
        data, again, acks = before
        for link, reverse in zip(self.links, back, strict=True):
            was = self._on.get(link.number, 0)
            on = self._on[link.number] = was + gain
            tries, whole = link.tries_mean.numerator, link.tries_mean.denominator
            tried = on * tries // whole - was * tries // whole
            acked = on * cost.ack_bytes // wire - was * cost.ack_bytes // wire
            data += tried
            again += tried - gain + on * cost.again_bytes // wire - was * cost.again_bytes // wire
            acks += acked
            link.carry(tried)
            reverse.carry(acked)
        self._spent = Spent(data, again, acks)
        return self._spent - before
