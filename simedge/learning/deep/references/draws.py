"""Random tensors, drawn from named streams: nothing is drawn from torch."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simedge.core.streams import Stream, Streams, normals, unit_floats

__all__ = ["Draws"]


class Draws:
    """All randomness of one training, by seed and purpose."""

    def __init__(self, seed: int, dtype: torch.dtype = torch.float32) -> None:
        self._streams = Streams(seed)
        self._dtype = dtype

    def uniform(self, purpose: str, shape: Sequence[int], bound: float) -> Tensor:
        """Return numbers uniform in ±bound."""
        size = math.prod(shape)
        unit = unit_floats(self._stream(purpose).block(-(-size // 4)))[:size]
        return self._tensor(bound * (2 * unit - 1), shape)

    def normal(self, purpose: str, shape: Sequence[int], deviation: float) -> Tensor:
        """Return normal numbers of mean 0."""
        size = math.prod(shape)
        drawn = normals(self._stream(purpose).block(-(-size // 4)))[:size]
        return self._tensor(deviation * np.asarray(drawn), shape)

    def order(self, purpose: str, size: int, turn: int = 0) -> NDArray[np.int64]:
        """Return a permutation of 0 .. size-1, another one each turn."""
        words = self._stream(purpose).block(-(-size // 4), turn)[:size]
        return np.asarray(np.argsort(words, kind="stable"), np.int64)

    def _stream(self, purpose: str) -> Stream:
        return self._streams.stream("references", "training", purpose)

    def _tensor(self, values: NDArray[np.float64], shape: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).reshape(*shape).to(self._dtype)
