"""What is told when a state cannot be kept, or cannot be taken back."""

from simedge.core.errors import SimedgeError

__all__ = ["CheckpointError"]


class CheckpointError(SimedgeError):
    """A state holds what is no data, or a checkpoint is damaged or that of another run."""
