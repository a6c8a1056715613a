"""The server's register of rows and how a prior is read from it.

For every (device, block, row) the register keeps the row with the greatest stamp (boot, seq): a
last-writer-wins map, whose merge is commutative, associative and idempotent, so that duplicates,
reordering and batching need no special case.

A prior row is the weighted mean over the devices k whose row is present and not too old::

    u_k = a(age_k) * c_k * h_k        P' = sum_k u_k C_k / sum_k u_k
    P^  = P'^omega / sum_y P'^omega   P  = (1 - phi) P^ + phi / C
"""

from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.machine import Floats, Plain
from simedge.protocol.quantiser import Codes, decode_rows, present_rows
from simedge.protocol.shape import Shape

__all__ = ["Merged", "Reading", "Register", "Token", "Weights", "stamp_of"]

_SUM_MIN = 1e-12
_CONFIDENCE_MIN = 0.001


def stamp_of(boot: int, seq: int) -> int:
    """Return (boot, seq) or (boot, version) as one integer of the same order."""
    return boot << 32 | seq


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How rows are weighed and the mean is shaped."""

    age: Literal["none", "half_life", "poly"]
    half_life_ns: int
    """H of the weight 2^(-age/H)."""
    age_max_ns: int
    """Rows older than this are not used."""
    confidence: Literal["none", "entropy"] = "none"
    samples: Literal["none", "sqrt"] = "none"
    sharpen: float = 1.0
    """The exponent omega."""
    quorum: int = 1
    """Least number of rows that make a prior row."""
    floor: float = 0.001
    """The share phi of the uniform distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What one message says of one span of rows."""

    dev: int
    stamp: int
    captured_ns: int
    n: int
    g: int
    codes: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What a merge did to the rows of a token."""

    changed: bool
    conflict: bool = False
    """Some row came with a known stamp but other contents."""


_CHANGED = Merged(changed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Prior rows of some blocks, [blocks, rows, classes]; absent rows are zero."""

    rows: Floats
    devices: NDArray[np.int64]
    """Devices with a row in use, per block."""
    newest_ns: NDArray[np.int64]
    """Capture time of the newest row in use, per block; -1 if none is."""


class Register:
    """The newest row of every device, block and row.

    Parameters
    ----------
    shape
        Classes, blocks and coding.
    devices
        Greatest device number.
    """

    def __init__(self, shape: Shape, devices: int) -> None:
        self.shape = shape
        self.devices = devices
        cells = (shape.blocks, devices, shape.rows)
        self._stamp = np.zeros(cells, np.uint64)
        self._facts = np.zeros((*cells, 3), np.int64)
        """Capture time, number of frames, base version."""
        dtype = np.float32 if shape.coding.is_float else np.uint16
        self._codes = np.zeros((*cells, shape.width), dtype)

    def merge(self, token: Token, address: int) -> Merged:
        """Take over the rows of a token whose stamps are greater than those kept.

        Of two contents under one stamp the one with the larger bytes stays, so that the result
        does not depend on the order of arrival.
        """
        block, first, count = self.shape.span(address)
        place = (block, token.dev - 1, slice(first, first + count))
        held = self._stamp[place]
        stamp = np.uint64(token.stamp)
        newer = held < stamp
        if np.logical_and.reduce(newer):
            self._put(place, token, slice(None))
            return _CHANGED
        equal: list[int] = np.flatnonzero(held == stamp).tolist()
        beaten = [(row, self._order(place, row, token)) for row in equal]
        newer[[row for row, order in beaten if order > 0]] = True
        self._put(place, token, newer)
        return Merged(changed=bool(newer.any()), conflict=any(order for _, order in beaten))

    def look(self, dev: int, block: int) -> list[tuple[int, list[float]]]:
        """Return the stamp and the coded numbers of each row of a device's block."""
        place = (block, dev - 1)
        stamps: list[int] = self._stamp[place].tolist()
        codes: list[list[float]] = self._codes[place].tolist()
        return list(zip(stamps, codes, strict=True))

    def filled_blocks(self) -> NDArray[np.bool_]:
        """Return for every block whether any row was ever merged."""
        filled: NDArray[np.bool_] = np.any(self._stamp, axis=(1, 2))
        return filled

    def read(
        self,
        blocks: NDArray[np.int64],
        now: int,
        *,
        weights: Weights,
        versions: NDArray[np.int64],
        without: int = 0,
    ) -> Reading:
        """Return the prior of some blocks.

        Parameters
        ----------
        blocks
            Indices of blocks.
        now
            Server time in nanoseconds.
        weights
            How to weigh.
        versions
            The version g of each of these blocks, for the ``poly`` weight.
        without
            Number of a device to leave out; 0 leaves out none.
        """
        rows, captured, used, weight = self._weigh(blocks, now, weights=weights, versions=versions)
        if without:
            used[:, without - 1] = False
            weight[:, without - 1] = 0.0
        total = weight.sum(axis=1)
        mean = (weight[..., None] * rows).sum(axis=1)
        good = (used.sum(axis=1) >= weights.quorum) & (total >= _SUM_MIN)
        counted = used & good[:, None]
        return Reading(
            rows=_finish(mean, total, good=good, weights=weights),
            devices=counted.any(axis=2).sum(axis=1),
            newest_ns=np.where(counted, captured, -1).max(axis=(1, 2)),
        )

    def read_others(self, block: int, now: int, *, weights: Weights, version: int) -> Reading:
        """Return the prior of one block for each device, read without its own rows.

        In place of blocks the first axis is that of devices. Sums run over those before and those
        after a device, so that not even rounding depends on its own rows.
        """
        one = np.array([block])
        weighed = self._weigh(one, now, weights=weights, versions=np.array([version]))
        rows, captured, used, weight = (column[0] for column in weighed)
        total = _without_own(weight, np.add, 0.0)
        mean = _without_own(weight[..., None] * rows, np.add, 0.0)
        count = _without_own(used.astype(np.int64), np.add, 0)
        good = (count >= weights.quorum) & (total >= _SUM_MIN)
        newest = _without_own(np.where(used, captured, -1), np.maximum, -1)
        shares = good.astype(np.float32) @ used.T.astype(np.float32) > 0  # [reader, other]
        np.fill_diagonal(shares, val=False)
        return Reading(
            rows=_finish(mean, total, good=good, weights=weights),
            devices=shares.sum(axis=1),
            newest_ns=np.where(good, newest, -1).max(axis=1),
        )

    def dump(self) -> Plain:
        """Return all rows as plain data."""
        return {name: plain_of(getattr(self, f"_{name}")) for name in _COLUMNS}

    def load(self, state: object) -> None:
        """Take over rows that ``dump`` returned."""
        plain = cast("Plain", state)
        for name in _COLUMNS:
            setattr(self, f"_{name}", array_of(plain[name]))

    # ----------------------------------------------------------------------------------- below
    def _weigh(
        self, blocks: NDArray[np.int64], now: int, *, weights: Weights, versions: NDArray[np.int64]
    ) -> tuple[Floats, NDArray[np.int64], NDArray[np.bool_], Floats]:
        """Return rows, capture times, which of them are used, and their weights."""
        codes = self._codes[blocks]
        captured, samples, bases = np.moveaxis(self._facts[blocks], -1, 0)
        ages = now - captured
        used = (self._stamp[blocks] > 0) & present_rows(codes, self.shape)
        used &= ages <= weights.age_max_ns
        rows = decode_rows(codes, self.shape)
        weight = used * _age_weight(ages, versions[:, None, None] - bases, weights=weights)
        if weights.confidence == "entropy":
            weight *= _confidence(rows)
        if weights.samples == "sqrt":
            weight *= np.sqrt(samples)
        return rows, captured, used, weight

    def _put(
        self,
        place: tuple[int, int, slice],
        token: Token,
        rows: slice | NDArray[np.bool_],
    ) -> None:
        self._stamp[place][rows] = token.stamp
        self._facts[place][rows] = (token.captured_ns, token.n, token.g)
        self._codes[place][rows] = token.codes[rows]

    def _order(self, place: tuple[int, int, slice], row: int, token: Token) -> int:
        """Return 1, 0 or -1 as the token's row is larger than, equal to or less than the kept."""
        wide = self._codes.dtype.newbyteorder(">")
        kept = (
            self._codes[place][row].astype(wide).tobytes(),
            self._facts[place][row].tolist(),
        )
        new = (
            token.codes[row].astype(wide).tobytes(),
            [token.captured_ns, token.n, token.g],
        )
        return (new > kept) - (new < kept)


_COLUMNS = ("stamp", "facts", "codes")


def _without_own(values: NDArray[Any], join: np.ufunc, nothing: float) -> NDArray[Any]:
    """Return for each index of the first axis what all others make when they are joined."""
    before = np.full_like(values, nothing)
    after = np.full_like(values, nothing)
    before[1:] = join.accumulate(values[:-1], axis=0)
    after[:-1] = join.accumulate(values[:0:-1], axis=0)[::-1]
    joined: NDArray[Any] = join(before, after)
    return joined


def _age_weight(ages: NDArray[np.int64], behind: NDArray[np.int64], *, weights: Weights) -> Floats:
    """Return the weight of rows by their age in nanoseconds or in versions."""
    if weights.age == "half_life":
        fading: Floats = np.exp2(ages / -float(weights.half_life_ns))
        return fading
    if weights.age == "poly":
        lagging: Floats = 1.0 / np.sqrt(1.0 + np.maximum(behind, 0))
        return lagging
    return np.ones(ages.shape)


def _confidence(rows: Floats) -> Floats:
    """Return max(0.001, 1 + sum p ln p / ln C) of each row: 1 is certain, 0.001 knows nothing."""
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    certain = 1.0 + np.einsum("...c,...c->...", rows, logs) / np.log(rows.shape[-1])
    clipped: Floats = np.maximum(_CONFIDENCE_MIN, certain)
    return clipped


def _finish(mean: Floats, total: Floats, *, good: NDArray[np.bool_], weights: Weights) -> Floats:
    """Sharpen, normalise and floor the means; rows that are not good become zero."""
    powered = mean / np.where(good, total, 1.0)[..., None]
    if weights.sharpen != 1.0:
        powered = powered**weights.sharpen
    sums = powered.sum(axis=-1, keepdims=True)
    share = powered / np.where(good[..., None], sums, 1.0)
    floored: Floats = (1.0 - weights.floor) * share + weights.floor / mean.shape[-1]
    floored *= good[..., None]
    return floored
