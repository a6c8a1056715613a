"""What training a net by a rule must hold at once: whether it fits a device is a matter of batches.

    parameters 4·P, their gradients 4·P, Adam's moments 8·P, and 4·words of state a sample of the
    batch, where words are those of `costs` (T·Σ n_l through time, 2·Σ n_l of traces)

State is counted as papers do, one word a neuron and device tick through time; spikes that are kept
beside potentials, and the frames themselves, come on top. A scenario's deep learner learns by
back-propagation on frames: through time it cannot be asked for, so this is for whoever chooses.
"""

from typing import Final, NamedTuple

from simedge.learning.errors import LearnerError
from simedge.learning.rules.costs import Cost, Net, bptt, s_tllr, tess_learning, vgg9

__all__ = ["PLACES", "THROUGH_TIME", "Place", "training_bytes"]

_WORD: Final = 4
_CLASSES: Final = 10


class Place(NamedTuple):
    """A training that authors report."""

    name: str
    net: Net
    weights: int
    ticks: int
    active: int
    batch: int


THROUGH_TIME: Final = ("bptt", "s-tllr", "tess")
"""Rules that are held against each other."""
_VGG9_WEIGHTS: Final = 9 * sum(
    a * b for a, b in ((2, 64), (64, 128), (128, 256), (256, 256), (256, 512), *[(512, 512)] * 3)
)
PLACES: Final = tuple(
    Place(
        f"VGG-9, {name}",
        vgg9(_CLASSES, side=side),
        _VGG9_WEIGHTS + 512 * _CLASSES + _CLASSES,
        ticks,
        active,
        batch,
    )
    for name, side, ticks, active, batch in (
        ("DVS Gesture", 32, 20, 5, 16),
        ("DVS Gesture, one by one", 32, 20, 5, 1),
        ("CIFAR10-DVS", 48, 10, 5, 48),
        ("CIFAR10-DVS, batch 16", 48, 10, 5, 16),
    )
)
"""VGG-9 as S-TLLR's authors trained it (arXiv 2306.15220), and with smaller batches."""


def training_bytes(place: Place, rule: str) -> dict[str, int]:
    """Return the bytes that a step of Adam on a batch needs, term by term.

    Raises
    ------
    LearnerError
        If the rule is none of `THROUGH_TIME`.
    """
    known: dict[str, Cost] = {
        "bptt": bptt(place.net, place.ticks),
        "s-tllr": s_tllr(place.net, place.active),
        "tess": tess_learning(place.net, Cost(0, 0), place.ticks),
    }
    if rule not in known:
        raise LearnerError(f"the rule must be one of {', '.join(known)}, got {rule!r}")
    state = "activations of all ticks" if rule == "bptt" else "traces"
    return {
        "parameters": _WORD * place.weights,
        "gradients": _WORD * place.weights,
        "moments": 2 * _WORD * place.weights,
        state: _WORD * known[rule].words * place.batch,
    }
