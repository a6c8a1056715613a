"""Rows for the charts of a study's report: over the seeds of each arm, bounded in number."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from simedge.study.report.studies.arms import Arm, known, mean_of

__all__ = ["ENERGY", "accuracy_and_bits", "curves", "energy", "points", "thin"]

Rows = list[dict[str, Any]]

ENERGY: Final = ("compute", "radio", "idle")
_DIGITS: Final = 6
"""Significant digits of what is drawn: more would only make the page larger."""


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def thin(times: Sequence[float], most: int) -> list[float]:
    """Return every so-manieth time, the last one always.

    >>> thin([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 3)
    [0.0, 2.0, 4.0, 5.0]
    """
    step = -(-len(times) // most) or 1
    kept = list(times[::step])
    return kept if not times or kept[-1] == times[-1] else [*kept, times[-1]]


def curves(arms: Sequence[Arm], *, points_max: int) -> Rows:
    """Return mean accuracy and its 95 % band over the seeds that have an evaluation at a time."""
    most = max(points_max // max(len(arms), 1), 12)
    return [row for arm in arms for row in _curve(arm, most)]


def _curve(arm: Arm, most: int) -> Iterator[dict[str, Any]]:
    by_time: dict[float, list[float]] = {}
    for told in arm.told:
        for t, value in dict(told.curve).items():
            by_time.setdefault(t, []).append(value)
    for t in thin(sorted(by_time), most):
        found = known(by_time[t])
        low, high = (
            None if end is None else min(max(end, 0.0), 1.0) for end in (found.low, found.high)
        )
        yield {
            "arm": arm.label,
            "t_s": t,
            "mean": _rounded(found.mean),
            "low": _rounded(found.mean if low is None else low),
            "high": _rounded(found.mean if high is None else high),
            "seeds": found.count,
        }


def accuracy_and_bits(arms: Sequence[Arm], *, points_max: int) -> Rows:
    """Return mean accuracy and mean bits at the evaluations that all seeds of an arm have."""
    most = max(points_max // max(len(arms), 1), 12)
    rows: Rows = []
    for arm in arms:
        shares = [dict(told.curve) for told in arm.told]
        shared = {t for t in shares[0] if all(t in one for one in shares)}
        shared &= {t for t in shared if all(t in told.bits for told in arm.told)}
        for t in thin(sorted(shared), most):
            bits = known([told.bits[t] for told in arm.told]).mean
            share = known([one[t] for one in shares]).mean
            rows.append(
                {"arm": arm.label, "t_s": t, "bits": _rounded(bits), "accuracy": _rounded(share)}
            )
    return rows


def energy(arms: Sequence[Arm]) -> Rows:
    """Return what the boards' energy of each arm went into, on average."""
    return [
        {"arm": arm.label, "part": part, "joule": _rounded(mean)}
        for arm in arms
        for part in ENERGY
        if (mean := mean_of(arm, f"energy_j.{part}").mean) is not None
    ]


def points(arms: Sequence[Arm], paths: Sequence[tuple[str, str]], *, by: float = 1.0) -> Rows:
    """Return mean and 95 % interval of figures of each arm, in a unit `by` times as small.

    Parameters
    ----------
    paths
        Words and path of each figure.
    """
    rows: Rows = []
    for arm in arms:
        for what, path in paths:
            found = mean_of(arm, path)
            if found.mean is None:
                continue
            ends = (found.mean if end is None else end for end in (found.low, found.high))
            mean, low, high = (_rounded(by * value) for value in (found.mean, *ends))
            row = {"arm": arm.label, "what": what, "mean": mean, "low": low, "high": high}
            rows.append({**row, "seeds": found.count})
    return rows
