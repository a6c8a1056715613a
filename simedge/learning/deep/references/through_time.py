"""Back-propagation through time with a pseudo-derivative (Neftci et al., arXiv 1901.09948).

The whole window is forwarded and kept; then the gradient runs back through it: torch's own.
"""

import torch
from torch import Tensor
from torch.nn import functional

from simedge.learning.deep.references.settings import Rule
from simedge.learning.deep.references.spiking import SpikingNet

__all__ = ["learn_through_time"]


def learn_through_time(
    net: SpikingNet, rule: Rule, frames: Tensor, *, labels: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss, mean over the batch, and its gradient by parameter.

    Parameters
    ----------
    net
        The network; its parameters stay as they are.
    rule
        Of it `loss` and `reset_grad` matter.
    frames, labels
        (ticks, batch, channels, height, width), and int64 (batch,).
    """
    net.ledger.begin()
    synapses, cells = net.synapses(), net.rest(frames.shape[1])
    scores, every = None, []
    for level in frames:
        seen = net.tick(level, cells, synapses, reset_grad=rule.reset_grad)
        cells = [one.cell for one in seen]
        scores = net.scores(seen[-1].passed.level, scores)
        every.append(scores)
    shown = torch.stack(every)
    if rule.loss == "sum":
        loss = functional.cross_entropy(shown.sum(0), labels)
    else:
        loss = sum((functional.cross_entropy(each, labels) for each in shown), shown.new_zeros(()))
    gradients = torch.autograd.grad(loss, list(net.parameters.values()))
    return loss.detach(), dict(zip(net.parameters, gradients, strict=True))
