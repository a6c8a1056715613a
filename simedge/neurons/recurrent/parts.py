"""What a recurrent circuit is made of: populations, projections, the numbers of rules."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simedge.neurons.errors import CircuitError
from simedge.neurons.homeostasis import Homeostasis
from simedge.neurons.recurrent.traces import span_of
from simedge.neurons.recurrent.wiring import Synapses

__all__ = ["GatedRule", "PairRule", "Population", "Projection", "ReadRule", "Rule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Leaky integrate-and-fire neurons alike in everything but state.

    u[n] = γ·u⁺[n-1] + I[n] + b; a spike iff u > θ (strict); then u⁺ = 0 (hard) or u - θ (soft).
    """

    size: int
    gamma: float
    """γ, leak per device tick, in (0, 1)."""
    threshold: float | Homeostasis = 1.0
    bias: float = 0.0
    """b, per device tick; only under a constant threshold can it make neurons fire."""
    soft: bool = False

    def __post_init__(self) -> None:
        if self.size < 1 or not 0 < self.gamma < 1:
            raise CircuitError(
                f"a population needs neurons and a leak in (0, 1), got {self.size}, {self.gamma}"
            )
        law = self.threshold
        if isinstance(law, Homeostasis):
            if (law.gamma, law.bias) != (self.gamma, self.bias):
                raise CircuitError(
                    f"the threshold's law is for leak {law.gamma} and bias {law.bias}, "
                    f"the population has {self.gamma} and {self.bias}"
                )
        elif law <= 0:
            raise CircuitError(f"a threshold must be positive, got {law}")

    @property
    def rest(self) -> float:
        """Where the potential settles without input, b/(1-γ)."""
        return self.bias / (1.0 - self.gamma)

    @property
    def fires_alone(self) -> bool:
        """Whether a neuron may ever fire without input."""
        law = self.threshold
        return self.soft or (not isinstance(law, Homeostasis) and self.rest > law)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRule:
    """Pair STDP in numbers: what arrivals and post spikes add per unit of the other's trace.

    Populations that hear several projections with such a rule have one post trace.
    """

    at_pre: float
    """λ·A_H - (1-λ)·A₋."""
    at_post: float
    """λ·A_H + (1-λ)·A₊, not negative."""
    at_both: float = 0.0
    """λ·A_H, once for an arrival and a post spike at one tick; not negative."""
    pre_factor: float
    """Decay of pre traces per tick, in (0, 1)."""
    post_factor: float
    post_delay: int = 1
    """Ticks until a spike acts on its synapses (dendritic delay)."""
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        span_of(self.pre_factor)
        span_of(self.post_factor)
        if min(self.at_post, self.at_both, self.post_delay) < 0 or not self.low < self.high:
            raise CircuitError(
                f"a pair rule needs amounts at post spikes and a delay >= 0, and low < high, got "
                f"{self}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedRule:
    """Eligibilities: what becomes of them is the modulator's choice, see `RecurrentCircuit.gate`.

    Gated by spikes, a spike of i gathers the pre traces x̄_j of its inputs. Gated by arrivals, a
    spike that arrives from j adds 0.3·max(0, 1 - |u_i - θ_i|/θ_i) at once, before the threshold
    is tested. Populations that hear several projections with such rules have one gate, one decay of
    eligibilities, and one non-causal term.
    """

    pre_factor: float
    """λ_x, decay of pre traces per tick, in (0, 1)."""
    row_factor: float
    """λ_e, decay of eligibilities per tick, in (0, 1)."""
    bound: float = 2.0
    """Weights stay in ± this."""
    gate: Literal["spike", "arrival"] = "spike"
    noncausal: float = 0.0
    """κ: an arrival from j adds κ·ȳ_i, with post traces that decay as pre traces do."""

    def __post_init__(self) -> None:
        span_of(self.pre_factor)
        span_of(self.row_factor)
        if self.bound <= 0:
            raise CircuitError(f"the bound of weights must be positive, got {self.bound}")
        if self.gate not in {"spike", "arrival"} or not math.isfinite(self.noncausal):
            raise CircuitError(f"no gate {self.gate!r} with a non-causal term of {self.noncausal}")

    @property
    def grows(self) -> bool:
        """Whether arrivals raise eligibilities; if not, only rows of those that fired exist."""
        return self.gate == "arrival" or self.noncausal != 0.0

    @property
    def shared(self) -> tuple[float, ...]:
        """What rules into one population have in common."""
        late = self.pre_factor if self.noncausal else 0.0
        return self.row_factor, self.noncausal, late, float(self.gate == "arrival")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRule:
    """Delta rule of a readout: see `RecurrentCircuit.read`."""


Rule = PairRule | GatedRule | ReadRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """Synapses from one population, or the inputs, to another."""

    source: str
    target: str
    synapses: Synapses
    weights: NDArray[np.floating]
    """One a synapse, in their order, potential units a spike."""
    delay: int = 1
    """Device ticks from a spike to its arrival; 0 only to a later population."""
    rule: Rule | None = None

    @property
    def name(self) -> str:
        """Its ends, as errors name it."""
        return f"{self.source}.{self.target}"
