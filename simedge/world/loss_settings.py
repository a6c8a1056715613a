"""Loss as it is written: which datagrams, or with hop ARQ which tries, a link loses."""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Duration, Settings, Share
from simedge.world.names import Name

__all__ = [
    "BernoulliLoss",
    "GilbertElliottLoss",
    "ListLoss",
    "LossSettings",
    "LostMessage",
    "NoLoss",
]


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
