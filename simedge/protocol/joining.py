"""How a device joins: it asks until it is answered, and again whenever it is told to."""

from typing import Final, cast

from simedge.protocol.bookkeeping import Refusals, Timers
from simedge.protocol.feedback import Feedback
from simedge.protocol.machine import Effect, Handler, Note, Plain, Send
from simedge.protocol.post import Post
from simedge.protocol.transport import JOIN_RETRY_NS_MAX
from simedge.protocol.wire import Kind, Message, Reply, Status

__all__ = ["Joining"]

_SERVER: Final = 0


class Joining:
    """A device's side of its membership.

    Parameters
    ----------
    post
        Writes its joins.
    timers
        Bears the retry timer, ``join``.
    feedback
        Knows how long to wait, and forgets its counts when the boot is raised.
    refusals
        Counts replies that do not count.
    """

    def __init__(
        self, post: Post, timers: Timers, *, feedback: Feedback, refusals: Refusals
    ) -> None:
        self._post = post
        self._timers = timers
        self._feedback = feedback
        self._refusals = refusals
        self.joined = False
        self._resends = 0
        self._sent = Send(dst=_SERVER, data=b"", cls="join", boot=0, seq=0)
        self._payload = b""

    def begin(self, payload: bytes, now: int) -> list[Effect]:
        """Send a new join, which is repeated until an answer settles it."""
        self.joined = False
        self._payload = payload
        self._resends = 0
        self._sent = self._post.send(
            self._post.write(Kind.JOIN, now, payload=payload), dst=_SERVER, cls="join"
        )
        return [self._sent, self._set_timer(now)]

    def revise(self, payload: bytes) -> None:
        """Say this in the next new join; one that is under way stays as it is."""
        self._payload = payload

    def retry(self, now: int) -> list[Effect]:
        """Send the same bytes again; waits double up to a minute, without end."""
        self._resends += 1
        self._refusals.count("join_resent")
        return [self._post.again(self._sent, self._resends), self._set_timer(now)]

    def read(self, message: Message, now: int) -> list[Effect]:
        """Take a reply; ``joined`` tells whether the device is a member after it."""
        reply = Reply.unpack(message.payload)
        if message.g != self._post.sender.boot:
            return self._refusals.refuse("stale_boot", _SERVER)
        answers: dict[int, Handler] = {
            Status.JOIN_FIRST: self._begin_again,
            Status.BOOT_TOO_LOW: self._raise_boot,
            Status.FULL: self._keep_asking,
        }
        if reply.status in answers:
            return answers[reply.status](reply.lowest_boot, now)
        if self.joined:
            return []
        self.joined = reply.status == Status.ACCEPTED
        note = Note(kind="joined", subject=self._post.sender.boot, detail=(reply.status,))
        return [note, *self._timers.cancel("join")]

    def dump(self) -> Plain:
        """Return the state as plain data."""
        sent = self._sent
        return {
            "joined": self.joined,
            "resends": self._resends,
            "sent": [sent.data, sent.boot, sent.seq],
            "payload": self._payload,
        }

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        plain = cast("Plain", state)
        self.joined = cast("bool", plain["joined"])
        self._resends = cast("int", plain["resends"])
        data, boot, seq = cast("tuple[bytes, int, int]", plain["sent"])
        self._sent = Send(dst=_SERVER, data=data, cls="join", boot=boot, seq=seq)
        self._payload = cast("bytes", plain["payload"])

    # ----------------------------------------------------------------------------------- below
    def _set_timer(self, now: int) -> Effect:
        wait_ns = self._feedback.trip.retry_ns(self._resends, JOIN_RETRY_NS_MAX)
        return self._timers.set("join", now + wait_ns)

    def _begin_again(self, lowest: int, now: int) -> list[Effect]:
        """Join anew if the server forgot; a join that is already under way goes on."""
        del lowest
        return self.begin(self._payload, now) if self.joined else []

    def _raise_boot(self, lowest: int, now: int) -> list[Effect]:
        """Take the lowest boot that the server accepts: the stored one was lost."""
        if lowest <= self._post.sender.boot:
            return self._refusals.refuse("stale_boot", _SERVER)
        self._post.sender.reboot(lowest)
        self._feedback.restart()
        return self.begin(self._payload, now)

    def _keep_asking(self, lowest: int, now: int) -> list[Effect]:
        """Leave the timer running: a full server may have room later."""
        del lowest, now
        return []
