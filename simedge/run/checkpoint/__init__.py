"""Checkpoints: the state of a run as data, kept beside it, and laid over a run built afresh."""

from simedge.run.checkpoint.errors import CheckpointError

__all__ = ["CheckpointError"]
