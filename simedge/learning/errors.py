"""The errors of this room."""

from simedge.core.errors import SimedgeError
from simedge.core.own_code import OwnFaultError

__all__ = ["LearnerError", "LearnerFaultError"]


class LearnerError(SimedgeError, ValueError):
    """A learner was asked for something it cannot do."""


class LearnerFaultError(OwnFaultError, LearnerError):
    """A learner of the user's own failed."""
