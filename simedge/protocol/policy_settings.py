"""Settings that all protocols share: who chooses the Hebbian shares, and who may learn when."""

from typing import Annotated, Literal

from pydantic import Field

from simedge.core.quantities import Settings

__all__ = [
    "BetaSettings",
    "FixedSettings",
    "PolicySettings",
    "ReinforceOnlineSettings",
    "ReinforceSettings",
    "RewardedSettings",
    "Training",
]

_Unit = Annotated[float, Field(ge=0.0, le=1.0)]
_Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
_NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]

Training = Literal["always", "on-call"]
"""Whether a device learns from every frame, or only from those that its machine asks for."""


class FixedSettings(Settings):
    """Hebbian shares that never change."""

    kind: Literal["fixed"] = "fixed"
    lambda_: _Unit | tuple[_Unit, ...] = Field(default=0.5, alias="lambda")
    """One share for all hidden plastic layers, or one for each."""


class ReinforceSettings(Settings):
    """Hebbian shares chosen by a linear Gaussian policy that learns by REINFORCE."""

    kind: Literal["reinforce"] = "reinforce"
    beta: _NotNegative = 0.5
    """Weight of the reverse KL divergence in the reward."""
    gamma: _NotNegative = 0.01
    """Weight of the communication cost in the reward."""
    c_ref: _Positive = 19_200.0
    """Bits a period that count as a communication cost of 1."""
    sigma: _Positive = 0.5
    """Standard deviation of the exploration."""
    lr: _NotNegative = 0.05
    """Step of the policy's gradient."""
    discount: _Unit = 0.9
    """Weight of a reward one decision later."""
    episode: Annotated[int, Field(ge=1, le=4096)] = 16
    """Decisions between two updates."""


class BetaSettings(Settings):
    """Hebbian shares drawn from beta distributions, by a policy that learns by REINFORCE."""

    kind: Literal["beta"] = "beta"
    beta: _NotNegative = 0.5
    """Weight of the reverse KL divergence in the reward."""
    gamma: _NotNegative = 0.01
    """Weight of the communication cost in the reward."""
    c_ref: _Positive = 19_200.0
    """Bits a period that count as a communication cost of 1."""
    lr: _NotNegative = 0.05
    """Step of the policy's gradient."""
    discount: _Unit = 0.9
    """Weight of a reward one decision later."""
    episode: Annotated[int, Field(ge=1, le=4096)] = 16
    """Decisions between two updates."""


class ReinforceOnlineSettings(Settings):
    """Hebbian shares of a Gaussian policy that learns from every reward, its exploration too."""

    kind: Literal["reinforce-online"]
    beta: _NotNegative = 0.5
    """Weight of the reverse KL divergence in the reward."""
    gamma: _NotNegative = 0.1
    """Weight of the communication cost in the reward."""
    c_ref: _Positive = 19_200.0
    """Bits a period that count as a communication cost of 1."""
    sigma: Annotated[float, Field(ge=0.05, le=1.0)] = 0.5
    """Standard deviation of the exploration at the start."""
    lr: _NotNegative = 0.01
    """Step of the policy's gradient."""


RewardedSettings = ReinforceSettings | BetaSettings
"""Settings of a policy that learns at the end of an episode."""

PolicySettings = Annotated[
    FixedSettings | RewardedSettings | ReinforceOnlineSettings, Field(discriminator="kind")
]
