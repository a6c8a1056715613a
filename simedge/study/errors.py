"""What can keep a study from being run."""

from simedge.core.errors import SimedgeError
from simedge.run.errors import RunDirectoryError

__all__ = ["MissingExtraError", "StudyDirectoryError", "StudyError"]


class StudyError(SimedgeError):
    """A study that cannot go on, such as one whose scheduler is gone."""


class StudyDirectoryError(RunDirectoryError):
    """A directory that holds something else, or another study."""


class MissingExtraError(SimedgeError):
    """An engine needs packages that are not installed; the text says how to get them."""
