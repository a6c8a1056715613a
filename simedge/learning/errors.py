"""The error of this room."""

from simedge.core.errors import SimedgeError

__all__ = ["LearnerError"]


class LearnerError(SimedgeError, ValueError):
    """A learner was asked for something it cannot do."""
