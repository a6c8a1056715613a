"""What a device sends to its server reliably: tried again until it arrives or is given up."""

from dataclasses import replace
from typing import Final, cast

from simedge.protocol.machine import Effect, Send
from simedge.protocol.params import Parcel, send_params
from simedge.protocol.station import SERVER, Tools
from simedge.protocol.transport import backoff_ns

__all__ = ["Upload"]

_TIMER: Final = "upload"


class Upload:
    """One message that is to arrive; each failure makes the next try wait twice as long.

    Parameters
    ----------
    tools
        Writes it, and bears the timer, ``upload``.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._tag = 0
        self.forget()

    def forget(self) -> None:
        """Give it up silently: a crash took it. Tags go on."""
        self._sent: Send | None = None
        self._flying = False

    @property
    def waiting(self) -> bool:
        """Whether there is something that has not arrived."""
        return self._sent is not None

    def give_up(self) -> list[Effect]:
        """Drop what has not arrived; the outcome of what is on its way will come too late.

        What is on its way may well arrive: only what waits for its next try is given up.
        """
        if self._sent is not None and not self._flying:
            self._tools.refusals.count("given_up")
        self.forget()
        return self._tools.timers.cancel(_TIMER)

    def send(self, parcel: Parcel) -> list[Effect]:
        """Write a message and send it when there is a way."""
        effects = self.give_up()
        self._tag += 1
        self._sent = send_params(self._tools.post, parcel, dst=SERVER, tag=self._tag)
        return effects + self.push()

    def push(self) -> list[Effect]:
        """Send it now, unless it is on its way or there is no way."""
        if self._sent is None or self._flying or not self._tools.ready:
            return []
        self._flying = True
        return [*self._tools.timers.cancel(_TIMER), self._sent]

    def ended(self, tag: int, now: int, *, ok: bool) -> list[Effect]:
        """Take the outcome of a send; what failed is sent again later, the same bytes."""
        sent = self._sent
        if sent is None or not self._flying or tag != self._tag:
            return self._tools.refusals.late()
        if ok:
            self.forget()
            return []
        self._tools.refusals.count("upload_resent")
        wait_ns = backoff_ns(sent.resend)
        self._sent = replace(sent, resend=sent.resend + 1)
        self._flying = False
        return [self._tools.timers.set(_TIMER, now + wait_ns)]

    def dump(self) -> list[object]:
        """Return the state."""
        sent = self._sent
        row = sent and [sent.data, sent.cls, sent.boot, sent.seq, sent.resend]
        return [self._tag, self._flying, row]

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        self._tag, self._flying, row = cast("tuple[int, bool, _Row | None]", state)
        self._sent = None
        if row is not None:
            data, cls, boot, seq, resend = row
            self._sent = Send(
                dst=SERVER,
                data=data,
                cls=cls,
                boot=boot,
                seq=seq,
                resend=resend,
                reliability="reliable",
                tag=self._tag,
            )


_Row = tuple[bytes, str, int, int, int]
