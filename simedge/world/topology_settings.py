"""Topology as it is written in a scenario: who has a link to whom, and how routes are mended."""

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from simedge.core.quantities import Duration, Settings, Share

__all__ = ["SmallWorldSettings", "StarSettings", "TopologySettings"]


class _RoutedSettings(Settings):
    """What every topology has: how routes are chosen and mended."""

    route: Literal["hops", "latency", "etx"] = "hops"
    """Cost of a path: hops, propagation delay, or expected transmissions."""
    hello: Duration = Field(default=1_000_000_000, gt=0)
    """Period of the hello messages that watch a neighbour."""
    misses: int = Field(default=3, ge=1, le=100)
    """Missed hellos after which an edge leaves the graph."""
    hold_datagrams: int = Field(default=16, ge=0, le=10_000)
    """Datagrams that a device keeps while it has no path."""


class StarSettings(_RoutedSettings):
    """Every device has a link to the server and no other."""

    kind: Literal["star"] = "star"
    """This kind."""


class SmallWorldSettings(_RoutedSettings):
    """A ring lattice of devices, some edges rewired (Watts and Strogatz 1998), with uplinks."""

    kind: Literal["small-world"]
    """This kind."""
    neighbours: int = Field(default=4, ge=2, le=1_000, multiple_of=2)
    """Neighbours of a device in the ring before rewiring, an even number."""
    rewire: Share = Fraction(1, 10)
    """Probability that an edge is rewired."""
    uplinks: Literal["all"] | Annotated[int, Field(ge=1)] = "all"
    """Devices with a link to the server: all, or a number chosen by draws."""


TopologySettings = Annotated[StarSettings | SmallWorldSettings, Field(discriminator="kind")]
"""Who has a link to whom."""
