"""Tables of federated distillation: a row of probabilities for each true label, or none."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.protocol.asks import Params
from simedge.protocol.errors import WireError
from simedge.protocol.params import Code, values_of
from simedge.protocol.wire import Message

__all__ = ["means_of_others", "open_table"]

_TOLERANCE: Final = 1e-3


def open_table(message: Message, classes: int) -> Params:
    """Return the table of a message, float32 [classes * classes], row after row.

    Raises
    ------
    WireError
        ``refused`` if it has none, ``malformed`` if a row is neither zero nor of probabilities.
    """
    if message.blk != Code.TABLE:
        raise WireError("refused")
    values = values_of(message, classes * classes)
    rows = values.reshape(classes, classes).astype(np.float64)
    sums = rows.sum(axis=1)
    if (rows < 0).any() or not ((np.abs(sums - 1) <= _TOLERANCE) | (sums == 0)).all():
        raise WireError("malformed")
    return values


def means_of_others(tables: Params, present: NDArray[np.bool_]) -> Params:
    """Return for each device and label the plain mean of the others' rows, zero if none.

    Parameters
    ----------
    tables
        float32 [devices, labels, classes]; rows that are not present are zero.
    present
        bool [devices, labels]

    Sums run over those before and those after a device, so that not even the rounding of its mean
    depends on its own rows.
    """
    means = np.zeros_like(tables)
    for label in range(tables.shape[1]):
        rows = tables[:, label].astype(np.float64)
        total = _sums_of_others(rows)
        count = np.count_nonzero(present[:, label]) - present[:, label].astype(np.int64)
        known = count > 0
        means[known, label] = total[known] / count[known, None]
    return means


def _sums_of_others(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    before = np.zeros_like(rows)
    after = np.zeros_like(rows)
    np.cumsum(rows[:-1], axis=0, out=before[1:])
    after[:-1] = np.cumsum(rows[:0:-1], axis=0)[::-1]
    return before + after
