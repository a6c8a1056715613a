"""Faults as they are written in a scenario: those of devices and of the server, and the menu.

Faults of links are in `simedge.world.link_fault_settings`, those of the disk in
`simedge.world.storage_fault_settings`.
"""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Duration, Energy, Share, Size
from simedge.world.link_fault_settings import ClogFault, CutFault, StrainFault, SwizzleClogFault
from simedge.world.names import Name
from simedge.world.spells import DeviceSpell, HostSpell
from simedge.world.storage_fault_settings import StorageFault

__all__ = [
    "BatteryFault",
    "CrashSettings",
    "FaultSettings",
    "FrameBurstFault",
    "FrameSilenceFault",
    "OutOfMemoryFault",
    "PauseFault",
    "RebootLoopFault",
    "SlowFault",
    "State",
    "TokenFault",
]

State = Literal["kept", "checkpoint", "wiped"]


class CrashSettings(HostSpell):
    """Devices, or the server, stop at once and may come back."""

    kind: Literal["crash"]
    """This kind."""
    name: Name = "crash"
    """Keys the fault's draws; no two faults share a name."""
    state: State = "checkpoint"
    """What survives: everything, the last local checkpoint, or the boot alone."""


class PauseFault(HostSpell):
    """Nothing is handled while time and links go on; overdue timers fire on waking."""

    kind: Literal["pause"]
    """This kind."""
    name: Name = "pause"
    """Keys the fault's draws; no two faults share a name."""


class SlowFault(DeviceSpell):
    """Computing takes longer."""

    kind: Literal["slow"]
    """This kind."""
    name: Name = "slow"
    """Keys the fault's draws; no two faults share a name."""
    factor: float = Field(ge=1, le=1_000_000)
    """Times as long."""


class RebootLoopFault(DeviceSpell):
    """Devices die again and again soon after they come back."""

    kind: Literal["reboot-loop"]
    """This kind."""
    name: Name = "reboot-loop"
    """Keys the fault's draws; no two faults share a name."""
    up: Annotated[Duration, Field(gt=0)]
    """How long they are up in between."""
    down: Annotated[Duration, Field(gt=0)]
    """How long they are down each time."""
    count: int = Field(ge=1, le=10_000)
    """How often they die."""
    state: State = "checkpoint"
    """What survives: everything, the last local checkpoint, or the boot alone."""


class OutOfMemoryFault(DeviceSpell):
    """Less memory is left; who holds more crashes, and is back from its checkpoint at the end."""

    kind: Literal["out-of-memory"]
    """This kind."""
    name: Name = "out-of-memory"
    """Keys the fault's draws; no two faults share a name."""
    limit: Size
    """Bytes that may be held."""


class BatteryFault(DeviceSpell):
    """Devices run on a battery from now on, and stop for good when it is empty."""

    kind: Literal["battery"]
    """This kind."""
    name: Name = "battery"
    """Keys the fault's draws; no two faults share a name."""
    capacity: Annotated[Energy, Field(gt=0)]
    """What is in it."""

    @model_validator(mode="after")
    def _for_good(self) -> Self:
        if self.for_ is not None:
            raise ValueError("a battery takes no for: a device that it fails stays down")
        return self


class FrameSilenceFault(DeviceSpell):
    """The cameras deliver nothing."""

    kind: Literal["frame-silence"]
    """This kind."""
    name: Name = "frame-silence"
    """Keys the fault's draws; no two faults share a name."""


class FrameBurstFault(DeviceSpell):
    """The cameras deliver each frame several times, as if of a crowd."""

    kind: Literal["frame-burst"]
    """This kind."""
    name: Name = "frame-burst"
    """Keys the fault's draws; no two faults share a name."""
    factor: int = Field(ge=2, le=1_000)
    """How often each."""


class TokenFault(DeviceSpell):
    """Devices say wrong things in well-formed tokens.

    `token-constant`: always the same answer; `token-confident`: sure of a wrong class;
    `token-shuffle`: confidences permuted.
    """

    kind: Literal["token-constant", "token-confident", "token-shuffle"]
    """Which."""
    name: Name = "token"
    """Keys the fault's draws; no two faults share a name."""
    share: Share = Fraction(1)
    """Share of the rows that are wrong."""
    class_: int = Field(default=0, ge=0, alias="class")
    """The class of `token-constant` and `token-confident`."""


FaultSettings = Annotated[
    CrashSettings
    | PauseFault
    | SlowFault
    | RebootLoopFault
    | OutOfMemoryFault
    | BatteryFault
    | FrameSilenceFault
    | FrameBurstFault
    | TokenFault
    | StrainFault
    | ClogFault
    | SwizzleClogFault
    | CutFault
    | StorageFault,
    Field(discriminator="kind"),
]
"""What goes wrong, and when."""
