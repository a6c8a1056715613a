"""Laws of the references: exact gradients, locality, costs by formula, seeds, learning."""

# ruff: noqa: E402 -- the skip comes before what needs torch

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the references need torch: pip install simedge[deep]")

from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_spiking import DOUBLE, NEURONS, in_time, net_of, tensor, through_time

from simedge.learning.deep.references.blocks import FrameNet, learn_frames
from simedge.learning.deep.references.draws import Draws
from simedge.learning.deep.references.in_time import learn_in_time, local_rule
from simedge.learning.deep.references.ledger import nominal
from simedge.learning.deep.references.modulators import feedback_of
from simedge.learning.deep.references.pools import cells, cells_back, passed_on, signal_back
from simedge.learning.deep.references.settings import (
    PUBLISHED,
    RULES,
    Neurons,
    Rule,
    Steps,
    Training,
    rule_of,
)
from simedge.learning.deep.references.shapes import NETS, plan
from simedge.learning.deep.references.spiking import SpikingNet
from simedge.learning.deep.references.surrogates import LETTERS, pseudo_derivative, spike
from simedge.learning.deep.references.through_time import learn_through_time
from simedge.learning.deep.references.training import Data, train
from simedge.learning.errors import LearnerError
from simedge.sensors.table import digits

few = settings(max_examples=10, deadline=None)
seeds = st.integers(0, 2**31)


def drawn(seed, *, layers=((3, 4), (4, 3)), neurons=NEURONS, recurrent=False, psi="b"):
    """A random net, spikes of six device ticks, and a label."""
    draws = Draws(seed, DOUBLE)
    weights = [draws.normal(f"w-{n}", s, 0.7).tolist() for n, s in enumerate(layers)]
    top = layers[-1][0]
    readout = draws.normal("o", (3, top), 1.0).tolist()
    back = draws.normal("r", (top, top), 0.4).tolist() if recurrent else None
    frames = (draws.uniform("x", (6, layers[0][1]), 1.0) > 0.2).to(DOUBLE).tolist()
    net = net_of(weights, readout, recurrent=back, neurons=neurons, psi=psi)
    return net, frames, seed % 3


def same(one, other, tolerance=1e-12):
    torch.testing.assert_close(one, other, atol=tolerance, rtol=1e-9)


@given(seeds)
@few
def test_s_tllr_gives_the_exact_gradient_of_the_top_layer_and_of_all_without_leak(seed):
    net, frames, label = drawn(seed)
    rule = rule_of("s-tllr", alpha_post=0.0, lambda_pre=0.5)
    found, exact = in_time(net, rule, frames, label=label), through_time(net, frames, label=label)
    for name in ("weight-1", "readout", "readout-bias"):
        same(found[name], exact[name])
    forgetful = Neurons(leak=0.0, threshold=0.6, standardise=False)
    net, frames, label = drawn(seed, neurons=forgetful)
    rule = rule_of("s-tllr", alpha_post=0.0, lambda_pre=0.0)
    same(
        in_time(net, rule, frames, label=label)["weight-0"],
        through_time(net, frames, label=label)["weight-0"],
    )


def test_deeper_layers_differ_from_the_exact_gradient_when_neurons_leak():
    net, frames, label = drawn(7)
    rule = rule_of("s-tllr", alpha_post=0.0, lambda_pre=0.5)
    found, exact = in_time(net, rule, frames, label=label), through_time(net, frames, label=label)
    assert float((found["weight-0"] - exact["weight-0"]).abs().max()) > 1e-3


@given(seeds)
@few
def test_filtered_e_prop_is_exact_below_a_leaky_readout(seed):
    neurons = Neurons(
        leak=0.5, threshold=0.6, standardise=False, readout_leak=0.9, readout_trace=0.9
    )
    net, frames, label = drawn(seed, layers=((4, 3),), neurons=neurons)
    rule = rule_of("e-prop", filter=0.9)
    found = in_time(net, rule, frames, label=label, feedback=[tensor([[0] * 4] * 3)])
    exact = through_time(net, frames, label=label)
    for name in found:
        same(found[name], exact[name])


def by_hand(net, frames, label, *, reset_grad):
    """Back-propagation through time written out, one recurrent layer, as its own oracle."""
    held = {name: part.detach() for name, part in net.parameters.items()}
    w, r, o = held["weight-0"], held["recurrent-0"], held["readout"]
    u, s = torch.zeros(len(w), dtype=DOUBLE), torch.zeros(len(w), dtype=DOUBLE)
    kept = []
    for x in tensor(frames):
        before = s
        u = 0.5 * (u - 0.6 * s) + w @ x + r @ s
        s = (u > 0.6).to(DOUBLE)
        error = torch.softmax(o @ s, 0)
        error[label] -= 1
        kept.append((x, before, 0.3 * (1 - (u - 0.6).abs()).clamp_min(0), error))
    sums = {"weight-0": torch.zeros_like(w), "recurrent-0": torch.zeros_like(r)}
    later = torch.zeros(len(w), dtype=DOUBLE)
    for x, before, psi, error in reversed(kept):
        ds = o.T @ error + r.T @ later - (0.3 * later if reset_grad else 0)
        later = ds * psi + 0.5 * later
        sums["weight-0"] += later[:, None] * x
        sums["recurrent-0"] += later[:, None] * before
    return sums


@given(seeds, st.booleans())
@few
def test_autograd_through_time_is_the_recursion_written_out(seed, reset_grad):
    net, frames, label = drawn(seed, layers=((4, 3),), recurrent=True)
    found = through_time(net, frames, label=label, reset_grad=reset_grad)
    for name, part in by_hand(net, frames, label, reset_grad=reset_grad).items():
        same(found[name], part)


@pytest.mark.parametrize("letter", LETTERS)
def test_a_spike_is_hard_and_its_slope_is_as_told(letter):
    above = torch.linspace(-1.5, 1.5, 31, dtype=DOUBLE).requires_grad_()
    slope = pseudo_derivative(letter, 0.6)(above.detach())
    fired = spike(above, slope)
    (back,) = torch.autograd.grad(fired.sum(), above)
    assert torch.equal(fired, (above > 0).to(DOUBLE))
    assert torch.equal(back, slope)
    assert float(slope.max()) == slope[15]


@given(seeds, st.sampled_from(["P", "A", "G", ""]), st.booleans(), st.integers(2, 7))
@few
def test_signals_go_back_through_pooling_as_gradients_do(seed, after, average, side):
    draws = Draws(seed, DOUBLE)
    base = plan("vgg9", (1, 8, 8), 3, width=0.05).layers[0]
    above = {"P": (3, side // 2, side // 2), "A": (3, 2, 2), "G": (3, 1, 1)}.get(
        after, (3, side, side)
    )
    layer = type(base)(
        weight=base.weight, below=(1, side, side), shape=(3, side, side), above=above,
        after=after, cell=2, recurrent=False,
    )  # fmt: skip
    spikes = (draws.uniform("s", (2, 3, side, side), 1.0) > 0).to(DOUBLE).requires_grad_()
    passed = passed_on(layer, spikes, average=average)
    signal = draws.normal("g", passed.level.shape, 1.0)
    (back,) = torch.autograd.grad((passed.level * signal).sum(), spikes)
    same(signal_back(layer, signal, passed.places), back)
    local = cells(layer, spikes)
    told = draws.normal("t", local.shape, 1.0)
    (back,) = torch.autograd.grad((local * told).sum(), spikes)
    same(cells_back(layer, told), back)
    pooled = torch.nn.functional.adaptive_avg_pool2d(spikes, 2)
    same(local.detach(), pooled.flatten(1).detach())


def test_idle_device_ticks_move_traces_and_nothing_else():
    net, frames, label = drawn(3, layers=((4, 3),))
    whole = in_time(net, rule_of("s-tllr"), frames, label=label)["weight-0"]
    late = in_time(net, rule_of("s-tllr", idle=3), frames, label=label)["weight-0"]
    fresh = in_time(net, rule_of("s-tllr"), frames[3:], label=label)["weight-0"]
    assert not torch.equal(late, whole)
    assert not torch.equal(late, fresh)
    with pytest.raises(LearnerError, match="idle"):
        in_time(net, rule_of("s-tllr", idle=6), frames, label=label)


def tiny_conv(rule, seed=5):
    psi = pseudo_derivative("b", 0.6)
    net = SpikingNet(
        plan("smallconv", (2, 8, 8), 3, width=0.1), Neurons(), Draws(seed, DOUBLE), psi=psi
    )
    frames = (Draws(seed, DOUBLE).uniform("x", (4, 3, 2, 8, 8), 1.0) > 0).to(DOUBLE)
    rule = local_rule(net, rule)
    return net, rule, frames, feedback_of(net, rule, Draws(seed, DOUBLE))


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_tess_changes_a_layer_whatever_is_above_it(layer):
    net, rule, frames, feedback = tiny_conv(rule_of("tess"))
    labels = torch.tensor([0, 1, 2])
    before = learn_in_time(net, rule, frames, labels=labels, feedback=feedback)[1]
    for name in (f"weight-{layer + 1}", f"gain-weight-{layer + 1}", "readout"):
        if name in net.parameters:
            net.parameters[name].data.mul_(-1.7).add_(0.3)
    after = learn_in_time(net, rule, frames, labels=labels, feedback=feedback)[1]
    for n in range(4):
        alike = torch.equal(before[f"weight-{n}"], after[f"weight-{n}"])
        assert alike == (n <= layer)


def test_local_losses_change_a_block_whatever_is_above_it():
    net = FrameNet(plan("smallconv", (1, 8, 8), 3, width=0.1), RULES["lls"], Draws(2, DOUBLE))
    frames = Draws(3, DOUBLE).normal("x", (6, 1, 8, 8), 1.0)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    before = learn_frames(net, RULES["lls"], frames, labels=labels)[1]
    net.parameters["weight-2"].data.mul_(-1.7).add_(0.3)
    after = learn_frames(net, RULES["lls"], frames, labels=labels)[1]
    assert [torch.equal(before[f"weight-{n}"], after[f"weight-{n}"]) for n in range(4)] == [
        True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["s-tllr", "s-tllr-dfa", "tess", "e-prop"])
def test_steps_a_device_tick_add_up_to_the_window_when_they_do_nothing(name):
    net, rule, frames, feedback = tiny_conv(rule_of(name))
    labels = torch.tensor([0, 1, 2])
    sums = {}

    def step(gradients):
        for part, gradient in gradients.items():
            sums[part] = sums.get(part, 0) + gradient

    loss, empty = learn_in_time(net, rule, frames, labels=labels, feedback=feedback, step=step)
    whole = learn_in_time(net, rule, frames, labels=labels, feedback=feedback)
    assert empty == {}
    assert torch.equal(loss, whole[0])
    for part, gradient in whole[1].items():
        same(sums[part], gradient)


LEARNT = {"s-tllr": "s-tllr-bp", "s-tllr-dfa": "s-tllr-dfa", "tess": "tess", "e-prop": "e-prop"}


@pytest.mark.parametrize("name", [*LEARNT, "bptt"])
@pytest.mark.parametrize("net", ["smallconv", "shd", "mlp"])
def test_what_is_counted_is_what_the_formulas_say(name, net):
    rule, ticks = rule_of(name, **({} if name == "bptt" else {"idle": 1})), 3
    if net == "shd" and name == "tess":
        rule = rule_of(name, idle=1, alpha_post=0.0)
    frames = torch.ones(ticks, 2, 1, 8, 8)
    labels, draws = torch.tensor([0, 1]), Draws(1)
    network = plan(net, (1, 8, 8), 2, width=0.1)
    pupil = SpikingNet(network, Neurons(), draws, psi=pseudo_derivative("b", 0.6))
    if name == "bptt":
        learn_through_time(pupil, rule, frames, labels=labels)
    else:
        own = local_rule(pupil, rule)
        feedback = feedback_of(pupil, own, draws)
        learn_in_time(pupil, own, frames, labels=labels, feedback=feedback)
    post = name != "e-prop" and rule.alpha_post != 0
    wanted = nominal(network, LEARNT.get(name, name), ticks=ticks, active=ticks - 1, post=post)
    assert pupil.ledger.costs == wanted


@pytest.mark.parametrize("name", ["bp", "dfa", "lls", "lls-m", "lls-mxm"])
def test_what_is_counted_of_frames_is_what_the_formulas_say(name):
    network = plan("smallconv-l", (3, 8, 8), 4, width=0.03)
    net = FrameNet(network, RULES[name], Draws(1))
    learn_frames(net, RULES[name], torch.ones(2, 3, 8, 8), labels=torch.tensor([0, 3]))
    assert net.ledger.costs == nominal(network, name)


def test_published_sizes_and_costs_come_out():
    vgg9, vgg8 = (plan(name, (3, 32, 32), 10) for name in ("vgg9", "vgg8"))
    assert [layer.local for layer in vgg9.layers] == [1024, 512, 1024, 1024, 2048, 2048, 2048, 512]
    assert [layer.local for layer in vgg8.layers] == [2048, 1024, 1024, 1024, 2048, 2048, 1024]
    large = plan("smallconv-l", (3, 32, 32), 10)
    assert [layer.local for layer in large.layers] == [1536, 768, 2048, 2048]
    for size, classes, ticks, wanted in (
        (32, 10, 6, 3623.90),
        (32, 100, 6, 3624.18),
        (32, 10, 20, 12079.69),
        (48, 10, 10, 13589.59),
    ):
        costs = nominal(plan("vgg9", (2, size, size), classes), "bptt", ticks=ticks)
        assert costs.signal // 10_000 / 100 == wanted
    assert nominal(vgg9, "tess", active=1).signal == 20_480 * 10
    assert nominal(vgg8, "lls").signal == 204_800
    assert nominal(vgg8, "lls").state == 393_216
    assert nominal(vgg8, "bp").state == 569_344
    assert nominal(vgg8, "bp").signal // 100_000 == 7193
    net = plan("shd", (1, 1, 700), 20)
    assert net.layers[0].macs + net.layers[0].recurrent_macs + net.readout_macs == 526_500


def test_a_whole_vgg9_counts_what_back_propagation_does():
    network = plan("vgg9", (2, 16, 16), 11, width=0.25)
    net = SpikingNet(network, Neurons(), Draws(1), psi=pseudo_derivative("b", 0.6))
    learn_through_time(net, RULES["bptt"], torch.ones(2, 1, 2, 16, 16), labels=torch.tensor([3]))
    assert net.ledger.costs == nominal(network, "bptt", ticks=2)


def few_digits(count=500):
    table = digits()
    return (table.pictures[:count] / np.float32(16))[:, None], table.labels[:count]


@pytest.mark.parametrize("name", RULES)
def test_every_rule_learns_digits_that_it_has_not_seen(name):
    frames, labels = few_digits()
    rate = 1e-2 if name.startswith(("s-tllr", "tess", "e-prop")) else 3e-3
    ended = train(
        frames,
        labels,
        Training(rule=rule_of(name), width=0.5, ticks=4, epochs=3, steps=Steps(rate=rate)),
    )
    assert sum(ended.sizes) == 500
    assert ended.test > 0.25


def test_training_is_a_function_of_the_seed():
    frames, labels = few_digits(120)
    runs = [
        train(frames, labels, Training(rule=rule_of("tess"), width=0.1, ticks=2, epochs=2, seed=s))
        for s in (1, 1, 2)
    ]
    assert runs[0] == runs[1]
    assert runs[0].sha256 != runs[2].sha256


@pytest.mark.parametrize("name", ["shd", "smallconv", "vgg8"])
def test_recordings_train_every_kind_of_network(name):
    frames = (Draws(4).uniform("x", (12, 3, 2, 8, 8), 1.0) > 0.5).float().numpy()
    labels = np.arange(12) % 2
    neurons = Neurons(readout_leak=0.9, bias=True)
    steps = Steps(optimiser="sgd", momentum=0.9, rate=0.01, schedule="cosine")
    settings = Training(
        rule=rule_of("s-tllr", commit="tick"), net=name, width=0.03, neurons=neurons,
        steps=steps, epochs=2, batch=4, average=True,
    )  # fmt: skip
    ended = train(frames, labels, settings, test=Data(frames[:4], labels[:4]))
    assert ended.sizes == (10, 2, 4)
    assert [round(epoch.rate, 6) for epoch in ended.epochs] == [0.01, 0.005]


def test_a_plateau_halves_the_rate():
    frames, labels = np.zeros((20, 1, 2, 2), np.float32), np.arange(20) % 2
    steps = Steps(optimiser="adamw", weight_decay=0.1, schedule="plateau", rate=1e-9)
    training = Training(rule=rule_of("bp"), width=0.02, epochs=9, steps=steps)
    ended = train(frames, labels, training)
    assert ended.epochs[0].rate == 1e-9
    assert ended.epochs[-1].rate == 5e-10


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: rule_of("hebb"), "must be one of"),
        (lambda: rule_of("bp", speed=3), "bp has no constants"),
        (lambda: rule_of("tess", feedback="random"), "constants of tess are psi"),
        (lambda: Rule(name="s-tllr", psi="z"), "psi"),
        (lambda: Rule(name="s-tllr", lambda_pre=1.5), "lambda_pre"),
        (lambda: Neurons(threshold=0), "threshold"),
        (lambda: Steps(rate=0), "rate"),
        (lambda: Training(rule=RULES["bp"], net="vgg99"), "net"),
        (lambda: Training(rule=RULES["bp"], validation=1.0), "validation"),
        (lambda: plan("vgg9", (1, 4, 4), 10), "too small"),
        (lambda: plan("mlp", (1, 4, 4), 1), "at least 2"),
        (lambda: train(np.zeros((4, 4), np.float32), np.arange(4), PUBLISHED["shd"]), "dimensions"),
        (lambda: train(*few_digits(30), Training(rule=RULES["bp"], net="shd")), "recurrence"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(make, match):
    with pytest.raises(LearnerError, match=match):
        make()


def test_the_networks_are_those_that_were_asked_for():
    assert set(NETS) == {"vgg9", "vgg8", "smallconv", "smallconv-l", "shd", "mlp"}
