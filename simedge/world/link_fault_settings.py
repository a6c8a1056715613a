"""Faults of links as they are written: what they lose, copy, change, delay, hold or cut."""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Duration, Factor, Rate, Share, Size
from simedge.world.names import Name
from simedge.world.spells import LinkSpell, Spell

__all__ = [
    "AckLossFault",
    "BandwidthFault",
    "BlackHoleFault",
    "BridgeFault",
    "ClogFault",
    "CorruptFault",
    "CutFault",
    "DelayFault",
    "DuplicateFault",
    "FlapFault",
    "IsolateFault",
    "LinkDownFault",
    "LossFault",
    "PartitionFault",
    "ReorderFault",
    "ReplayFault",
    "SplitFault",
    "StrainFault",
    "SwizzleClogFault",
    "TruncateFault",
]

_Positive = Annotated[Duration, Field(gt=0)]


class LossFault(LinkSpell):
    """An independent loss after the link's own, in bursts if `burst` is given."""

    kind: Literal["loss"]
    """This kind."""
    name: Name = "loss"
    """Keys the fault's draws; no two faults share a name."""
    mean: Share
    """Share lost in the long run."""
    burst: Annotated[Duration, Field(ge=10_000)] | None = None
    """Mean stay in the state that loses everything; without it each datagram fares by itself."""


class AckLossFault(LinkSpell):
    """Only reports and replies are lost."""

    kind: Literal["ack-loss"]
    """This kind."""
    name: Name = "ack-loss"
    """Keys the fault's draws; no two faults share a name."""
    share: Share
    """Share of them lost."""


class DuplicateFault(LinkSpell):
    """Datagrams arrive more than once, each copy with a delay of its own."""

    kind: Literal["duplicate"]
    """This kind."""
    name: Name = "duplicate"
    """Keys the fault's draws; no two faults share a name."""
    share: Share
    """Share of the datagrams that are copied."""
    copies: int = Field(default=1, ge=1, le=100)
    """Copies of each, beside the original."""


class ReplayFault(LinkSpell):
    """Delivered bytes are delivered again after a while."""

    kind: Literal["replay"]
    """This kind."""
    name: Name = "replay"
    """Keys the fault's draws; no two faults share a name."""
    share: Share
    """Share of the datagrams that come again."""
    age: _Positive
    """How much later."""


class ReorderFault(LinkSpell):
    """Some datagrams travel longer, and others overtake them, also on a fifo link."""

    kind: Literal["reorder"]
    """This kind."""
    name: Name = "reorder"
    """Keys the fault's draws; no two faults share a name."""
    share: Share
    """Share of the datagrams that travel longer."""
    extra: _Positive
    """How much longer."""


class DelayFault(LinkSpell):
    """All datagrams travel longer."""

    kind: Literal["delay"]
    """This kind."""
    name: Name = "delay"
    """Keys the fault's draws; no two faults share a name."""
    extra: Duration
    """How much longer."""
    jitter: Duration = 0
    """And at most this much on top, uniformly drawn."""


class CorruptFault(LinkSpell):
    """Bits of some messages are flipped; the receiver must notice."""

    kind: Literal["corrupt"]
    """This kind."""
    name: Name = "corrupt"
    """Keys the fault's draws; no two faults share a name."""
    share: Share
    """Share of the datagrams that are changed."""
    bits: int = Field(default=1, ge=1, le=64)
    """Draws of a bit to flip; the same bit may be drawn twice."""


class TruncateFault(LinkSpell):
    """Some messages lose their end; the receiver must notice."""

    kind: Literal["truncate"]
    """This kind."""
    name: Name = "truncate"
    """Keys the fault's draws; no two faults share a name."""
    share: Share
    """Share of the datagrams that are cut."""
    keep: Share = Fraction(1, 2)
    """Share of the bytes that is left."""


class BandwidthFault(LinkSpell):
    """Links are slower, or faster, from the next service on."""

    kind: Literal["bandwidth"]
    """This kind."""
    name: Name = "bandwidth"
    """Keys the fault's draws; no two faults share a name."""
    factor: Factor | None = None
    """Times the link's own rate; more than 100% is faster."""
    rate: Annotated[Rate, Field(gt=0)] | None = None
    """Or a rate in place of the link's own."""

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        if (self.factor is None) is (self.rate is None):
            raise ValueError("bandwidth needs either factor or rate")
        return self


class BlackHoleFault(LinkSpell):
    """Large datagrams vanish, small ones pass."""

    kind: Literal["mtu-black-hole"]
    """This kind."""
    name: Name = "mtu-black-hole"
    """Keys the fault's draws; no two faults share a name."""
    above: Size
    """Bytes on the wire that still pass."""


class ClogFault(LinkSpell):
    """Nothing is delivered, then all of it in order."""

    kind: Literal["clog"]
    """This kind."""
    name: Name = "clog"
    """Keys the fault's draws; no two faults share a name."""
    release: Literal["burst", "paced"] = "burst"
    """All at once, or at the rate of the link."""


class SwizzleClogFault(LinkSpell):
    """Links are clogged one by one, and released one by one in another order."""

    kind: Literal["swizzle-clog"]
    """This kind."""
    name: Name = "swizzle-clog"
    """Keys the fault's draws; no two faults share a name."""
    share: Share = Fraction(1, 2)
    """Share of the links that are clogged."""
    release: Literal["burst", "paced"] = "burst"
    """All at once, or at the rate of the link."""

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.for_ is None:
            raise ValueError("swizzle-clog needs for: it must end to be released")
        return self


class LinkDownFault(LinkSpell):
    """Links are down: what is on them is lost, nothing enters."""

    kind: Literal["link-down"]
    """This kind."""
    name: Name = "link-down"
    """Keys the fault's draws; no two faults share a name."""


class FlapFault(LinkSpell):
    """Links are down and up by turns, down first."""

    kind: Literal["flap"]
    """This kind."""
    name: Name = "flap"
    """Keys the fault's draws; no two faults share a name."""
    down: _Positive
    """How long they are down."""
    up: _Positive
    """How long they are up in between."""


class PartitionFault(Spell):
    """Nothing gets from one group to another."""

    kind: Literal["partition"]
    """This kind."""
    name: Name = "partition"
    """Keys the fault's draws; no two faults share a name."""
    groups: tuple[tuple[Name, ...], ...] = Field(min_length=1)
    """Lists of groups, devices or `server`; whoever is in none is in one more."""
    direction: Literal["both", "one-way"] = "both"
    """`one-way`: only what the first group sends is cut off."""
    mode: Literal["drop", "refuse"] = "drop"
    """Silence, or an error at the sender."""

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("groups"), list | tuple):
            groups = (tuple(g) if isinstance(g, list) else g for g in data["groups"])
            return {**data, "groups": tuple(groups)}
        return data

    @model_validator(mode="after")
    def _apart(self) -> Self:
        named = [name for group in self.groups for name in group]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"a partition names {twice[0]!r} twice")
        return self


class IsolateFault(Spell):
    """One device is cut off from everyone."""

    kind: Literal["isolate"]
    """This kind."""
    name: Name = "isolate"
    """Keys the fault's draws; no two faults share a name."""
    device: Name
    """Which."""
    mode: Literal["drop", "refuse"] = "drop"
    """Silence, or an error at the sender."""


class SplitFault(Spell):
    """Two parts of the devices cannot speak to each other; the server stays with the second."""

    kind: Literal["split"]
    """This kind."""
    name: Name = "split"
    """Keys the fault's draws; no two faults share a name."""
    share: Share = Fraction(1, 2)
    """Share of the devices in the first part, rounded up, drawn."""
    mode: Literal["drop", "refuse"] = "drop"
    """Silence, or an error at the sender."""


class BridgeFault(Spell):
    """Two halves that only one device can speak to; the server is in the second."""

    kind: Literal["bridge"]
    """This kind."""
    name: Name = "bridge"
    """Keys the fault's draws; no two faults share a name."""
    device: Name
    """Which."""
    mode: Literal["drop", "refuse"] = "drop"
    """Silence, or an error at the sender."""


StrainFault = (
    LossFault
    | AckLossFault
    | DuplicateFault
    | ReplayFault
    | ReorderFault
    | DelayFault
    | CorruptFault
    | TruncateFault
    | BandwidthFault
    | BlackHoleFault
)
"""What changes how a link treats datagrams."""

CutFault = LinkDownFault | FlapFault | PartitionFault | IsolateFault | SplitFault | BridgeFault
"""What lets nothing through."""
