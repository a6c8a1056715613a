"""How tasks that were learned are protected. No numpy here."""

from typing import Annotated, Literal

from pydantic import Field

from simedge.core.quantities import Settings
from simedge.learning.ranges import Count, Number, Positive, UnitShare

__all__ = ["CodeSettings", "LanceSettings"]


class _TaskSettings(Settings):
    task: Count = 256
    """A learner that nobody tells of tasks begins a new one after so many presentations."""
    shown: Count = 125
    """Presentations that such a learner knows a task by."""


class CodeSettings(_TaskSettings):
    """Updates are kept out of the conceptor of what earlier tasks showed."""

    kind: Literal["code-cl"] = "code-cl"
    aperture: Positive = 6.0
    """α: the larger, the more is protected."""
    energy: Annotated[Number, Field(ge=0, le=0.9999)] = 0.95
    """Share of a task's inputs that its conceptor keeps at least; it grows until it does."""
    growth: Annotated[Number, Field(gt=1)] = 1.1
    """Factor of the aperture a step of growth."""
    free: Annotated[int, Field(ge=0, le=4096)] = 80
    """K: dimensions of its own that a task gets where it overlaps with earlier ones."""
    overlap: UnitShare = 0.5
    """Share of the conceptor that must be met again before it does."""
    least: UnitShare = 0.2
    """Eigenvalues of the stored conceptor below this are forgotten."""


class LanceSettings(_TaskSettings):
    """Each task learns in a few directions that earlier tasks did not use."""

    kind: Literal["lance"] = "lance"
    energy: UnitShare = 0.97
    """Directions are taken while they hold no more than this share of what a task shows."""
