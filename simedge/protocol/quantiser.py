"""From rows of probabilities to counts and back, in integers only: the same on every machine.

A row becomes M = 2^b - 1 units shared out by largest remainder. Dense rows have a count for every
class; top-k rows list the k largest classes and lump the rest into a tail. A row of zeros has no
opinion and is called absent. Rows are handled many at a time; no function loops over them.
"""

import numpy as np
from numpy.typing import NDArray

from simedge.protocol.errors import ProtocolError, WireError
from simedge.protocol.machine import Floats
from simedge.protocol.shape import Shape

__all__ = ["Codes", "decode_rows", "pack_rows", "present_rows", "quantise", "unpack_rows"]

Codes = NDArray[np.uint16] | NDArray[np.float32]
"""Coded rows [..., width]: counts; or class numbers and counts; or float32 values."""

_Counts = NDArray[np.int64]
_ONE = float(1 << 30)
_SUM_TOLERANCE = 1e-3
_NEVER = np.iinfo(np.int64).max


def quantise(rows: NDArray[np.floating], shape: Shape) -> Codes:
    """Return the coded rows of probabilities.

    Parameters
    ----------
    rows
        Float [R, C]; each row sums to 1 within 10^-3, or is all zero (absent).
    shape
        Classes and coding.

    Returns
    -------
    Codes
        [R, width]; counts of a row sum to 2^b - 1, or to 0 if it is absent.

    Raises
    ------
    ProtocolError
        If a row is neither a distribution nor absent: that is the learner's error.
    """
    values = np.asarray(rows, np.float64)
    _check_rows(values, shape.classes)
    coding = shape.coding
    if coding.is_float:
        return values.astype(np.float32)
    # Exact: a power of two only moves the exponent; rint rounds half to even.
    units = np.rint(values * _ONE).astype(np.int64)
    totals = np.add.reduce(units, axis=1)
    if coding.top == 0:
        return _apportion(units, totals, coding.total).astype(np.uint16)
    listed = np.sort(np.argsort(-units, axis=1, kind="stable")[:, : coding.top], axis=1)
    buckets = np.empty((len(units), coding.top + 1), np.int64)
    buckets[:, :-1] = np.take_along_axis(units, listed, axis=1)
    buckets[:, -1] = totals - buckets[:, :-1].sum(axis=1)
    listed[totals == 0] = 0
    return np.hstack((listed, _apportion(buckets, totals, coding.total))).astype(np.uint16)


def decode_rows(codes: Codes, shape: Shape) -> Floats:
    """Return the probabilities of coded rows, [..., C]: positive and of sum 1, or absent (zero).

    With eps = 1/(2C) a listed class of count q gets (q + eps)/(M + 1/2), an unlisted one its share
    of the tail likewise. Float rows are normalised.
    """
    coding = shape.coding
    present = present_rows(codes, shape)[..., None]
    if coding.is_float:
        values = codes.astype(np.float64)
        return values / np.where(present, values.sum(axis=-1, keepdims=True), 1.0)
    epsilon, whole = 0.5 / shape.classes, coding.total + 0.5
    if coding.top == 0:
        return (codes + epsilon * present) / whole
    top = coding.top
    tail = codes[..., -1:] / float(shape.classes - top)
    dense = np.repeat((tail + epsilon * present) / whole, shape.classes, axis=-1)
    listed = (codes[..., top:-1] + epsilon * present) / whole
    np.put_along_axis(dense, codes[..., :top].astype(np.int64), listed, axis=-1)
    return dense


def present_rows(codes: Codes, shape: Shape) -> NDArray[np.bool_]:
    """Return which coded rows hold an opinion, bool [...]."""
    top = shape.coding.top
    present: NDArray[np.bool_] = np.any(codes[..., top:] if top else codes, axis=-1)
    return present


def pack_rows(codes: Codes, shape: Shape) -> bytes:
    """Return the payload of coded rows: bits without gaps, most significant first."""
    coding = shape.coding
    if coding.is_float:
        return codes.astype("<f4").tobytes()
    counts = codes.astype(np.uint16)
    if coding.top == 0 and coding.bits == 8:
        return counts.astype(np.uint8).tobytes()
    top = coding.top
    listed = _bits(counts[:, :top], shape.class_bits)
    return np.packbits(np.hstack((listed, _bits(counts[:, top:], coding.bits)))).tobytes()


def unpack_rows(payload: bytes, rows: int, shape: Shape) -> Codes:
    """Return the coded rows of a payload, [rows, width], the inverse of ``pack_rows``.

    Raises
    ------
    WireError
        ``malformed`` if the length, the padding, a sum or a class number is not as it must be.
    """
    if len(payload) != shape.payload_bytes(rows):
        raise WireError("malformed")
    coding = shape.coding
    if coding.is_float:
        return _checked_floats(np.frombuffer(payload, "<f4").reshape(rows, -1))
    raw = np.frombuffer(payload, np.uint8)
    if coding.top == 0 and coding.bits == 8:
        return _checked(raw.reshape(rows, -1).astype(np.uint16), shape)
    bits = np.unpackbits(raw)
    used = rows * shape.row_bits
    if bits[used:].any():
        raise WireError("malformed")
    table = bits[:used].reshape(rows, -1)
    split = coding.top * shape.class_bits
    listed = _numbers(table[:, :split], shape.class_bits)
    return _checked(np.hstack((listed, _numbers(table[:, split:], coding.bits))), shape)


# --------------------------------------------------------------------------------------- below
def _check_rows(values: Floats, classes: int) -> None:
    if values.ndim != 2 or values.shape[1] != classes:
        raise ProtocolError(f"rows must be [R, {classes}], got {values.shape}")
    if not np.minimum.reduce(values, axis=None, initial=0.0) >= 0:  # NaN fails too
        raise ProtocolError("rows must be finite and not negative")
    # Lists are faster than arrays of a few rows.
    for total in np.add.reduce(values, axis=1).tolist():
        if not abs(total - 1.0) <= _SUM_TOLERANCE and total != 0.0:
            raise ProtocolError(f"rows must sum to 1 within 0.001, or be all zero, got {total}")


def _apportion(units: _Counts, totals: _Counts, whole: int) -> _Counts:
    """Share out `whole` counts in proportion to `units` by largest remainder, lowest bucket first.

    Rows of total 0 get none.
    """
    buckets = units.shape[1]
    counts, rests = np.divmod(units * whole, np.maximum(totals, 1)[:, None])
    missing = np.minimum(totals, 1) * whole - np.add.reduce(counts, axis=1)
    # Distinct keys, larger for larger rests and, among equals, for lower buckets.
    keys = rests * buckets + np.arange(buckets - 1, -1, -1)
    ranked = np.sort(keys, axis=1)
    least = ranked[np.arange(len(ranked)), buckets - np.maximum(missing, 1)]
    counts += keys >= np.where(missing > 0, least, _NEVER)[:, None]
    return counts


def _bits(values: NDArray[np.uint16], width: int) -> NDArray[np.uint8]:
    shifts = np.arange(width - 1, -1, -1, dtype=np.uint16)
    return (values[..., None] >> shifts & 1).astype(np.uint8).reshape(len(values), -1)


def _numbers(bits: NDArray[np.uint8], width: int) -> NDArray[np.uint16]:
    weights = (1 << np.arange(width - 1, -1, -1)).astype(np.uint16)
    numbers: NDArray[np.uint16] = np.sum(
        bits.reshape(len(bits), -1, width) * weights, axis=-1, dtype=np.uint16
    )
    return numbers


def _checked(codes: NDArray[np.uint16], shape: Shape) -> NDArray[np.uint16]:
    top, whole = shape.coding.top, shape.coding.total
    sums = np.add.reduce(codes[:, top:], axis=1, dtype=np.int64)
    if not {0, whole}.issuperset(sums.tolist()):
        raise WireError("malformed")
    if top:
        listed = codes[:, :top].astype(np.int64)
        ascending = (np.diff(listed, axis=1) > 0).all(axis=1) & (listed[:, -1] < shape.classes)
        if not np.where(sums == 0, ~listed.any(axis=1), ascending).all():
            raise WireError("malformed")
    return codes


def _checked_floats(values: NDArray[np.float32]) -> NDArray[np.float32]:
    try:
        _check_rows(values.astype(np.float64), values.shape[1])
    except ProtocolError as error:
        raise WireError("malformed") from error
    return values.astype(np.float32)
