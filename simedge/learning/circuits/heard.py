"""What whoever listens to a circuit learner is told: the spikes of a frame, wires with weights."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.learning.ports import FrameLike

__all__ = ["Hear", "Heard", "Joined"]


class Heard(NamedTuple):
    """A frame that was learned, and who fired while it was."""

    frame: FrameLike
    correct: bool
    spikes: Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64]]]
    """Ticks since the presentation began and neurons, of the inputs and of each population."""


class Joined(NamedTuple):
    """A projection as it is now."""

    source: str
    target: str
    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    weights: NDArray[np.float64]


Hear = Callable[[Heard], None]
