"""Random recurrent circuits and input, drawn from a number."""

from dataclasses import dataclass, replace

import numpy as np

from simedge.neurons.homeostasis import Homeostasis
from simedge.neurons.recurrent.circuit import RecurrentCircuit
from simedge.neurons.recurrent.parts import GatedRule, PairRule, Population, Projection
from simedge.neurons.recurrent.wiring import synapses_of

TICKS = 80
INPUTS = 5


@dataclass
class Drawn:
    populations: dict
    projections: list
    fed: np.ndarray  # (ticks, lines), bool

    def circuit(self, **options):
        return RecurrentCircuit(INPUTS, self.populations, projections=self.projections, **options)

    def feed(self, circuit, start=0):
        ticks, lines = np.nonzero(self.fed)
        circuit.feed(ticks + start, lines)
        return circuit


def population_of(words, size):
    gamma, soft = float(words.uniform(0.6, 0.97)), bool(words.integers(2))
    kind = words.integers(4)
    if kind == 0:
        law = Homeostasis(
            initial=float(words.uniform(0.5, 1.5)),
            low=0.4,
            high=1.6,
            rate=float(words.uniform(0, 0.05)),
            target=float(words.uniform(0, 0.1)),
            gamma=gamma,
        )
        return Population(size=size, gamma=gamma, threshold=law, soft=soft)
    bias = float(words.uniform(-0.05, 0.2)) * (kind == 1)
    return Population(
        size=size, gamma=gamma, threshold=float(words.uniform(0.5, 1.5)), bias=bias, soft=soft
    )


def rule_of(words, post):
    return PairRule(
        at_pre=float(words.uniform(-0.1, 0.03)),
        at_post=float(words.uniform(0, 0.1)),
        at_both=float(words.choice([0.0, 0.05])),
        pre_factor=float(words.uniform(0.05, 0.97)),
        post_factor=post[0],
        post_delay=post[1],
        low=float(words.choice([0.0, -0.5])),
        high=1.0,
    )


def projection_of(words, ends, post):
    (source, sources), (target, targets), least = ends
    mask = np.nonzero(words.random((sources, targets)) < words.uniform(0.1, 0.9))
    synapses = synapses_of(mask, sources=sources, targets=targets)
    return Projection(
        source=source,
        target=target,
        synapses=synapses,
        weights=words.uniform(0.0, words.choice([0.3, 1.0]), synapses.count),
        delay=int(words.integers(least, 5)),
        rule=rule_of(words, post) if words.integers(3) else None,
    )


def drawn(seed):
    """Draw one to three populations that hear the inputs, each other and themselves."""
    words = np.random.Generator(np.random.Philox(seed))
    names = ["a", "b", "c"][: words.integers(1, 4)]
    sizes = {"inputs": INPUTS} | {name: int(words.integers(1, 9)) for name in names}
    populations = {name: population_of(words, sizes[name]) for name in names}
    projections = []
    for place, name in enumerate(names):
        post = float(words.uniform(0.05, 0.97)), int(words.integers(0, 4))
        for k, source in enumerate(sizes):
            if words.random() < 0.7:
                ends = (source, sizes[source]), (name, sizes[name]), int(k > place)
                projections.append(projection_of(words, ends, post))
    fed = words.random((TICKS, INPUTS)) < words.choice([0.02, 0.1, 0.5])
    return Drawn(populations, projections, fed)


def gated(seed, size=12):
    """Draw two populations with eligibilities, moving thresholds and delays."""
    words = np.random.Generator(np.random.Philox(seed))
    rule = GatedRule(pre_factor=0.9, row_factor=float(words.uniform(0.8, 0.98)))
    law = Homeostasis(rate=0.01, target=0.02, gamma=0.9)
    populations = {
        "a": Population(size=size, gamma=0.9, threshold=law),
        "b": Population(size=size, gamma=0.9),
    }
    sizes = {"inputs": INPUTS, "a": size, "b": size}
    projections = []
    for source, target, delay in (("inputs", "a", 0), ("a", "a", 2), ("a", "b", 1)):
        mask = np.nonzero(words.random((sizes[source], size)) < 0.5)
        synapses = synapses_of(mask, sources=sizes[source], targets=size)
        most = 0.9 if source == "inputs" else 0.3  # what recurs dies out
        weights = words.uniform(-0.3, most, synapses.count)
        ends = {"source": source, "target": target, "delay": delay}
        projections.append(Projection(**ends, synapses=synapses, weights=weights, rule=rule))
    return Drawn(populations, projections, words.random((TICKS, INPUTS)) < 0.2)


def growing(seed):
    """Draw a circuit whose rules are of this kind, one setting of them a population."""
    case, words = drawn(seed), np.random.Generator(np.random.Philox(seed + 1))
    rules = {
        name: GatedRule(
            pre_factor=float(words.uniform(0.05, 0.97)),
            row_factor=float(words.uniform(0.05, 0.97)),  # a new origin every 23 ticks, or later
            bound=float(words.uniform(0.5, 2.0)),
            gate=str(words.choice(["spike", "arrival"])),
            noncausal=float(words.choice([0.0, 0.2, -0.1])),
        )
        for name in case.populations
    }
    case.projections = [replace(p, rule=p.rule and rules[p.target]) for p in case.projections]
    return case
