"""Errors of a run that has not begun."""

from simedge.core.errors import SimedgeError

__all__ = ["BuildError"]


class BuildError(SimedgeError):
    """A scenario that is well written but cannot stand, such as a model too large for a device."""
