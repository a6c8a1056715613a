"""One layer of leaky neurons whose synapses remember, with memory in neurons, not in synapses.

At device tick n, with γ the leak, v the threshold and x the arriving spikes, (pre,):

    u[n] = γ·(u[n-1] - v·o[n-1]) + W·x[n] + R·o[n-1] + b      o[n] = 1 if u[n] > v, else 0
    p[n] = λ_pre·p[n-1] + x[n]         h[n] = λ_post·h[n-1] + Ψ[n-1]       Ψ[n] = Ψ(u[n] - v)
    e_ij = α_pre·Ψ_i[n]·p_j[n] + α_post·h_i[n]·x_j[n]
    g_W += δ·e = (δ ⊙ α_pre·Ψ) ⊗ p + (δ ⊙ α_post·h) ⊗ x

δ (post,) is the modulator, g_W (post, pre) a descent gradient. h is strictly past: Ψ of the
potential before reset reaches it one tick later. Recurrent synapses have x → o[n-1] and a trace of
their own; b has g_b += δ·Ψ. Potentials in units of a spike's weight, decays per device tick in
[0, 1]. Lag `paper` writes λ_post·h for h: the same as `code` with α_post times λ_post.
(S-TLLR, arXiv 2306.15220; TESS, arXiv 2502.01837.)
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerError
from simedge.learning.rules.ledger import Ledger
from simedge.learning.rules.pseudo_derivative import FORMS, Form, pseudo_derivative

__all__ = ["EligibleLayer", "Neuron", "Synapses"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Neuron:
    """Constants of a layer's neurons and of what their synapses remember."""

    leak: float = 0.5
    """γ."""
    threshold: float = 0.6
    """v."""
    pre_decay: float = 0.5
    """λ_pre."""
    post_decay: float = 0.2
    """λ_post."""
    pre_gain: float = 1.0
    """α_pre."""
    post_gain: float = -1.0
    """α_post: below 0 rewards causal order, above 0 coincidence; 0: causal terms only."""
    form: Form = "triangle"
    """Ψ."""
    lag: Literal["code", "paper"] = "code"

    def __post_init__(self) -> None:
        for name in ("leak", "pre_decay", "post_decay"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise LearnerError(f"{name} must be in [0, 1], got {value}")
        if not self.threshold > 0.0:
            raise LearnerError(f"threshold must be positive, got {self.threshold}")
        if self.form not in FORMS:
            raise LearnerError(f"form must be one of {', '.join(FORMS)}, got {self.form!r}")

    @property
    def past_gain(self) -> float:
        """What h counts in an eligibility, by either lag."""
        return self.post_gain * (self.post_decay if self.lag == "paper" else 1.0)


@dataclass(slots=True, kw_only=True)
class Synapses:
    """Weights of a layer, or as many gradients of them."""

    weights: Floats
    """(post, pre)."""
    recurrent: Floats | None = None
    """(post, post), one tick late."""
    bias: Floats | None = None
    """(post,)."""

    def __post_init__(self) -> None:
        post = self.weights.shape[0]
        if self.weights.ndim != 2:
            raise LearnerError(f"weights must be (post, pre), got shape {self.weights.shape}")
        if self.recurrent is not None and self.recurrent.shape != (post, post):
            raise LearnerError(f"recurrent must be {(post, post)}, got {self.recurrent.shape}")
        if self.bias is not None and self.bias.shape != (post,):
            raise LearnerError(f"bias must be {(post,)}, got {self.bias.shape}")

    def zeros(self) -> "Synapses":
        """Return gradients of 0."""
        recurrent, bias = self.recurrent, self.bias
        return Synapses(
            weights=np.zeros_like(self.weights),
            recurrent=None if recurrent is None else np.zeros_like(recurrent),
            bias=None if bias is None else np.zeros_like(bias),
        )

    def arrays(self) -> list[Floats]:
        """Return the arrays that there are, themselves."""
        return [a for a in (self.weights, self.recurrent, self.bias) if a is not None]


class EligibleLayer:
    """A layer's state, clocked: at rest at first, then one `advance` a device tick."""

    def __init__(self, synapses: Synapses, neuron: Neuron) -> None:
        self.synapses, self.neuron = synapses, neuron
        post, pre = synapses.weights.shape
        self.potential, self.spikes = np.zeros(post), np.zeros(post)
        self.psi, self.past = np.zeros(post), np.zeros(post)
        self.arrived, self.trace = np.zeros(pre), np.zeros(pre)
        self.looped, self.loop_trace = np.zeros(post), np.zeros(post)

    def advance(self, arrived: Floats, ledger: Ledger) -> Floats:
        """Take a device tick's arrivals, (pre,); return the spikes, (post,)."""
        neuron, held = self.neuron, self.synapses
        self.past = neuron.post_decay * self.past + self.psi
        self.looped, self.arrived = self.spikes, arrived
        self.trace = neuron.pre_decay * self.trace + arrived
        kept = neuron.leak * (self.potential - neuron.threshold * self.spikes)
        self.potential = kept + (held.weights * arrived).sum(axis=1)
        if held.recurrent is not None:
            self.potential += (held.recurrent * self.looped).sum(axis=1)
            self.loop_trace = neuron.pre_decay * self.loop_trace + self.looped
        if held.bias is not None:
            self.potential += held.bias
        excess = self.potential - neuron.threshold
        self.spikes = (excess > 0.0).astype(np.float64)
        self.psi = pseudo_derivative(neuron.form, excess)
        ledger.syn += held.weights.size + (0 if held.recurrent is None else held.recurrent.size)
        ledger.neu += self.spikes.size
        ledger.trc += sum(array.size for array in self._traces())
        return self.spikes

    def words(self) -> int:
        """Return the words that it holds: weights, four a neuron, and a trace a line."""
        weights = sum(array.size for array in self.synapses.arrays())
        state = [self.potential, self.spikes, self.psi, *self._traces()]
        return weights + sum(array.size for array in state)

    def _traces(self) -> list[Floats]:
        looped = [] if self.synapses.recurrent is None else [self.loop_trace]
        return [self.past, self.trace, *looped]

    def contribute(self, modulator: Floats, gradient: Synapses, ledger: Ledger) -> None:
        """Add this tick's δ·e to a gradient."""
        neuron = self.neuron
        causal = modulator * neuron.pre_gain * self.psi
        late = modulator * neuron.past_gain * self.past
        gradient.weights += np.outer(causal, self.trace)
        sides, synapses = 1 + (neuron.past_gain != 0.0), gradient.weights.size
        if neuron.past_gain:
            gradient.weights += np.outer(late, self.arrived)
        if gradient.recurrent is not None:
            gradient.recurrent += np.outer(causal, self.loop_trace) + np.outer(late, self.looped)
            synapses += gradient.recurrent.size
        if gradient.bias is not None:
            gradient.bias += modulator * self.psi
        ledger.mac += sides * synapses
