"""The table of closed forms: every row, how to run it, and how it is written."""

import multiprocessing
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import Any, Final

from simedge.core.errors import SimedgeError
from simedge.validation import boards, capacities, losses, paths, queues, tokens
from simedge.validation.finding import Finding, Report, Row, Value

__all__ = [
    "ROWS",
    "SEED",
    "ValidationError",
    "allowed",
    "as_data",
    "as_markdown",
    "choose",
    "figure",
    "run",
    "run_all",
    "section",
]

SEED: Final = 7
"""Of the page that is committed."""


class ValidationError(SimedgeError, ValueError):
    """A row was asked for that the table does not have."""


def _sorted(*groups: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(sorted((row for rows in groups for row in rows), key=lambda row: int(row.id[1:])))


ROWS: Final = _sorted(
    losses.ROWS, queues.ROWS, capacities.ROWS, paths.ROWS, tokens.ROWS, boards.ROWS
)


def choose(ids: Sequence[str]) -> tuple[Row, ...]:
    """Return the rows of some ids in the order of the table; of none, all.

    Raises
    ------
    ValidationError
        If an id is unknown.
    """
    wanted = {each.upper() for each in ids}
    unknown = sorted(wanted - {row.id for row in ROWS})
    if unknown:
        raise ValidationError(f"no row {', '.join(unknown)}: there are C1 to C{len(ROWS)}")
    return tuple(row for row in ROWS if not wanted or row.id in wanted)


def run(row: Row, *, seed: int = SEED) -> Report:
    """Run a row's cases, one after another."""
    began = time.perf_counter()
    found = tuple((case, case.run(seed)) for case in row.cases)
    return Report(row=row, found=found, seconds=time.perf_counter() - began)


def run_all(rows: Sequence[Row], *, seed: int = SEED, workers: int = 1) -> tuple[Report, ...]:
    """Run rows in that many processes; what they find does not depend on it."""
    if workers <= 1 or len(rows) <= 1:
        return tuple(run(row, seed=seed) for row in rows)
    # A fresh interpreter: a fork would copy locks of threads that it does not have.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(rows)), mp_context=fresh) as pool:
        reports = list(pool.map(_run_by_id, (row.id for row in rows), repeat(seed)))
    return tuple(
        Report(row=row, found=tuple(zip(row.cases, found, strict=True)), seconds=seconds)
        for row, (found, seconds) in zip(rows, reports, strict=True)
    )


def _run_by_id(each: str, seed: int) -> tuple[tuple[tuple[Finding, ...], ...], float]:
    """Run one row in another process; only what was found goes back."""
    report = run(choose([each])[0], seed=seed)
    return tuple(findings for _, findings in report.found), report.seconds


def figure(value: Value) -> str:
    """Return a number, or several, for people: whole numbers in full, others to six digits.

    Examples
    --------
    >>> figure((1_200_000, 0.2)), figure(1.0)
    ('1200000, 0.2', '1')
    """
    if isinstance(value, tuple):
        return ", ".join(map(figure, value))
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def as_data(reports: Iterable[Report], *, seed: int) -> dict[str, Any]:
    """Return reports as plain data for JSON."""
    rows = [
        {
            "id": report.row.id,
            "check": report.row.check,
            "formula": report.row.formula,
            "tolerance": report.row.rule,
            "ok": report.ok,
            "seconds": round(report.seconds, 3),
            "findings": [
                {
                    "parameters": case.parameters,
                    "what": finding.what,
                    "expected": finding.expected,
                    "measured": finding.measured,
                    "n": finding.n,
                    "tolerance": finding.tolerance,
                    "ok": finding.ok,
                }
                for case, findings in report.found
                for finding in findings
            ],
        }
        for report in reports
    ]
    return {"ok": all(row["ok"] for row in rows), "seed": seed, "rows": rows}


_HEAD: Final = """\
# Closed forms

What theory says, beside what our own links, queues, transfers, machines and boards do.
`simedge closed-forms --markdown` wrote this page, seed {seed}, with the code that the tests run;
nothing here was computed by a second model.

A statistical row allows 4.42 standard errors (two-sided 10^-5); where samples are correlated their
variance is inflated by V. L is the mean loss, pi_B and pi_G the shares of bad and good time,
C = pi_B pi_G (l_B - l_G)^2. Another `--seed` changes every statistical figure, and of 10^5 of them
one fails by chance.
"""


def as_markdown(reports: Iterable[Report], *, seed: int) -> str:
    """Return reports as a page; it holds no time of day and no duration."""
    return "\n".join([_HEAD.format(seed=seed), *map(section, reports)])


def section(report: Report) -> str:
    """Return the part of the page for one row."""
    row = report.row
    lines = [
        f"## {row.id}: {row.check}\n\n`{row.formula}`\n\nTolerance: {row.rule}.\n",
        "| parameters | what | expected | measured | tolerance | n | |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {case.parameters} | {finding.what} | {figure(finding.expected)} "
        f"| {figure(finding.measured)} | {allowed(finding.tolerance)} | {finding.n} "
        f"| {'ok' if finding.ok else '**FAILED**'} |"
        for case, findings in report.found
        for finding in findings
    ]
    return "\n".join(lines) + "\n"


def allowed(tolerance: float) -> str:
    """Return a tolerance for people."""
    return f"{tolerance:.3g}" if tolerance else "exact"
