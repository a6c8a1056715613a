"""Distillation by class: tables up, means of the others down."""

import msgpack
import numpy as np
import pytest

from simedge.protocol.errors import ProtocolError
from simedge.protocol.machine import LearnerDone, LinkStatus, RolledBack, Sample, Send

MS = 10**6


def priors(peers, number):
    return peers.calls("set_class_prior", number)


def test_a_device_is_pulled_towards_the_rows_of_the_others(open_peers):
    peers = open_peers("fd")
    peers.run(10)
    row = [0.5, 0.25, 0.25]
    for number in (1, 2, 3):
        prior = priors(peers, number)[-1]
        expected = [label != number % 3 for label in range(3)]
        assert prior.mask.tolist() == expected, "each knows one label, and never its own"
        assert prior.target.tolist() == [row if there else [0] * 3 for there in expected]
        assert (prior.alpha, prior.steps) == (0.5, 1)
    tables = [e for _, _, e in peers.effects if isinstance(e, Send)]
    assert {e.cls for e in tables} == {"table"}
    assert all(4 * 9 + 17 <= len(e.data) <= 4 * 9 + 53 for e in tables)
    assert len([e for e in tables if e.dst == 0]) == 15
    assert peers.notes("applied")[-1].subject == 3


def test_ages_of_what_is_published_and_held_can_be_followed(open_peers):
    peers = open_peers("fd")
    peers.run(10)
    samples = [(n, e) for _, n, e in peers.effects if isinstance(e, Sample)]
    published = {e.labels for n, e in samples if e.metric == "published_age_s"}
    held = {e.labels for n, e in samples if e.metric == "prior_age_s"}
    assert {(labels[0], labels[2]) for labels in held} == published
    assert all(e.value >= 0 for _, e in samples if e.metric.endswith("age_s"))
    assert all(note.detail[1] >= 0 for note in peers.notes("merged"))


def test_who_is_alone_never_has_a_prior(open_peers):
    peers = open_peers("fd", devices=1)
    peers.run(20)
    assert not priors(peers, 1)
    assert peers.machines[0].dump()["own"]["version"] == 0


def test_nothing_is_pulled_without_weight(open_peers):
    peers = open_peers("fd", kl=0)
    peers.run(10)
    assert peers.notes("published")
    assert not peers.calls("set_class_prior")


def test_a_prior_survives_with_the_state_of_its_device(open_peers):
    peers = open_peers("fd")
    peers.run(10)
    state, held = peers.machines[1].dump(), priors(peers, 1)[-1]
    since = len(priors(peers, 1))
    peers.crash(1, state=msgpack.unpackb(msgpack.packb(state)))
    (again,) = priors(peers, 1)[since:]
    assert again.target.tolist() == held.target.tolist()
    peers.crash(1, state=None)
    assert len(priors(peers, 1)) == since + 1


def test_who_is_out_of_reach_is_not_written_to(open_peers):
    peers = open_peers("fd")
    peers.tell(0, LinkStatus(other=2, up=False))
    peers.tell(3, LinkStatus(other=0, up=False))
    peers.run(10)
    sends = [(n, e.dst) for _, n, e in peers.effects if isinstance(e, Send)]
    assert set(sends) == {(1, 0), (2, 0), (0, 1), (0, 3)}


def test_a_learner_that_is_slow_is_not_asked_twice(open_peers):
    peers = open_peers("fd")
    for _ in range(6):
        peers.frame(1)
    assert len(peers.calls("class_table")) == 1
    assert peers.machines[1].counters["table_overrun"] == 2
    call = peers.answers[1][0]
    with pytest.raises(ProtocolError, match="shape"):
        peers.machines[1].handle(LearnerDone(call=call.call, value=np.zeros((2, 3))), 1)


def test_a_rolled_back_server_has_the_tables_of_then(open_peers):
    peers = open_peers("fd")
    peers.run(6)
    then = peers.machines[0].dump()
    peers.run(6)
    peers.tell(0, RolledBack(state=then))
    now = peers.machines[0].dump()
    assert now["own"] == then["own"]
    assert now["post"] != then["post"], "numbers of messages never fall"


def test_no_table_is_read_while_nobody_can_be_told(open_peers):
    peers = open_peers("fd")
    peers.run(4)
    peers.tell(1, LinkStatus(other=0, up=False))
    before = len(peers.calls("class_table", 1))
    peers.run(4)
    assert len(peers.calls("class_table", 1)) == before, "reading it empties it"
    assert peers.machines[1].counters["table_unsent"] == 2
    peers.tell(1, LinkStatus(other=0, up=True))
    peers.run(2)
    assert len(peers.calls("class_table", 1)) == before + 1


def test_a_table_that_was_read_as_the_link_went_down_is_counted(open_peers):
    peers = open_peers("fd")
    peers.frame(1)
    peers.frame(1)
    peers.tell(1, LinkStatus(other=0, up=False))
    peers.answer(1)
    assert peers.machines[1].counters["table_lost"] == 1
