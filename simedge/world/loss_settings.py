"""Loss as it is written: which datagrams, or with hop ARQ which tries, a link loses."""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Duration, Settings, Share
from simedge.world.names import Name

__all__ = [
    "BernoulliLoss",
    "FourStateLoss",
    "GilbertElliottLoss",
    "ListLoss",
    "LossSettings",
    "LostMessage",
    "NoLoss",
    "PacketChainLoss",
    "TraceLoss",
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
    burst: Duration = Field(ge=10_000)
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


class PacketChainLoss(Settings):
    """Bursts: a good and a bad state that move once a served datagram."""

    kind: Literal["gilbert-elliott-packets"]
    """This kind."""
    p: Share
    """Probability of the step from good to bad."""
    r: Share
    """Probability of the step from bad to good."""
    bad: Share = Fraction(1)
    """Share lost in the bad state."""
    good: Share = Fraction(0)
    """Share lost in the good state."""

    @model_validator(mode="after")
    def _moves(self) -> Self:
        if self.p + self.r == 0:
            raise ValueError("loss must have p or r above 0: its states would never change")
        return self


class FourStateLoss(Settings):
    """Four states that move once a served datagram.

    1 received, 2 received inside a burst, 3 lost inside a burst, 4 lost alone (then 1 again).
    """

    kind: Literal["four-state"]
    """This kind."""
    p13: Share
    """Probability that a burst begins."""
    p31: Share
    """Probability that a burst ends."""
    p32: Share = Fraction(0)
    """Probability that the losses of a burst pause."""
    p23: Share = Fraction(1)
    """Probability that they go on."""
    p14: Share = Fraction(0)
    """Probability of a lone loss."""

    @model_validator(mode="after")
    def _leaves(self) -> Self:
        if self.p13 + self.p14 > 1 or self.p31 + self.p32 > 1:
            raise ValueError("loss must have p13 + p14 <= 1 and p31 + p32 <= 1")
        if self.p31 == 0 or (self.p32 > 0 and self.p23 == 0):
            raise ValueError("loss must have p31 above 0, and with p32 also p23: bursts must end")
        return self


class TraceLoss(Settings):
    """The loss column of the link's recording, in force at the end of a serialisation."""

    kind: Literal["trace"]
    """This kind."""


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
    NoLoss
    | BernoulliLoss
    | GilbertElliottLoss
    | PacketChainLoss
    | FourStateLoss
    | TraceLoss
    | ListLoss,
    Field(discriminator="kind"),
]
"""Which datagrams are lost; with hop ARQ, which tries."""
