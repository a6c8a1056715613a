"""Recurrent layers learn an order of events by three factors: better than their readout alone."""

import numpy as np

from simedge.core.streams import Streams
from simedge.learning.learner import open_learner
from simedge.learning.settings import CircuitSettings, MicrocircuitSettings, ThreeFactorSettings
from simedge.sensors.settings import TemporalSettings
from simedge.sensors.temporal import TemporalSensor

FRAMES, ITEMS = 600, 200


def accuracy(sensor, rate, shuffled=None):
    layer = MicrocircuitSettings()
    rule = ThreeFactorSettings(kind="three-factor", rate=rate)
    learner = open_learner(
        CircuitSettings(polarity="merged", layers=(layer, layer), rule=rule),
        classes=4, width=8, height=8, streams=Streams(0), device="cam-1",
    )  # fmt: skip
    frames = sensor.frames("cam-1", 0, FRAMES)
    shown = learner.prepare(frames)
    for n, frame in enumerate(frames):
        if shuffled is not None:
            learner.shop.feedback = [shuffled.permutation(b) for b in learner.shop.body.feedback]
        learner.learn(frame, shown=(shown, n)).commit()
    items = sensor.evaluation(ITEMS, shifted=False)
    return np.mean(learner.predict(learner.prepare(items)) == [item.label for item in items])


def test_hidden_layers_learn_what_their_readout_alone_does_not():
    sensor = TemporalSensor(TemporalSettings(rate="8 Hz"), 0)
    full = accuracy(sensor, rate=0.1)
    assert full >= 0.95
    assert full >= accuracy(sensor, rate=0.0) + 0.05
    words = np.random.Generator(np.random.Philox(0))
    assert full >= accuracy(sensor, rate=0.1, shuffled=words) + 0.10
