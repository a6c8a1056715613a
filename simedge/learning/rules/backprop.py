"""Two dense layers on frames, by back-propagation or by direct feedback.

    h = f(W₁·x + b₁),   z = W₂·h + b₂,   E = softmax(z) - y*,   f = LeakyReLU(0.01)
    δ = (W₂ᵀ·E) ⊙ f'   (back-propagation),   δ = (Bᵀ·E) ⊙ f'   (direct feedback, B (C, n))
    g_W₂ = E ⊗ h,   g_b₂ = E,   g_W₁ = δ ⊗ x,   g_b₁ = δ,   means over the batch

Weights (post, pre), rows (batch, lines). With B = W₂ both are one. (Direct feedback alignment,
arXiv 1609.01596.)
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerError
from simedge.learning.rules.delta import softmax
from simedge.learning.rules.ledger import Ledger

__all__ = ["TwoLayers"]

Floats = NDArray[np.float64]

_SLOPE: Final = 0.01


@dataclass(slots=True, kw_only=True)
class TwoLayers:
    """A net of one hidden layer; `feedback` (C, n), if given, takes the place of W₂ᵀ."""

    hidden: Floats
    hidden_bias: Floats
    readout: Floats
    readout_bias: Floats
    feedback: Floats | None = None

    def __post_init__(self) -> None:
        if self.feedback is not None and self.feedback.shape != self.readout.shape:
            wished = self.readout.shape
            raise LearnerError(f"feedback must be {wished}, got {self.feedback.shape}")

    @property
    def parameters(self) -> list[Floats]:
        """W₁, b₁, W₂, b₂, themselves."""
        return [self.hidden, self.hidden_bias, self.readout, self.readout_bias]

    def scores(self, inputs: Floats) -> Floats:
        """Return z of rows, (batch, C)."""
        return self._scores(self._hidden(inputs)[1])

    def loss(self, inputs: Floats, target: Floats) -> float:
        """Return the mean cross entropy."""
        return float(-(target * np.log(softmax(self.scores(inputs)))).sum() / len(inputs))

    def gradients(
        self, inputs: Floats, target: Floats, ledger: Ledger | None = None
    ) -> list[Floats]:
        """Return descent gradients in the order of `parameters`."""
        linear, hidden = self._hidden(inputs)
        error = (softmax(self._scores(hidden)) - target) / len(inputs)
        sent = self.readout if self.feedback is None else self.feedback
        local = np.einsum("cn,bc->bn", sent, error) * np.where(linear > 0.0, 1.0, _SLOPE)
        if ledger is not None:
            ledger.mac += hidden.size * inputs.shape[1] + error.size * hidden.shape[1]  # forward
            ledger.mac += error.size * sent.shape[1]  # the signal
            ledger.mac += local.size * inputs.shape[1] + error.size * hidden.shape[1]  # gradients
            ledger.hold(hidden.size + error.size)
        return [
            np.einsum("bn,bi->ni", local, inputs),
            local.sum(axis=0),
            np.einsum("bc,bn->cn", error, hidden),
            error.sum(axis=0),
        ]

    def _hidden(self, inputs: Floats) -> tuple[Floats, Floats]:
        linear = np.einsum("ni,bi->bn", self.hidden, inputs) + self.hidden_bias
        return linear, np.where(linear > 0.0, linear, _SLOPE * linear)

    def _scores(self, hidden: Floats) -> Floats:
        return np.asarray(np.einsum("cn,bn->bc", self.readout, hidden) + self.readout_bias)
