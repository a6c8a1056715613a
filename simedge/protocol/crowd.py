"""A crowd of devices that do not exist: what they would send, sound and without an opinion."""

from typing import NamedTuple

from simedge.protocol.settings import ElalSettings
from simedge.protocol.shape import Ground, address_of
from simedge.protocol.wire import X_MODES, Join, Kind, Message, encode

__all__ = ["Crowd", "Said"]


class Said(NamedTuple):
    """One message of one of them."""

    dev: int
    cls: str
    seq: int
    data: bytes


class Crowd:
    """Senders of joins and of tokens whose rows are all absent.

    Parameters
    ----------
    settings, ground
        What the machines of the run share.
    first
        Number of the first of them.
    senders
        How many.
    """

    def __init__(self, settings: ElalSettings, ground: Ground, *, first: int, senders: int) -> None:
        self._level = settings.part_level
        self._x_mode = X_MODES[settings.x_mode]
        self._ground = ground
        self._shape = settings.shape(classes=ground.classes, blocks=ground.blocks, rows=ground.rows)
        self.numbers = range(first, first + senders)
        self._joined: set[int] = set()
        self._seqs: dict[tuple[int, str], int] = {}

    def forgotten(self) -> None:
        """Have everyone join again before the next token."""
        self._joined.clear()

    def say(self, count: int, now: int) -> list[Said]:
        """Return what comes with the token of a number: the join of its sender if that is due."""
        dev = self.numbers[count % len(self.numbers)]
        said = []
        if dev not in self._joined:
            self._joined.add(dev)
            said.append(self._write(dev, Kind.JOIN, now, payload=self._join()))
        block = sum(divmod(count, len(self.numbers))) % self._ground.blocks
        address = address_of(block, level=self._level)
        rows = self._shape.span(address)[2]
        payload = bytes(self._shape.payload_bytes(rows))
        return [*said, self._write(dev, Kind.TOKEN, now, payload=payload, address=address)]

    def _join(self) -> bytes:
        ground = self._ground
        return Join(
            pset=ground.pset,
            classes=ground.classes,
            rows=ground.rows,
            blocks=ground.blocks,
            x_mode=self._x_mode,
            part_level=self._level,
        ).pack()

    def _write(self, dev: int, kind: Kind, now: int, *, payload: bytes, address: int = 0) -> Said:
        cls = kind.name.lower()
        seq = self._seqs[dev, cls] = self._seqs.get((dev, cls), 0) + 1
        message = Message(
            kind=kind,
            dev=dev,
            boot=1,
            seq=seq,
            blk=address,
            t_us=now // 1_000,
            enc=self._shape.coding.enc if kind == Kind.TOKEN else 0,
            payload=payload,
        )
        return Said(dev, cls, seq, encode(message))
