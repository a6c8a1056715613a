"""What a rule did, in operations, and what it holds, in bytes.

    syn   weights added to a potential          neu   neurons touched
    trc   traces touched, a multiply each       mac   multiply-accumulates of learning and readout
    wr    weights read, changed and written     mem   most bytes held at a time

All are 0 in silence for a rule that silence does not teach.
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["WORD_BYTES", "Ledger"]

WORD_BYTES: Final = 4
"""Bytes of a modelled word, whatever the simulator computes in."""


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Counters of one rule at one device."""

    syn: int = 0
    neu: int = 0
    trc: int = 0
    mac: int = 0
    wr: int = 0
    mem: int = 0

    def hold(self, words: int) -> None:
        """Note that so many words are held at this time."""
        self.mem = max(self.mem, WORD_BYTES * words)
