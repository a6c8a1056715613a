"""What a machine writes: numbered messages, and the bits that its way in and out carries."""

from dataclasses import replace
from typing import cast

from simedge.protocol.machine import Send
from simedge.protocol.transport import bulk_bits, wire_bits
from simedge.protocol.wire import U32_MAX, Kind, Message, encode

__all__ = ["Post", "Sender"]


class Sender:
    """A sender's boot and the sequence number of each kind of its messages."""

    def __init__(self) -> None:
        self.boot = 1
        self._seqs: dict[int, int] = {}

    def number(self, kind: int) -> int:
        """Return the next sequence number of a kind; when they run out the boot is raised."""
        if self._seqs.get(kind, 0) == U32_MAX:
            self.reboot(self.boot + 1)
        self._seqs[kind] = self._seqs.get(kind, 0) + 1
        return self._seqs[kind]

    def reboot(self, boot: int) -> None:
        """Start a boot: sequence numbers begin again."""
        self.boot = boot
        self._seqs.clear()

    def dump(self) -> list[object]:
        """Return the state."""
        return [self.boot, [[kind, seq] for kind, seq in self._seqs.items()]]

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        self.boot, seqs = cast("tuple[int, list[tuple[int, int]]]", state)
        self._seqs = dict(seqs)


class Post:
    """The outbox of a machine: it numbers, encodes and weighs messages, and keeps none.

    Parameters
    ----------
    dev
        Number of the machine; 0 is the server.
    """

    def __init__(self, dev: int) -> None:
        self.dev = dev
        self.sender = Sender()
        self.bits = 0
        """On the wire, sent and received, since it was last set to 0."""

    def write(self, kind: Kind, now: int, *, payload: bytes, g: int = 0) -> Message:
        """Return the next message of a kind that is all payload."""
        seq = self.sender.number(kind)
        return Message(
            kind=kind,
            dev=self.dev,
            boot=self.sender.boot,
            seq=seq,
            g=g,
            t_us=now // 1_000,
            payload=payload,
        )

    def send(self, message: Message, *, dst: int, cls: str) -> Send:
        """Return the first sending of a message, as a datagram."""
        data = encode(message)
        self.bits += wire_bits(data)
        return Send(dst=dst, data=data, cls=cls, boot=message.boot, seq=message.seq)

    def send_whole(self, message: Message, *, dst: int, cls: str, tag: int) -> Send:
        """Return the sending of a message that is to arrive whole."""
        sent = Send(
            dst=dst,
            data=encode(message),
            cls=cls,
            boot=message.boot,
            seq=message.seq,
            reliability="reliable",
            tag=tag,
        )
        self.bits += bulk_bits(sent.data)
        return sent

    def copy(self, sent: Send, *, dst: int, tag: int) -> Send:
        """Return the sending of the same whole message to another."""
        self.bits += bulk_bits(sent.data)
        return replace(sent, dst=dst, tag=tag)

    def again(self, sent: Send, resend: int) -> Send:
        """Return a later sending of the same bytes."""
        self.bits += wire_bits(sent.data)
        return replace(sent, resend=resend)

    def got(self, data: bytes, *, whole: bool = False) -> None:
        """Weigh a message that arrived, as a datagram or whole."""
        self.bits += bulk_bits(data) if whole else wire_bits(data)

    def dump(self) -> list[object]:
        """Return the state."""
        return [self.sender.dump(), self.bits]

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        sender, self.bits = cast("tuple[object, int]", state)
        self.sender.load(sender)
