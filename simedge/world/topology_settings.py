"""Topology as it is written in a scenario: who has a link to whom, and how routes are mended."""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Duration, Settings, Share
from simedge.world.names import DeviceId, Name

__all__ = [
    "CompleteSettings",
    "FileSettings",
    "GeometricSettings",
    "RingSettings",
    "SmallWorldSettings",
    "StarSettings",
    "TiersSettings",
    "TopologySettings",
    "UplinkedSettings",
]


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


class UplinkedSettings(_RoutedSettings):
    """Devices joined among themselves, some or all of them with a link to the server."""

    kind: str
    """Which."""
    uplinks: Literal["all"] | Annotated[int, Field(ge=0)] = "all"
    """Devices with a link to the server: all, or a number chosen by draws; peers need none."""


class StarSettings(_RoutedSettings):
    """Every device has a link to the server and no other."""

    kind: Literal["star"] = "star"
    """This kind."""


class SmallWorldSettings(UplinkedSettings):
    """A ring lattice of devices, some edges rewired (Watts and Strogatz 1998), with uplinks."""

    kind: Literal["small-world"]
    """This kind."""
    neighbours: int = Field(default=4, ge=2, le=1_000, multiple_of=2)
    """Neighbours of a device in the ring before rewiring, an even number."""
    rewire: Share = Fraction(1, 10)
    """Probability that an edge is rewired."""


class RingSettings(UplinkedSettings):
    """Every device has a link to the next one and to the one before."""

    kind: Literal["ring"]
    """This kind."""


class CompleteSettings(UplinkedSettings):
    """Every device has a link to every other."""

    kind: Literal["complete"]
    """This kind."""


class GeometricSettings(UplinkedSettings):
    """Devices at drawn places of a unit square, linked to those within a radius (Gilbert 1961)."""

    kind: Literal["geometric"]
    """This kind."""
    radius: Annotated[Share, Field(gt=0)] = Fraction(3, 10)
    """Reach of a device, in sides of the square."""


class TiersSettings(_RoutedSettings):
    """Devices speak to gateways, gateways to the server: no other links."""

    kind: Literal["tiers"]
    """This kind."""
    gateways: tuple[DeviceId, ...] = Field(min_length=1)
    """Groups of devices that are gateways."""
    homes: int = Field(default=1, ge=1, le=100)
    """Gateways of each device: the first in turn, more are the next ones."""


class FileSettings(_RoutedSettings):
    """A graph from a file, whose nodes are named like the devices and `server`."""

    kind: Literal["file"]
    """This kind."""
    path: Annotated[str, Field(min_length=1, max_length=1_000)]
    """GraphML, GML or node-link JSON, by its ending; relative to the scenario's file."""
    format: Literal["auto", "graphml", "gml", "json"] = "auto"
    """What it is, if the ending does not say."""

    edges: tuple[tuple[Name, Name], ...] | None = None
    """What the file says: filled in when the scenario is read, which then stands without it."""

    @model_validator(mode="before")
    @classmethod
    def _pairs(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("edges"), list | tuple):
            pairs = (tuple(p) if isinstance(p, list) else p for p in data["edges"])
            return {**data, "edges": tuple(pairs)}
        return data

    @model_validator(mode="after")
    def _known_ending(self) -> Self:
        ending = self.path.lower().rsplit(".", 1)[-1]
        if self.format == "auto" and ending not in {"graphml", "gml", "json"}:
            raise ValueError(
                f"a topology file ends in .graphml, .gml or .json, or has a format: {self.path!r}"
            )
        return self


TopologySettings = Annotated[
    StarSettings
    | SmallWorldSettings
    | RingSettings
    | CompleteSettings
    | GeometricSettings
    | TiersSettings
    | FileSettings,
    Field(discriminator="kind"),
]
"""Who has a link to whom."""
