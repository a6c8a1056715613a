"""The error of this room."""

from simedge.core.errors import SimedgeError

__all__ = ["CircuitError"]


class CircuitError(SimedgeError, ValueError):
    """A circuit cannot be built or used as asked."""
