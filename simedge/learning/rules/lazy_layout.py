"""What a window of layers with eligibilities is laid out in, see `lazy_play.py`."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.neurons.kinds import Ints

__all__ = [
    "IDENTITY",
    "MAC",
    "NEU",
    "RAN",
    "SIGN",
    "SOFTMAX",
    "SPENT",
    "SYN",
    "TALLY",
    "TRC",
    "Goal",
    "Heard",
    "Law",
    "Plan",
    "Room",
]

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

SOFTMAX, IDENTITY, SIGN = range(3)
SYN, NEU, TRC, MAC, RAN = range(5)
TALLY, SPENT = 5, 3


class Plan(NamedTuple):
    """Shapes and weights; layers count from 1, layer 0 is the input."""

    sizes: Longs
    """Lines or neurons of each layer."""
    places: Longs
    """Where each layer's neurons begin in flat arrays; 0 for layer 1."""
    lines: Longs
    """Where the lines that each layer hears begin; 0 for layer 1."""
    ahead: Longs
    """Where each layer's weights begin, (pre, post)."""
    loops: Longs
    """Where its recurrent weights begin, (post, post) by the sender; -1 for none."""
    weights: Floats
    readout: Floats
    """(neurons, classes), flat."""
    bias: Floats
    feedback: Floats
    """(classes, neurons) a layer, flat."""


class Law(NamedTuple):
    """Constants of a rule."""

    leak: float
    threshold: float
    pre_decay: float
    post_decay: float
    pre_gain: float
    past_gains: Floats
    """α_post of each layer."""
    first_active: int
    ticks: int
    exact: bool
    """Does silence teach?"""
    spiking: bool
    """Is the spike itself the pseudo-derivative?"""
    local: bool
    """Does every layer make its own modulator, by its own clock?"""
    squash: int
    """What is done with local scores, or with the readout's error."""
    reads: bool
    """Does the readout learn here, at every device tick?"""


class Room(NamedTuple):
    """State and rows of a window."""

    u: Floats
    past: Floats
    psi: Floats
    silent: Floats
    """Modulator of each neuron while nothing happens."""
    causal: Floats
    late: Floats
    ran: Longs
    """Executed device ticks of each layer."""
    counts: Longs
    due: Longs
    last: Longs
    arrived: Longs
    used: Longs
    """Spikes of each layer so far."""
    spikes: Ints
    first: Ints
    stop: Ints
    seen: NDArray[np.uint8]
    looped: NDArray[np.uint8]
    live: Longs
    error: Floats
    """(2, classes), flat: the readout's error now, and in silence."""
    hits: Floats
    """Spikes of each top neuron."""
    readout: Floats
    bias: Floats
    tally: Longs
    spent: Longs
    """(ticks + 1, SPENT), flat: weights added, neurons and traces touched at each device tick, and
    at the window's end."""


class Heard(NamedTuple):
    """Arrivals at the lowest layer."""

    lines: Ints
    start: Ints
    """Where each device tick's lines begin, and where the last one's end."""


class Goal(NamedTuple):
    """What is taught."""

    targets: Floats
    """(parts, classes)."""
    since: Longs
    """First device tick of each part; the first is 0."""
    readouts: Floats
    """Readout of each part, (parts, neurons * classes); or none: the plan's all along."""
    biases: Floats
    """Its bias, (parts, classes)."""
