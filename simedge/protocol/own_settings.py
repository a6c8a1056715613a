"""Settings of a protocol of one's own, and what it says that it needs."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Final, cast, get_args

from pydantic import Field

from simedge.core.own_code import OwnCodeError
from simedge.core.own_settings import OwnSettings
from simedge.protocol.policy_settings import FixedSettings, PolicySettings, Training

__all__ = ["NEEDS", "OwnProtocolSettings"]

NEEDS: Final = ("parameters", "classes", "server_learner", "peers", "sets_aside")
"""What a protocol of one's own may ask for, in its attribute `needs`."""
_INTERVAL: Final = 64


class OwnProtocolSettings(OwnSettings):
    """A protocol of one's own: a class that opens the machines of devices and of a server."""

    shared: ClassVar[frozenset[str]] = frozenset({"interval"})
    policy: ClassVar[PolicySettings] = FixedSettings()
    interval_: Annotated[int, Field(ge=1)] | None = Field(default=None, alias="interval")
    """Frames between two periods of a device; by default what its settings say, or 64."""

    @property
    def interval(self) -> int:
        """Frames between two periods of a device."""
        own: Any = self.own()
        return self.interval_ or int(getattr(own, "interval", _INTERVAL))

    @property
    def training(self) -> Training:
        """Whether devices learn from every frame, or only when their machine asks for it."""
        owner = self.owner()
        found = getattr(owner, "training", "always")
        if found not in get_args(Training):
            raise OwnCodeError(
                f"{self.kind}: training must be 'always' or 'on-call', got {found!r}"
            )
        return cast("Training", found)

    def needs(self) -> frozenset[str]:
        """Return what it needs of the world (raises `OwnCodeError`)."""
        given = getattr(self.owner(), "needs", ())
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise OwnCodeError(f"{self.kind}: needs must be a tuple of names, got {given!r}")
        found = frozenset(given)
        if found - set(NEEDS):
            strange = ", ".join(sorted(map(str, found - set(NEEDS))))
            raise OwnCodeError(f"{self.kind}: needs {strange}, known are {', '.join(NEEDS)}")
        return found
