"""Parts of a window that have a readout of their own."""

import numpy as np

from simedge.learning.rules.eligibility import Neuron, Synapses
from simedge.learning.rules.lazy_stack import heard_of
from simedge.learning.rules.s_tllr import lazy_s_tllr
from simedge.learning.rules.stack import Readout, Stack

TICKS = 24


def test_the_stacks_own_readout_in_each_part_changes_nothing_and_another_does():
    words = np.random.Generator(np.random.Philox(4))
    layer = Synapses(weights=words.normal(size=(5, 6)))
    readout = Readout(weights=words.normal(size=(3, 5)), bias=words.normal(size=3))
    stack = Stack(layers=[layer], readout=readout, neuron=Neuron())
    ticks, lines = np.nonzero(words.random((TICKS, 6)) < 0.2)
    heard, targets, since = heard_of(ticks, lines, count=TICKS), np.eye(3)[:2], (0, TICKS // 2)
    feedback = [words.normal(size=(3, 5))]
    rules = [lazy_s_tllr(stack, ticks=TICKS, feedback=feedback) for _ in range(3)]
    plan = rules[0]._plan  # noqa: SLF001 -- where a readout lies
    own = [np.stack([held, held]) for held in (plan.readout.copy(), plan.bias.copy())]
    other = [own[0].copy(), own[1].copy()]
    other[1][1] += 2.0
    seen = [
        rule.learn(heard, targets, since, readouts=readouts)
        for rule, readouts in zip(rules, (None, tuple(own), tuple(other)), strict=True)
    ]
    same = [np.array_equal(a, b) for a, b in zip(*(r.gradient for r in rules[:2]), strict=True)]
    assert all(same)
    assert seen[0].counts.tolist() == seen[1].counts.tolist()
    changed = zip(rules[0].gradient, rules[2].gradient, strict=True)
    assert not all(np.array_equal(a, b) for a, b in changed)
