"""Layers without spikes: blocks of weights, normalisation by batch and a leaky ramp.

    z = W·x,  n = a·(z - mean)/√(var + 1e-5) + b,  h = n or 0.01·n,  then pooling

What goes back into a block, and where from, is the rule:

- bp: the error, through all blocks above.
- dfa: Bᵀ·E at the block's pooled output, E = softmax(scores) - y* (arXiv 1609.01596).
- lls, lls-m, lls-mxm: the block's own loss, cross entropy of r/τ (arXiv 2405.15868), with
  a = the block's output, averaged to few cells, â = a/|a|, and r = B·â, μ ⊙ B·â or Mᵀ·B·â.

With dfa and lls the input of a block is cut off: nothing passes between blocks.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from simedge.learning.deep.references.draws import Draws
from simedge.learning.deep.references.ledger import Ledger
from simedge.learning.deep.references.pools import cells, passed_on
from simedge.learning.deep.references.settings import Rule
from simedge.learning.deep.references.shapes import Plan
from simedge.learning.deep.references.synapses import current
from simedge.learning.errors import LearnerError
from simedge.learning.rules.basis import basis

__all__ = ["FrameNet", "learn_frames", "local_scores"]

_KEPT = 0.9
"""Share of the running statistics that a batch leaves as it is."""
_RAMP = 0.01


class FrameNet:
    """Parameters of a network of blocks."""

    def __init__(self, plan: Plan, rule: Rule, draws: Draws, *, average: bool = False) -> None:
        if plan.recurrent:
            raise LearnerError(f"{rule.name} needs a network without recurrence, not {plan.name}")
        self.plan = plan
        self.average = average
        self.ledger = Ledger()
        parts: dict[str, Tensor] = {}
        classes = plan.classes
        self.running: list[tuple[Tensor, Tensor]] = []
        for n, layer in enumerate(plan.layers):
            bound = math.sqrt(6 / math.prod(layer.weight[1:]))
            weight = parts[f"weight-{n}"] = draws.uniform(f"weight-{n}", layer.weight, bound)
            maps = layer.weight[0]
            parts[f"scale-{n}"], parts[f"shift-{n}"] = weight.new_ones(maps), weight.new_zeros(maps)
            self.running.append((weight.new_zeros(maps), weight.new_ones(maps)))
            if rule.name == "lls-m":
                parts[f"mixing-{n}"] = draws.normal(f"mixing-{n}", (classes,), 0.01)
            if rule.name == "lls-mxm":
                parts[f"mixing-{n}"] = draws.normal(f"mixing-{n}", (classes, classes), 0.01)
        bound = math.sqrt(1 / plan.features)
        readout = draws.uniform("readout", (plan.classes, plan.features), bound)
        parts |= {"readout": readout, "readout-bias": readout.new_zeros(classes)}
        self.parameters = {name: part.requires_grad_() for name, part in parts.items()}
        self.feedback = self._feedback(rule, draws, readout)

    def _feedback(self, rule: Rule, draws: Draws, like: Tensor) -> list[Tensor]:
        classes, layers = self.plan.classes, self.plan.layers
        if rule.name == "bp":
            return []
        if rule.name == "dfa":
            return [
                draws.uniform(f"feedback-{n}", (classes, la.passed), math.sqrt(6 / la.passed))
                for n, la in enumerate(layers)
            ]
        return [torch.from_numpy(basis(classes, layer.local)).to(like.dtype) for layer in layers]

    def block(self, n: int, level: Tensor, *, learning: bool) -> Tensor:
        """Return a block's output before pooling; statistics are the batch's when learning."""
        layer, held = self.plan.layers[n], self.parameters
        self.ledger.count("forward", layer.macs)
        drive = current(layer, level, held[f"weight-{n}"])
        self._watch(drive, layer.macs, through=level.requires_grad)
        if learning:
            self._note(n, drive.detach())
        mean, var = self.running[n]
        level = functional.batch_norm(
            drive,
            None if learning else mean,
            None if learning else var,
            held[f"scale-{n}"],
            held[f"shift-{n}"],
            training=learning,
        )
        return functional.leaky_relu(level, _RAMP)

    def passed(self, n: int, level: Tensor) -> Tensor:
        """Return what the next block sees of a block's output."""
        return passed_on(self.plan.layers[n], level, average=self.average).level

    def scores(self, level: Tensor) -> Tensor:
        """Return the scores of the highest block's output."""
        held = self.parameters
        self.ledger.count("forward", self.plan.readout_macs)
        scores = level.flatten(1) @ held["readout"].T + held["readout-bias"]
        self._watch(scores, self.plan.readout_macs, through=level.requires_grad)
        return scores

    def predict(self, frames: Tensor) -> Tensor:
        """Return the scores of frames (batch, channels, height, width)."""
        with torch.no_grad():
            level = frames
            for n in range(len(self.plan.layers)):
                level = self.passed(n, self.block(n, level, learning=False))
            return self.scores(level)

    def _note(self, n: int, drive: Tensor) -> None:
        axes = [axis for axis in range(drive.dim()) if axis != 1]
        now = drive.mean(axes), drive.var(axes, correction=0)
        mean, var = (
            _KEPT * old + (1 - _KEPT) * new for old, new in zip(self.running[n], now, strict=True)
        )
        self.running[n] = mean, var

    def _watch(self, drive: Tensor, macs: int, *, through: bool) -> None:
        if drive.requires_grad:

            def got(gradient: Tensor) -> Tensor:
                self.ledger.count("weight", macs)
                self.ledger.count("signal", macs if through else 0)
                return gradient

            drive.register_hook(got)  # type: ignore[no-untyped-call]


def local_scores(
    level: Tensor, waves: Tensor, mixing: Tensor | None = None, *, temperature: float = 0.5
) -> Tensor:
    """Return a block's own scores r/τ of what its loss sees, (batch, m)."""
    said = functional.normalize(level, dim=1) @ waves.T
    if mixing is not None:
        said = mixing * said if mixing.dim() == 1 else said @ mixing
    return said / temperature


def learn_frames(
    net: FrameNet, rule: Rule, frames: Tensor, *, labels: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of the readout, mean over the batch, and the gradient by parameter.

    Every gradient is of the parameters as they are held, so it is all the same whether a block
    steps at once or later.
    """
    if len(frames) < 2:
        raise LearnerError("normalisation by batch needs at least 2 samples")
    net.ledger.begin()
    cut = rule.name != "bp"
    losses: list[Tensor] = []
    level, outputs = frames, []
    for n, layer in enumerate(net.plan.layers):
        level = level.detach() if cut else level
        output = net.block(n, level, learning=True)
        words = layer.inputs + layer.neurons
        net.ledger.hold(words) if cut else net.ledger.keep(layer.neurons if n else words)
        level = net.passed(n, output)
        outputs.append(level)
        if rule.name.startswith("lls"):
            losses.append(_own_loss(net, rule, n, output=output, labels=labels))
    scores = net.scores(level.detach() if cut else level)
    loss = functional.cross_entropy(scores, labels)
    if rule.name == "dfa":
        error = torch.softmax(scores.detach(), 1) - functional.one_hot(labels, net.plan.classes)
        losses = [_fed(net, n, output, error=error) for n, output in enumerate(outputs)]
    names, parts = zip(*net.parameters.items(), strict=True)
    total = loss + sum(losses, loss.new_zeros(()))
    return loss.detach(), dict(zip(names, torch.autograd.grad(total, parts), strict=True))


def _own_loss(net: FrameNet, rule: Rule, n: int, *, output: Tensor, labels: Tensor) -> Tensor:
    layer, classes = net.plan.layers[n], net.plan.classes
    mixing = net.parameters.get(f"mixing-{n}")
    waves = net.feedback[n]
    net.ledger.count("signal", 2 * waves.numel())
    if mixing is not None:
        net.ledger.count("signal", classes if mixing.dim() == 1 else 3 * classes**2)
    said = local_scores(cells(layer, output), waves, mixing, temperature=rule.temperature)
    return functional.cross_entropy(said, labels)


def _fed(net: FrameNet, n: int, output: Tensor, *, error: Tensor) -> Tensor:
    """Return a number whose gradient by the output is the signal."""
    net.ledger.count("signal", net.feedback[n].numel())
    return (output.flatten(1) * (error @ net.feedback[n]) / len(error)).sum()
