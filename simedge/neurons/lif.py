"""The leaky integrate-and-fire neuron, exactly and lazily: the scalar reference.

Clocked definition, at device tick n with leak γ, drive I, bias b, threshold θ:

    u[n] = γ·u⁺[n-1] + I[n] + b,   s[n] = 1 iff u[n] > θ,   u⁺ = 0 (hard) or u - θ·s (soft)

Lazy form: keep (u⁺, n₀) and on touch k = n - n₀ ticks later
u = u⁺·γ^k + b·(1-γ^k)/(1-γ) + I. A neuron may also fire without input (a self-event): while a
soft reset leaves it above threshold, or when a bias drives it there. Both times are known ahead.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from simedge.neurons.decay import decay_table, power
from simedge.neurons.errors import CircuitError

__all__ = ["ExponentialSynapse", "LazyNeuron", "first_crossing", "resets", "winners"]


@dataclass(slots=True, kw_only=True)
class LazyNeuron:
    """One neuron with a constant threshold, touched only when something happens to it."""

    gamma: float
    theta: float = 1.0
    bias: float = 0.0
    soft: bool = False
    potential: float = 0.0
    """Potential after reset, u⁺, at tick `last`."""
    last: int = 0
    touches: int = 0
    _table: list[float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._table = decay_table(self.gamma).tolist()

    def before_threshold(self, tick: int, drive: float = 0.0) -> float:
        """Return the potential u at `tick` if `drive` arrives then; changes nothing."""
        decay = power(self._table, tick - self.last)
        rest = self.bias * (1.0 - decay) / (1.0 - self.gamma)
        return self.potential * decay + rest + drive

    def touch(self, tick: int, drive: float = 0.0) -> bool:
        """Bring the neuron to `tick`, add `drive`, and tell whether it fires."""
        u = self.before_threshold(tick, drive)
        fires = u > self.theta
        self.potential = (u - self.theta if self.soft else 0.0) if fires else u
        self.last = tick
        self.touches += 1
        return fires

    def next_self_event(self) -> int | None:
        """Return the tick of the next spike without input, or None."""
        if self.bias == 0.0:
            fires = self.soft and self.gamma * self.potential > self.theta
            return self.last + 1 if fires else None
        ticks = first_crossing(self, self.theta)
        return None if ticks is None else self.last + ticks


def first_crossing(neuron: LazyNeuron, theta: float) -> int | None:
    """Return after how many ticks a biased neuron first exceeds `theta` without input, or None.

    With u∞ = b/(1-γ): k = max(1, ⌊ln((u∞-θ)/(u∞-u⁺))/ln γ⌋ + 1), then mended by at most one tick
    against the closed form, since the logarithms round.
    """
    rest = neuron.bias / (1.0 - neuron.gamma)
    if neuron.before_threshold(neuron.last + 1) > theta:
        return 1
    if rest <= theta:
        return None
    ratio = (rest - theta) / (rest - neuron.potential)
    ticks = max(1, math.floor(math.log(ratio) / math.log(neuron.gamma)) + 1)
    near = range(max(1, ticks - 1), ticks + 2)
    return next(k for k in near if neuron.before_threshold(neuron.last + k) > theta)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentialSynapse:
    """A current that decays with τ_s into a membrane that leaks with τ_m.

    u(t) = u₀·e^(-t/τ_m) + A·(e^(-t/τ_m) - e^(-t/τ_s)),  A = I₀·τ_m·τ_s/(τ_m - τ_s)
    """

    tau_m: float
    tau_s: float
    current: float
    potential: float = 0.0

    @property
    def amplitude(self) -> float:
        """A of the equation, same unit as the potential."""
        return self.current * self.tau_m * self.tau_s / (self.tau_m - self.tau_s)

    def at(self, time: float) -> float:
        """Return the potential after `time`."""
        slow, fast = math.exp(-time / self.tau_m), math.exp(-time / self.tau_s)
        return self.potential * slow + self.amplitude * (slow - fast)

    @property
    def peak_time(self) -> float:
        """When the potential is highest; negative if it only falls."""
        a = self.amplitude
        ratio = a * self.tau_m / ((a + self.potential) * self.tau_s)
        return math.log(ratio) / (1.0 / self.tau_s - 1.0 / self.tau_m)

    def crossing(self, theta: float) -> float | None:
        """Return when the potential first exceeds `theta`, or None: exact iff the peak does.

        The root is bracketed between now and the peak, where the potential rises.
        """
        if self.potential > theta:
            return 0.0
        if self.amplitude <= 0.0 or self.peak_time <= 0.0 or self.at(self.peak_time) <= theta:
            return None
        low, high = 0.0, self.peak_time
        while high - low > 1e-12 * self.tau_m:
            middle = (low + high) / 2
            low, high = (low, middle) if self.at(middle) > theta else (middle, high)
        return high


def winners(excess: Sequence[float], count: int) -> list[int]:
    """Return who fires in a column: the `count` largest positive excesses a = u - θ.

    Ties go to the lowest index.

    >>> winners([0.2, 0.5, -0.1, 0.5], 1)
    [1]
    """
    if count < 1:
        raise CircuitError(f"inhibition needs at least one winner, got {count}")
    above = [i for i, a in enumerate(excess) if a > 0]
    return sorted(sorted(above, key=lambda i: (-excess[i], i))[:count])


def resets(excess: Sequence[float], fired: Sequence[int], *, soft: bool) -> list[float | None]:
    """Return the potential after reset of each neuron of a column; None where it stays.

    Winners keep their excess if the reset is soft. Losers (above threshold, inhibited) go to
    zero either way; neurons at or below threshold are untouched.
    """
    return [None if a <= 0 else (a if soft and i in fired else 0.0) for i, a in enumerate(excess)]
