"""Sparse models: the largest weights, and a map of which they are.

On the wire: a bitmap of ceil(d / 8) bytes, most significant bit first, then the float32 values of
the weights that it names.
"""

import numpy as np
from numpy.typing import NDArray

from simedge.protocol.asks import Params
from simedge.protocol.errors import WireError
from simedge.protocol.params import FLOAT32, bytes_of
from simedge.protocol.wire import Message

__all__ = ["largest", "pack_sparse", "unpack_sparse"]


def largest(values: Params, sparsity: float) -> NDArray[np.bool_]:
    """Return which weights stay when this share of them, the smallest in size, is dropped.

    Of weights of one size those with the lowest index stay.
    """
    mask = np.zeros(len(values), np.bool_)
    kept = len(values) - int(sparsity * len(values))
    mask[np.argsort(-np.abs(values), kind="stable")[:kept]] = True
    return mask


def pack_sparse(values: Params, mask: NDArray[np.bool_]) -> bytes:
    """Return the payload of the weights that a mask keeps."""
    return np.packbits(mask).tobytes() + bytes_of(values[mask])


def unpack_sparse(message: Message, count: int) -> Params:
    """Return the weights of a message, zero where they were dropped.

    Raises
    ------
    WireError
        ``malformed``, if the map and the values do not fit each other or the model.
    """
    width = (count + 7) // 8
    payload = message.payload
    if message.enc != FLOAT32 or len(payload) < width:
        raise WireError("malformed")
    bits = np.unpackbits(np.frombuffer(payload, np.uint8, width)).astype(np.bool_)
    kept = np.frombuffer(payload[width:], np.uint8)
    if bits[count:].any() or len(kept) != 4 * np.count_nonzero(bits):
        raise WireError("malformed")
    values = np.zeros(count, np.float32)
    values[bits[:count]] = kept.view("<f4")
    if not np.isfinite(values).all():
        raise WireError("malformed")
    return values
