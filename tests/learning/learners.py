"""Learners and frames for the laws of the learning room."""

from dataclasses import dataclass

import numpy as np
import pytest

from simedge.core.streams import Streams
from simedge.learning.continual.settings import CodeSettings, LanceSettings
from simedge.learning.eligible_settings import (
    EligibleNeuronSettings,
    EligibleReadoutSettings,
    EligibleSettings,
    STllrSettings,
    TessSettings,
)
from simedge.learning.layered_settings import LayeredSettings, LocalLossSettings
from simedge.learning.learner import open_learner
from simedge.learning.settings import (
    CircuitSettings,
    ConvSettings,
    CountReadoutSettings,
    DeltaSettings,
    FieldInputs,
    HebbianStdpSettings,
    LifReadoutSettings,
    LinearSettings,
    MicrocircuitSettings,
    SpikingSettings,
    ThreeFactorSettings,
)

SIDE, CLASSES = 8, 4
LIVELY = ConvSettings(maps=4, kernel=3, threshold=0.4)
SPIKING = SpikingSettings(layers=(LIVELY,), rule=HebbianStdpSettings(a_plus=0.5))
DEEP = SpikingSettings(
    layers=(LIVELY.model_copy(update={"reset": "soft"}), ConvSettings(kernel=2, threshold=0.3)),
    rule=HebbianStdpSettings(a_plus=0.5, hebb="pair", limit="none"),
)
FROZEN = SpikingSettings(layers=(LIVELY,), rule=DeltaSettings())
THREE_FACTOR = ThreeFactorSettings(kind="three-factor", rate=0.1)
RING = MicrocircuitSettings(neurons=20, neighbours=4, gain=8.0)
CIRCUIT = CircuitSettings(
    layers=(RING, RING), rule=THREE_FACTOR, readout=LifReadoutSettings(gain=0.0, rate=0.2)
)
FIELDS = CircuitSettings(
    polarity="merged",
    layers=(RING.model_copy(update={"inputs": FieldInputs(size=4), "gain": 4.0}),),
    rule=THREE_FACTOR,
    readout=CountReadoutSettings(bins=3, rate=0.2),
)
TESS = EligibleSettings(
    hidden=(16, 12),
    tick="5 ms",
    gain=4.0,
    neuron=EligibleNeuronSettings(leak=0.9, pre_decay=0.9),
    rule=TessSettings(kind="tess", rate=0.02),
)
S_TLLR = TESS.model_copy(
    update={
        "rule": STllrSettings(
            kind="s-tllr", mode="gated", rate=0.02, batch=2, standardise=False, shares="post-gain"
        ),
        "readout": EligibleReadoutSettings(bins=2, centring=8),
    }
)
LLS = LayeredSettings(
    hidden=(16, 12), tick="5 ms", rule=LocalLossSettings(kind="lls-mxm", mixing_rate=0.2)
)
ALL = {
    "spiking": SPIKING,
    "deep": DEEP,
    "frozen": FROZEN,
    "linear": LinearSettings(),
    "code-cl": LinearSettings(continual=CodeSettings(task=3, shown=2)),
    "lance": LinearSettings(continual=LanceSettings(task=3, shown=2)),
    "circuit": CIRCUIT,
    "fields": FIELDS,
    "tess": TESS,
    "s-tllr": S_TLLR,
    "lls": LLS,
}
EVERY = ALL | {"stream": FIELDS.model_copy(update={"reset": "never"})}
every_learner = pytest.mark.parametrize("settings", EVERY.values(), ids=EVERY.keys())
every_learner_that_rests = pytest.mark.parametrize("settings", ALL.values(), ids=ALL.keys())
"""Nothing goes on from one frame to the next."""


@dataclass
class Frame:
    label: int
    x: np.ndarray
    y: np.ndarray
    t_us: np.ndarray
    p: np.ndarray
    index: int = 0


def frame_of(seed, events=150):
    words = np.random.Generator(np.random.Philox(seed))
    return Frame(
        label=seed % CLASSES,
        x=words.integers(0, SIDE, events).astype(np.uint16),
        y=words.integers(0, SIDE, events).astype(np.uint16),
        t_us=np.sort(words.integers(0, 100_000, events)),
        p=words.integers(0, 2, events).astype(np.uint8),
    )


NOTHING = frame_of(0, events=0)


def opened(settings=SPIKING, *, seed=1, device="dev-1", starts_ns=None):
    return open_learner(
        settings,
        classes=CLASSES,
        width=SIDE,
        height=SIDE,
        streams=Streams(seed),
        device=device,
        starts_ns=starts_ns,
    )


def grown(settings=SPIKING, frames=6):
    learner = opened(settings)
    for n in range(frames):
        learner.learn(frame_of(n)).commit()
    return learner


def run(work, step):
    """Work off a job `step` volleys at a time; return operations, counts, value."""
    parts = [work.advance(step)] if step is None else []
    while step is not None and sum(part.size for part in parts) < work.volleys:
        parts.append(work.advance(step))
    value = work.commit()
    return np.concatenate([*parts, np.empty(0, np.int64)]), work.counts, work.macs, value
