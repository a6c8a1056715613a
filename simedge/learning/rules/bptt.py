"""Back-propagation through time with a pseudo-derivative: every device tick is kept and replayed.

Forward as in `eligibility.py` under a linear readout (`stack.py`). From the last tick to the first,
from the top layer down, with Ψ[n] = Ψ(u[n] - v),

    ds[n] = Oᵀ·E[n]  (top), or Wᵀ·du[n] of the layer above;   + Rᵀ·du[n+1];   - γ·v·du[n+1] if the
            reset is differentiated too (it is taken as given unless asked)
    du[n] = ds[n] ⊙ Ψ[n] + γ·du[n+1]
    g_W = Σ du[n] ⊗ x[n],   g_R = Σ du[n] ⊗ o[n-1],   g_b = Σ du[n],   g_O = Σ E[n] ⊗ o[n]

The loss is the cross entropy of Σ z[n] (the same E at every tick), or its sum over device ticks.
With `smooth` a spike is σ(4·(u - v)), whose derivative is Ψ of the form `logistic`: so gradients
can be compared with finite differences. (Surrogate gradients, arXiv 1901.09948.)
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerError
from simedge.learning.rules.delta import softmax
from simedge.learning.rules.eligibility import Synapses
from simedge.learning.rules.ledger import Ledger
from simedge.learning.rules.pseudo_derivative import logistic, pseudo_derivative
from simedge.learning.rules.stack import Readout, Stack, Window

__all__ = ["Bptt"]

Floats = NDArray[np.float64]


@dataclass(slots=True, kw_only=True)
class Bptt:
    """The rule of a stack; the readout has no memory."""

    stack: Stack
    loss: Literal["sum", "tick"] = "sum"
    reset_gradient: bool = False
    smooth: bool = False

    def __post_init__(self) -> None:
        if self.stack.readout.leak is not None:
            raise LearnerError("back-propagation through time needs a readout without memory")
        if self.smooth and self.stack.neuron.form != "logistic":
            raise LearnerError("a smooth spike's derivative is of the form logistic")

    def forward(self, arrivals: Floats) -> Window:
        """Run a window of arrivals, (ticks, lines), from rest; gradients are 0."""
        stack, trains, potentials = self.stack, [], []
        below = arrivals
        for held in stack.layers:
            below, potential = self._layer(held, below)
            trains.append(below)
            potentials.append(potential)
        readout = stack.readout
        return Window(
            layers=[held.zeros() for held in stack.layers],
            readout=Readout(
                weights=np.zeros_like(readout.weights), bias=np.zeros_like(readout.bias)
            ),
            logits=np.einsum("cn,tn->tc", readout.weights, below) + readout.bias,
            spikes=trains,
            potentials=potentials,
        )

    def cost(self, arrivals: Floats, target: Floats) -> float:
        """Return the loss of a window for y*, (C,)."""
        logits = self.forward(arrivals).logits
        seen = logits.sum(axis=0, keepdims=True) if self.loss == "sum" else logits
        return float(-(target * np.log(softmax(seen))).sum())

    def run(self, arrivals: Floats, target: Floats, ledger: Ledger | None = None) -> Window:
        """Run a window and return its exact gradients, but for Ψ and the reset."""
        window, stack = self.forward(arrivals), self.stack
        logits = window.logits
        if self.loss == "sum":
            logits = np.broadcast_to(logits.sum(axis=0), logits.shape)
        error, charged = softmax(logits) - target, ledger or Ledger()
        window.readout.weights[...] = _outer(error, window.spikes[-1], charged)
        window.readout.bias[...] = error.sum(axis=0)
        sent = _sent(stack.readout.weights, error, charged)
        for depth in range(len(stack.layers) - 1, -1, -1):
            held, gradient = stack.layers[depth], window.layers[depth]
            change = self._back(held, sent, (window.potentials[depth], charged))
            heard = window.spikes[depth - 1] if depth else arrivals
            _accumulate(gradient, (change, charged), (heard, window.spikes[depth]))
            sent = _sent(held.weights, change, charged)
        charged.hold(_words(stack, window))
        return window

    def _layer(self, held: Synapses, below: Floats) -> tuple[Floats, Floats]:
        neuron, post = self.stack.neuron, held.weights.shape[0]
        trains, potentials = np.zeros((len(below), post)), np.zeros((len(below), post))
        u, spikes = np.zeros(post), np.zeros(post)
        for n, arrived in enumerate(below):
            u = neuron.leak * (u - neuron.threshold * spikes) + (held.weights * arrived).sum(axis=1)
            if held.recurrent is not None:
                u = u + (held.recurrent * spikes).sum(axis=1)
            if held.bias is not None:
                u = u + held.bias
            excess = u - neuron.threshold
            spikes = logistic(4.0 * excess) if self.smooth else (excess > 0.0).astype(np.float64)
            trains[n], potentials[n] = spikes, u
        return trains, potentials

    def _back(self, held: Synapses, sent: Floats, kept: tuple[Floats, Ledger]) -> Floats:
        neuron, (potential, ledger) = self.stack.neuron, kept
        psi = pseudo_derivative(neuron.form, potential - neuron.threshold)
        change, after = np.zeros_like(potential), np.zeros(potential.shape[1])
        for n in range(len(potential) - 1, -1, -1):
            signal = sent[n]
            if held.recurrent is not None:
                signal = signal + (held.recurrent * after[:, None]).sum(axis=0)
                ledger.mac += held.recurrent.size
            if self.reset_gradient:
                signal = signal - neuron.leak * neuron.threshold * after
            after = change[n] = signal * psi[n] + neuron.leak * after
        return change


def _accumulate(
    gradient: Synapses, given: tuple[Floats, Ledger], heard: tuple[Floats, Floats]
) -> None:
    (change, ledger), (below, own) = given, heard
    gradient.weights[...] = _outer(change, below, ledger)
    if gradient.recurrent is not None:
        gradient.recurrent[...] = _outer(change[1:], own[:-1], ledger)
    if gradient.bias is not None:
        gradient.bias[...] = change.sum(axis=0)


def _outer(change: Floats, heard: Floats, ledger: Ledger) -> Floats:
    """Return Σ change[n] ⊗ heard[n]."""
    ledger.mac += change.size * heard.shape[1]
    return np.asarray(np.einsum("ti,tj->ij", change, heard))


def _sent(weights: Floats, change: Floats, ledger: Ledger) -> Floats:
    """Return Wᵀ·change of every device tick."""
    ledger.mac += change.size * weights.shape[1]
    return np.asarray(np.einsum("ij,ti->tj", weights, change))


def _words(stack: Stack, window: Window) -> int:
    """Return what is held: weights, gradients, and potentials of the window, which say spikes."""
    weights = [*(a for held in stack.layers for a in held.arrays()), stack.readout.weights]
    own = sum(array.size for array in weights) + stack.readout.bias.size
    return 2 * own + sum(array.size for array in window.potentials)
