"""Pixel events as a stack of pictures: one a bin of time and polarity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerError
from simedge.learning.ports import FrameLike

__all__ = ["Prepared", "Retina"]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Presentations as pictures."""

    labels: NDArray[np.int64]
    pictures: NDArray[np.float32]
    """(frames, 2·bins, height, width)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retina:
    """How pixel events become pictures.

    Parameters
    ----------
    span_ns
        How long a presentation lasts; what comes later counts in its last bin.
    root
        Take the square root of counts.
    """

    width: int
    height: int
    bins: int
    span_ns: int
    root: bool

    @property
    def channels(self) -> int:
        """Pictures a presentation."""
        return 2 * self.bins

    def prepare(self, frames: Sequence[FrameLike]) -> Prepared:
        """Count the events of each bin, polarity and pixel; scale every frame to RMS 1."""
        shape = (len(frames), self.channels, self.height, self.width)
        labels = np.array([frame.label for frame in frames], np.int64)
        places = [
            self._places(frame) + i * int(np.prod(shape[1:])) for i, frame in enumerate(frames)
        ]
        spots = np.concatenate(places) if places else np.empty(0, np.int64)
        counts = np.bincount(spots, minlength=int(np.prod(shape))).reshape(shape)
        levels = np.sqrt(counts) if self.root else counts.astype(np.float64)
        power = np.sqrt(np.mean(levels**2, axis=(1, 2, 3), keepdims=True))
        pictures = np.divide(levels, power, out=np.zeros(shape), where=power > 0)
        return Prepared(labels, pictures.astype(np.float32))

    def _places(self, frame: FrameLike) -> NDArray[np.int64]:
        """Return where each event of a frame is counted."""
        x, y, p = (np.asarray(part, np.int64) for part in (frame.x, frame.y, frame.p))
        if x.size and (x.max() >= self.width or y.max() >= self.height or p.max() > 1):
            raise LearnerError(
                f"a pixel event lies outside the {self.width} x {self.height} pixels"
            )
        late = np.asarray(frame.t_us, np.int64) * 1000 * self.bins // self.span_ns
        bins = np.minimum(late, self.bins - 1)
        return ((bins * 2 + p) * self.height + y) * self.width + x
