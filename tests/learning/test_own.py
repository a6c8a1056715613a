"""Laws of a learner of one's own: three methods, and the rest of the world treats it as any."""

import asyncio

import numpy as np
import pytest

import simedge
from simedge.core.streams import Streams
from simedge.learning.errors import LearnerError
from simedge.learning.own import OwnLearner
from simedge.run.scenario import Scenario

_TEXT = """
simedge: 1
name: own
duration: 5 s
sensors: {kind: digits, size: 10, rate: 8 Hz, proxy: {blocks: 4, rows: 4}}
devices: [{id: cam, count: 2, compute: cpu-small, memory: 512 MiB}]
links: {default: {profile: ethernet}}
learner: {kind: linear}
protocol: {kind: elal, interval: 4, kl: 8, prior_period: 1 s, prior_budget: 4}
evaluate: {every: 1 s, items: 50}
"""
GIVEN = {"classes": 10, "width": 10, "height": 10, "device": "cam-1", "span_ns": 100_000_000}


class Means(OwnLearner):
    """Nearest class mean."""

    def begin(self, streams):
        del streams
        self.sums = np.zeros((self.classes, self.width * self.height))
        self.notes = {"frames": 0, "last": (None, [1.5])}

    def scores(self, frame):
        norms = np.maximum(np.linalg.norm(self.sums, axis=1), 1)
        return 0.1 * (self.sums @ self.binned(frame)) / norms

    def update(self, frame):
        self.sums[frame.label] += self.binned(frame)
        self.notes["frames"] += 1

    def binned(self, frame):
        pixels = frame.y.astype(int) * self.width + frame.x
        return np.bincount(pixels, minlength=self.width * self.height)


class Listening(Means):
    """Takes what others think, too."""

    def pull(self, frame, target, weight):
        self.sums += weight * np.outer(target, self.binned(frame))


class Frame:
    def __init__(self, label, *pixels):
        self.label = label
        self.x = np.array([x for x, _ in pixels], np.uint16)
        self.y = np.array([y for _, y in pixels], np.uint16)
        self.t_us = np.arange(len(pixels), dtype=np.int64)
        self.p = np.ones(len(pixels), np.uint8)


def made(kind=Listening):
    return kind(streams=Streams(1), **GIVEN)


def world(**changes):
    return Scenario.parse(_TEXT).vary({k.replace("__", "."): v for k, v in changes.items()})


@pytest.mark.parametrize("kind", [Means, Listening])
def test_it_learns_inside_the_simulator(kind) -> None:
    summary = simedge.simulate(world(), learner=kind).summary
    assert summary["rule"] == kind.__name__
    assert summary["counts"]["tokens_accepted"] > 0
    assert summary["counts"]["priors_applied"] > 0
    assert summary["accuracy"]["final"] > 0.2
    assert summary["invariants"]["broken"] == []
    assert summary["energy_ops_j"] > 0


def test_priors_act_on_those_who_listen_alone() -> None:
    def hashes(kind):
        loud = world(protocol__interval=2)
        runs = [loud.vary({"protocol.kl": kl}) for kl in (1, 8)]
        return {simedge.simulate(run, learner=kind).summary["log_sha256"] for run in runs}

    assert len(hashes(Means)) == 1
    assert len(hashes(Listening)) == 2


def test_stepped_and_streamed_runs_are_the_same_as_simulated_ones() -> None:
    alone = simedge.simulate(world(), learner=Listening)
    stepped = simedge.simulate(world(kernel__volleys="stepped"), learner=Listening)
    assert stepped.summary["log_sha256"] == alone.summary["log_sha256"]

    async def watched():
        run = simedge.stream(world(), learner=Listening)
        again = await simedge.run_async(world(), learner=Listening)
        return [record async for record in run], again.summary["log_sha256"]

    assert asyncio.run(watched()) == (list(alone.records), alone.summary["log_sha256"])


@pytest.mark.parametrize("state", ["kept", "checkpoint", "wiped"])
def test_it_survives_crashes_like_any_other(state) -> None:
    crash = [{"kind": "crash", "devices": ["cam-1"], "at": "2 s", "for": "1 s", "state": state}]
    result = simedge.simulate(world(faults=crash), learner=Listening)
    assert result.summary["robustness"] == {"devices_up_final": 2, "crashes": 1}
    assert result.summary["invariants"]["broken"] == []


def test_it_must_fit_the_device() -> None:
    class Huge(Means):
        def begin(self, streams):
            super().begin(streams)
            self.table = np.zeros(10**8, np.int8)

    with pytest.raises(simedge.SimedgeError, match=r"cam-1 must hold .*parameters 400004008 B"):
        simedge.simulate(world(), learner=Huge)


def test_nothing_changes_before_the_commit() -> None:
    learner, frame = made(), Frame(3, (1, 2), (4, 5))
    before = learner.digest()
    work = learner.learn(frame)
    assert work.advance().size == 0
    assert learner.digest() == before
    work.discard()
    assert work.commit().weight_digest == learner.digest() != before


def test_a_dump_is_all_that_it_knows() -> None:
    learner, frame = made(), Frame(3, (1, 2))
    learner.learn(frame).commit()
    learner.proxy_row(frame, address=7, row=0).commit()
    state, digest = learner.dump(), learner.digest()
    learner.learn(frame).commit()
    learner.late = np.ones(3)
    other = made()
    for each in (learner, other):
        each.load(state)
        assert each.digest() == digest
        step = each.kl_step(address=7, target=np.eye(10)[:1], mask=[True], alpha=1.0, steps=2)
        assert step.commit() == 1
        assert each.digest() != digest
    assert learner.digest() == other.digest()


def test_a_pull_takes_kept_rows_alone() -> None:
    learner = made()
    rows = learner.pass_rows(learner.prepare([Frame(-1, (0, 0))] * 3), address=1, first=1)
    values = [row.commit() for row in rows]
    assert [(value.shape, value.dtype) for value in values] == [((10,), np.float32)] * 2
    target = np.full((3, 10), 0.1)
    assert learner.kl_step(address=1, target=target, mask=[1, 1, 0], alpha=1.0).commit() == 1
    assert learner.kl_step(address=2, target=target, mask=[1, 1, 1], alpha=1.0).commit() == 0
    assert learner.memory()["features"] == 4 * 2 * 100
    assert made(Means).memory(kept_rows=5)["features"] == 0


def test_it_says_what_it_cannot_do() -> None:
    learner = made()
    with pytest.raises(LearnerError, match="label 10 of 10 classes"):
        learner.learn(Frame(10))
    with pytest.raises(LearnerError, match="1 lambdas for 0 hidden layers"):
        learner.set_lambda([0.5])
    assert learner.set_lambda([]).commit() is None
    learner.strange = {1, 2}
    with pytest.raises(LearnerError, match=r"got set \(strange\)"):
        learner.digest()
    learner.sums[0, 0] = np.nan
    with pytest.raises(LearnerError, match="must give 10 finite numbers"):
        learner.learn(Frame(0, (0, 0))).commit()
