"""One seed, one course of weights: in another process too, whatever the order of its sets."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from simedge.learning.rules.backprop import TwoLayers
from simedge.learning.rules.bptt import Bptt
from simedge.learning.rules.e_prop import EProp
from simedge.learning.rules.eligibility import Neuron, Synapses
from simedge.learning.rules.lazy_stack import heard_of
from simedge.learning.rules.lls import Block, Head, LocalNet
from simedge.learning.rules.optimiser import Adam
from simedge.learning.rules.s_tllr import lazy_s_tllr, s_tllr
from simedge.learning.rules.stack import Readout, Stack
from simedge.learning.rules.tess import lazy_tess, tess

Y = np.array([0.0, 1.0, 0.0])


def digests():
    """Return a digest of what each rule made of the same window."""
    words = np.random.Generator(np.random.Philox(11))
    arrivals = (words.random((24, 6)) < 0.2).astype(float)
    feedback = [words.normal(size=(3, 8))]
    layer = Synapses(weights=words.normal(size=(8, 6)))
    readout = Readout(weights=words.normal(size=(3, 8)), bias=np.zeros(3))
    stack = Stack(layers=[layer], readout=readout, neuron=Neuron())
    made = {
        "s-tllr": s_tllr(stack).run(arrivals, Y).layers[0].weights,
        "tess": tess(stack).run(arrivals, Y).layers[0].weights,
        "bptt": Bptt(stack=stack).run(arrivals, Y).layers[0].weights,
        "e-prop": EProp(stack=stack).run(arrivals, Y).layers[0].weights,
    }
    ticks, lines = np.nonzero(arrivals)
    for name, rule in (
        ("lazy s-tllr", lazy_s_tllr(stack, ticks=24, feedback=feedback)),
        ("lazy tess", lazy_tess(stack, ticks=24)),
    ):
        rule.learn(heard_of(ticks, lines, count=24), Y)
        made[name] = rule.layers(rule.gradient)[0].weights
    net = TwoLayers(
        hidden=words.normal(size=(8, 6)),
        hidden_bias=np.zeros(8),
        readout=words.normal(size=(3, 8)),
        readout_bias=np.zeros(3),
    )
    blocks = [Block(weights=words.normal(size=(8, 6)), head=Head.of(3, 8))]
    local = LocalNet(blocks, words.normal(size=(3, 8)))
    local.learn(arrivals, np.tile(Y, (24, 1)), [Adam(rate=0.1), Adam(rate=0.1)])
    made["lls"] = blocks[0].weights
    made["backprop"] = net.gradients(arrivals, np.tile(Y, (24, 1)))[0]
    return {
        name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        for name, array in made.items()
    }


def test_another_process_computes_the_same():
    here = digests()
    code = "import test_same_again; print(*test_same_again.digests().values())"
    done = subprocess.run(  # noqa: S603 -- our own code
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert done.stdout.split() == list(here.values())
    assert len(set(here.values())) == len(here)
