"""The priors that a device holds: coded rows, each with the version it came with."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.machine import Floats, Plain
from simedge.protocol.quantiser import Codes, decode_rows, present_rows
from simedge.protocol.register import stamp_of
from simedge.protocol.shape import Shape
from simedge.protocol.wire import have_code

__all__ = ["HeldPrior", "PriorStore"]

_VERSION_MASK = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldPrior:
    """The prior rows of one address."""

    rows: Floats
    """float64 [R, C], zero outside `mask`."""
    mask: NDArray[np.bool_]


class PriorStore:
    """For every row of every block the prior of the greatest (server boot, version)."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        cells = (shape.blocks, shape.rows)
        self._stamp = np.zeros(cells, np.uint64)
        self._published = np.zeros(cells, np.int64)
        dtype = np.float32 if shape.coding.is_float else np.uint16
        self._codes = np.zeros((*cells, shape.width), dtype)

    def accept(
        self, address: int, stamp: tuple[int, int], *, published_ns: int, codes: Codes
    ) -> bool:
        """Take over the rows that are newer than those held; return whether any is."""
        block, first, count = self.shape.span(address)
        span = slice(first, first + count)
        number = np.uint64(stamp_of(*stamp))
        newer = self._stamp[block, span] < number
        self._stamp[block, span][newer] = number
        self._published[block, span][newer] = published_ns
        self._codes[block, span][newer] = codes[newer]
        return bool(newer.any())

    def version(self, address: int) -> int:
        """Return the lowest version among the rows of an address; 0 if one was never received."""
        block, first, count = self.shape.span(address)
        return int((self._stamp[block, first : first + count] & _VERSION_MASK).min())

    def held(self, address: int, oldest_ns: int) -> HeldPrior | None:
        """Return the rows of an address published at `oldest_ns` or later, or nothing."""
        block, first, count = self.shape.span(address)
        span = slice(first, first + count)
        codes = self._codes[block, span]
        mask = present_rows(codes, self.shape) & (self._published[block, span] >= oldest_ns)
        if not mask.any():
            return None
        return HeldPrior(rows=decode_rows(codes, self.shape) * mask[:, None], mask=mask)

    def have_vector(self) -> bytes:
        """Return one byte a block that stands for the lowest version among its rows."""
        lowest = (self._stamp & _VERSION_MASK).min(axis=1).tolist()
        return bytes(have_code(version) for version in lowest)

    def dump(self) -> Plain:
        """Return all rows as plain data."""
        return {name: plain_of(getattr(self, f"_{name}")) for name in _COLUMNS}

    def load(self, state: object) -> None:
        """Take over rows that ``dump`` returned."""
        plain = cast("Plain", state)
        for name in _COLUMNS:
            setattr(self, f"_{name}", array_of(plain[name]))


_COLUMNS = ("stamp", "published", "codes")
