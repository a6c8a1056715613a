"""What rules cost on paper: printed ratios and figures, and memory that does not grow with time."""

import numpy as np
import pytest

from simedge.learning.errors import LearnerError
from simedge.learning.rules.costs import (
    SHD_MACS,
    TESS_PRINTED,
    VGG8_WIDTHS,
    VGG9_WIDTHS,
    backprop,
    bptt,
    bptt_signal,
    dense,
    lance_linear_macs,
    lance_words,
    lls,
    lls_words,
    s_tllr,
    tess,
    tess_fit,
    truncated,
    vgg8,
    vgg9,
)
from simedge.learning.rules.eligibility import Neuron, Synapses
from simedge.learning.rules.lazy_stack import heard_of
from simedge.learning.rules.stack import Readout, Stack
from simedge.learning.rules.tess import lazy_tess

NET = dense((20, 30, 10))


@pytest.mark.parametrize(
    ("ticks", "active", "macs"), [(10, 5, 1.333), (20, 5, 2.667), (10, 1, 6.667)]
)
def test_fewer_operations_than_through_time(ticks, active, macs):
    assert round(bptt(NET, ticks).macs / s_tllr(NET, active).macs, 3) == macs
    assert s_tllr(NET, active, late=False).macs * 3 == s_tllr(NET, active).macs * 2


@pytest.mark.parametrize(("ticks", "words"), [(10, 5), (20, 10), (100, 50)])
def test_less_memory_than_through_time(ticks, words):
    assert bptt(NET, ticks).words == words * s_tllr(NET, 5).words


@pytest.mark.parametrize("name", TESS_PRINTED)
def test_printed_figures_of_tess(name):
    one = TESS_PRINTED[name]
    classes = 10 if name == "dvs-gesture" else one.classes
    net = vgg9(classes, side=48 if one.area > 1 else 32)
    through_time, local = one.macs
    assert truncated(bptt_signal(net, one.ticks) / 1e6) == through_time
    fit = tess_fit(one.ticks, one.classes, area=one.area, frames="dvs" not in name)
    assert truncated(fit) == local
    assert 205 < through_time / local < 662
    assert 3 <= one.megabytes[0] / one.megabytes[2] < 10.1


def test_the_plain_formula_of_tess():
    assert tess(VGG9_WIDTHS, 1, 1).macs == 20_480
    assert tess(VGG9_WIDTHS, 10, 6, late=False).words * 2 == tess(VGG9_WIDTHS, 10, 6).words
    assert sum(vgg9(0).macs[1:-1]) == 603_979_776


def test_figures_of_local_losses():
    assert (lls(VGG8_WIDTHS, 10), lls(VGG8_WIDTHS, 100)) == (204_800, 2_048_000)
    assert lls(VGG8_WIDTHS, 10, "scaled") == 204_800 + 7 * 10
    assert lls(VGG8_WIDTHS, 10, "mixed") == 204_800 + 7 * 300
    ten, hundred = backprop(vgg8(10)), backprop(vgg8(100))
    assert (truncated(ten.macs / 1e6, 1), truncated(hundred.macs / 1e6, 1)) == (719.3, 719.4)
    assert (round(ten.macs / 204_800), round(hundred.macs / 2_048_000)) == (3512, 351)
    assert (ten.words, lls_words(vgg8(10))) == (569_344, 393_216)


def test_figures_of_spoken_digits():
    """S-TLLR needs more operations there: 90 of 100 ticks are active."""
    assert round(2 * 90 * SHD_MACS / 1e9, 3) == 0.096
    assert round(100 * SHD_MACS / 1e9, 3) == 0.054


def test_compressed_activations():
    """The largest saving that is printed, 250, is that of ranks of about 20 in a small ViT."""
    whole, kept = lance_words((128, 197, 192), (20, 20, 20))
    assert 250 < whole / kept < 280
    whole, kept = lance_words((128, 197, 192), (21, 21, 21))
    assert 220 < whole / kept < 250
    assert lance_linear_macs((2, 3, 5), 4, (1, 2, 3)) == (180, 24 + 18 + 45 + 60)
    with pytest.raises(LearnerError, match="ranks"):
        lance_words((2, 3), (1, 4))


@pytest.mark.parametrize("ticks", [10, 40])
def test_memory_of_eligibilities_does_not_grow_with_time(ticks):
    layers = [Synapses(weights=np.ones((5, 6)), recurrent=np.ones((5, 5)))]
    readout = Readout(weights=np.ones((3, 5)), bias=np.zeros(3))
    rule = lazy_tess(Stack(layers=layers, readout=readout, neuron=Neuron()), ticks=ticks)
    held = rule.memory()
    synapses = 30 + 25 + 15 + 3
    assert held == {
        "weights": synapses,
        "neurons": 4 * 5,
        "traces": 2 * (6 + 5),
        "accumulator": synapses,
    }
    rule.learn(heard_of(np.array([1]), np.array([0]), count=ticks), np.eye(3)[0])
    assert rule.ledger.mem == 4 * sum(held.values())
