"""A learning rule of your own, inside the simulator: prototypes that follow what they see.

Each class has a prototype, the running mean of its frames: Hebb's rule with a step that shrinks.
The nearest prototype names the class. `begin`, `scores` and `update` are a learner; with `pull` the
opinions of others act on it as well.
"""

import numpy as np

import simedge


class Prototypes(simedge.OwnLearner):
    """Nearest class mean of binned pixel events."""

    def begin(self, streams):
        """Start with blank prototypes."""
        del streams  # nothing is drawn
        self.prototypes = np.zeros((self.classes, self.width * self.height))
        self.seen = np.zeros(self.classes)

    def scores(self, frame):
        """Return how near each prototype is."""
        return 8 * self.prototypes @ self.binned(frame)

    def update(self, frame):
        """Move the prototype of the label towards the frame."""
        self.move(frame.label, self.binned(frame), 1.0)

    def pull(self, frame, target, weight):
        """Move all prototypes, each as far as others think that it is this class."""
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


own = {"duration": "8 s", "evaluate.every": "2 s", "sensors.proxy.blocks": 4}
for protocol in ({"kind": "isolated"}, {"kind": "elal", "interval": 8, "kl_blocks": "held"}):
    unequal = {"sensors.split": {"kind": "dirichlet", "alpha": 0.3}, "protocol": protocol}
    scenario = simedge.load("k5_star_clean").vary(own | unequal)
    summary = simedge.simulate(scenario, learner=Prototypes).summary
    tokens, accuracy = summary["counts"]["tokens_accepted"], summary["accuracy"]["final"]
    print(f"{summary['rule']}, {summary['protocol']}: {tokens} tokens, ", end="")
    print(f"accuracy {round(accuracy, 1)}, better than chance: {accuracy > 0.2}")
