"""The world's part of a scenario: devices, server, topology, links and faults, as they are written.

These models are the schema. They hold what was written and nothing derived: profiles are filled
in by `simedge.world.profiles`, cross-checks between sections are in `simedge.world.sense`.
"""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Duration, Power, Settings, Share, Size
from simedge.world.link_settings import (
    LinkOverride,
    LinkSettings,
    LinksSettings,
    ProfileName,
    TraceSettings,
)
from simedge.world.names import DeviceId, Name

__all__ = [
    "ComputeName",
    "ComputeSettings",
    "CrashSettings",
    "DeviceSettings",
    "FaultSettings",
    "LinkOverride",
    "LinkSettings",
    "LinksSettings",
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


class ServerSettings(Settings):
    """The aggregator."""

    compute: Literal["free"] | ComputeName | ComputeSettings = "free"
    """`free`: merging and aggregating take no time."""


class _RoutedSettings(Settings):
    """What every topology has: how routes are chosen and mended."""

    route: Literal["hops", "latency", "etx"] = "hops"
    """Cost of a path: hops, propagation delay, or expected transmissions."""
    hello: Duration = Field(default=1_000_000_000, gt=0)
    """Period of the hello messages that watch a neighbour."""
    misses: int = Field(default=3, ge=1, le=100)
    """Missed hellos after which an edge leaves the graph."""
    hold_datagrams: int = Field(default=16, ge=0, le=10_000)
    """Datagrams that a device keeps while it has no path."""


class StarSettings(_RoutedSettings):
    """Every device has a link to the server and no other."""

    kind: Literal["star"] = "star"
    """This kind."""


class SmallWorldSettings(_RoutedSettings):
    """A ring lattice of devices, some edges rewired (Watts and Strogatz 1998), with uplinks."""

    kind: Literal["small-world"]
    """This kind."""
    neighbours: int = Field(default=4, ge=2, le=1_000, multiple_of=2)
    """Neighbours of a device in the ring before rewiring, an even number."""
    rewire: Share = Fraction(1, 10)
    """Probability that an edge is rewired."""
    uplinks: Literal["all"] | Annotated[int, Field(ge=1)] = "all"
    """Devices with a link to the server: all, or a number chosen by draws."""


TopologySettings = Annotated[StarSettings | SmallWorldSettings, Field(discriminator="kind")]
"""Who has a link to whom."""


class CrashSettings(Settings):
    """Devices, or the server, stop at once and may come back."""

    kind: Literal["crash"]
    """This kind."""
    name: Name = "crash"
    """Keys the fault's draws; no two faults share a name."""
    devices: Annotated[
        Annotated[int, Field(ge=0)] | Share | tuple[Name, ...] | None,
        Field(union_mode="left_to_right"),
    ] = None
    """A number of them, a share (rounded up), or groups and devices by name."""
    server: bool = False
    """Crash the server instead."""
    at: Duration
    """When."""
    for_: Annotated[Duration, Field(gt=0)] | None = Field(default=None, alias="for")
    """How long; without it, to the end."""
    every: Annotated[Duration, Field(gt=0)] | None = None
    """Again and again with this period."""
    state: Literal["kept", "checkpoint", "wiped"] = "checkpoint"
    """What survives: everything, the last local checkpoint, or the boot alone."""

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.devices is None) is not self.server:
            raise ValueError("crash needs either devices or server: true")
        if self.every is not None and (self.for_ is None or self.for_ >= self.every):
            raise ValueError("crash with every needs a shorter for")
        return self


FaultSettings = CrashSettings
"""What goes wrong, and when."""
