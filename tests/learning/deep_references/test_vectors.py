"""Figures worked out by hand, on tiny networks in double precision."""

# ruff: noqa: E402 -- the skip comes before what needs torch

import pytest

torch = pytest.importorskip("torch", reason="the references need torch: pip install simedge[deep]")

from tiny_spiking import DOUBLE, O, R, W, X, close, dense, in_time, net_of, tensor, through_time

from simedge.learning.deep.references.blocks import local_scores
from simedge.learning.deep.references.ledger import Ledger
from simedge.learning.deep.references.modulators import MODULATORS, Told
from simedge.learning.deep.references.settings import Rule, rule_of
from simedge.learning.deep.references.surrogates import pseudo_derivative
from simedge.learning.deep.references.synapses import standardised
from simedge.learning.deep.references.traces import Traces
from simedge.learning.rules.basis import basis


@pytest.mark.parametrize(
    ("lag", "alpha_post", "wanted"),
    [
        ("code", -1.0, (0.053851171875, 0.087709218750)),
        ("paper", -1.0, (-0.024268828125, 0.058651218750)),
        ("code", -0.2, (-0.024268828125, 0.058651218750)),
        ("code", 0.0, (-0.043798828125, 0.051386718750)),
    ],
)
def test_one_neuron_with_given_modulators(lag, alpha_post, wanted):
    layer = dense(1, 2)
    rule = Rule(name="s-tllr", lag=lag, alpha_post=alpha_post, lambda_pre=0.5, lambda_post=0.2)
    psi = pseudo_derivative("b", 0.6)
    traces = Traces(layer, rule, tensor([[0.0]]))
    u, o, total, potentials = tensor([[0.0]]), tensor([[0.0]]), tensor([[0.0, 0.0]]), []
    inputs = ((1, 0), (0, 1), (0, 0), (1, 1), (0, 1))
    for x, delta in zip(inputs, (0, 0, 1, -0.5, 0.25), strict=True):
        level = tensor([x])
        u = 0.5 * (u - 0.6 * o) + level @ tensor([[0.5], [0.4]])
        traces.arrive(level, o)
        parts = traces.change(
            tensor([[delta]]), psi(u - 0.6), level=level, before=o, ledger=Ledger()
        )
        total += parts["weight"]
        traces.fire(psi(u - 0.6))
        o = (u > 0.6).to(DOUBLE)
        potentials.append(float(u))
    close(tensor(potentials), (0.5, 0.65, 0.025, 0.9125, 0.55625))
    close(total, [wanted])


def test_s_tllr_without_its_other_term_is_the_exact_gradient_of_the_top_layer():
    wanted = [[0.901835127858, 0.880223584289], [-0.690687347143, -0.556365522859]]
    net = net_of([W], O)
    rule = rule_of("s-tllr", alpha_post=0.0, lambda_pre=0.5)
    close(in_time(net, rule, X)["weight-0"], wanted)
    close(through_time(net, X)["weight-0"], wanted)


def test_s_tllr_with_both_modulators():
    rule = rule_of("s-tllr", alpha_post=-1.0, lambda_pre=0.5, lambda_post=0.2)
    back = in_time(net_of([W], O), rule, X)["weight-0"]
    close(back, [[0.283373506713, 0.133369300286], [-0.402552537428, -0.103838050286]])
    rule = rule_of("s-tllr-dfa", alpha_post=-1.0, lambda_pre=0.5, lambda_post=0.2)
    fixed = in_time(net_of([W], O), rule, X, feedback=[tensor([[0.3, -0.2], [-0.1, 0.4]])])
    wanted = [[0.075566268457, 0.035565146743], [-0.161021014971, -0.041535220114]]
    close(fixed["weight-0"], wanted)


def test_standardised_weights_and_what_comes_back_through_them():
    weight, gain = tensor([[1, 2, 4]]).requires_grad_(), tensor([1])
    felt = standardised(weight, gain)
    close(felt.detach(), [[-0.503949031056, -0.125987257764, 0.629936288820]])
    (back,) = torch.autograd.grad(felt, weight, tensor([[1, 0, 0]]))
    close(back, [[0.107991134989, -0.161983102899, 0.053991967910]])


def test_recurrent_network_through_time_and_in_time():
    net = net_of([W], O, recurrent=R)
    found = through_time(net, X)
    close(found["weight-0"], [[0.982350649473, 0.796168786097], [-0.825889056340, -0.550762408802]])
    close(
        found["recurrent-0"],
        [[0.679998408672, 0.433491470997], [-0.678562415752, -0.217114225193]],
    )
    close(found["readout"], [[2.452723428581, 0.182425523806], [-2.452723428581, -0.182425523806]])
    found = in_time(net, rule_of("e-prop"), X, feedback=[tensor(O)])
    close(found["weight-0"], [[0.950539343841, 0.766859309467], [-0.880406783305, -0.576006767681]])
    close(
        found["recurrent-0"],
        [[0.669133610360, 0.415046792680], [-0.692127892503, -0.228793107322]],
    )
    same = in_time(net, rule_of("s-tllr", alpha_post=0.0, lambda_pre=0.5), X)
    close(same["weight-0"], found["weight-0"].tolist(), 1e-12)


@pytest.mark.parametrize(
    ("alpha_post", "wanted"),
    [
        (1.0, [[-0.435228893731, -0.380089919531], [0.305008720218, 0.221575661508]]),
        (0.0, [[-0.394663455994, -0.266910298024], [0.267380268031, 0.127469510833]]),
        (-1.0, [[-0.354098018258, -0.153730676518], [0.229751815844, 0.033363360158]]),
    ],
)
def test_tess_learns_in_silence_too(alpha_post, wanted):
    net = net_of([[[0.5, 0.4], [0.9, -0.8]]], O)
    frames = [[float(n in {0, 7}), float(n in {1, 7})] for n in range(12)]
    waves = tensor([[1, -1], [-1, 1]]) / 2
    rule = rule_of("tess", alpha_post=alpha_post, lambda_pre=0.5, lambda_post=0.2)
    close(in_time(net, rule, frames, label=0, feedback=[waves])["weight-0"], wanted)


def test_the_modulator_of_silence_is_that_of_the_label():
    net = net_of([[[0.5, 0.4], [0.9, -0.8]]], O)
    synapses = net.synapses()
    seen = net.tick(tensor([[0, 0]]), net.rest(1), synapses)
    told = Told(
        net=net,
        rule=rule_of("tess"),
        synapses=synapses,
        seen=seen,
        error=tensor([[0, 0]]),
        labels=torch.tensor([0]),
        feedback=[tensor([[1, -1], [-1, 1]]) / 2],
    )
    close(MODULATORS["local"](told)[0].detach(), [[-0.5, 0.5]])


MIXED = {
    "lls": (None, 0.0163255049, (0.0062180990, 0.0005181749, -0.0010363498, -0.0005181749)),
    "lls-m": (
        [0.5, 1, -0.5],
        0.1034889984,
        (0.0209902131, -0.0026548033, 0.0314232663, -0.0759964425),
    ),
    "lls-mxm": (
        [[0.1, 0.2, 0], [0, 0.3, -0.1], [0.2, 0, 0.1]],
        0.5023253522,
        (0.0353810777, 0.1345744562, 0.0309584430, 0.0549670314),
    ),
}


@pytest.mark.parametrize("name", MIXED)
def test_local_losses_and_their_gradients(name):
    mixing, loss, gradient = MIXED[name]
    level = tensor([[0.5, -1, 2, 1]]).requires_grad_()
    mix = None if mixing is None else tensor(mixing).requires_grad_()
    said = local_scores(level, torch.from_numpy(basis(3, 4)), mix)
    found = torch.nn.functional.cross_entropy(said, torch.tensor([1]))
    close(found.detach(), loss)
    leaves = [level] if mix is None else [level, mix]
    back = torch.autograd.grad(found, leaves)
    close(back[0], [gradient])
    assert abs(float((back[0] * level.detach()).sum())) < 1e-12
    if name == "lls-m":
        close(back[1], (-0.0264239266, -0.3146049835, -0.1308785652))
    if name == "lls-mxm":
        close(back[1][0], (-0.3159024793, 0.6318049586, -0.3159024793))
