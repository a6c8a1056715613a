"""The priors that a device holds: coded rows, each with the version it came with."""

from dataclasses import dataclass
from typing import Final, NamedTuple, cast

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
_FOREVER: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldPrior:
    """The prior rows of one address."""

    rows: Floats
    """float64 [R, C], zero outside `mask`."""
    mask: NDArray[np.bool_]


class _Kept(NamedTuple):
    """What `held` gave, and between which ages asked for it gives the same."""

    held: HeldPrior | None
    since_ns: int
    until_ns: int


class PriorStore:
    """For every row of every block the prior of the greatest (server boot, version)."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        cells = (shape.blocks, shape.rows)
        self._stamp = np.zeros(cells, np.uint64)
        self._published = np.zeros(cells, np.int64)
        dtype = np.float32 if shape.coding.is_float else np.uint16
        self._codes = np.zeros((*cells, shape.width), dtype)
        # What follows is worked out from the codes, for all blocks that changed in one go.
        self._present = np.zeros(cells, np.bool_)
        self._rows = np.zeros((*cells, shape.classes))
        self._changed: set[int] = set()
        self._kept: dict[int, dict[int, _Kept]] = {}

    def accept(
        self, address: int, stamp: tuple[int, int], *, published_ns: int, codes: Codes
    ) -> bool:
        """Take over the rows that are newer than those held; return whether any is."""
        block, first, count = self.shape.span(address)
        cells = block, slice(first, first + count)
        number = np.uint64(stamp_of(*stamp))
        newer = self._stamp[cells] < number
        taken = np.count_nonzero(newer)
        if not taken:
            return False
        if taken == count:
            self._stamp[cells] = number
            self._published[cells] = published_ns
            self._codes[cells] = codes
        else:
            self._stamp[cells][newer] = number
            self._published[cells][newer] = published_ns
            self._codes[cells][newer] = codes[newer]
        self._changed.add(block)
        self._kept.pop(block, None)
        return True

    def version(self, address: int) -> int:
        """Return the lowest version among the rows of an address; 0 if one was never received."""
        block, first, count = self.shape.span(address)
        return int((self._stamp[block, first : first + count] & _VERSION_MASK).min())

    def held(self, address: int, oldest_ns: int) -> HeldPrior | None:
        """Return the rows of an address published at `oldest_ns` or later, or nothing.

        The same object as long as nothing changes: to be read only.
        """
        block, first, count = self.shape.span(address)
        kept = self._kept.setdefault(block, {})
        found = kept.get(address)
        if found is None or not found.since_ns <= oldest_ns <= found.until_ns:
            found = kept[address] = self._look_up((block, slice(first, first + count)), oldest_ns)
        return found.held

    def in_force(self, oldest_ns: int) -> NDArray[np.uint64]:
        """Return the stamp of every row published at `oldest_ns` or later, block after block.

        It is 0 where there is none.
        """
        self._decode()
        good = self._present & (self._published >= oldest_ns)
        return np.where(good, self._stamp, np.uint64(0)).reshape(-1)

    @property
    def rows(self) -> Floats:
        """Give the decoded rows, block after block."""
        self._decode()
        return self._rows.reshape(-1, self.shape.classes)

    def _look_up(self, cells: tuple[int, slice], oldest_ns: int) -> _Kept:
        self._decode()
        published = self._published[cells]
        mask = self._present[cells] & (published >= oldest_ns)
        if not np.count_nonzero(mask):
            return _Kept(None, oldest_ns, _FOREVER)
        until_ns = int(np.minimum.reduce(published, where=mask, initial=_FOREVER))
        held = HeldPrior(rows=self._rows[cells] * mask[:, None], mask=mask)
        return _Kept(held, oldest_ns, until_ns)

    def _decode(self) -> None:
        if not self._changed:
            return
        blocks = sorted(self._changed)
        codes = self._codes[blocks]
        self._present[blocks] = present_rows(codes, self.shape)
        self._rows[blocks] = decode_rows(codes, self.shape)
        self._changed.clear()

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
        self._changed.update(range(self.shape.blocks))
        self._kept.clear()


_COLUMNS = ("stamp", "published", "codes")
