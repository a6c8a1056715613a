"""e-prop: an eligibility a synapse that goes forward in time, met by errors of the readout.

One recurrent layer as in `eligibility.py` (no bias), whose threshold may adapt,
θ = v + β·a, a[n] = ρ_a·a[n-1] + o[n-1]. For each pre line ε_j, for each synapse ε^a, ē:

    ε_j = γ·ε_j + x_j       e_ij = ψ_i·(ε_j - β·ε^a_ij)      then ε^a ← ψ_i·ε_j + (ρ_a - β·ψ_i)·ε^a
    ē = κ·ē + e             g_ij = Σ_n L_i[n]·ē_ij[n]        L = F·E,   E = softmax(z) - y*

κ is the leak of the readout, z[n] = κ·z[n-1] + O·o[n] + b; F = Oᵀ (symmetric) or drawn (n, C).
Recurrent synapses have x = o[n-1]. Without recurrence this is the exact gradient, the reset taken
as given. With κ = 0, F = Oᵀ and β = 0 it is S-TLLR's `backprop` with λ_pre = γ and α_post = 0.
ψ is a form of `pseudo_derivative.py`, or (0.3/v)·max(0, 1 - |u-θ|/v) with `scaled`.
(e-prop, arXiv 1901.09049.)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerError
from simedge.learning.rules.delta import softmax
from simedge.learning.rules.ledger import Ledger
from simedge.learning.rules.pseudo_derivative import pseudo_derivative
from simedge.learning.rules.stack import Readout, Stack, Window

__all__ = ["EProp"]

Floats = NDArray[np.float64]


class _Path:
    """Eligibilities of the synapses from one set of lines."""

    def __init__(self, gradient: Floats) -> None:
        self.gradient, lines = gradient, gradient.shape[1]
        self.trace = np.zeros(lines)
        self.slow, self.filtered = np.zeros_like(gradient), np.zeros_like(gradient)

    def words(self) -> int:
        """Return the words that it holds, its gradient among them."""
        return sum(a.size for a in (self.gradient, self.trace, self.slow, self.filtered))

    def advance(self, arrived: Floats, psi: Floats, law: tuple[float, float, float, float]) -> None:
        leak, beta, rho, kappa = law
        self.trace = leak * self.trace + arrived
        own = psi[:, None]
        eligible = own * (self.trace - beta * self.slow)
        self.slow = own * self.trace + (rho - beta * own) * self.slow
        self.filtered = kappa * self.filtered + eligible

    def teach(self, signal: Floats, ledger: Ledger, *, adaptive: bool) -> None:
        """Add L·ē to the gradient: with e and ē three products a synapse, slow thresholds two."""
        self.gradient += signal[:, None] * self.filtered
        done = (self.filtered, self.filtered, self.gradient, *(adaptive * [self.slow, self.slow]))
        ledger.mac += sum(array.size for array in done)
        ledger.trc += self.trace.size


@dataclass(slots=True, kw_only=True)
class EProp:
    """The rule of a stack of one layer; the readout's leak is κ."""

    stack: Stack
    feedback: Floats | None = None
    """F, (neurons, classes); None for Oᵀ."""
    adaptation: float = 0.0
    """β."""
    adaptation_decay: float = 0.0
    """ρ_a per device tick."""
    scaled: bool = False
    rate_gain: float = 0.0
    """c_reg: adds c_reg·(mean rate - `rate_target`)·ē, with the mean over ticks so far."""
    rate_target: float = 0.0

    def __post_init__(self) -> None:
        if len(self.stack.layers) != 1 or self.stack.layers[0].bias is not None:
            raise LearnerError("e-prop takes one layer, without a bias")
        wished = (self.stack.posts[0], self.stack.classes)
        if self.feedback is not None and self.feedback.shape != wished:
            raise LearnerError(f"feedback must be {wished}, got {self.feedback.shape}")
        if not 0.0 <= self.adaptation_decay <= 1.0:
            raise LearnerError(f"adaptation decay must be in [0, 1], got {self.adaptation_decay}")

    def run(self, arrivals: Floats, target: Floats, ledger: Ledger | None = None) -> Window:
        """Run a window of arrivals, (ticks, lines), from rest; y* is (C,)."""
        window, ledger = self._window(len(arrivals)), ledger or Ledger()
        held, readout, neuron = self.stack.layers[0], self.stack.readout, self.stack.neuron
        kappa, post = readout.leak or 0.0, self.stack.posts[0]
        law = (neuron.leak, self.adaptation, self.adaptation_decay, kappa)
        gradient = window.layers[0]
        paths = [_Path(gradient.weights)]
        if gradient.recurrent is not None:
            paths.append(_Path(gradient.recurrent))
        u, o, a, seen = (np.zeros(post) for _ in range(4))
        logits, trace, always = np.zeros(self.stack.classes), np.zeros(post), 0.0
        for n, arrived in enumerate(arrivals):
            before, a = o, self.adaptation_decay * a + o
            u = neuron.leak * (u - neuron.threshold * o) + (held.weights * arrived).sum(axis=1)
            if held.recurrent is not None:
                u = u + (held.recurrent * before).sum(axis=1)
            excess = u - neuron.threshold - self.adaptation * a
            o, psi = (excess > 0.0).astype(np.float64), self._psi(excess)
            seen, trace, always = seen + o, kappa * trace + o, kappa * always + 1.0
            logits = kappa * logits + (readout.weights * o).sum(axis=1) + readout.bias
            error = softmax(logits) - target
            signal = self._signal(error) + self.rate_gain * (seen / (n + 1) - self.rate_target)
            for path, lines in zip(paths, (arrived, before), strict=False):
                path.advance(lines, psi, law)
                path.teach(signal, ledger, adaptive=self.adaptation != 0.0)
            window.readout.weights += np.outer(error, trace)
            window.readout.bias += error * always
            window.logits[n], window.spikes[0][n], window.potentials[0][n] = logits, o, u
            ledger.mac += window.readout.weights.size
        own = sum(path.words() + path.gradient.size for path in paths)
        learned = window.readout.weights.size + window.readout.bias.size
        ledger.hold(own + 2 * learned + sum(state.size for state in (u, o, a, seen, trace, logits)))
        return window

    def _signal(self, error: Floats) -> Floats:
        feedback = self.stack.readout.weights.T if self.feedback is None else self.feedback
        return np.asarray((feedback * error).sum(axis=1))

    def _psi(self, excess: Floats) -> Floats:
        v = self.stack.neuron.threshold
        if self.scaled:
            return 0.3 / v * np.maximum(0.0, 1.0 - np.abs(excess) / v)
        return pseudo_derivative(self.stack.neuron.form, excess)

    def _window(self, ticks: int) -> Window:
        stack, post = self.stack, self.stack.posts[0]
        return Window(
            layers=[stack.layers[0].zeros()],
            readout=Readout(
                weights=np.zeros_like(stack.readout.weights),
                bias=np.zeros_like(stack.readout.bias),
            ),
            logits=np.zeros((ticks, stack.classes)),
            spikes=[np.zeros((ticks, post))],
            potentials=[np.zeros((ticks, post))],
        )
