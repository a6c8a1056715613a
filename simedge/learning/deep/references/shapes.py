"""Networks by name and width: which layers there are, how large, and what they cost.

Convolutions are 3 x 3 with a border of 1. `P` halves both sides, `A` averages down to 2 x 2 and `G`
to 1 x 1 positions. `cell` is the side of the map that a local loss sees of a convolution, or how
often it sees each unit of a dense layer.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

from simedge.learning.errors import LearnerError

__all__ = ["NETS", "Layer", "Plan", "plan"]


class _Wish(NamedTuple):
    maps: int
    cell: int = 1
    after: str = ""
    conv: bool = True
    recurrent: bool = False


NETS: Final[dict[str, tuple[_Wish, ...]]] = {
    "vgg9": (
        *(_Wish(64, 4), _Wish(128, 2, "P"), _Wish(256, 2), _Wish(256, 2, "P")),
        *(_Wish(512, 2), _Wish(512, 2, "P"), _Wish(512, 2), _Wish(512, 1, "G")),
    ),
    "vgg8": (
        *(_Wish(128, 4), _Wish(256, 2, "P"), _Wish(256, 2), _Wish(256, 2, "P")),
        *(_Wish(512, 2, "P"), _Wish(512, 2, "A"), _Wish(1024, conv=False)),
    ),
    "smallconv": (
        *(_Wish(32, 4, "P"), _Wish(64, 2, "P"), _Wish(128, 2, "A"), _Wish(512, conv=False)),
    ),
    "smallconv-l": (
        *(_Wish(96, 4, "P"), _Wish(192, 2, "P"), _Wish(512, 2, "A"), _Wish(1024, 2, conv=False)),
    ),
    "shd": (_Wish(450, conv=False, recurrent=True),),
    "mlp": (_Wish(128, conv=False), _Wish(128, conv=False)),
}
"""Hidden layers, by name; the readout comes on top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One hidden layer, its sizes settled."""

    weight: tuple[int, ...]
    """(maps, inputs) or (maps, inputs, 3, 3)."""
    below: tuple[int, ...]
    """Shape of what comes in, without the batch."""
    shape: tuple[int, ...]
    """Shape of its neurons: (maps, height, width) or (units,)."""
    above: tuple[int, ...]
    """Shape of what it passes on, after pooling."""
    after: str
    cell: int
    recurrent: bool

    @property
    def conv(self) -> bool:
        """Whether its weights are shared by positions."""
        return len(self.weight) == 4

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return math.prod(self.below)

    @property
    def passed(self) -> int:
        """Number of outputs after pooling."""
        return math.prod(self.above)

    @property
    def macs(self) -> int:
        """Multiply-accumulates from below, of one sample and device tick."""
        return math.prod(self.weight) * math.prod(self.shape[1:])

    @property
    def recurrent_macs(self) -> int:
        """Multiply-accumulates of the recurrent synapses."""
        return self.neurons**2 if self.recurrent else 0

    @property
    def local(self) -> int:
        """Width of what a local loss sees."""
        if self.conv:
            return self.weight[0] * math.prod(min(self.cell, side) for side in self.shape[1:])
        return self.weight[0] * self.cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A network: hidden layers from the input up, and a linear readout of classes."""

    name: str
    layers: tuple[Layer, ...]
    classes: int

    @property
    def features(self) -> int:
        """Number of inputs of the readout."""
        return self.layers[-1].passed

    @property
    def readout_macs(self) -> int:
        """Multiply-accumulates of the readout."""
        return self.features * self.classes

    @property
    def recurrent(self) -> bool:
        """Whether a layer feeds back on itself."""
        return any(layer.recurrent for layer in self.layers)


def plan(name: str, picture: tuple[int, ...], classes: int, *, width: float = 1.0) -> Plan:
    """Settle the sizes of a network.

    Parameters
    ----------
    name
        One of `NETS`.
    picture
        Shape of one frame: (channels, height, width).
    classes
        Number of classes, at least 2.
    width
        What the numbers of maps and units are multiplied by (then rounded, at least 1).

    Raises
    ------
    LearnerError
        If there is no such network, or the frame is too small for it.

    >>> sum(layer.macs for layer in plan("vgg9", (3, 32, 32), 10).layers[1:])
    603979776
    """
    if name not in NETS:
        raise LearnerError(f"the network must be one of {', '.join(NETS)}, got {name!r}")
    if not width > 0:
        raise LearnerError(f"the width must be above 0, got {width}")
    if classes < 2:
        raise LearnerError(f"there must be at least 2 classes, got {classes}")
    layers: list[Layer] = []
    below = picture
    for wish in NETS[name]:
        layers.append(_settled(wish, below, max(1, round(wish.maps * width))))
        below = layers[-1].above
        if 0 in below:
            raise LearnerError(f"frames of {picture} are too small for {name}")
    return Plan(name=name, layers=tuple(layers), classes=classes)


def _settled(wish: _Wish, below: tuple[int, ...], maps: int) -> Layer:
    if not wish.conv:
        shape: tuple[int, ...] = (maps,)
        weight: tuple[int, ...] = (maps, math.prod(below))
        above = shape
    else:
        if len(below) != 3:
            raise LearnerError(f"a convolution needs (channels, height, width), got {below}")
        _, down, across = below
        shape, weight = (maps, down, across), (maps, below[0], 3, 3)
        sides = {"P": (down // 2, across // 2), "A": (2, 2), "G": (1, 1)}
        above = (maps, *sides.get(wish.after, (down, across)))
    return Layer(
        weight=weight,
        below=below,
        shape=shape,
        above=above,
        after=wish.after,
        cell=wish.cell,
        recurrent=wish.recurrent,
    )
