"""Third factors of rules that are local in time: what each neuron is told in a device tick.

With E = softmax(scores) - y* of this device tick:

- back: δ = Oᵀ·E at the top, then δ' = ŵᵀ·(δ ⊙ Ψ) downwards, within the device tick (S-TLLR, BP).
- fixed: δ = Bᵀ·E by a fixed random B of each layer, U(±√(6/n)) (DFA, arXiv 1609.01596), or of
  the signs of E.
- local: m = Bᵀ·(f(B·o) - y*) by a basis of each layer, over m (TESS, arXiv 2502.01837).
- broadcast: L = F·E, F = Oᵀ at the top or N(0, 1) (e-prop, arXiv 1901.09049).

All go back through the layer's own pooling, and are divided by the size of the batch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from simedge.learning.deep.references.draws import Draws
from simedge.learning.deep.references.pools import cells, cells_back, signal_back
from simedge.learning.deep.references.settings import Rule
from simedge.learning.deep.references.spiking import Seen, SpikingNet
from simedge.learning.deep.references.synapses import Synapses, current_back
from simedge.learning.rules.basis import basis

__all__ = ["MODULATORS", "Told", "feedback_of", "kind_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a modulator may see of a device tick."""

    net: SpikingNet
    rule: Rule
    synapses: list[Synapses]
    seen: list[Seen]
    error: Tensor
    """E over the size of the batch, (batch, classes)."""
    labels: Tensor
    feedback: list[Tensor]
    """A matrix (classes, n) of each layer; empty for `back`."""


def kind_of(rule: Rule) -> str:
    """Return which modulator a rule has."""
    if rule.name == "s-tllr":
        return "back" if rule.modulator == "bp" else "fixed"
    return {"tess": "local", "e-prop": "broadcast"}[rule.name]


def feedback_of(net: SpikingNet, rule: Rule, draws: Draws) -> list[Tensor]:
    """Draw, or work out, the fixed matrices that a rule needs."""
    layers, classes = net.plan.layers, net.plan.classes
    like = net.parameters["readout"]
    kind = kind_of(rule)
    if kind == "back":
        return []
    if kind == "local":
        return [
            torch.from_numpy(basis(classes, la.local) / la.local).to(like.dtype) for la in layers
        ]
    found = []
    for n, layer in enumerate(layers):
        shape = (classes, layer.passed)
        found.append(
            draws.uniform(f"feedback-{n}", shape, math.sqrt(6 / layer.passed))
            if kind == "fixed"
            else draws.normal(f"feedback-{n}", shape, 1.0)
        )
    return found


def _back(told: Told) -> list[Tensor]:
    layers, ledger = told.net.plan.layers, told.net.ledger
    signal = told.error @ told.net.parameters["readout"].detach()
    ledger.count("signal", told.net.plan.readout_macs)
    found: list[Tensor] = []
    for n in range(len(layers) - 1, -1, -1):
        layer, seen = layers[n], told.seen[n]
        delta = signal_back(layer, signal, seen.passed.places)
        found.append(delta)
        if n:
            signal = current_back(layer, delta * seen.slope, told.synapses[n].weight)
            ledger.count("signal", layer.macs)
    return found[::-1]


def _fixed(told: Told) -> list[Tensor]:
    signs = told.rule.modulator == "sdfa"
    error = told.error.sign() / len(told.error) if signs else told.error
    return _through(told, error, told.feedback)


def _broadcast(told: Told) -> list[Tensor]:
    feedback = told.feedback
    if told.rule.feedback == "symmetric":
        feedback = [*feedback[:-1], told.net.parameters["readout"].detach()]
    return _through(told, told.error, feedback)


def _local(told: Told) -> list[Tensor]:
    found = []
    target = functional.one_hot(told.labels, told.net.plan.classes)
    for layer, seen, waves in zip(told.net.plan.layers, told.seen, told.feedback, strict=True):
        answer = cells(layer, seen.cell.spikes) @ waves.T
        if told.rule.answer == "softmax":
            answer = torch.softmax(answer, 1)
        signal = (answer - target) @ waves / len(told.labels)
        told.net.ledger.count("signal", 2 * waves.numel())
        found.append(cells_back(layer, signal))
    return found


def _through(told: Told, error: Tensor, feedback: list[Tensor]) -> list[Tensor]:
    found = []
    for layer, seen, matrix in zip(told.net.plan.layers, told.seen, feedback, strict=True):
        told.net.ledger.count("signal", matrix.numel())
        found.append(signal_back(layer, error @ matrix, seen.passed.places))
    return found


MODULATORS: Final[dict[str, Callable[[Told], list[Tensor]]]] = {
    "back": _back,
    "fixed": _fixed,
    "local": _local,
    "broadcast": _broadcast,
}
"""By kind: δ of each layer's neurons, (batch, *shape)."""
