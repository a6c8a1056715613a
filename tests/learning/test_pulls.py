"""Steps towards the priors of many addresses in one job."""

import numpy as np
import pytest
from learners import CLASSES, every_learner, frame_of, grown, opened

from simedge.core.streams import Streams
from simedge.learning.errors import LearnerError
from simedge.learning.own import OwnLearner
from simedge.learning.ports import Pull


class Sums(OwnLearner):
    """Where a pull leads depends on the pulls before it."""

    def begin(self, streams):
        del streams
        self.sums = np.ones((self.classes, self.width))

    def scores(self, frame):
        return self.sums @ np.bincount(frame.x, minlength=self.width)

    def update(self, frame):
        self.sums[frame.label] += 0.01 * np.bincount(frame.x, minlength=self.width)

    def pull(self, frame, target, weight):
        own = self.scores(frame)
        self.sums *= 1 + weight * np.outer(target - own / own.sum(), np.ones(self.width))


def own_learner(_settings=None):
    side = {"width": 8, "height": 8}
    return Sums(classes=CLASSES, streams=Streams(1), device="dev-1", span_ns=10**8, **side)


def pulls():
    words = np.random.Generator(np.random.Philox(5))
    for address, seen, mask in ((1, 3, [1, 1, 1]), (4, 2, [1, 0, 1]), (6, 0, [1, 1, 1])):
        target = words.random((3, CLASSES))
        yield seen, Pull(address, target / target.sum(axis=1, keepdims=True), np.array(mask, bool))


def check_that_one_job_does_what_many_do(make):
    one, many = make(), make()
    for learner in (one, many):
        for seen, part in pulls():
            for row in range(seen):
                learner.proxy_row(frame_of(row + 7), address=part.address, row=row).commit()
    parts = [part for _, part in pulls()]
    before = one.digest()
    work = one.kl_steps(parts, alpha=0.3, steps=2)
    assert (work.volleys, work.advance().size) == (0, 0)
    work.compute()
    assert one.digest() == before
    jobs = []
    for part in parts:
        job = many.kl_step(**part._asdict(), alpha=0.3, steps=2)
        jobs.append((job.commit(), job.macs["dense"], job.counts.weight_writes))
    assert work.commit() == tuple(rows for rows, _, _ in jobs) == (3, 1, 0)
    assert work.macs["dense"] == work.counts.macs == sum(macs for _, macs, _ in jobs)
    assert work.counts.weight_writes == sum(writes for _, _, writes in jobs)
    assert one.digest() == many.digest() != before


@every_learner
def test_one_job_takes_the_steps_of_many(settings):
    check_that_one_job_does_what_many_do(lambda: grown(settings))


def test_one_job_takes_the_steps_of_many_in_a_learner_of_ones_own():
    check_that_one_job_does_what_many_do(own_learner)


def test_a_job_of_many_parts_that_is_undone_leaves_nothing():
    learner = grown()
    before = learner.digest()
    learner.kl_steps([part for _, part in pulls()], alpha=0.3).discard()
    assert learner.digest() == before
    learner.learn(frame_of(1)).commit()


def test_a_part_that_makes_no_sense_is_refused():
    with pytest.raises(LearnerError, match="priors of shape"):
        opened().kl_steps([Pull(0, np.ones((2, CLASSES)), [True])], alpha=1.0)
