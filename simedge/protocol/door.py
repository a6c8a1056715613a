"""The door of a server: who is let in, who is told to come otherwise, and who is told nothing."""

from dataclasses import dataclass

from simedge.protocol.bookkeeping import Refusals
from simedge.protocol.errors import WireError
from simedge.protocol.machine import Effect
from simedge.protocol.members import Members
from simedge.protocol.post import Post
from simedge.protocol.shape import LEVEL_MAX
from simedge.protocol.wire import U32_MAX, Join, Kind, Message, Reply, Status

__all__ = ["Door", "Terms"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a join has to say to be accepted."""

    pset: bytes
    classes: int
    rows: int
    blocks: int
    x_mode: int = 0
    parts: bool = False
    """Whether devices may ask for parts of blocks; if not, what they say of it is not read."""
    devices: int
    """Greatest number of a device."""

    def level(self, join: Join) -> int:
        """Return the part level that a device is to have."""
        return join.part_level if self.parts else 0

    def met(self, join: Join) -> bool:
        """Return whether a join speaks of the same proxy set, cut in the same way."""
        said = (join.pset, join.classes, join.rows, join.blocks, join.x_mode)
        level = self.level(join)
        same = said == (self.pset, self.classes, self.rows, self.blocks, self.x_mode)
        return same and level <= LEVEL_MAX and self.rows % (1 << level) == 0


class Door:
    """Lets devices in, and tells others what is wrong.

    Parameters
    ----------
    terms
        What a join has to say.
    post
        Writes the replies.
    members, refusals
        Of the server.
    """

    def __init__(self, terms: Terms, post: Post, *, members: Members, refusals: Refusals) -> None:
        self._terms = terms
        self._post = post
        self._members = members
        self._refusals = refusals

    def unreadable(self, error: WireError, src: int, now: int) -> list[Effect]:
        """Refuse what cannot be read; to another version the answer is one's own."""
        effects = self._refusals.refuse(error.cause, src)
        if error.cause == "bad_version":
            effects += self._rebuff(Status.VERSION, src, now)
        return effects

    def refuse(self, cause: str, message: Message, *, src: int, now: int) -> list[Effect]:
        """Refuse a message for a cause; who speaks as someone else was is told so.

        A stranger that says who it is is told to join. A member of an older boot is told the next:
        another has spoken in its name since, and it would be refused for ever. Whose message is
        only late has that next boot already, and answers to an older one are nothing to it.
        """
        effects = self._refusals.refuse(cause, src)
        if cause == "stranger" and message.dev == src:
            effects += self._rebuff(Status.JOIN_FIRST, src, now, boot=message.boot)
        if cause == "stale_boot":
            effects += self._rebuff(Status.BOOT_TOO_LOW, src, now, boot=message.boot)
        return effects

    def strange(self, message: Message, src: int) -> bool:
        """Return whether a message is of nobody who joined, and no join."""
        joined = message.kind == Kind.JOIN or self._members.get(message.dev) is not None
        return message.dev != src or src == 0 or not joined

    def stale(self, message: Message) -> bool:
        """Return whether a member said this in a boot that is over."""
        member = self._members.get(message.dev)
        return member is not None and message.boot < member.window.boot

    def read(self, message: Message, now: int) -> tuple[bool, Effect]:
        """Take a join; return whether it is accepted, and the reply."""
        dev, boot, join = message.dev, message.boot, Join.unpack(message.payload)
        member = self._members.get(dev)
        lowest = member.window.boot if member else 1
        status = self._status_of(join, dev, boot=boot, lowest=lowest)
        if status == Status.ACCEPTED:
            lowest = boot
            if self._members.admit(dev, boot, part_level=self._terms.level(join)):
                self._refusals.count("joins")
        elif status == Status.BOOT_TOO_LOW:
            lowest = self._next_boot(dev)
        reply = self._reply(dev, now, boot=boot, reply=Reply(status=status, lowest_boot=lowest))
        return status == Status.ACCEPTED, reply

    def _status_of(self, join: Join, dev: int, *, boot: int, lowest: int) -> Status:
        if not self._terms.met(join):
            return Status.MISMATCH
        if dev > self._terms.devices:
            return Status.FULL
        return Status.BOOT_TOO_LOW if boot < lowest else Status.ACCEPTED

    def _rebuff(self, status: Status, dev: int, now: int, *, boot: int = 0) -> list[Effect]:
        """Tell a sender what is wrong, at most once a second and status."""
        if not 1 <= dev <= self._terms.devices or not self._members.may_rebuff(status, dev, now):
            return []
        lowest = self._next_boot(dev) if status == Status.BOOT_TOO_LOW else 1
        return [self._reply(dev, now, boot=boot, reply=Reply(status=status, lowest_boot=lowest))]

    def _next_boot(self, dev: int) -> int:
        """Return a boot whose numbers are not used up; there is none after the last."""
        member = self._members.get(dev)
        return 1 if member is None else min(member.window.boot + 1, U32_MAX)

    def _reply(self, dev: int, now: int, *, boot: int, reply: Reply) -> Effect:
        message = self._post.write(Kind.JOIN, now, payload=reply.pack(), g=boot)
        return self._post.send(message, dst=dev, cls="reply")
