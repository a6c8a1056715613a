"""Faults of a device's own clock, as they are written.

Only what its machine is told of the time changes: the stamps of its messages, and its timers, which
stand for times of that clock. Frames, computing and links keep to the time of the run.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from simedge.core.quantities import SignedDuration
from simedge.world.names import Name
from simedge.world.spells import DeviceMoment, DeviceSpell

__all__ = ["ClockDriftFault", "ClockFault", "ClockJumpFault", "ClockOffsetFault"]

_SLOWEST_PPM = -900_000
_FASTEST_PPM = 1_000_000


def _something(by: int) -> int:
    if by == 0:
        raise ValueError("must not be 0")
    return by


_Step = Annotated[SignedDuration, AfterValidator(_something)]


class ClockOffsetFault(DeviceSpell):
    """Clocks are wrong by a fixed amount; at the end they are set right."""

    kind: Literal["clock-offset"]
    """This kind."""
    name: Name = "clock-offset"
    """Keys the fault's draws; no two faults share a name."""
    by: _Step
    """How much they are ahead; negative: behind."""


class ClockDriftFault(DeviceSpell):
    """Clocks run too fast or too slow; what they have gained by the end stays."""

    kind: Literal["clock-drift"]
    """This kind."""
    name: Name = "clock-drift"
    """Keys the fault's draws; no two faults share a name."""
    ppm: Annotated[int, Field(ge=_SLOWEST_PPM, le=_FASTEST_PPM), AfterValidator(_something)]
    """Microseconds that they gain a second; negative: lose."""


class ClockJumpFault(DeviceMoment):
    """Clocks jump, and stay as they are then."""

    kind: Literal["clock-jump"]
    """This kind."""
    name: Name = "clock-jump"
    """Keys the fault's draws; no two faults share a name."""
    by: _Step
    """How far ahead; negative: back."""


ClockFault = ClockOffsetFault | ClockDriftFault | ClockJumpFault
"""What makes a device's clock wrong."""
