"""Who touches whom in a convolution layer: sparse lists of shared-weight synapses.

Inputs are numbered (y·width + x)·channels + channel, neurons column·maps + map with column
row·columns_across + column, so the neurons of one layer are the inputs of the next.
A *tap* is one place of the kernel, (ky·kernel + kx)·channels + channel: its weights, one a map,
lie side by side.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simedge.neurons.errors import CircuitError

__all__ = ["Convolution", "SparseLists"]


@dataclass(frozen=True, slots=True)
class SparseLists:
    """Compressed lists: entries of row r are at [start[r], start[r+1]); all int32."""

    start: NDArray[np.int32]
    other: NDArray[np.int32]
    """Columns that an input reaches, or inputs that a column sees."""
    tap: NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """Shape of one convolution layer."""

    width: int
    height: int
    channels: int
    maps: int
    kernel: int
    stride: int
    padding: int = 0

    def __post_init__(self) -> None:
        if min(self.width, self.height) + 2 * self.padding < self.kernel:
            raise CircuitError(
                f"a kernel of {self.kernel} does not fit {self.width} x {self.height} inputs"
            )

    @property
    def across(self) -> int:
        """Columns in x."""
        return (self.width + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def down(self) -> int:
        """Columns in y."""
        return (self.height + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def columns(self) -> int:
        """Positions at which the kernel is applied."""
        return self.across * self.down

    @property
    def neurons(self) -> int:
        """Columns times maps."""
        return self.columns * self.maps

    @property
    def inputs(self) -> int:
        """Input lines."""
        return self.width * self.height * self.channels

    @property
    def taps(self) -> int:
        """Synapses of one neuron, shared over positions."""
        return self.kernel * self.kernel * self.channels

    def synapses(self) -> NDArray[np.int64]:
        """Return all (column, input, tap), int64 (n, 3), ordered by column, then input."""
        row, column, ky, kx, channel = np.indices(
            (self.down, self.across, self.kernel, self.kernel, self.channels)
        ).reshape(5, -1)
        y = row * self.stride + ky - self.padding
        x = column * self.stride + kx - self.padding
        inside = (y >= 0) & (y < self.height) & (x >= 0) & (x < self.width)
        source = (y * self.width + x) * self.channels + channel
        tap = (ky * self.kernel + kx) * self.channels + channel
        return np.stack([row * self.across + column, source, tap], axis=1)[inside]

    def fan_out(self) -> SparseLists:
        """Return, for every input, the columns that it reaches and by which tap."""
        synapses = self.synapses()
        synapses = synapses[np.argsort(synapses[:, 1], kind="stable")]
        return _compress(synapses[:, (1, 0, 2)], self.inputs)

    def fan_in(self) -> SparseLists:
        """Return, for every column, the inputs that it sees and by which tap."""
        return _compress(self.synapses(), self.columns)


def _compress(rows: NDArray[np.int64], count: int) -> SparseLists:
    start = np.zeros(count + 1, np.int32)
    np.cumsum(np.bincount(rows[:, 0], minlength=count), out=start[1:])
    other, tap = rows[:, 1].astype(np.int32), rows[:, 2].astype(np.int32)
    return SparseLists(start, other, tap)
