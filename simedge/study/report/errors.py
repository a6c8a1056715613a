"""What can keep a report from being written."""

from simedge.core.errors import SimedgeError
from simedge.run.errors import RunDirectoryError

__all__ = ["MissingExtraError", "ReportError"]


class ReportError(RunDirectoryError):
    """There is no run that a report could be made of."""


class MissingExtraError(SimedgeError):
    """A form of report needs packages that are not installed; the text says how to get them."""
