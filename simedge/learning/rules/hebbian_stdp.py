"""Hybrid of Hebb and spike-timing dependent plasticity: the law, and one synapse exactly.

Over all pairs of a pre spike (arrival) and a post spike (spike plus dendritic delay),
Δt = t_post - t_pre, with a share λ of Hebb:

    Δw = Σ λ·K_H(Δt) + (1-λ)·K_S(Δt)
    K_S(Δt) = A₊·e^(-Δt/τ₊) for Δt > 0;  -A₋·e^(Δt/τ₋) for Δt < 0;  0 at Δt = 0
    K_H(Δt) = A_H·e^(-Δt/τ₊) for Δt ≥ 0;  A_H·e^(Δt/τ₋) for Δt < 0

A_H = η·τ₊·τ₋/(τ₊+τ₋) makes K_H the product of exponentially filtered activities. Online, with
*exclusive* traces (read before their own jump): a pre spike adds (λ·A_H - (1-λ)·A₋)·ȳ, a post
spike adds (λ·A_H + (1-λ)·A₊)·x̄, and both at one instant add λ·A_H once more. Hebb alone grows
without limit, so the default form of the λ terms is Oja's, λ·η·(x̄ - w) at each post spike, which
converges to the mean of x̄ at post spikes (Oja 1982, J. Math. Biol. 15; pair rule after Morrison,
Diesmann and Gerstner 2008, Biol. Cybern. 98). `convolution.py` beside this file is the same law
on shared weights, compiled.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from simedge.learning.errors import LearnerError

__all__ = ["Bounds", "HebbianStdp", "Synapse", "pair_sum"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Where a weight may go: clipped, and slowed on the way if μ > 0.

    Increments are multiplied by (1 - w/w_max)^μ₊, decrements by (w/w_max)^μ₋.
    """

    low: float = 0.0
    high: float = 1.0
    mu_plus: float = 0.0
    mu_minus: float = 0.0

    def __post_init__(self) -> None:
        if not self.low < self.high or min(self.mu_plus, self.mu_minus) < 0:
            raise LearnerError(f"bounds need low < high and exponents >= 0, got {self}")
        if (self.mu_plus or self.mu_minus) and self.low < 0:
            raise LearnerError(f"soft bounds need a lowest weight >= 0, got {self.low}")

    def scaled(self, change: float, weight: float) -> float:
        """Return `change` slowed by how near `weight` is to the bound it moves to."""
        part = weight / self.high
        if change > 0:
            return change * math.pow(max(0.0, 1.0 - part), self.mu_plus)
        return change * math.pow(max(0.0, part), self.mu_minus)

    def clip(self, weight: float) -> float:
        """Return the weight held inside the bounds."""
        return min(self.high, max(self.low, weight))


@dataclass(frozen=True, slots=True, kw_only=True)
class HebbianStdp:
    """Amplitudes and time constants of the hybrid rule.

    The default A₋ = 1.05·A₊·τ₊/τ₋ makes uncorrelated input depress on average.
    """

    a_plus: float = 0.005
    a_minus: float = 0.00525
    a_hebb: float = 0.005
    """A_H of the pair form, η of Oja's form."""
    tau_plus_ns: int = 20_000_000
    tau_minus_ns: int = 20_000_000
    oja: bool = True

    def __post_init__(self) -> None:
        if min(self.a_plus, self.a_minus, self.a_hebb) < 0:
            raise LearnerError(f"amplitudes must not be negative, got {self}")
        if min(self.tau_plus_ns, self.tau_minus_ns) <= 0:
            raise LearnerError(f"time constants must be positive, got {self}")

    def stdp(self, gap_ns: float) -> float:
        """Return K_S of Δt = t_post - t_pre."""
        if gap_ns > 0:
            return self.a_plus * math.exp(-gap_ns / self.tau_plus_ns)
        return -self.a_minus * math.exp(gap_ns / self.tau_minus_ns) if gap_ns < 0 else 0.0

    def hebb(self, gap_ns: float) -> float:
        """Return K_H of Δt = t_post - t_pre."""
        return self.a_hebb * math.exp(
            -gap_ns / self.tau_plus_ns if gap_ns >= 0 else gap_ns / self.tau_minus_ns
        )

    def at_pre(self, share: float) -> float:
        """Return what a pre spike adds per unit of ȳ, at Hebbian share λ."""
        hebb = 0.0 if self.oja else share * self.a_hebb
        return hebb - (1.0 - share) * self.a_minus

    def at_post(self, share: float) -> float:
        """Return what a post spike adds per unit of x̄, without Oja's term."""
        hebb = 0.0 if self.oja else share * self.a_hebb
        return hebb + (1.0 - share) * self.a_plus

    def at_both(self, share: float) -> float:
        """Return what a pre and a post spike at one instant add once."""
        return 0.0 if self.oja else share * self.a_hebb

    def towards_trace(self, share: float) -> float:
        """Return the step of Oja's term, λ·η."""
        return share * self.a_hebb if self.oja else 0.0


def pair_sum(
    rule: HebbianStdp, share: float, pre_ns: Iterable[int], *, post_ns: Iterable[int]
) -> float:
    """Return the total change over all pairs of spikes: what the pair rule means, unbounded."""
    post = list(post_ns)
    return math.fsum(
        share * rule.hebb(after - before) + (1.0 - share) * rule.stdp(after - before)
        for before in pre_ns
        for after in post
    )


@dataclass(slots=True, kw_only=True)
class Synapse:
    """One synapse online in continuous time: weight and the traces of its two neurons."""

    rule: HebbianStdp
    share: float
    """λ; a new value acts on later spikes only."""
    bounds: Bounds | None
    weight: float = 0.0
    pre: float = 0.0
    post: float = 0.0
    now: int = 0

    def spikes(self, now: int, *, pre: bool = False, post: bool = False) -> float:
        """Take spikes that reach the synapse at `now` (ns); return the new weight."""
        self.pre *= math.exp(-(now - self.now) / self.rule.tau_plus_ns)
        self.post *= math.exp(-(now - self.now) / self.rule.tau_minus_ns)
        self.now = now
        change = math.fsum(self._changes(pre=pre, post=post))
        weight = self.weight + change
        self.weight = weight if self.bounds is None else self.bounds.clip(weight)
        self.pre += pre
        self.post += post
        return self.weight

    def _changes(self, *, pre: bool, post: bool) -> Iterable[float]:
        rule, share = self.rule, self.share
        if pre:
            yield self._bounded(rule.at_pre(share) * self.post)
        if post:
            yield self._bounded(rule.at_post(share) * self.pre)
            step = rule.towards_trace(share)
            if step:
                yield step * (self.pre - self.weight)
        if pre and post:
            yield self._bounded(rule.at_both(share))

    def _bounded(self, change: float) -> float:
        return change if self.bounds is None else self.bounds.scaled(change, self.weight)
