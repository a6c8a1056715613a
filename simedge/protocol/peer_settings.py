"""Settings of protocols without a server, and of distillation by class."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Duration, Settings
from simedge.protocol.errors import ProtocolError
from simedge.protocol.policy_settings import FixedSettings, PolicySettings, Training
from simedge.protocol.shape import Ground

__all__ = [
    "AedflSettings",
    "DracoSettings",
    "EveryPeriod",
    "FdSettings",
    "FlowSettings",
    "GossipSettings",
    "PeerSettings",
    "Randomised",
    "Simple",
]

_SECOND_NS = 1_000_000_000
_Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
_NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=1)]
_Period = Annotated[Duration, Field(gt=0)]
_Credits = Annotated[int, Field(ge=1, le=1000)]


class EveryPeriod(Settings):
    """Send once a period, whatever is received."""

    kind: Literal["none"] = "none"


class Simple(Settings):
    """Send in answer while there is credit; unasked only when the purse is full."""

    kind: Literal["simple"] = "simple"
    cap: _Credits = 10
    """Credits at which a message is sent unasked."""


class Randomised(Settings):
    """The more credit, the more is sent, in answer to news and unasked."""

    kind: Literal["randomised"] = "randomised"
    a: _Credits = 5
    """A: credits that let one message be sent in answer."""
    cap: _Credits = 10
    """Credits at which a message is sent unasked for sure."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.a > self.cap:
            raise ValueError(f"a must not exceed cap ({self.cap}), got {self.a}")
        return self


FlowSettings = Annotated[EveryPeriod | Simple | Randomised, Field(discriminator="kind")]


class GossipSettings(Settings):
    """Gossip learning: peers send their models to random neighbours and merge what they get."""

    training: ClassVar[Training] = "always"
    kind: Literal["gossip"] = "gossip"
    interval: _Count = 64
    """T: frames between two sends of a peer."""
    frames: _Count | None = None
    """Q: frames that make a model one older; default T."""
    flow: FlowSettings = EveryPeriod()
    """Whether credit limits what is sent."""
    policy: PolicySettings = FixedSettings()
    """Who chooses the Hebbian shares."""


class AedflSettings(Settings):
    """Pull of sparse models from preferred neighbours, weighted by staleness (`aedfl_style`)."""

    training: ClassVar[Training] = "on-call"
    reported_as: ClassVar[str] = "aedfl_style"
    caveat: ClassVar[str] = (
        "aedfl_style is this project's reading of the abstract of Liu et al. 2023 (AEDFL), "
        "not the paper's algorithm."
    )
    kind: Literal["aedfl"] = "aedfl"
    interval: _Count = 64
    """T: frames between two decisions of the policy."""
    frames: _Count | None = None
    """Q: frames between two merges; default T."""
    pulls: _Count = 2
    """q: neighbours that are asked for their models."""
    theta: _Positive = 0.1
    """Temperature of the choice among them."""
    sigma: Annotated[float, Field(ge=0.0, le=2.0)] = 0.5
    """Exponent with which models lose weight by staleness, at the start."""
    sparsity: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.4
    """Share of the weights that is dropped from half of the run on."""
    pull_timeout: _Period = 10 * _SECOND_NS
    """How long answers are waited for."""
    policy: PolicySettings = FixedSettings()
    """Who chooses the Hebbian shares."""


class DracoSettings(Settings):
    """Push of accumulated updates on two independent random clocks (`draco_style`)."""

    training: ClassVar[Training] = "on-call"
    reported_as: ClassVar[str] = "draco_style"
    caveat: ClassVar[str] = (
        "draco_style is this project's reading of the abstract of Jeong and Kountouris 2025 "
        "(DRACO), not the paper's algorithm."
    )
    kind: Literal["draco"] = "draco"
    interval: _Count = 64
    """T: mean number of frame intervals between two transmissions of a peer."""
    gradient_every: _Count = 16
    """Mean number of frame intervals between two gradients of a peer."""
    batch: _Count = 16
    """Frames of a gradient."""
    learning_rate: _Positive | None = None
    """Step along a gradient; default: that of the learners."""
    window: _Period | None = None
    """W: time between two merges of what was received; default 1/60 of the run."""
    unify_every: _Period | None = None
    """P: time between two unifications; default 1/10 of the run."""
    accept_max: _Count = 10
    """Updates that a peer accepts between two unifications."""
    age_max: _Period = 10 * _SECOND_NS
    """Age beyond which an update is refused."""
    policy: PolicySettings = FixedSettings()
    """Who chooses the Hebbian shares."""

    def window_ns(self, ground: Ground) -> int:
        """Return W.

        Raises
        ------
        ProtocolError
            If it is not set and the ground does not say how long the run is.
        """
        return self.window or _share(ground, 60, "window")

    def unify_ns(self, ground: Ground) -> int:
        """Return P.

        Raises
        ------
        ProtocolError
            If it is not set and the ground does not say how long the run is.
        """
        return self.unify_every or _share(ground, 10, "unify_every")


class FdSettings(Settings):
    """Federated distillation by class: mean predictions of each true label go to the server."""

    training: ClassVar[Training] = "always"
    kind: Literal["fd"] = "fd"
    interval: _Count = 64
    """T: frames between two uploads of a device."""
    prior_period: _Period = 2 * _SECOND_NS
    """Time between two publications of the server."""
    kl: _NotNegative = 0.5
    """Weight of the pull towards the others' mean."""
    policy: PolicySettings = FixedSettings()
    """Who chooses the Hebbian shares."""


PeerSettings = GossipSettings | AedflSettings | DracoSettings | FdSettings


def _share(ground: Ground, part: int, name: str) -> int:
    if ground.duration_ns < part:
        raise ProtocolError(f"{name} is to be set, as the duration of the run is not known")
    return ground.duration_ns // part
