"""The one error root: everything simedge raises on purpose derives from it."""

__all__ = ["SimedgeError"]


class SimedgeError(Exception):
    """Base of every error that simedge raises for a reason a user can mend."""
