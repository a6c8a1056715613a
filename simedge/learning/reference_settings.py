"""Settings of the learners without spikes that others are held against: deep, and surrogate."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Settings, Size
from simedge.learning.ranges import Count, NotNegative, Positive, UnitShare

__all__ = [
    "BackPropSettings",
    "CostSettings",
    "CurvePoint",
    "DeepSettings",
    "FilterSettings",
    "SurrogateSettings",
]


class FilterSettings(Settings):
    """A convolution and what follows it: max(0, .)."""

    kind: Literal["conv"] = "conv"
    maps: Count = 16
    kernel: Count = 5
    stride: Count = 2
    padding: Annotated[int, Field(ge=0, le=64)] = 0


class BackPropSettings(Settings):
    """Stochastic gradient descent on cross entropy, all layers by back-propagation."""

    kind: Literal["bp"] = "bp"
    rate: NotNegative = 0.05
    """Step, times the mean gradient of a batch."""
    batch: Annotated[int, Field(ge=1, le=256)] = 16
    """Frames between two steps; each adds its gradient when it is seen."""
    momentum: Annotated[UnitShare, Field(lt=1)] = 0.5
    """Share of the last step that is taken again."""
    clip: Positive | None = None
    """Greatest length of a batch's gradient; null for none."""


class DeepSettings(Settings):
    """Convolutions and a shallow classifier on binned pixel events; needs torch."""

    kind: Literal["deep"] = "deep"
    layers: tuple[FilterSettings, ...] = Field(
        default=(FilterSettings(),), min_length=1, max_length=8
    )
    normalise: bool = True
    """The classifier's inputs get mean 0 and variance 1, frame by frame."""
    hidden: Annotated[int, Field(ge=0, le=4096)] = 0
    """Units between the last convolution and the classes; 0 for none."""
    bins: Annotated[int, Field(ge=1, le=64)] = 3
    """Bins of time in which the pixel events of a presentation are counted."""
    transform: Literal["none", "sqrt"] = "sqrt"
    """What is taken of a count; the frame is then scaled to a root mean square of 1."""
    rule: BackPropSettings = BackPropSettings()
    kl_rate: NotNegative = 0.25
    """Step of a pull of the readout towards a prior of weight 1, on the mean over rows, divided by
    the mean square length of their features: a step times its weight above 4 is unstable."""
    shared_start: bool = True
    """All devices begin with the same weights."""
    framework: Size = 240_000_000
    """Memory of torch beside the interpreter's (unverified)."""


class CurvePoint(Settings):
    """What a learner is worth once it has learned so many frames."""

    frames: Annotated[int, Field(ge=0, le=2**40)]
    accuracy: UnitShare


Operations = Annotated[int, Field(ge=0, le=2**40)]


class CostSettings(Settings):
    """What one frame takes, as a deep learner with the default settings counts it."""

    conv: Operations = 86_400
    """Multiply-accumulates of predicting it: of convolutions."""
    dense: Operations = 5_760
    """Multiply-accumulates of predicting it: of dense layers."""
    learning_conv: Operations = 172_800
    """Multiply-accumulates of learning it: of convolutions."""
    learning_dense: Operations = 18_303
    """Multiply-accumulates of learning it: of dense layers, and a frame's part in a step."""
    learning_writes: Operations = 512
    """Weights that learning it writes: a frame's part in a step."""


class SurrogateSettings(Settings):
    """A recorded learning curve in place of a learner."""

    kind: Literal["surrogate"] = "surrogate"
    curve: tuple[CurvePoint, ...] | Literal["digits-deep"] = "digits-deep"
    """Accuracy at numbers of frames, ascending, straight lines between; or a recorded one."""
    costs: CostSettings = CostSettings()
    params: Annotated[int, Field(ge=1, le=2**31)] = 8_186
    """Parameters that would travel."""
    features: Operations = 576
    """Numbers that are kept of a proxy row."""
    framework: Size = 240_000_000
    """Memory beside that of parameters, gradients, momentum and kept rows."""

    @model_validator(mode="after")
    def _goes_up_in_frames(self) -> Self:
        if isinstance(self.curve, str):
            return self
        if not self.curve:
            raise ValueError("a curve needs at least one point")
        for before, after in pairwise(self.curve):
            if after.frames <= before.frames:
                raise ValueError(f"frames of a curve ascend, got {after.frames} after that")
        return self
