"""The tokens that a device sends: what it thinks of the rows of one address."""

from typing import cast

from simedge.protocol.bookkeeping import OpenCall
from simedge.protocol.elal_kit import SERVER, Kit
from simedge.protocol.machine import Effect
from simedge.protocol.quantiser import Codes, pack_rows
from simedge.protocol.wire import U32_MAX, Kind, Message

__all__ = ["Tokens"]


class Tokens:
    """Writes tokens.

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
        return [kit.post.send(message, dst=SERVER, cls="token")]

    def dump(self) -> int:
        """Return the state."""
        return self._frames

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        self._frames = cast("int", state)
