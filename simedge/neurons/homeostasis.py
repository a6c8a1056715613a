"""Thresholds that keep every neuron or map at its target rate, lazily.

    θ[n+1] = clip(θ[n] + η·(s[n] - ρ), θ_min, θ_max)

Between spikes θ falls by a = η·ρ a tick, so θ(n) = max(θ_min, θ̂ - a·(n - n_i - 1)) with
θ̂ = θ(n_i + 1), kept at the last spike. A group of neurons may share one threshold (all positions
of a map); s is then the share of its members that fired. `firing.py` has the same law compiled.
"""

from dataclasses import dataclass

from simedge.neurons.errors import CircuitError

__all__ = ["Homeostasis", "Threshold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Homeostasis:
    """The law of a threshold; refuses settings under which a neuron would fire from nothing.

    Lemma: a neuron at or below its threshold never crosses it without input if the threshold
    falls more slowly than the potential leaks, a ≤ (1-γ)·θ_min - b.
    """

    initial: float = 1.0
    low: float = 0.3
    high: float = 3.0
    rate: float = 1e-3
    """η_θ, per spike."""
    target: float = 0.02
    """ρ*, spikes per neuron and device tick."""
    gamma: float
    bias: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.initial <= self.high:
            raise CircuitError(
                f"thresholds need 0 < min <= initial <= max, got min {self.low}, "
                f"initial {self.initial}, max {self.high}"
            )
        if self.rate < 0 or not 0 <= self.target <= 1:
            raise CircuitError(
                f"homeostasis needs a rate >= 0 and a target in [0, 1], got {self.rate}, "
                f"{self.target}"
            )
        bound = (1.0 - self.gamma) * self.low - self.bias
        if self.drift > bound:
            raise CircuitError(
                f"the threshold would fall by {self.drift:.6g} a tick, faster than potentials "
                f"leak ({bound:.6g}): neurons would fire from nothing; lower the homeostatic rate "
                "or target, or raise the lowest threshold"
            )

    @property
    def drift(self) -> float:
        """How far a silent threshold falls a tick, a = η·ρ."""
        return self.rate * self.target


class Threshold:
    """One lazy threshold: the scalar reference."""

    __slots__ = ("_after", "_last", "_law")

    def __init__(self, law: Homeostasis) -> None:
        self._law, self._after, self._last = law, law.initial, -1

    def at(self, tick: int) -> float:
        """Return θ at `tick`, before what happens then."""
        return max(self._law.low, self._after - self._law.drift * (tick - self._last - 1))

    def fire(self, tick: int, share: float = 1.0) -> None:
        """Take in that the neuron (or this share of its group) fired at `tick`."""
        law = self._law
        moved = self.at(tick) + law.rate * (share - law.target)
        self._after, self._last = min(law.high, max(law.low, moved)), tick
