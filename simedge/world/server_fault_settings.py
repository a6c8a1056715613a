"""Faults of the server as they are written: a standby, an older state, two at once, a crowd."""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Duration, Frequency
from simedge.world.names import Name
from simedge.world.spells import Moment, Spell

__all__ = ["FailoverFault", "OverloadFault", "RollbackFault", "SplitBrainFault"]


class FailoverFault(Spell):
    """The server dies, and a standby takes its place, with the state of a while ago.

    It does so when the fault ends, at once without `for`, as the server's next boot.
    """

    kind: Literal["failover"]
    """This kind."""
    name: Name = "failover"
    """Keys the fault's draws; no two faults share a name."""
    lag: Duration
    """How old that state is when the server dies."""


class RollbackFault(Moment):
    """The server's store of priors is put back to what it was some publications ago.

    Versions fall, in the same boot; devices keep what they hold until they are overtaken. Tokens
    and members stay as they are, and what fell is published again.
    """

    kind: Literal["rollback"]
    """This kind."""
    name: Name = "rollback"
    """Keys the fault's draws; no two faults share a name."""
    versions: int = Field(default=1, ge=1, le=100)
    """How many publications, or to the first."""


class SplitBrainFault(Spell):
    """Two servers at once: a copy of the server takes some devices for its own.

    Both believe to be the only one, in the same boot, and hear and reach their own devices alone.
    At the end all devices are the first server's again: its state wins, what the copy learned is
    lost. The copy shares the server's place in the network; other faults hit the first.
    """

    kind: Literal["split-brain"]
    """This kind."""
    name: Name = "split-brain"
    """Keys the fault's draws; no two faults share a name."""
    groups: tuple[tuple[Name, ...], ...] = Field(min_length=2, max_length=2)
    """Groups or devices that stay, and those that go to the copy; whoever is in none stays."""

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("groups"), list | tuple):
            groups = (tuple(g) if isinstance(g, list) else g for g in data["groups"])
            return {**data, "groups": tuple(groups)}
        return data

    @model_validator(mode="after")
    def _apart(self) -> Self:
        both = sorted(set(self.groups[0]) & set(self.groups[1]))
        if both:
            raise ValueError(f"split-brain names {both[0]!r} on both sides")
        return self


class OverloadFault(Spell):
    """Devices that do not exist join the server and send it valid tokens, which say nothing.

    Their rows are absent, so that no prior holds what no device made; they use up no link, but what
    they make the server send does.
    """

    kind: Literal["overload"]
    """This kind."""
    name: Name = "overload"
    """Keys the fault's draws; no two faults share a name."""
    rate: Annotated[Frequency, Field(gt=0, le=Fraction(1_000_000))]
    """Tokens a second, of all of them together."""
    senders: int = Field(default=8, ge=1, le=10_000)
    """How many there are."""
