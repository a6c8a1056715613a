"""Repeated measures: how much of the variance within subjects an effect explains.

An effect is a set of orthonormal contrasts C of the cells. With Y = X·Cᵀ (subjects by contrasts),
SS = n·|mean(Y)|², SS_error = |Y - mean(Y)|², and Greenhouse and Geisser's
ε = tr(S)² / (q·tr(S²)), S = cov(Y), q contrasts (S. W. Greenhouse and S. Geisser, On methods in
the analysis of profile data, Psychometrika 24, 1959). It is always applied: no test of sphericity
decides. η²_p = SS / (SS + SS_error); η²_G has the variance of subjects and all errors below it
(S. Olejnik and J. Algina, Psychological Methods 8, 2003).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from simedge.study.pairs import same

__all__ = ["Effect", "contrasts", "crossed", "effects_of", "mean_contrast"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What an effect explains; figures that are not defined are None.

    Parameters
    ----------
    ss, ss_error
        Sums of squares of the effect and of its interaction with subjects.
    df, df_error
        Degrees of freedom, uncorrected.
    p
        Uncorrected.
    epsilon, p_gg
        Greenhouse and Geisser's ε, and p with both degrees of freedom times that.
    eta_partial, eta_generalized
        Shares of variance.
    """

    name: str
    ss: float
    ss_error: float
    df: int
    df_error: int
    f: float | None
    p: float | None
    epsilon: float | None
    p_gg: float | None
    eta_partial: float | None
    eta_generalized: float | None
    note: str = ""


def contrasts(levels: int) -> Floats:
    """Return orthonormal rows that are orthogonal to the mean (Helmert's), (levels - 1, levels)."""
    rows = np.zeros((levels - 1, levels))
    for k in range(1, levels):
        rows[k - 1, :k] = 1
        rows[k - 1, k] = -k
    unit: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def mean_contrast(levels: int) -> Floats:
    """Return the one orthonormal row along the mean, (1, levels)."""
    return np.full((1, levels), levels**-0.5)


def crossed(first: Floats, second: Floats) -> Floats:
    """Return contrasts of two factors' cells, those of the second factor side by side."""
    rows: Floats = np.kron(first, second).astype(np.float64)
    return rows


def effects_of(cells: Floats, named: Mapping[str, Floats]) -> list[Effect]:
    """Return the effects of named contrasts on cells, (subjects, cells), two subjects or more."""
    subjects = float(_error(cells @ mean_contrast(cells.shape[1]).T))
    scores = {name: cells @ rows.T for name, rows in named.items()}
    errors = {name: 0.0 if _flat(y, cells) else _error(y) for name, y in scores.items()}
    noise = subjects + sum(errors.values())
    return [
        _effect(name, y, cells=cells, error=errors[name], noise=noise) for name, y in scores.items()
    ]


def _effect(name: str, y: Floats, *, cells: Floats, error: float, noise: float) -> Effect:
    count, q = y.shape
    mean = y.mean(axis=0)
    none = same(np.append(mean, 0.0), cells)
    ss = 0.0 if none else float(count * (mean**2).sum())
    f = p = epsilon = p_gg = None
    note = ""
    if error > 0:
        epsilon = _epsilon(y)
        f = (ss / q) / (error / (q * (count - 1)))
        p = float(fdtrc(q, q * (count - 1), f))
        p_gg = float(fdtrc(epsilon * q, epsilon * q * (count - 1), f))
    elif ss > 0:
        note = "the effect is the same in all subjects: no variance to test it against"
    else:
        note = "all levels are the same in every subject: nothing to test"
    return Effect(
        name=name,
        ss=ss,
        ss_error=error,
        df=q,
        df_error=q * (count - 1),
        f=f,
        p=p,
        epsilon=epsilon,
        p_gg=p_gg,
        eta_partial=ss / (ss + error) if ss + error > 0 else None,
        eta_generalized=ss / (ss + noise) if ss + noise > 0 else None,
        note=note,
    )


def _error(y: Floats) -> float:
    return float(((y - y.mean(axis=0)) ** 2).sum())


def _flat(y: Floats, cells: Floats) -> bool:
    return all(same(column, cells) for column in y.T)


def _epsilon(y: Floats) -> float:
    q: int = y.shape[1]
    covariance = np.atleast_2d(np.cov(y, rowvar=False))
    square = float((covariance**2).sum())
    trace = float(np.trace(covariance))
    epsilon = trace * trace / (q * square)
    return min(1.0, max(1.0 / q, epsilon))
