"""The teaching signal: margin winner-take-all, a broadcast of a few numbers, gated eligibilities.

    j* = argmax_{c≠y} s_c,   v = μ + s_j* - s_y,   a = min(1, v/μ),   ε_y = a,   ε_j* = -a

If v ≤ 0 nothing is sent and nothing is learned. Else G = P·ε is all that is broadcast; neuron i
of layer l makes M_i = (B^l·G)_i of it, by which its own eligibilities become weights.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.learning.circuits.readout import Seen
from simedge.learning.circuits.rooms import Known, Room, StreamRoom
from simedge.learning.circuits.shop import Shop

__all__ = ["Taught", "hinge", "teach"]

Floats = NDArray[np.float64]


class Taught(NamedTuple):
    """What teaching made of a circuit; macs and writes are those that it does not count itself."""

    known: Known
    macs: int = 0
    writes: int = 0


def hinge(scores: Floats, label: int, margin: float) -> Floats:
    """Return the errors of margin winner-take-all: zero, or two of equal size.

    >>> hinge(np.array([5.0, 3.0, 4.0]), 0, 2.0).tolist()
    [0.5, 0.0, -0.5]
    """
    rivals = scores.copy()
    rivals[label] = -np.inf
    rival, errors = int(np.argmax(rivals)), np.zeros(scores.size)
    violation = margin + float(scores[rival]) - float(scores[label])
    if violation > 0:
        errors[label] = min(1.0, violation / margin)
        errors[rival] = -errors[label]
    return errors


def teach(shop: Shop, room: Room, decided: tuple[Seen, int | None]) -> Taught:
    """Teach the label of what was seen (None: nothing was shown); return what is known then."""
    seen, label = decided
    known, body, rule = shop.known, shop.body, shop.body.settings.rule
    errors = np.zeros(0) if label is None else hinge(seen.scores, label, rule.margin)
    if not errors.any():
        return Taught(room.known(known.readout))
    circuit, macs = room.circuit, 0
    if isinstance(room, StreamRoom) and body.settings.reset == "never":
        room.circuit.recall(room.end)
    broadcast = (body.basis * errors).sum(axis=1)
    circuit.broadcast(broadcast.size)
    readout, changed = shop.readout.learn(room, known, (seen, errors))
    if rule.rate:
        for name, feedback in zip(body.layers, shop.feedback, strict=True):
            eligible = circuit.eligible(name)
            modulators = rule.rate * (feedback[eligible] * broadcast).sum(axis=1)
            circuit.gate(name, room.end, modulators, balanced=rule.balanced)
            macs += broadcast.size * eligible.size
    if not body.spikes_decide:
        return Taught(room.known(readout), macs + changed, changed)
    return Taught(room.known(readout), macs)
