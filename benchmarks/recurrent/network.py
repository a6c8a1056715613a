"""The benchmark's network and its input spikes, the same for everybody.

1,000 neurons, 64 targets each, pair STDP on; each neuron has an input line that makes it fire at
once. Ticks of 1 ms.
"""

import math
from dataclasses import dataclass

import numpy as np

from simedge.core.streams import Streams, unit_floats
from simedge.neurons.recurrent.circuit import RecurrentCircuit
from simedge.neurons.recurrent.parts import PairRule, Population, Projection
from simedge.neurons.recurrent.wiring import Synapses, fixed_fan_out, one_to_one, uniform_weights

LEAK = DECAY = math.exp(-1 / 20)
KICK, MOST = 1.5, 0.004
AT_PRE, AT_POST = -0.0105 * MOST, 0.01 * MOST


@dataclass(frozen=True)
class Network:
    neurons: int
    synapses: Synapses
    weights: np.ndarray


@dataclass(frozen=True)
class Drive:
    """Input spikes by tick, then line."""

    ticks: np.ndarray
    lines: np.ndarray


def network_of(neurons=1000, fan_out=64):
    streams = Streams(1)
    mask = streams.stream("bench", "network", "wiring")
    synapses = fixed_fan_out(mask, fan_out, sources=neurons, targets=neurons, autapses=False)
    drawn = uniform_weights(streams.stream("bench", "network", "weights"), synapses, 0.0, high=MOST)
    return Network(neurons, synapses, drawn)


def drive_of(network, rate_hz, ticks):
    """Independent spikes at this rate, each line and tick by a draw of its own."""
    stream = Streams(2).stream("bench", "network", "drive")
    lines = -(-network.neurons // 4)
    words = stream.rows(lines, range(ticks))[:, : network.neurons]
    tick, line = np.nonzero(unit_floats(words) < rate_hz / 1000)
    return Drive(tick, line)


def circuit_of(network, *, single=False, record=False):
    rule = PairRule(at_pre=AT_PRE, at_post=AT_POST, pre_factor=DECAY, post_factor=DECAY, high=MOST)
    identity = one_to_one(network.neurons)
    kicks = np.full(network.neurons, KICK)
    projections = [
        Projection(source="inputs", target="e", synapses=identity, weights=kicks, delay=0),
        Projection(
            source="e", target="e", synapses=network.synapses, weights=network.weights, rule=rule
        ),
    ]
    population = Population(size=network.neurons, gamma=LEAK)
    return RecurrentCircuit(
        network.neurons, {"e": population}, projections=projections, record=record, single=single
    )
