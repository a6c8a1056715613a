"""The server's receive window of one sender: what came, what came twice, what came too late."""

from typing import Final, cast

__all__ = ["Window"]

_SIZE: Final = 1024
_MASK: Final = (1 << _SIZE) - 1


class Window:
    """Highest sequence number of a boot and a map of the 1,024 numbers up to it."""

    __slots__ = ("arrived_ns", "boot", "highest", "received", "seen")

    def __init__(self) -> None:
        self.boot = 0
        self.highest = 0
        """Greatest sequence number received; 0 before the first."""
        self.seen = 0
        """Bit i stands for the number highest - i."""
        self.received = 0
        """Different messages of this boot that came within the window."""
        self.arrived_ns = 0
        """When the highest came."""

    def begin(self, boot: int) -> None:
        """Begin a boot, of which nothing came yet."""
        self.boot = boot
        self.highest = self.seen = self.received = self.arrived_ns = 0

    def take(self, boot: int, seq: int, now: int) -> bool:
        """Enter a message of this boot or a later one; return whether it had come before."""
        if boot > self.boot:
            self.begin(boot)
        if seq > self.highest:
            step = min(seq - self.highest, _SIZE)
            self.seen = (self.seen << step | 1) & _MASK
            self.highest, self.arrived_ns = seq, now
            self.received += 1
            return False
        bit = 1 << (self.highest - seq) if self.highest - seq < _SIZE else 0
        if self.seen & bit:
            return True
        self.seen |= bit
        self.received += bit > 0
        return False

    def dump(self) -> list[object]:
        """Return the state."""
        return [
            self.boot,
            self.highest,
            self.seen.to_bytes(_SIZE // 8, "little"),
            self.received,
            self.arrived_ns,
        ]

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        boot, highest, seen, received, arrived = cast("tuple[int, int, bytes, int, int]", state)
        self.boot, self.highest, self.received = boot, highest, received
        self.seen, self.arrived_ns = int.from_bytes(seen, "little"), arrived
