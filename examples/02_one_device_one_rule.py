"""One device, one rule, no network: the learner as a library.

A camera shows moving digits, a spiking convolution layer learns features by a hybrid of Hebb and
STDP, a softmax readout learns the classes by the delta rule. Predict, then learn, frame by frame.
"""

import numpy as np

from simedge.core.streams import Streams
from simedge.learning.learner import open_learner
from simedge.learning.settings import SpikingSettings
from simedge.sensors import open_sensor
from simedge.sensors.settings import DigitsSettings

sensor = open_sensor(DigitsSettings(), seed=1)
learner = open_learner(
    SpikingSettings(),
    classes=sensor.classes,
    width=sensor.width,
    height=sensor.height,
    span_ns=sensor.span_ns,
    streams=Streams(1),
    device="cam-1",
)
held_out = sensor.evaluation(100, shifted=False)
labels = np.array([frame.label for frame in held_out])
items = learner.prepare(held_out)

spikes = events = 0
for frame in sensor.frames("cam-1", 0, 400):
    work = learner.learn(frame)
    work.advance()  # all volleys in one native call
    work.commit()  # only now does anything change
    spikes += work.counts.spikes
    events += work.counts.synaptic_events

accuracy = float(np.mean(learner.predict(items) == labels))
print(f"{learner.features} features, {learner.hidden_layers} hidden layer")
print(f"spikes a frame: about {round(spikes / 400, -2):.0f}")
print(f"a spike costs its fan-out, silence costs nothing: {events > spikes}")
print(f"held-out accuracy above 0.7 after 400 frames: {accuracy > 0.7}")
