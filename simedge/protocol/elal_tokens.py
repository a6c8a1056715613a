"""The tokens that a device sends: what it thinks of the rows of one address.

With ``arq`` above 0 the server answers each token at once, by a report whose ``g`` is the token's
number. A token that is not answered in time is sent again, byte for byte; waits double. A newer
one for the same address takes its place.
"""

from typing import Final, cast

from simedge.protocol.bookkeeping import OpenCall
from simedge.protocol.elal_kit import SERVER, Kit
from simedge.protocol.machine import Effect, Send
from simedge.protocol.quantiser import Codes, pack_rows
from simedge.protocol.wire import U32_MAX, Kind, Message

__all__ = ["Tokens"]

RETRY: Final = "token-"
"""Begins the names of the timers; the address follows."""


class Tokens:
    """Writes tokens, and keeps those that wait for an answer.

    Parameters
    ----------
    kit
        Shared with the device's other parts.
    """

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self.forget()

    def forget(self) -> None:
        """Be as new."""
        self._frames = 0
        self._waiting: dict[int, Send] = {}

    def restart(self) -> None:
        """Give up what waits for an answer: a crash took it."""
        self._waiting.clear()

    def learned(self, frames: int) -> None:
        """Count frames, of which the next token tells."""
        self._frames += frames

    def send(self, call: OpenCall, codes: Codes, now: int) -> list[Effect]:
        """Send what was seen when a call was made."""
        kit = self._kit
        number = kit.post.sender.number(Kind.TOKEN)
        (address,) = call.addresses
        message = Message(
            kind=Kind.TOKEN,
            dev=kit.dev,
            boot=kit.post.sender.boot,
            seq=number,
            blk=address,
            g=kit.priors.version(address),
            t_us=call.called_ns // 1_000,
            n=min(self._frames, U32_MAX),
            enc=kit.shape.coding.enc,
            payload=pack_rows(codes, kit.shape),
        )
        self._frames = 0
        kit.feedback.sent(number, now)
        sent = kit.post.send(message, dst=SERVER, cls="token")
        if kit.settings.arq == 0:
            return [sent]
        self._waiting[address] = sent
        return [sent, self._set_timer(address, now)]

    def retry(self, timer: str, now: int) -> list[Effect]:
        """Send a token again, or put that off while there is no way."""
        kit, address = self._kit, int(timer.removeprefix(RETRY))
        sent = self._waiting[address]
        if sent.boot != kit.post.sender.boot:
            del self._waiting[address]
            return []
        if not kit.ready:
            return [self._set_timer(address, now)]
        again = self._waiting[address] = kit.post.again(sent, sent.resend + 1)
        kit.refusals.count("token_resent")
        kit.feedback.resent(sent.seq)
        if again.resend < kit.settings.arq:
            return [again, self._set_timer(address, now)]
        del self._waiting[address]
        return [again]

    def answered(self, seq: int) -> list[Effect]:
        """Take the answer to a token of this boot, if it is one."""
        boot = self._kit.post.sender.boot
        for address, sent in self._waiting.items():
            if (sent.boot, sent.seq) == (boot, seq):
                del self._waiting[address]
                return self._kit.timers.cancel(f"{RETRY}{address}")
        return []

    def dump(self) -> list[object]:
        """Return the state."""
        waiting = [[at, s.data, s.boot, s.seq, s.resend] for at, s in self._waiting.items()]
        return [self._frames, waiting]

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        self._frames, waiting = cast("tuple[int, list[tuple[int, bytes, int, int, int]]]", state)
        self._waiting = {
            at: Send(dst=SERVER, data=data, cls="token", boot=boot, seq=seq, resend=resend)
            for at, data, boot, seq, resend in waiting
        }

    def _set_timer(self, address: int, now: int) -> Effect:
        wait_ns = self._kit.feedback.trip.retry_ns(self._waiting[address].resend)
        return self._kit.timers.set(f"{RETRY}{address}", now + wait_ns)
