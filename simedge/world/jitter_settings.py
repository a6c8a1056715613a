"""Jitter as it is written: what is added to the propagation delay of a datagram."""

import itertools
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Duration, Settings, Share

__all__ = [
    "ExponentialJitter",
    "JitterSettings",
    "LogNormalJitter",
    "NoJitter",
    "NormalJitter",
    "ParetoJitter",
    "TableJitter",
    "UniformJitter",
]


class NoJitter(Settings):
    """Constant delay."""

    kind: Literal["none"]
    """This kind."""


class UniformJitter(Settings):
    """Extra delay between two bounds, both included."""

    kind: Literal["uniform"]
    """This kind."""
    low: Duration = 0
    """Least extra delay."""
    high: Duration
    """Greatest extra delay."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"jitter must have low <= high, got {self.low} > {self.high} ns")
        return self


class NormalJitter(Settings):
    """Normal extra delay; the whole delay is cut at 0."""

    kind: Literal["normal"]
    """This kind."""
    sd: Duration
    """Standard deviation."""


class ExponentialJitter(Settings):
    """Exponential extra delay."""

    kind: Literal["exponential"]
    """This kind."""
    mean: Duration
    """Mean."""


class _SkewedJitter(Settings):
    mean: Duration = Field(gt=0)
    """Mean."""
    sd: Duration = Field(gt=0)
    """Standard deviation; it fixes the shape."""


class LogNormalJitter(_SkewedJitter):
    """Log-normal extra delay."""

    kind: Literal["lognormal"]
    """This kind."""


class ParetoJitter(_SkewedJitter):
    """Pareto extra delay: a power law above a least delay, both from mean and deviation."""

    kind: Literal["pareto"]
    """This kind."""


class TableJitter(Settings):
    """Extra delay by its quantiles: straight lines between the points, constant after the last."""

    kind: Literal["table"]
    """This kind."""
    points: tuple[tuple[Share, Duration], ...] = Field(min_length=1, max_length=4096)
    """Pairs of share and delay, both rising; a line leads from (0, 0) to the first."""

    @model_validator(mode="before")
    @classmethod
    def _pairs(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("points"), list | tuple):
            points = (tuple(p) if isinstance(p, list) else p for p in data["points"])
            return {**data, "points": tuple(points)}
        return data

    @model_validator(mode="after")
    def _rising(self) -> Self:
        pairs = ((Fraction(0), 0), *self.points)
        for (share, delay), (share_next, delay_next) in itertools.pairwise(pairs):
            if share_next <= share or delay_next < delay:
                raise ValueError(f"jitter points must rise, got {share_next} after {share}")
        return self


JitterSettings = Annotated[
    NoJitter
    | UniformJitter
    | NormalJitter
    | ExponentialJitter
    | LogNormalJitter
    | ParetoJitter
    | TableJitter,
    Field(discriminator="kind"),
]
"""What is added to the propagation delay of a datagram."""
