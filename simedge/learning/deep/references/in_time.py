"""Rules that are local in time: S-TLLR, TESS and e-prop.

Nothing of past device ticks is kept but traces; the gradient adds up forward.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from simedge.learning.deep.references.modulators import MODULATORS, Told, kind_of
from simedge.learning.deep.references.settings import Rule
from simedge.learning.deep.references.spiking import Seen, SpikingNet
from simedge.learning.deep.references.synapses import Synapses
from simedge.learning.deep.references.traces import Traces
from simedge.learning.errors import LearnerError

__all__ = ["learn_in_time", "local_rule"]

Step = Callable[[dict[str, Tensor]], None]


def local_rule(net: SpikingNet, rule: Rule) -> Rule:
    """Return the constants that a rule has on a network; e-prop's decay is the neurons'.

    Raises
    ------
    LearnerError
        If the rule cannot learn this network.
    """
    if rule.filter and any(layer.conv for layer in net.plan.layers):
        raise LearnerError("a filtered eligibility is a number a synapse: dense layers only")
    if rule.name != "e-prop":
        return replace(rule, filter=0.0)
    return replace(rule, lambda_pre=net.neurons.leak, alpha_pre=1.0, alpha_post=0.0)


def learn_in_time(
    net: SpikingNet,
    rule: Rule,
    frames: Tensor,
    *,
    labels: Tensor,
    feedback: list[Tensor],
    step: Step | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss, mean over batch and active device ticks, and the gradient by parameter.

    Parameters
    ----------
    net
        The network.
    rule
        As `local_rule` gave it.
    frames, labels
        (ticks, batch, channels, height, width), and int64 (batch,).
    feedback
        As `modulators.feedback_of` gave it.
    step
        Applies a device tick's gradient at once; what is returned then is empty.

    Raises
    ------
    LearnerError
        If no device tick of the window is active.
    """
    if rule.idle >= len(frames):
        raise LearnerError(f"{len(frames)} device ticks, of which the first {rule.idle} are idle")
    net.ledger.begin()
    window = _Window(net, rule, frames[0])
    loss, sums = frames.new_zeros(()), _Sums(net)
    with torch.no_grad():
        for n, level in enumerate(frames):
            seen, scores = window.forward(level, sums.held)
            if n >= rule.idle:
                loss += functional.cross_entropy(scores, labels)
                error = torch.softmax(scores, 1) - functional.one_hot(labels, net.plan.classes)
                told = Told(
                    net=net,
                    rule=rule,
                    synapses=sums.held,
                    seen=seen,
                    error=error / len(labels),
                    labels=labels,
                    feedback=feedback,
                )
                sums.add(window.changes(told))
                if step is not None:
                    step(sums.chained())
                    sums = _Sums(net)
            window.close(seen)
    net.ledger.hold(window.words)
    return loss / (len(frames) - rule.idle), sums.chained() if step is None else {}


class _Window:
    """State of a batch in a window: cells, traces, scores."""

    def __init__(self, net: SpikingNet, rule: Rule, like: Tensor) -> None:
        self._net = net
        self._modulator = MODULATORS[kind_of(rule)]
        self._cells = net.rest(len(like))
        self._traces = [Traces(layer, rule, like) for layer in net.plan.layers]
        self._scores: Tensor | None = None
        self._top: Tensor | None = None
        self._one = 1.0
        """Trace of the readout's bias, whose input is 1."""

    @property
    def words(self) -> int:
        return sum(traces.words for traces in self._traces)

    def forward(self, level: Tensor, synapses: list[Synapses]) -> tuple[list[Seen], Tensor]:
        seen = self._net.tick(level, self._cells, synapses)
        self._cells = [one.cell for one in seen]
        top = seen[-1].passed.level.flatten(1)
        self._scores = self._net.scores(top, self._scores)
        neurons = self._net.neurons
        if neurons.readout_leak is not None and self._top is not None:
            top = top + neurons.readout_trace * self._top
            self._one = 1 + neurons.readout_trace * self._one
        self._top = top
        for one, traces in zip(seen, self._traces, strict=True):
            traces.arrive(one.level, one.before)
            traces.filter(one.slope)
        return seen, self._scores

    def changes(self, told: Told) -> Iterator[tuple[str, Tensor]]:
        net, error, top = self._net, told.error, self._top
        assert top is not None
        deltas = self._modulator(told)
        for n, (one, delta) in enumerate(zip(told.seen, deltas, strict=True)):
            found = self._traces[n].change(
                delta, one.slope, level=one.level, before=one.before, ledger=net.ledger
            )
            yield from ((f"{kind}-{n}", part) for kind, part in found.items())
            if net.neurons.bias:
                felt = delta * one.slope
                yield f"bias-{n}", felt.sum((0, 2, 3)) if felt.dim() == 4 else felt.sum(0)
        yield "readout", error.T @ top
        yield "readout-bias", self._one * error.sum(0)
        net.ledger.count("weight", net.plan.readout_macs)

    def close(self, seen: list[Seen]) -> None:
        for one, traces in zip(seen, self._traces, strict=True):
            traces.fire(one.slope)


class _Sums:
    """Gradients by the weights that neurons feel, until they are chained to the parameters."""

    def __init__(self, net: SpikingNet) -> None:
        self._net = net
        self._felt: dict[str, Tensor] = {}
        with torch.enable_grad():
            for n, synapse in enumerate(net.synapses()):
                kinds = ("weight", synapse.weight), ("recurrent", synapse.recurrent)
                self._felt |= {f"{k}-{n}": part for k, part in kinds if part is not None}
        self.held = [
            Synapses(*(None if part is None else part.detach() for part in synapse))  # type: ignore[arg-type]
            for synapse in net.synapses()
        ]
        self._sums: dict[str, Tensor] = {}

    def add(self, changes: Iterator[tuple[str, Tensor]]) -> None:
        for name, part in changes:
            self._sums[name] = self._sums[name] + part if name in self._sums else part

    def chained(self) -> dict[str, Tensor]:
        parameters = self._net.parameters
        found = {name: part for name, part in self._sums.items() if name not in self._felt}
        names = [n for n in parameters if n not in found]
        slopes = torch.autograd.grad(
            list(self._felt.values()),
            [parameters[name] for name in names],
            [self._sums[name] for name in self._felt],
        )
        return found | dict(zip(names, slopes, strict=True))
