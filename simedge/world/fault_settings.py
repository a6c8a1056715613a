"""Faults as they are written in a scenario: those of devices and of the server, and the menu.

Faults of links are in `simedge.world.link_fault_settings`, those of the disk in
`simedge.world.storage_fault_settings`.
"""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Duration, Energy, Factor, Share, Size
from simedge.world.clock_fault_settings import ClockDriftFault, ClockJumpFault, ClockOffsetFault
from simedge.world.link_fault_settings import ClogFault, CutFault, StrainFault, SwizzleClogFault
from simedge.world.names import Name
from simedge.world.server_fault_settings import (
    FailoverFault,
    OverloadFault,
    RollbackFault,
    SplitBrainFault,
)
from simedge.world.spells import DeviceMoment, DeviceSpell, HostSpell, Spell
from simedge.world.storage_fault_settings import StorageFault

__all__ = [
    "BatteryFault",
    "CrashSettings",
    "FaultSettings",
    "FrameBurstFault",
    "FrameSilenceFault",
    "HalfOpenFault",
    "LabelShiftFault",
    "OutOfMemoryFault",
    "PauseFault",
    "RebootLoopFault",
    "SameStartFault",
    "SlowFault",
    "State",
    "TieShuffleFault",
    "TokenFault",
    "TokenFormFault",
    "TwinFault",
]

State = Literal["kept", "checkpoint", "wiped"]
"""What survives a crash: everything, the last local checkpoint, or the boot alone."""


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


class SlowFault(HostSpell):
    """Computing takes longer.

    A server, which computes for free otherwise, takes its time for each message and timer then, one
    after the other; when the fault ends all that wait are handled at once.
    """

    kind: Literal["slow"]
    """This kind."""
    name: Name = "slow"
    """Keys the fault's draws; no two faults share a name."""
    factor: float = Field(ge=1, le=1_000_000)
    """Times as long."""
    each: Annotated[Duration, Field(gt=0)] = 1_000_000
    """What one message or timer takes a server that is not slow; devices have jobs instead."""


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


class HalfOpenFault(DeviceMoment):
    """One end of the connection between a device and the server forgets it, the other believes.

    A device that has forgotten joins again; a server that has answers the next token with the
    request to. The state of the other end, and all that was learned, stays.
    """

    kind: Literal["half-open"]
    """This kind."""
    name: Name = "half-open"
    """Keys the fault's draws; no two faults share a name."""
    side: Literal["device", "server"] = "server"
    """Which end forgets."""


class SameStartFault(DeviceSpell):
    """The cameras deliver at one instant: each frame at the end of its presentation.

    Presentations of all devices start and end at the same times; a frame is delivered with its last
    pixel event otherwise, which comes at another time at each device.
    """

    kind: Literal["same-start"]
    """This kind."""
    name: Name = "same-start"
    """Keys the fault's draws; no two faults share a name."""


class LabelShiftFault(DeviceSpell):
    """The cameras see one class more often than before, or less.

    From the first presentation that starts in it to the last; rate and motion stay as they are.
    """

    kind: Literal["label-shift"]
    """This kind."""
    name: Name = "label-shift"
    """Keys the fault's draws; no two faults share a name."""
    class_: int = Field(default=0, ge=0, alias="class")
    """Which, modulo the number of classes."""
    factor: Factor = Fraction(10)
    """Times as many chances, before the shares of the classes are made to sum to 1 again."""


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


class TwinFault(DeviceSpell):
    """A second device with the same name and key sends its own tokens in between.

    It is made from the last local checkpoint, one boot ahead, has no camera, and hears all that
    comes to the name. The server takes the newest boot for the device and tells the other, at most
    once a second, that its own is stale; that one joins again with a newer one. So the two speak in
    turns as long as both are there, and afterwards the device is alone again.
    """

    kind: Literal["twin"]
    """This kind."""
    name: Name = "twin"
    """Keys the fault's draws; no two faults share a name."""


class TokenFormFault(DeviceSpell):
    """Devices send tokens that are none; the receiver must notice.

    `token-nan`: rows that sum to nothing sensible, or are not finite; `token-shape`: too short.
    """

    kind: Literal["token-nan", "token-shape"]
    """Which."""
    name: Name = "token"
    """Keys the fault's draws; no two faults share a name."""
    share: Share = Fraction(1)
    """Share of the tokens that are."""


class TieShuffleFault(Spell):
    """What happens at one instant happens in an order that is drawn.

    Among records of one time and class; those of one target, and arrivals over one link, keep
    their order. Results may change, and no law may break.
    """

    kind: Literal["tie-shuffle"]
    """This kind."""
    name: Name = "tie-shuffle"
    """Keys the fault's draws; no two faults share a name."""


FaultSettings = Annotated[
    CrashSettings
    | PauseFault
    | SlowFault
    | RebootLoopFault
    | OutOfMemoryFault
    | BatteryFault
    | FrameSilenceFault
    | FrameBurstFault
    | HalfOpenFault
    | SameStartFault
    | LabelShiftFault
    | TokenFault
    | TokenFormFault
    | TwinFault
    | FailoverFault
    | RollbackFault
    | SplitBrainFault
    | OverloadFault
    | ClockOffsetFault
    | ClockDriftFault
    | ClockJumpFault
    | TieShuffleFault
    | StrainFault
    | ClogFault
    | SwizzleClogFault
    | CutFault
    | StorageFault,
    Field(discriminator="kind"),
]
"""What goes wrong, and when."""
