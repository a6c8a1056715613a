"""What ``simedge new`` writes: a protocol or a rule that works, and a scenario that names it.

`NAME` stands for the module, `CLASS` for the class.
"""

from typing import Final

__all__ = [
    "PROTOCOL",
    "PROTOCOL_SCENARIO",
    "RULE",
    "RULE_SCENARIO",
    "SYNAPSES",
    "SYNAPSES_SCENARIO",
]

PROTOCOL: Final = '''\
"""A protocol of your own: every so often a device sends its model to a neighbour.

Run it: simedge run NAME.yaml
"""

from dataclasses import dataclass

import simedge


class CLASS:
    """What a scenario names: protocol.kind: NAME:CLASS."""

    # What it needs of the world: "parameters" (models that travel), "peers" (links between devices;
    # leave it out if there is a server), "classes", "server_learner", "sets_aside".
    needs = ("parameters", "peers")
    # "always": devices learn from every frame; "on-call": from those that `ask("train", 8)` asks.
    training = "always"

    @dataclass
    class Settings:
        """Keys of a scenario beside `kind`; a pydantic model will do as well."""

        interval: int = 16
        """Frames between two calls of `period`."""
        share: float = 0.5
        """Weight of a neighbour's model in the mean."""

    def open_device(self, settings, ground, *, dev, layers, stream, neighbours):
        """Return the machine of device number `dev`."""
        return Device(settings, ground, dev=dev, stream=stream, neighbours=neighbours)

    def open_server(self, settings, ground, *, devices, stream):
        """Return the machine of the server, number 0; None: there is none."""
        return None


class Device(simedge.OwnMachine):
    """One device: told what happens, it asks its learner, sends and sets timers.

    For your use: ask, awaits, send, wake, draw, sample, applied; reachable, neighbours, dev,
    settings, ground. Times are whole nanoseconds of virtual time.
    """

    def begin(self):
        """Make all attributes that it remembers: numbers, text, bytes, arrays, lists, dicts."""
        self.heard = None
        self.owes = False

    def period(self, now):
        """Ask for the model: `interval` frames were learned."""
        self.owes = True
        self.ask("get_params")

    def received(self, message, values, now):
        """Keep the model of a neighbour until one's own is known."""
        self.heard = values
        self.ask("get_params")

    def answered(self, op, value, now):
        """Take the mean, and send what is owed."""
        if op != "get_params":
            return
        if self.heard is not None:
            value = value + self.settings.share * (self.heard - value)
            self.ask("set_params", value)
            self.applied()
        if self.owes and self.reachable:
            other = self.reachable[self.draw(len(self.reachable))]
            self.send(value, to=other)
        self.heard, self.owes = None, False
'''

PROTOCOL_SCENARIO: Final = """\
simedge: 1
name: NAME
about: A protocol of my own.
seed: 1
duration: 20 s
sensors: {kind: digits, size: 16, rate: 8 Hz}
devices: [{id: cam, count: 4, compute: cpu-small, memory: 512 MiB}]
topology: {kind: complete}                 # links between devices; star: to a server
links: {default: {profile: wifi}}
learner: {kind: linear}
protocol:
  kind: NAME:CLASS                         # NAME.py beside this file
  interval: 16
  share: 0.5
evaluate: {every: 2 s, items: 100}
"""

RULE: Final = '''\
"""A learning rule of your own: each class has a prototype, the mean of its frames.

Run it: simedge run NAME.yaml
"""

from dataclasses import dataclass

import numpy as np

import simedge


class CLASS(simedge.OwnLearner):
    """What a scenario names: learner.kind: NAME:CLASS."""

    @dataclass
    class Settings:
        """Keys of a scenario beside `kind`; a pydantic model will do as well."""

        sharpness: float = 8.0
        """How sure it is of what it says."""

    def begin(self, streams):
        """Make all attributes that learning changes: arrays, numbers, text, lists, dicts."""
        self.prototypes = np.zeros((self.classes, self.width * self.height))
        self.seen = np.zeros(self.classes)

    def scores(self, frame):
        """Return a score a class; their softmax is the prediction. Changes nothing."""
        return self.settings.sharpness * self.prototypes @ self.binned(frame)

    def update(self, frame):
        """Learn from a frame and its label."""
        self.move(frame.label, self.binned(frame), 1.0)

    def pull(self, frame, target, weight):
        """Learn what others think of an unlabelled frame: target has a share a class."""
        for label, share in enumerate(target):
            self.move(label, self.binned(frame), weight * share)

    def move(self, label, what, weight):
        """Take `what` into a running mean, as `weight` frames."""
        self.seen[label] += weight
        step = weight / max(self.seen[label], 1.0)
        self.prototypes[label] += step * (what - self.prototypes[label])

    def binned(self, frame):
        """Return the events of each pixel, as a vector of length 1."""
        pixels = frame.y.astype(int) * self.width + frame.x
        counts = np.bincount(pixels, minlength=self.width * self.height)
        return counts / max(np.linalg.norm(counts), 1.0)
'''

RULE_SCENARIO: Final = """\
simedge: 1
name: NAME
about: A learning rule of my own.
seed: 1
duration: 20 s
sensors: {kind: digits, size: 16, rate: 8 Hz, proxy: {blocks: 4, rows: 16}}
devices: [{id: cam, count: 4, compute: cpu-small, memory: 512 MiB}]
links: {default: {profile: wifi}}
learner:
  kind: NAME:CLASS                         # NAME.py beside this file
  sharpness: 8
protocol: {kind: elal, interval: 8}
evaluate: {every: 2 s, items: 100}
"""

SYNAPSES: Final = '''\
"""A rule of your own for spiking layers: neurons that fire more than usual move to what they heard.

Run it: simedge run NAME.yaml
"""

from dataclasses import dataclass

import numpy as np

import simedge


class CLASS(simedge.OwnRule):
    """What a scenario names: learner.rule.kind: NAME:CLASS. One object a layer and device."""

    @dataclass
    class Settings:
        """Keys of a scenario beside `kind`; a pydantic model will do as well."""

        rate: float = 0.01
        """Step of the weights."""

    def begin(self, streams):
        """Make all attributes that it remembers: arrays, numbers, text, lists, dicts."""
        self.usual = np.zeros(self.neurons)

    def change(self, seen):
        """Return how the weights change, (neurons, lines), after a presentation.

        For your use: seen.heard, seen.fired (counts), seen.pre_ticks, seen.pre_lines,
        seen.post_ticks, seen.post_neurons, seen.weights, seen.target, seen.error, seen.ticks.
        """
        surprise = (seen.fired - self.usual) * (seen.fired > 0)
        self.usual += 0.05 * (seen.fired - self.usual)
        heard = seen.heard / max(np.linalg.norm(seen.heard), 1.0)
        size = max(np.abs(surprise).sum(), 1.0)
        return self.settings.rate * surprise[:, None] * (heard - seen.weights) / size
'''

SYNAPSES_SCENARIO: Final = """\
simedge: 1
name: NAME
about: A rule of my own for spiking layers.
seed: 1
duration: 20 s
sensors: {kind: digits, size: 16, rate: 8 Hz, proxy: {blocks: 4, rows: 16}}
devices: [{id: cam, count: 4, compute: cpu-small, memory: 512 MiB}]
links: {default: {profile: wifi}}
learner:
  kind: spiking
  hidden: [50]
  rule:
    kind: NAME:CLASS                       # NAME.py beside this file
    rate: 0.01
protocol: {kind: elal, interval: 8}
evaluate: {every: 2 s, items: 100}
"""
