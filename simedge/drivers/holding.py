"""What a device holds while a run goes on, and the most it ever held.

Most terms are there from the start (runtime, parameters, the learner's state). What comes and goes
is looked at when a frame arrives, after it has found its place: then the queue is at its longest;
also when a fault strikes, before a crash and at the end of the run.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from simedge.drivers.tally import DeviceTally
from simedge.sensors.frames import Frame
from simedge.world.memory import MemoryBook

__all__ = ["EVENT_BYTES", "Holding"]

EVENT_BYTES: Final = 13
"""x, y, polarity and time of a pixel event in a frame that waits."""
_BLOCKS: Final = 1 << 16
"""Addresses of parts of a block differ by multiples of it."""


class Holding:
    """Keeps the high-water mark of a device's memory in its account.

    Parameters
    ----------
    account
        Has the limit already, and gets the peak.
    terms
        The most that each term can take, in bytes.
    blocks
        How many blocks of priors there are.
    """

    __slots__ = ("_block_bytes", "_book", "account")

    def __init__(self, account: DeviceTally, terms: Mapping[str, int], *, blocks: int) -> None:
        self.account = account
        self._book = MemoryBook(account.memory_limit_bytes)
        self._block_bytes = terms.get("priors", 0) // max(blocks, 1)
        for term, size in terms.items():
            if term not in {"queue", "priors"}:
                self._book.hold(term, size)
        self._note()

    def look(self, frames: Iterable[object], priors: Iterable[int]) -> None:
        """Take the frames that are kept, and the addresses of the priors that are held."""
        events = sum(len(frame.t_us) for frame in frames if isinstance(frame, Frame))
        self._book.hold("queue", EVENT_BYTES * events)
        self._book.hold("priors", self._block_bytes * len({at % _BLOCKS for at in priors}))
        self._note()

    def _note(self) -> None:
        self.account.memory_peak_bytes = self._book.peak_bytes
        self.account.memory_now_bytes = self._book.now_bytes
