"""Tiny spiking networks in double precision, with weights as given; needs torch."""

import torch

from simedge.learning.deep.network import be_deterministic
from simedge.learning.deep.references.draws import Draws
from simedge.learning.deep.references.in_time import learn_in_time, local_rule
from simedge.learning.deep.references.settings import Neurons, rule_of
from simedge.learning.deep.references.shapes import Layer, Plan
from simedge.learning.deep.references.spiking import SpikingNet
from simedge.learning.deep.references.surrogates import pseudo_derivative
from simedge.learning.deep.references.through_time import learn_through_time

be_deterministic()  # one thread: tiny tensors are slower on more
DOUBLE = torch.float64
NEURONS = Neurons(leak=0.5, threshold=0.6, standardise=False)
X = [[1, 0], [0, 1], [1, 1], [1, 0]]
W = [[0.5, 0.4], [0.7, -0.3]]
O = [[1, -0.5], [-0.5, 1]]  # noqa: E741 - the readout's name in the equations
R = [[0, 0.3], [-0.2, 0]]


def tensor(values):
    return torch.tensor(values, dtype=DOUBLE)


def close(found, wanted, tolerance=1e-9):
    torch.testing.assert_close(found, tensor(wanted), atol=tolerance, rtol=0)


def dense(units, inputs, *, recurrent=False):
    return Layer(
        weight=(units, inputs),
        below=(inputs,),
        shape=(units,),
        above=(units,),
        after="",
        cell=1,
        recurrent=recurrent,
    )


def net_of(weights, readout, *, recurrent=None, neurons=NEURONS, psi="b"):
    layers = tuple(
        dense(len(w), len(w[0]), recurrent=recurrent is not None and n + 1 == len(weights))
        for n, w in enumerate(weights)
    )
    plan = Plan(name="tiny", layers=layers, classes=len(readout))
    net = SpikingNet(plan, neurons, Draws(1, DOUBLE), psi=pseudo_derivative(psi, neurons.threshold))
    given = {f"weight-{n}": w for n, w in enumerate(weights)} | {"readout": readout}
    if recurrent is not None:
        given[f"recurrent-{len(weights) - 1}"] = recurrent
    for name, values in given.items():
        net.parameters[name] = tensor(values).requires_grad_()
    return net


def in_time(net, rule, frames, *, label=1, feedback=()):
    shown = tensor(frames)[:, None]
    return learn_in_time(
        net, local_rule(net, rule), shown, labels=torch.tensor([label]), feedback=list(feedback)
    )[1]


def through_time(net, frames, *, label=1, **changes):
    rule = rule_of("bptt", loss="tick", **changes)
    return learn_through_time(net, rule, tensor(frames)[:, None], labels=torch.tensor([label]))[1]
