"""What a machine may ask of a learner, and what it is answered.

Every operation is a job of the device, whose time and energy are charged. Parameters are one
vector of float32: the readout of a spiking learner, the whole model of a deep one.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Asked",
    "ClassTable",
    "Floats",
    "GetParams",
    "Gradient",
    "HeldLoss",
    "KlPart",
    "KlStep",
    "Op",
    "Params",
    "ProxyPass",
    "RawFrame",
    "SetClassPrior",
    "SetLambda",
    "SetParams",
    "Slope",
    "TakeFrame",
    "Train",
    "TrainOn",
    "Trained",
    "Value",
]

Floats = NDArray[np.float64]

Params = NDArray[np.float32]
"""Parameters of a model, float32 [d], in the order of its manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLambda:
    """Set the Hebbian share of each hidden plastic layer, each in [0, 1]."""

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyPass:
    """Run the learner on proxy items `first` .. `first + count - 1` without changing it."""

    address: int
    """Block address under which the learner keeps the features of these rows."""
    first: int
    count: int


class KlPart(NamedTuple):
    """A prior for the rows of the last pass of an address."""

    address: int
    target: Floats
    """float64 [rows, classes]; rows outside `mask` are zero."""
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KlStep:
    """Pull the readout towards priors, part by part: each starts from what the last one left."""

    parts: tuple[KlPart, ...]
    """Ascending by address."""
    alpha: float
    steps: int
    """How many in each part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTable:
    """Read, and forget, the mean softmax for each true label since it was last read.

    Value: float32 [count, classes]; the row of a label that was not seen is zero.
    """

    first: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SetClassPrior:
    """From now on pull every frame that is learned towards the row of its label."""

    target: Floats
    """float64 [classes, classes]; rows outside `mask` are zero."""
    mask: NDArray[np.bool_]
    alpha: float
    steps: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GetParams:
    """Read the parameters that travel. Value: float32 [d], a copy."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SetParams:
    """Take over parameters."""

    values: Params
    """float32 [d]"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Train:
    """Learn from the next frames of the stream; value `Trained`.

    Each of them is told by `FrameLearned` as well. Who trains on call learns from no other frame.
    """

    frames: int
    anchor: Params | None = None
    """Stay close to these parameters: the loss has rho/2 times the squared distance to them."""
    rho: float = 0.0
    sparsity: float = 0.0
    """Share of the parameters, the smallest in size, that are held at zero meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradient:
    """Take the gradient of the loss on the next frames of the stream; value `Slope`."""

    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLoss:
    """Mean loss, in nats, on frames that the device has set aside. Value: float, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeFrame:
    """Take the next frame of the stream as it is, unlearned; value `RawFrame`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainOn:
    """Predict frames of others, then take one step on them; value: the predicted classes."""

    frames: tuple[bytes, ...]
    """What `RawFrame` had as `data`."""
    labels: tuple[int, ...]


class Trained(NamedTuple):
    """What came of training."""

    n: int
    """Frames that were learned."""
    loss: float
    """Mean loss before learning each of them, in nats."""


class Slope(NamedTuple):
    """A gradient."""

    n: int
    """Frames that it is the mean of."""
    loss: float
    values: Params
    """float32 [d]"""


class RawFrame(NamedTuple):
    """A frame as the sensor gave it."""

    data: bytes
    label: int


Value = NDArray[np.float32] | Trained | Slope | RawFrame | tuple[int, ...] | float | None
"""What a learner's operation returns."""

Op = Literal[
    "set_lambda",
    "proxy_pass",
    "kl_step",
    "class_table",
    "set_class_prior",
    "get_params",
    "set_params",
    "train",
    "gradient",
    "held_loss",
    "take_frame",
    "train_on",
]

Asked = (
    SetLambda
    | ProxyPass
    | KlStep
    | ClassTable
    | SetClassPrior
    | GetParams
    | SetParams
    | Train
    | Gradient
    | HeldLoss
    | TakeFrame
    | TrainOn
)
"""The arguments of a learner's operation."""
