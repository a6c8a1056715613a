"""What a silent gap of device ticks adds up to, in closed form.

A neuron was left with potential u⁺ after reset, u⁺·γ ≤ v, and nothing arrives for k ticks. With
Ψ the triangle, it is near threshold in the ticks K ⊆ [1, k] where u⁺·γ^κ > v - 1:

    v < 1:  all, if u⁺ > v - 1, else from the first on;    v ≥ 1:  none, if u⁺ ≤ v - 1, else up to
            the last
    S(r) = Σ_{κ∈K} r^κ                                     (a geometric sum; |K| if r = 1)
    Σ_{κ∈K} Ψ[n+κ]·p[n+κ] = 0.3·((1-v)·S(λ_pre) + u⁺·S(γ·λ_pre)) · p[n]
    h[n+k+1] = λ_post·h' + Ψ(u⁺·γ^k - v),
    h' = λ_post^k·h + λ_post^(k-1)·Ψ[n]
         + Σ_{κ∈K, κ<k} λ_post^(k-1-κ)·0.3·(1 - v + u⁺·γ^κ)

so a gap costs the same however long it is. Decays in [0, 1] per device tick, k >= 0; potentials
and thresholds in units of a spike's weight. The errors of the sums stay below 1e-14 relative.
(TESS, arXiv 2502.01837, and S-TLLR, arXiv 2306.15220, give the clocked rules; the sums are exact.)
"""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import math

from simedge.core.native_cache import native_part
from simedge.neurons.kinds import Real, Whole

__all__ = ["eligible_sums", "geometric", "past_sums", "power", "ticks_near_threshold"]


@native_part
def power(base: Real, exponent: Whole) -> Real:
    """Return base^exponent for a base in [0, 1] and a whole exponent >= 0; 0^0 = 1."""
    if exponent <= 0:
        return 1.0
    return math.exp(exponent * math.log(base)) if base > 0.0 else 0.0


@native_part
def geometric(ratio: Real, count: Whole) -> Real:
    """Return 1 + r + ... + r^(count-1)."""
    if count <= 0:
        return 0.0
    if ratio <= 0.0 or count == 1:
        return 1.0
    if ratio >= 1.0:
        return float(count)
    return math.expm1(count * math.log(ratio)) / math.expm1(math.log(ratio))


@native_part
def ticks_near_threshold(u: Real, leak: Real, threshold: Real, ticks: Whole) -> tuple[Whole, Whole]:
    """Return the first and last κ of K; the last is before the first if there are none."""
    edge = threshold - 1.0
    if threshold < 1.0:
        if u > edge or leak <= 0.0:
            return 1, ticks
        if leak >= 1.0:
            return 1, 0
        ratio = math.log(edge / u) / math.log(leak)
        return (ticks + 1 if ratio >= ticks else math.floor(ratio) + 1), ticks
    if u <= edge or leak <= 0.0:
        return 1, 0
    if edge == 0.0 or leak >= 1.0:
        return 1, ticks
    ratio = math.log(edge / u) / math.log(leak)
    return 1, (ticks if ratio > ticks else math.ceil(ratio) - 1)


@native_part
def eligible_sums(
    law: tuple[Real, Real, Real], near: tuple[Whole, Whole], first: Whole
) -> tuple[Real, Real]:
    """Return a, b with Σ Ψ·p = (a + b·u⁺)·p[n] over K from κ = first on; `law` is (γ, v, λ_pre)."""
    leak, threshold, decay = law
    start = max(near[0], first)
    count, both = near[1] - start + 1, leak * decay
    if count <= 0:
        return 0.0, 0.0
    flat = power(decay, start) * geometric(decay, count)
    return 0.3 * (1.0 - threshold) * flat, 0.3 * power(both, start) * geometric(both, count)


@native_part
def past_sums(
    law: tuple[Real, Real, Real], near: tuple[Whole, Whole], ticks: Whole
) -> tuple[Real, Real]:
    """Return a, b with h' = λ_post^k·h + λ_post^(k-1)·Ψ + a + b·u⁺; `law` is (γ, v, λ_post)."""
    leak, threshold, decay = law
    first, last = near[0], min(near[1], ticks - 1)
    count = last - first + 1
    if count <= 0:
        return 0.0, 0.0
    # Sum of γ^i·λ^(count-1-i), by the ratio of the smaller to the greater.
    great, small = max(leak, decay), min(leak, decay)
    bent = power(great, count - 1) * power(leak, first)
    if great > 0.0:
        bent *= geometric(small / great, count)
    tail = 0.3 * power(decay, ticks - 1 - last)
    return tail * (1.0 - threshold) * geometric(decay, count), tail * bent
