"""The world's part of a scenario: devices, server, topology, links and faults, as they are written.

These models are the schema. They hold what was written and nothing derived: profiles are filled
in by `simedge.world.profiles`, cross-checks between sections are in `simedge.world.sense`.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Duration, Energy, Power, Settings, Size
from simedge.world.fault_settings import CrashSettings, FaultSettings
from simedge.world.link_settings import (
    LinkOverride,
    LinkSettings,
    LinksSettings,
    ProfileName,
    TraceSettings,
)
from simedge.world.names import DeviceId
from simedge.world.topology_settings import SmallWorldSettings, StarSettings, TopologySettings

__all__ = [
    "ComputeName",
    "ComputeSettings",
    "CrashSettings",
    "DeviceSettings",
    "FaultSettings",
    "LinkOverride",
    "LinkSettings",
    "LinksSettings",
    "PaceStep",
    "ProfileName",
    "RadioName",
    "ServerSettings",
    "SmallWorldSettings",
    "StarSettings",
    "TopologySettings",
    "TraceSettings",
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
RadioName = Literal["auto", "none", "wifi", "ble", "lte", "5g", "lora"]


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
