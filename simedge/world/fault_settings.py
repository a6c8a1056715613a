"""Faults as they are written in a scenario: what goes wrong, and when."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Duration, Settings, Share
from simedge.world.names import Name

__all__ = ["CrashSettings", "FaultSettings"]


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
