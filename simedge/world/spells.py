"""When a fault holds, and whom it hits: what all kinds of faults have in common."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import override

from simedge.core.quantities import Duration, Settings, Share
from simedge.world.names import Name

__all__ = ["Chosen", "DeviceMoment", "DeviceSpell", "HostSpell", "LinkSpell", "Moment", "Spell"]

Chosen = Annotated[
    Annotated[int, Field(ge=0)] | Share | tuple[Name, ...] | None,
    Field(union_mode="left_to_right"),
]
"""A number of them, a share (rounded up), or names."""


class Spell(Settings):
    """Anything that begins, may end, and may come again."""

    kind: str
    """What it is."""
    name: Name
    """Keys its draws."""
    at: Duration
    """When."""
    for_: Annotated[Duration, Field(gt=0)] | None = Field(default=None, alias="for")
    """How long; without it, to the end."""
    every: Annotated[Duration, Field(gt=0)] | None = None
    """Again and again with this period."""

    @model_validator(mode="after")
    def _ends_before_the_next(self) -> Self:
        over = 0 if isinstance(self, Moment) else self.for_
        if self.every is not None and (over is None or over >= self.every):
            raise ValueError("a fault with every needs a shorter for")
        return self

    def windows(self, duration_ns: int) -> Iterator[tuple[int, int]]:
        """Yield start and end of each time that begins within the run; no end: after the run."""
        at = self.at
        while at < duration_ns:
            yield at, duration_ns + 1 if self.for_ is None else at + self.for_
            if self.every is None:
                return
            at += self.every


class DeviceSpell(Spell):
    """What hits devices."""

    devices: Chosen = None
    """A number of them, a share (rounded up), or groups and devices by name."""

    @model_validator(mode="after")
    def _has_devices(self) -> Self:
        if self.devices is None:
            raise ValueError("this fault needs devices")
        return self


class Moment(Spell):
    """What happens at once and is over."""

    @model_validator(mode="after")
    def _at_once(self) -> Self:
        if self.for_ is not None:
            raise ValueError(f"{self.kind} takes no for: it is over at once")
        return self

    @override
    def windows(self, duration_ns: int) -> Iterator[tuple[int, int]]:
        """Yield start and end, which are the same, of each time within the run."""
        yield from ((at, at) for at in range(self.at, duration_ns, self.every or duration_ns))


class DeviceMoment(DeviceSpell, Moment):
    """What happens to devices at once and is over."""


class HostSpell(Spell):
    """What hits devices or the server."""

    devices: Chosen = None
    """A number of them, a share (rounded up), or groups and devices by name."""
    server: bool = False
    """Hit the server instead."""

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.devices is None) is not self.server:
            raise ValueError("this fault needs either devices or server: true")
        return self


class LinkSpell(Spell):
    """What hits links: all of them, unless some are named or drawn."""

    links: Annotated[Literal["all"] | Chosen, Field(union_mode="left_to_right")] = None
    """`all`, a number of them, a share (rounded up), or links by name (`cam-1.server`)."""
    devices: Chosen = None
    """In place of `links`: every link that starts or ends at one of these devices."""

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if self.links is not None and self.devices is not None:
            raise ValueError("this fault takes links or devices, not both")
        return self
