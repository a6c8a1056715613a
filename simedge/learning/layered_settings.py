"""Settings of spiking layers that learn when a presentation is over. No numpy here."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from simedge.core.own_code import is_own
from simedge.core.quantities import Duration, Settings
from simedge.learning.eligible_settings import EligibleReadoutSettings
from simedge.learning.own_settings import OwnRuleSettings
from simedge.learning.ranges import Count, NotNegative, Positive, UnitShare

__all__ = ["LayeredSettings", "LeakySettings", "LocalLossSettings"]


class LeakySettings(Settings):
    """Constants of the neurons."""

    leak: UnitShare = 0.9
    """What is left of a potential after a device tick."""
    threshold: Positive = 0.6


class LocalLossSettings(Settings):
    """Every layer has a loss of its own, on fixed class directions (arXiv 2405.15868)."""

    kind: Literal["lls", "lls-m", "lls-mxm"]
    """Scores as they are; each scaled; or mixed by a matrix that is learned."""
    rate: NotNegative = 0.05
    """Step of hidden weights."""
    mixing_rate: NotNegative = 0.05
    """Step of what scales or mixes scores."""
    temperature: Positive = 2.0
    """τ: scores are divided by it before their softmax."""
    wave: Literal["square", "sine"] = "square"
    """Shape of the class directions."""
    horizon: Count = 200
    """Presentations over which the means of what a layer hears and fires run."""
    slope: NotNegative = 0.1
    """What a silent neuron's part of the loss counts, beside 1 of a neuron that fired."""


def _whose(rule: object) -> str:
    kind = rule.get("kind") if isinstance(rule, dict) else getattr(rule, "kind", None)
    return "by-file" if is_own(kind) else "by-name"


_Rule = Annotated[
    Annotated[LocalLossSettings, Tag("by-name")] | Annotated[OwnRuleSettings, Tag("by-file")],
    Discriminator(_whose),
]


class LayeredSettings(Settings):
    """Feed-forward spiking layers; each learns from what it heard and fired in a presentation."""

    kind: Literal["spiking"] = "spiking"
    tick: Annotated[Duration, Field(gt=0)] = 1_000_000
    hidden: tuple[Count, ...] = Field(default=(100,), min_length=1, max_length=8)
    """Neurons of each layer."""
    gain: Positive = 4.0
    """Standard deviation of weights at the start, times the root of the lines."""
    neuron: LeakySettings = LeakySettings()
    rule: _Rule
    """`lls`, `lls-m`, `lls-mxm`, or one of your own: `my_module:MyRule`."""
    readout: EligibleReadoutSettings = EligibleReadoutSettings()
    shared_start: bool = True
    """All devices begin with the same weights."""
