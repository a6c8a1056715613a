"""Which blocks a server publishes, and the bytes that it keeps of each to send again."""

from dataclasses import dataclass, field
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.machine import Plain, Send
from simedge.protocol.shape import address_of
from simedge.protocol.wire import have_code

__all__ = ["Kept", "Shelf"]


_ROLLED_BACK_SENDS: Final = 256
_SENDS_MAX: Final = 60_000


@dataclass(slots=True, kw_only=True)
class Kept:
    """The last message of one block, or of one part of it."""

    version: int
    boot: int
    seq: int
    data: bytes
    sends: dict[int, int] = field(default_factory=dict)
    """How often it went to each device."""

    def send(self, dev: int) -> Send:
        """Return the next sending of these bytes to a device."""
        before = self.sends.get(dev, 0)
        self.sends[dev] = before + 1
        return Send(
            dst=dev, data=self.data, cls="prior", boot=self.boot, seq=self.seq, resend=before
        )


class Shelf:
    """Versions, publication order and kept messages of all blocks."""

    def __init__(self, blocks: int) -> None:
        self.versions = np.zeros(blocks, np.int64)
        """g of each block; 0 was never published."""
        self.changed = np.zeros(blocks, np.bool_)
        """Whether its register changed since."""
        self._turns = np.zeros(blocks, np.int64)
        self._turn = 0
        self._kept: dict[tuple[int, int], Kept] = {}
        """By reader, 0 for everyone, and address."""

    def choose(self, budget: int) -> NDArray[np.int64]:
        """Return the changed blocks to publish now, those published longest ago first.

        They count as published and unchanged from here on.
        """
        due = np.flatnonzero(self.changed)
        chosen = due[np.argsort(self._turns[due], kind="stable")][:budget]
        self._turns[chosen] = self._turn + 1 + np.arange(len(chosen))
        self._turn += len(chosen)
        self.changed[chosen] = False
        self.versions[chosen] += 1
        return chosen

    def keep(self, address: int, kept: Kept, *, reader: int = 0) -> None:
        """Keep the message of an address, for one device or 0 for all, in place of the last."""
        self._kept[reader, address] = kept

    def keeps(self, address: int, *, reader: int) -> bool:
        """Return whether a message of an address is kept for a device."""
        return (reader, address) in self._kept

    def differing(self, have: bytes, *, level: int, limit: int, reader: int = 0) -> list[Kept]:
        """Return the kept messages of the first blocks that a reader's have vector lacks.

        With parts, a block's lowest version is compared with the lowest among its kept parts.
        """
        found: list[Kept] = []
        for block, code in enumerate(have):
            addresses = [address_of(block, level=level, part=part) for part in range(1 << level)]
            parts = [self._kept.get((reader, address)) for address in addresses]
            kept = [part for part in parts if part is not None]
            lowest = 0 if len(kept) < len(parts) else min(part.version for part in kept)
            if code != have_code(lowest):
                found += kept
                limit -= bool(kept)
            if limit == 0:
                break
        return found

    def restart(self, filled: NDArray[np.bool_]) -> None:
        """Forget what was kept: it bears an older boot. What the register holds is news again."""
        self._kept.clear()
        self.changed = filled.copy()

    def roll_back(self, state: object) -> None:
        """Put versions and kept messages back to what they were; what has fallen is due again.

        Bytes that may have been sent since are sent as later repetitions.
        """
        older = Shelf(len(self.versions))
        older.load(state)
        self.changed |= older.versions < self.versions
        self.versions, self._kept = older.versions, older._kept
        for kept in self._kept.values():
            for dev, sends in kept.sends.items():
                kept.sends[dev] = min(sends + _ROLLED_BACK_SENDS, _SENDS_MAX)

    def dump(self) -> Plain:
        """Return the state as plain data."""
        return {
            "versions": plain_of(self.versions),
            "changed": plain_of(self.changed),
            "turns": plain_of(self._turns),
            "turn": self._turn,
            "kept": [
                [*key, k.version, k.boot, k.seq, k.data, [[d, n] for d, n in k.sends.items()]]
                for key, k in self._kept.items()
            ],
        }

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        plain = cast("Plain", state)
        self.versions = cast("NDArray[np.int64]", array_of(plain["versions"]))
        self.changed = cast("NDArray[np.bool_]", array_of(plain["changed"]))
        self._turns = cast("NDArray[np.int64]", array_of(plain["turns"]))
        self._turn = cast("int", plain["turn"])
        rows = cast(
            "list[tuple[int, int, int, int, int, bytes, list[tuple[int, int]]]]",
            plain["kept"],
        )
        self._kept = {
            (reader, address): Kept(
                version=version, boot=boot, seq=seq, data=data, sends=dict(sends)
            )
            for reader, address, version, boot, seq, data, sends in rows
        }
