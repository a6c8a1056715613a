"""Clocked spiking networks (S-TLLR, arXiv 2306.15220): a whole batch, a device tick at a time.

    u[n] = γ(u[n-1] - v·o[n-1]) + ŵ·x[n] (+ r̂·o[n-1]) + b,   o = 1 if u > v, else 0

Layers follow one another within a device tick; pooled spikes are the input of the next.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from simedge.learning.deep.references.draws import Draws
from simedge.learning.deep.references.ledger import Ledger
from simedge.learning.deep.references.pools import Passed, passed_on
from simedge.learning.deep.references.settings import Neurons
from simedge.learning.deep.references.shapes import Layer, Plan
from simedge.learning.deep.references.surrogates import Psi, spike
from simedge.learning.deep.references.synapses import Synapses, current, standardised

__all__ = ["Cell", "Seen", "SpikingNet"]


class Cell(NamedTuple):
    """State of one layer between device ticks, (batch, *shape) each."""

    potential: Tensor
    spikes: Tensor


class Seen(NamedTuple):
    """What one layer went through in a device tick."""

    level: Tensor
    """Its input."""
    cell: Cell
    slope: Tensor
    """Ψ of the potential before reset."""
    passed: Passed
    before: Tensor
    """Spikes of the device tick before."""


class SpikingNet:
    """Parameters of a spiking network, and how they forward one device tick."""

    def __init__(
        self, plan: Plan, neurons: Neurons, draws: Draws, *, psi: Psi, average: bool = False
    ) -> None:
        self.plan = plan
        self.neurons = neurons
        self.psi = psi
        self.average = average
        self.ledger = Ledger()
        self.parameters = {
            name: part.requires_grad_()
            for n, layer in enumerate(plan.layers)
            for name, part in self._first(n, layer, draws).items()
        }
        bound = math.sqrt(1 / plan.features)
        readout = draws.uniform("readout", (plan.classes, plan.features), bound)
        self.parameters["readout"] = readout.requires_grad_()
        self.parameters["readout-bias"] = readout.new_zeros(plan.classes).requires_grad_()

    def _first(self, n: int, layer: Layer, draws: Draws) -> dict[str, Tensor]:
        maps, fan_in = layer.weight[0], math.prod(layer.weight[1:])
        parts = {f"weight-{n}": draws.normal(f"weight-{n}", layer.weight, 1 / math.sqrt(fan_in))}
        one = parts[f"weight-{n}"]
        if layer.recurrent:
            shape = (layer.neurons, layer.neurons)
            parts[f"recurrent-{n}"] = draws.normal(f"recurrent-{n}", shape, 0.5 / math.sqrt(maps))
        if self.neurons.standardise:
            parts |= {
                name.replace("-", "-gain-"): one.new_full(
                    (part.shape[0],), 0.5 if name.startswith("recurrent") else 1.0
                )
                for name, part in list(parts.items())
            }
        if self.neurons.bias:
            parts[f"bias-{n}"] = one.new_zeros(maps)
        return parts

    def synapses(self) -> list[Synapses]:
        """Return the weights as neurons feel them; differentiable by the parameters."""
        held = self.parameters
        found = []
        for n in range(len(self.plan.layers)):
            felt = [
                None
                if (part := held.get(f"{kind}-{n}")) is None
                else standardised(part, held[f"{kind}-gain-{n}"])
                if self.neurons.standardise
                else part
                for kind in ("weight", "recurrent")
            ]
            weight = felt[0]
            assert weight is not None
            found.append(Synapses(weight, felt[1], held.get(f"bias-{n}")))
        return found

    def rest(self, batch: int) -> list[Cell]:
        """Return the state at the beginning of a window."""
        one = self.parameters["readout"]
        return [
            Cell(one.new_zeros(batch, *layer.shape), one.new_zeros(batch, *layer.shape))
            for layer in self.plan.layers
        ]

    def tick(
        self, level: Tensor, cells: list[Cell], synapses: list[Synapses], *, reset_grad: bool = True
    ) -> list[Seen]:
        """Forward one device tick through all hidden layers."""
        seen = []
        for layer, cell, synapse in zip(self.plan.layers, cells, synapses, strict=True):
            new, slope = self._step(layer, level, cell, synapse=synapse, reset_grad=reset_grad)
            passed = passed_on(layer, new.spikes, average=self.average)
            seen.append(Seen(level, new, slope, passed, cell.spikes))
            level = passed.level
        return seen

    def scores(self, level: Tensor, before: Tensor | None) -> Tensor:
        """Return the scores of a device tick, given those before it."""
        held = self.parameters
        self.ledger.count("forward", self.plan.readout_macs)
        now = level.flatten(1) @ held["readout"].T + held["readout-bias"]
        self._watch(now, self.plan.readout_macs, through=level.requires_grad)
        leak = self.neurons.readout_leak
        return now if leak is None or before is None else leak * before + now

    def predict(self, frames: Tensor) -> Tensor:
        """Return the sum of the scores of a window, frames (ticks, batch, ...)."""
        with torch.no_grad():
            synapses, cells = self.synapses(), self.rest(frames.shape[1])
            total = frames.new_zeros(frames.shape[1], self.plan.classes)
            scores = None
            for level in frames:
                seen = self.tick(level, cells, synapses)
                cells = [one.cell for one in seen]
                scores = self.scores(seen[-1].passed.level, scores)
                total += scores
            return total

    def _step(
        self, layer: Layer, level: Tensor, cell: Cell, *, synapse: Synapses, reset_grad: bool
    ) -> tuple[Cell, Tensor]:
        leak, threshold = self.neurons.leak, self.neurons.threshold
        drive = current(layer, level, synapse.weight)
        self.ledger.count("forward", layer.macs)
        self._watch(drive, layer.macs, through=level.requires_grad)
        if synapse.recurrent is not None:
            back = cell.spikes @ synapse.recurrent.T
            self.ledger.count("forward", layer.recurrent_macs)
            self._watch(back, layer.recurrent_macs, through=cell.spikes.requires_grad)
            drive = drive + back
        if synapse.bias is not None:
            drive = drive + (synapse.bias[:, None, None] if layer.conv else synapse.bias)
        spent = cell.spikes if reset_grad else cell.spikes.detach()
        potential = leak * (cell.potential - threshold * spent) + drive
        slope = self.psi(potential.detach() - threshold)
        if potential.requires_grad:
            self.ledger.keep(slope[0].numel())
        return Cell(potential, spike(potential - threshold, slope)), slope

    def _watch(self, drive: Tensor, macs: int, *, through: bool) -> None:
        """Count what back-propagation does when it gets here: products, and a signal below."""
        if not drive.requires_grad:
            return

        def got(gradient: Tensor) -> Tensor:
            self.ledger.count("weight", macs)
            if through:
                self.ledger.count("signal", macs)
            return gradient

        drive.register_hook(got)  # type: ignore[no-untyped-call]
