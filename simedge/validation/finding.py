"""Rows of the table of closed forms: what a row checks, and what was found."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["QUANTILE", "Case", "Finding", "Report", "Row", "Value", "exact", "near", "within"]

QUANTILE: Final = 4.42
"""Standard errors that an estimate may be off: two-sided 1e-5 of a normal law."""

Value = int | float | tuple[int | float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One number of theory beside the one that was measured."""

    what: str
    expected: Value
    measured: Value
    n: int
    """Samples behind the measured number; 1 for what is exact."""
    tolerance: float = 0.0
    """Greatest difference; 0: none."""

    @property
    def ok(self) -> bool:
        """Whether the two agree."""
        if self.tolerance == 0:
            return self.expected == self.measured
        if isinstance(self.expected, tuple) or isinstance(self.measured, tuple):
            raise TypeError(f"{self.what}: several numbers are compared exactly or one by one")
        off = abs(self.measured - self.expected)
        return math.isfinite(off) and off <= self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One choice of parameters, and the run of our object under it."""

    parameters: str
    run: Callable[[int], tuple[Finding, ...]]
    """Takes the seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One closed form."""

    id: str
    check: str
    """What is checked, and on which object."""
    formula: str
    rule: str
    """How the tolerance follows."""
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A row that was run."""

    row: Row
    found: tuple[tuple[Case, tuple[Finding, ...]], ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return all(finding.ok for _, findings in self.found for finding in findings)


def exact(what: str, expected: Value, measured: Value, *, n: int = 1) -> Finding:
    """Return a finding whose two numbers must be equal."""
    return Finding(what=what, expected=expected, measured=measured, n=n)


def near(what: str, expected: float, measured: float, *, n: int, error: float) -> Finding:
    """Return a finding that may be off by 4.42 standard errors."""
    return within(what, expected, measured, n=n, tolerance=QUANTILE * error)


def within(what: str, expected: float, measured: float, *, n: int, tolerance: float) -> Finding:
    """Return a finding that may be off by a tolerance."""
    return Finding(what=what, expected=expected, measured=measured, n=n, tolerance=tolerance)
