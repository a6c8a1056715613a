"""Two rules that have no deep reference, each in the learner that runs have, on the same items.

They see pixel events, item after item, and their circuits are their own: beside the rules on one
network their figures say what such a learner reaches, not what its rule does for that network.
`untrained` is the same learner whose hidden layer stays as it began.
"""

import numpy as np
from compared.tasks import SPAN_MS

from simedge.core.streams import Streams
from simedge.learning.learner import open_learner
from simedge.learning.settings import (
    CircuitSettings,
    ConvSettings,
    CountReadoutSettings,
    DeltaSettings,
    FieldInputs,
    HebbianStdpSettings,
    MicrocircuitSettings,
    ReadoutSettings,
    SpikingSettings,
    ThreeFactorSettings,
)

__all__ = ["CIRCUIT_RULES", "accuracy", "ladders_of", "start_of"]

SMALL = 8
"""A side for which fields of five would leave little."""
CIRCUIT_RULES = ("hebbian-stdp", "three-factor")
EPOCHS = {"hebbian-stdp": 8, "three-factor": 4}
LADDERS = {
    "hebbian-stdp": {
        "readout_rate": (0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
        "a_plus": (0.02, 0.05, 0.1, 0.2),
        "share": (0.0, 0.5, 1.0),
        "maps": (8, 16, 32),
    },
    "three-factor": {
        "readout_rate": (0.005, 0.01, 0.02, 0.05, 0.1),
        "rate": (0.01, 0.03, 0.1),
        "eligibility_ms": (100, 300),
    },
}
START = {
    "hebbian-stdp": {"readout_rate": 1.0, "a_plus": 0.1, "share": 0.5, "maps": 16},
    "three-factor": {"readout_rate": 0.02, "rate": 0.03, "eligibility_ms": 300},
}


def ladders_of(name):
    """Return the values that may be chosen."""
    return LADDERS[name]


def start_of(name):
    """Return where tuning begins."""
    return START[name]


def settings_of(name, chosen, side, *, untrained):
    """Return a scenario's `learner:` with what was chosen."""
    if name == "hebbian-stdp":
        rule = HebbianStdpSettings(a_plus=chosen["a_plus"], hebbian_share=chosen["share"])
        fields = {"kernel": 3, "stride": 1} if side <= SMALL else {}
        return SpikingSettings(
            layers=(ConvSettings(maps=chosen["maps"], **fields),),
            rule=DeltaSettings() if untrained else rule,
            readout=ReadoutSettings(sources=("hidden",), rate=chosen["readout_rate"]),
        )
    return CircuitSettings(
        polarity="both",
        layers=(MicrocircuitSettings(neurons=100, inputs=FieldInputs(size=5)),),
        rule=ThreeFactorSettings(
            kind="three-factor",
            rate=0.0 if untrained else chosen["rate"],
            eligibility=f"{chosen['eligibility_ms']} ms",
        ),
        readout=CountReadoutSettings(normalise="length", rate=chosen["readout_rate"]),
    )


def accuracy(  # noqa: PLR0913 - all by name
    task, name, chosen, *, learned, judged, seed, untrained=False
):
    """Show some items of a task, in a new order each epoch; return the accuracy on others."""
    side = int(task.items.frames.shape[-1])
    learner = open_learner(
        settings_of(name, chosen, side, untrained=untrained),
        classes=10,
        width=side,
        height=side,
        streams=Streams(seed),
        device="dev-1",
        span_ns=1_000_000 * SPAN_MS[task.name],
    )
    items = events_of(task)
    train, test = ([items[place] for place in places] for places in (learned, judged))
    shown, words = learner.prepare(train), np.random.Generator(np.random.Philox(seed))
    for _ in range(EPOCHS[name]):
        for n in words.permutation(len(train)):
            learner.learn(train[n], shown=(shown, n)).commit()
    said = learner.predict(learner.prepare(test))
    return float((said == np.array([one.label for one in test])).mean())


HELD = {}


def events_of(task):
    """Return a task's items as pixel events, made once."""
    if task.name not in HELD:
        HELD[task.name] = task.events()
    return HELD[task.name]
