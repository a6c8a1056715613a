"""The one error of a broken law: which, when, where."""

from simedge.core.errors import SimedgeError

__all__ = ["BrokenInvariant"]


class BrokenInvariant(SimedgeError, AssertionError):  # noqa: N818 -- it is what broke, not how
    """A law does not hold.

    Parameters
    ----------
    invariant
        Name of the law.
    at_ns
        Virtual time of the finding.
    entity
        Device, link or server that it is about.
    finding
        What was found.
    """

    def __init__(self, invariant: str, *, at_ns: int, entity: str, finding: str) -> None:
        super().__init__(f"{invariant} at {at_ns / 1e9:g} s ({at_ns} ns), {entity}: {finding}")
        self.invariant = invariant
        self.at_ns = at_ns
        self.entity = entity
        self.finding = finding
