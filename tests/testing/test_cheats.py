"""Rules and learners that cheat fail the suites, each by the law that it breaks."""

from typing import ClassVar

import numpy as np
import pytest

from simedge.core.streams import Streams
from simedge.learning.layered.local_loss import LocalLoss
from simedge.learning.layered_settings import LocalLossSettings
from simedge.learning.own import OwnLearner
from simedge.learning.own_rule import OwnRule
from simedge.testing import conformance


class Honest(OwnRule):
    """Hebb's rule, and a mean that it remembers."""

    def begin(self, streams):
        del streams
        self.usual = np.zeros(self.neurons)

    def change(self, seen):
        self.usual += 0.1 * (seen.fired - self.usual)
        return 1e-3 * np.outer(seen.fired * (seen.fired - self.usual), seen.heard > 0)


class Peeking(Honest):
    """Reads the weights of other layers: whatever was made last."""

    everywhere: ClassVar = {}

    def change(self, seen):
        self.everywhere[self.layer] = seen.weights.sum()
        return super().change(seen) * (1.0 + self.everywhere.get(3 - self.layer, 0.0))


class Decaying(Honest):
    """Lets all weights decay, heard of or not."""

    def change(self, seen):
        return super().change(seen) - 1e-3 * seen.weights


class Modest(Honest):
    """Says that it works little."""

    def macs(self, seen, change):
        del seen
        return int(np.count_nonzero(change)) // 2


class Votes(OwnLearner):
    """Counts labels."""

    def begin(self, streams):
        del streams
        self.seen = np.zeros(self.classes)

    def scores(self, frame):
        del frame
        return self.seen

    def update(self, frame):
        self.seen[frame.label] += 1


class Gossiping(Votes):
    """Hears the labels of other devices."""

    heard: ClassVar = []

    def update(self, frame):
        self.heard.append(frame.label)
        self.seen[self.heard[-2:]] += 1


class Restless(Votes):
    """Learns from nothing, too."""

    def learn(self, frame, **given):
        self.seen += 1
        return super().learn(frame, **given)


class Sparing(Votes):
    """Changes all numbers, and counts one."""

    macs = 0

    def update(self, frame):
        del frame
        self.seen += 1


def suite_of(kind):
    if issubclass(kind, OwnRule):
        suite = conformance.Rule()
        suite.rule = kind
    else:
        given = {"classes": 10, "width": 8, "height": 8, "span_ns": 10**8}
        suite = conformance.Learner()
        suite.open = lambda device: kind(streams=Streams(1), device=device, **given)
    return suite


def broken(suite):
    """Return the laws that do not hold."""
    found = set()
    for name in dir(suite):
        if name.startswith("test_"):
            try:
                getattr(suite, name)()
            except AssertionError:
                found.add(name)
    return found


@pytest.mark.parametrize("kind", [Honest, Votes])
def test_who_does_not_cheat_breaks_no_law(kind):
    assert broken(suite_of(kind)) == set()


@pytest.mark.parametrize("kind", ["lls", "lls-m", "lls-mxm"])
def test_local_losses_break_no_law(kind):
    suite = conformance.Rule()
    suite.rule = lambda **given: LocalLoss(settings=LocalLossSettings(kind=kind), **given)
    assert broken(suite) == set()


@pytest.mark.parametrize(
    ("kind", "law"),
    [
        (Peeking, "test_a_rule_reads_what_it_is_handed"),
        (Decaying, "test_a_synapse_in_silence_stays"),
        (Modest, "test_a_rule_counts_its_work"),
        (Gossiping, "test_others_are_not_seen"),
        (Restless, "test_silence_teaches_nothing"),
        (Sparing, "test_counters_are_true"),
    ],
)
def test_who_cheats_breaks_the_law_against_it(kind, law):
    assert law in broken(suite_of(kind))
