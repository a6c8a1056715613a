"""The world's part of a scenario: devices, server, topology, links and faults, as they are written.

These models are the schema. They hold what was written and nothing derived: profiles are filled
in by `simedge.world.profiles`, cross-checks between sections are in `simedge.world.sense`.
"""

import itertools
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Duration, Energy, Power, Rate, Settings, Share, Size
from simedge.world.fault_settings import CrashSettings, FaultSettings
from simedge.world.names import DeviceId, Name
from simedge.world.topology_settings import SmallWorldSettings, StarSettings, TopologySettings

__all__ = [
    "ArqSettings",
    "ComputeName",
    "ComputeSettings",
    "CrashSettings",
    "DeviceSettings",
    "FaultSettings",
    "JitterSettings",
    "LinkOverride",
    "LinkSettings",
    "LinksSettings",
    "LossSettings",
    "PaceStep",
    "ProfileName",
    "QueueSettings",
    "RadioName",
    "ServerSettings",
    "SmallWorldSettings",
    "StarSettings",
    "TopologySettings",
]

ComputeName = Literal[
    "cpu-small",
    "cpu-large",
    "micro-gpu",
    "pi-zero-2w",
    "pi-3b-plus",
    "pi-4b",
    "pi-5",
    "pi-5-gpu",
    "jetson-nano-cpu",
    "jetson-nano",
    "orin-nano",
    "cortex-m7",
    "server",
]
ProfileName = Literal["ethernet", "wifi", "wifi-air", "lte", "5g", "starlink", "ble"]
RadioName = Literal["auto", "none", "wifi", "ble", "lte", "5g"]


class ComputeSettings(Settings):
    """A compute profile with figures of one's own; what is not given comes from `base`."""

    base: ComputeName = "cpu-small"
    """Profile that fills the gaps."""
    conv: int | None = Field(default=None, gt=0)
    """Multiply-accumulates a second in convolutions."""
    depthwise: int | None = Field(default=None, gt=0)
    """Multiply-accumulates a second in depthwise convolutions."""
    dense: int | None = Field(default=None, gt=0)
    """Multiply-accumulates a second in dense layers."""
    event: int | None = Field(default=None, gt=0)
    """Synaptic events a second."""
    bandwidth: int | None = Field(default=None, gt=0)
    """Memory bandwidth, bytes a second."""
    overhead: Duration | None = None
    """Fixed time of a job that does any work."""
    idle: Power | None = None
    """Power of the board when idle."""
    busy: Power | None = None
    """Power of the board when computing."""


class PaceStep(Settings):
    """From a time on, computing takes so many times as long."""

    at: Duration
    """From when."""
    factor: float = Field(ge=1, le=1_000)
    """Times as long; 1 is the end of it."""


class DeviceSettings(Settings):
    """A group of equal devices, named ``<id>-1`` to ``<id>-<count>``."""

    id: DeviceId
    """Name of the group: at most 24 characters, no dot."""
    count: int = Field(default=1, ge=1, le=100_000)
    """How many devices."""
    compute: ComputeName | ComputeSettings = "cpu-small"
    """How fast it computes and what that costs."""
    memory: Size = Field(default=512 * 2**20, gt=0)
    """Memory of the board, of which 70 % may be used."""
    runtime: Size = 60_000_000
    """Memory of the interpreter and its libraries (unverified)."""
    queue: int = Field(default=1, ge=0, le=10_000)
    """Frames that may wait while the device is busy."""
    drop: Literal["newest", "oldest"] = "newest"
    """Which frame goes when the queue is full."""
    radio: RadioName = "auto"
    """What sending and receiving costs; `auto` goes by the profile of each link."""
    radio_in_idle: bool = True
    """Whether the idle power of the board includes its idle radio."""
    battery: Annotated[Energy, Field(gt=0)] | None = None
    """Charge at the start; the device stops for good when its board has used it up."""
    throttle: tuple[PaceStep, ...] = ()
    """How much heat slows it, step by step."""
    background: tuple[PaceStep, ...] = ()
    """How much other load slows it, step by step; both multiply."""

    @model_validator(mode="after")
    def _steps_in_order(self) -> Self:
        for steps in (self.throttle, self.background):
            times = [step.at for step in steps]
            if times != sorted(set(times)):
                raise ValueError("steps of throttle and background must rise in time")
        return self


class ServerSettings(Settings):
    """The aggregator."""

    compute: Literal["free"] | ComputeName | ComputeSettings = "free"
    """`free`: merging and aggregating take no time."""


class NoJitter(Settings):
    """Constant delay."""

    kind: Literal["none"]
    """This kind."""


class UniformJitter(Settings):
    """Extra delay between two bounds, both included."""

    kind: Literal["uniform"]
    """This kind."""
    low: Duration = 0
    """Least extra delay."""
    high: Duration
    """Greatest extra delay."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"jitter must have low <= high, got {self.low} > {self.high} ns")
        return self


class NormalJitter(Settings):
    """Normal extra delay; the whole delay is cut at 0."""

    kind: Literal["normal"]
    """This kind."""
    sd: Duration
    """Standard deviation."""


class ExponentialJitter(Settings):
    """Exponential extra delay."""

    kind: Literal["exponential"]
    """This kind."""
    mean: Duration
    """Mean."""


class TableJitter(Settings):
    """Extra delay by its quantiles: straight lines between the points, constant after the last."""

    kind: Literal["table"]
    """This kind."""
    points: tuple[tuple[Share, Duration], ...] = Field(min_length=1, max_length=4096)
    """Pairs of share and delay, both rising; a line leads from (0, 0) to the first."""

    @model_validator(mode="before")
    @classmethod
    def _pairs(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("points"), list | tuple):
            points = (tuple(p) if isinstance(p, list) else p for p in data["points"])
            return {**data, "points": tuple(points)}
        return data

    @model_validator(mode="after")
    def _rising(self) -> Self:
        pairs = ((Fraction(0), 0), *self.points)
        for (share, delay), (share_next, delay_next) in itertools.pairwise(pairs):
            if share_next <= share or delay_next < delay:
                raise ValueError(f"jitter points must rise, got {share_next} after {share}")
        return self


JitterSettings = Annotated[
    NoJitter | UniformJitter | NormalJitter | ExponentialJitter | TableJitter,
    Field(discriminator="kind"),
]
"""What is added to the propagation delay of a datagram."""


class NoLoss(Settings):
    """Nothing is lost."""

    kind: Literal["none"]
    """This kind."""


class BernoulliLoss(Settings):
    """Each datagram (with hop ARQ: each try) is lost by itself."""

    kind: Literal["bernoulli"]
    """This kind."""
    mean: Share
    """Share lost."""


class GilbertElliottLoss(Settings):
    """Bursts: a good and a bad state that move with time, whatever is sent."""

    kind: Literal["gilbert-elliott"]
    """This kind."""
    mean: Share
    """Share lost in the long run."""
    burst: Duration = Field(gt=0)
    """Mean stay in the bad state."""
    bad: Share = Fraction(1)
    """Share lost in the bad state."""
    good: Share = Fraction(0)
    """Share lost in the good state."""

    @model_validator(mode="after")
    def _between(self) -> Self:
        if not self.good < self.bad:
            raise ValueError(f"loss must have good < bad, got {self.good} >= {self.bad}")
        if not self.good <= self.mean <= self.bad:
            raise ValueError(f"loss must have good <= mean <= bad, got mean {self.mean}")
        return self


class LostMessage(Settings):
    """A message that a `list` loss takes away, every copy of it."""

    source: Name
    """Who sent it first."""
    destination: Name
    """Whom it is for."""
    cls: Name = Field(alias="class")
    """Class of message: token, prior, report."""
    boot: int = Field(default=1, ge=1)
    """Boot of the sender."""
    seq: int = Field(ge=1)
    """Number of the message."""


class ListLoss(Settings):
    """Exactly these are lost."""

    kind: Literal["list"]
    """This kind."""
    ordinals: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Counted from 1 in the order of service on the link."""
    messages: tuple[LostMessage, ...] = ()
    """By name."""


LossSettings = Annotated[
    NoLoss | BernoulliLoss | GilbertElliottLoss | ListLoss, Field(discriminator="kind")
]
"""Which datagrams are lost; with hop ARQ, which tries."""


class QueueSettings(Settings):
    """Limits of a link's queue; the datagram in service is not counted."""

    datagrams: int = Field(default=100, ge=0)
    """Greatest number."""
    bytes: Size = 150_000
    """Greatest sum of their bytes on the wire."""


class ArqSettings(Settings):
    """Retries on one hop: they hold the link back to back."""

    retries: int = Field(default=0, ge=0, le=1_000)
    """Tries after the first."""
    gap: Duration = 0
    """Pause before a retry."""


class LinkSettings(Settings):
    """A link's figures. What is not given comes from the profile."""

    profile: ProfileName | None = None
    """Kind of network; without one, that of the default, and there `ethernet`."""
    up: Rate | None = Field(default=None, gt=0)
    """Rate towards the server, and both ways between devices."""
    down: Rate | None = Field(default=None, gt=0)
    """Rate from the server."""
    delay: Duration | None = None
    """Propagation, one way."""
    jitter: JitterSettings | None = None
    """Added to the delay."""
    loss: LossSettings | None = None
    """What is lost, each direction by itself."""
    queue: QueueSettings | None = None
    """Limits of the queue."""
    queue_on_down: Literal["keep", "flush"] | None = None
    """What becomes of the queue when the link goes down."""
    order: Literal["fifo", "free"] | None = None
    """`fifo`: no datagram overtakes another; `free`: jitter may reorder."""
    mtu: Size | None = Field(default=None, gt=0)
    """Largest datagram on the wire; larger ones are lost."""
    arq: ArqSettings | None = None
    """Retries on this hop."""
    duplicate: Share | None = None
    """Share of the datagrams that got through which arrive twice."""
    corrupt: Share | None = None
    """Share of the datagrams that got through in which one bit is flipped."""


class LinkOverride(LinkSettings):
    """Figures for the links that have a listed device at either end."""

    devices: tuple[Name, ...] = Field(min_length=1)
    """Groups (`cam`) or devices (`cam-1`)."""


class LinksSettings(Settings):
    """All links: a default, and overrides, of which later ones win."""

    default: LinkSettings = LinkSettings()
    """For every link."""
    overrides: tuple[LinkOverride, ...] = ()
    """One that names a profile starts from that profile, else from what was there before."""
