"""Settings of protocols, as they stand in a scenario under ``protocol``."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Duration, Settings
from simedge.protocol.peer_settings import PeerSettings
from simedge.protocol.policy_settings import (
    BetaSettings,
    FixedSettings,
    PolicySettings,
    ReinforceSettings,
    Training,
)
from simedge.protocol.server_settings import ServerSettings
from simedge.protocol.shape import Coding, Ground, Shape

__all__ = [
    "BetaSettings",
    "CodingSettings",
    "ElalSettings",
    "FixedSettings",
    "IsolatedSettings",
    "PolicySettings",
    "ProtocolSettings",
    "ReinforceSettings",
    "Training",
]

_SECOND_NS = 1_000_000_000
_Unit = Annotated[float, Field(ge=0.0, le=1.0)]
_Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
_NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=1)]
_Period = Annotated[Duration, Field(gt=0)]


class CodingSettings(Settings):
    """How rows of probabilities become bits."""

    bits: Annotated[int, Field(ge=1, le=15)] = 8
    """Bits a count, 1 to 12; 15 sends float32 rows, for oracle tests."""
    top: Annotated[int, Field(ge=0, le=15)] = 0
    """0 sends every class; k sends the k largest classes and the sum of the rest."""

    @model_validator(mode="after")
    def _codable(self) -> Self:
        Coding(bits=self.bits, top=self.top)
        return self


_LONG_NAMES = {
    "T": "interval",
    "alpha_kl": "kl",
    "plasticity": "policy",
    "H": "half_life",
    "A_max": "age_max",
}
_POLICY_NAMES = {
    "beta": "beta",
    "gamma": "gamma",
    "c_ref": "c_ref",
    "policy_sigma": "sigma",
    "policy_lr": "lr",
    "discount": "discount",
    "episode": "episode",
}


class ElalSettings(Settings):
    """Edge-localised asynchronous learning: devices send tokens, the server answers with priors."""

    training: ClassVar[Training] = "always"
    kind: Literal["elal"] = "elal"
    interval: _Count = 64
    """T: frames between two tokens of a device."""
    coding: CodingSettings | None = None
    """Default: dense at 8 bits up to 16 classes, else the top 8 and a tail."""
    part_level: Annotated[int, Field(ge=0, le=6)] = 0
    """Blocks travel in 2^part_level parts, for links with small frames."""
    arq: Annotated[int, Field(ge=0, le=255)] = 0
    """Most resends of a token; above 0 the server answers each token at once."""
    prior_period: _Period = 2 * _SECOND_NS
    """Time between two publications."""
    prior_budget: _Count = 1
    """Most blocks in a publication."""
    report_period: _Period = 5 * _SECOND_NS
    """Time between two reports to a device."""
    have_period: _Period = 10 * _SECOND_NS
    """Time between two have vectors of a device."""
    repair_max: _Count = 2
    """Most blocks that are sent again upon a have vector."""
    kl: _NotNegative = 0.5
    """Weight of the pull towards the prior."""
    kl_steps: _Count = 1
    """Delta-rule steps on a block a period."""
    kl_blocks: Literal["passed", "held"] = "passed"
    """Steps on the block just passed, or on all blocks passed before with a prior."""
    age_clock: Literal["capture", "arrival"] = "capture"
    """Where ages start: at the time in a message, or when it arrives, whatever it says."""
    age_weight: Literal["none", "half_life", "poly"] = "half_life"
    """How rows lose weight with age: not, with time, or with versions."""
    half_life: _Period | None = None
    """H of the half_life weight; default 4 blocks times the period of a token."""
    age_max: _Period | None = None
    """Older rows and priors are not used; default 4 half-lives."""
    confidence: Literal["none", "entropy"] = "none"
    """Whether sure rows weigh more."""
    samples: Literal["none", "sqrt"] = "none"
    """Whether rows after more frames weigh more."""
    sharpen: _Positive = 1.0
    """Exponent of the mean."""
    quorum: _Count = 1
    """Least rows of devices that make a prior row."""
    floor: _Unit = 0.001
    """Share of the uniform distribution in a prior."""
    x_mode: Literal["proxy", "class"] = "proxy"
    """What a row is about: an item of the proxy set, or the frames of one label."""
    delivery: Literal["preinstalled", "transfer"] = "preinstalled"
    """How the proxy set comes to the devices: with them, or over the network after they joined."""
    policy: PolicySettings = ReinforceSettings()
    """Who chooses the Hebbian shares."""

    @model_validator(mode="before")
    @classmethod
    def _names(cls, data: object) -> object:
        return _short_names(dict(data)) if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _deliverable(self) -> Self:
        if self.delivery == "transfer" and self.x_mode == "class":
            raise ValueError("delivery transfer has nothing to deliver with x_mode class")
        return self

    def shape(self, *, classes: int, blocks: int, rows: int) -> Shape:
        """Return the shape of a run, and refuse one whose messages no datagram holds.

        Raises
        ------
        ProtocolError
            If it cannot be coded, cut into parts or sent.
        """
        shape = Shape(classes=classes, blocks=blocks, rows=rows, coding=self._coding(classes))
        shape.check_level(self.part_level)
        return shape

    def _coding(self, classes: int) -> Coding:
        if self.coding is None:
            return Coding.default(classes)
        return Coding(bits=self.coding.bits, top=self.coding.top)

    def extent(self, *, classes: int, blocks: int, rows: int) -> tuple[int, int]:
        """Return the blocks of a run and the rows of each, given those of its proxy set.

        By class there is a row for each, in as few blocks as datagrams allow; rows beyond are void.
        """
        if self.x_mode == "proxy":
            return blocks, rows
        rows = min(classes, self._coding(classes).rows_max(classes))
        return -(-classes // rows), rows

    def half_life_ns(self, ground: Ground) -> int:
        """Return H: as set, or the time in which every block comes round four times."""
        return self.half_life or 4 * ground.blocks * ground.tau_ns

    def age_max_ns(self, ground: Ground) -> int:
        """Return the age beyond which nothing is used: as set, or four half-lives."""
        return self.age_max or 4 * self.half_life_ns(ground)


class IsolatedSettings(Settings):
    """No messages at all: the floor that every protocol must beat."""

    training: ClassVar[Training] = "always"
    kind: Literal["isolated"] = "isolated"
    interval: _Count = 64
    """Frames between two decisions of the policy, and between two local checkpoints."""
    policy: PolicySettings = FixedSettings()
    """Who chooses the Hebbian shares."""


ProtocolSettings = Annotated[
    ElalSettings | IsolatedSettings | ServerSettings | PeerSettings, Field(discriminator="kind")
]


def _short_names(data: dict[str, object]) -> dict[str, object]:
    """Rename the long names of keys; one given twice is an error."""
    for long, short in _LONG_NAMES.items():
        if long in data:
            _move(data, data, names=(long, short))
    moved = [name for name in _POLICY_NAMES if name in data]
    if moved:
        policy = data.get("policy", {"kind": "reinforce"})
        if not isinstance(policy, dict):
            raise ValueError(f"{moved[0]} belongs to the policy, which is given already")
        data["policy"] = policy = dict(policy)
        for name in moved:
            _move(data, policy, names=(name, _POLICY_NAMES[name]))
    return data


def _move(source: dict[str, object], target: dict[str, object], *, names: tuple[str, str]) -> None:
    old, new = names
    if new in target:
        raise ValueError(f"{new} is given twice, also as {old}")
    target[new] = source.pop(old)
