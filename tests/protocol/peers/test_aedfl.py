"""Pulling sparse models: rounds, what ends them, what is learned from them."""

import numpy as np
import pytest

from simedge.protocol.machine import LinkStatus, Note, Send
from simedge.protocol.params import Code, read_message, shape_on

MS = 10**6


def of_class(peers, cls, number=None):
    return [
        (source, effect)
        for _, source, effect in peers.effects
        if isinstance(effect, Send) and effect.cls == cls and number in {None, source}
    ]


def settle_calls(peers):
    """Let all learners answer, and nothing arrive."""
    while any(peers.answers.values()):
        for number, calls in peers.answers.items():
            if calls and not (calls[0].op == "train" and len(calls) == 1):
                peers.answer(number)
        if all(not c or c[0].op == "train" for c in peers.answers.values()):
            return


def test_a_round_asks_merges_learns_and_publishes(open_peers):
    peers = open_peers("aedfl")
    settle_calls(peers)
    requests = of_class(peers, "request")
    assert sorted((source, send.dst) for source, send in requests) == [
        (i, j) for i in (1, 2, 3) for j in (1, 2, 3) if i != j
    ]
    assert all(len(send.data) <= 53 for _, send in requests)
    while peers.mail:
        peers.deliver(0)
    settle_calls(peers)
    mean = np.mean([peers.began[n] for n in (1, 2, 3)], axis=0)
    for number in (1, 2, 3):
        assert peers.models[number] == pytest.approx(mean, abs=1e-6), "nobody learned anything yet"
    assert len(of_class(peers, "sparse")) == 6
    assert [note.detail for note in peers.notes("merged")] == [(0, 0, 0)] * 6
    for _ in range(3):
        peers.settle()
    versions = [note.detail[0] for note in peers.notes("published")]
    assert versions[:6] == [0, 0, 0, 1, 1, 1]


def test_answers_carry_frames_and_version_and_drop_what_was_masked(open_peers):
    peers = open_peers("aedfl")
    peers.run(400)
    _, send = of_class(peers, "sparse", 2)[-1]
    message = read_message(send.data, shape_on(peers.ground))
    assert message.blk == Code.SPARSE
    assert message.g > 10
    assert message.n == 2 * message.g
    assert len(message.payload) == 1 + 4 * 3, "two of five weights are dropped"
    sparsities = [train.sparsity for train in peers.calls("train", 1)]
    assert sparsities == sorted(sparsities)
    assert sparsities[0] < 0.01
    assert sparsities[-1] == 0.4
    half = sum(sparsity < 0.4 for sparsity in sparsities) / len(sparsities)
    assert 0.6 < half < 0.9, "3 s of 4 s"


def test_nobody_is_waited_for_longer_than_the_timeout(open_peers):
    peers = open_peers("aedfl")
    settle_calls(peers)
    lost = peers.mail
    peers.mail = []
    peers.advance(49 * MS)
    assert not peers.calls("train")
    peers.advance(1 * MS)
    assert len(peers.calls("train")) == 3
    assert peers.machines[1].counters["pull_timeouts"] == 2
    peers.mail = lost
    while peers.mail:
        peers.deliver(0)
    assert peers.machines[1].counters["late"] == 2
    assert not peers.calls("set_params")


def test_who_is_out_of_reach_is_not_waited_for(open_peers):
    peers = open_peers("aedfl")
    settle_calls(peers)
    peers.tell(1, LinkStatus(other=2, up=False))
    assert not peers.calls("train", 1)
    peers.deliver(next(i for i, (n, e) in enumerate(peers.mail) if (n, e.dst) == (1, 3)), ok=False)
    assert len(peers.calls("train", 1)) == 1
    assert peers.machines[1].counters == {"send_failed": 1}
    peers.tell(1, LinkStatus(other=3, up=False))
    since = len(peers.effects)
    peers.answers[2].clear()
    for _ in range(3):
        peers.answer(1)
    sent = [e for _, n, e in peers.effects[since:] if isinstance(e, Send) and n == 1]
    assert sent == [], "with nobody in reach it learns on"
    assert len(peers.calls("train", 1)) > 1


def test_who_is_alone_learns_round_after_round(open_peers):
    peers = open_peers("aedfl", devices=1)
    peers.run(12)
    assert not of_class(peers, "request")
    assert len(peers.calls("train")) >= 4
    assert peers.calls("train")[0].frames == 2


def test_who_has_published_nothing_has_no_answer(open_peers):
    peers = open_peers("aedfl")
    peers.answer(1)
    while peers.mail:
        peers.deliver(0)
    assert [peers.machines[n].counters for n in (2, 3)] == [{"unpublished": 1}] * 2


def test_whom_it_paid_to_ask_is_preferred_and_sigma_follows_the_loss(open_peers):
    peers = open_peers("aedfl")
    prefs, sigmas = [], []
    for _ in range(60):
        peers.run(5, every=20 * MS)
        own = peers.machines[1].dump()["own"]
        prefs.append(dict(own["prefs"]))
        sigmas.append(own["scalars"][-2])
    assert prefs[0][2] != 0
    assert all(0 <= sigma <= 2 for sigma in sigmas)
    steps = np.round(np.abs(np.diff([0.5, *sigmas])), 9)
    assert set(steps.tolist()) <= {0, 0.05}
    assert len(peers.calls("held_loss", 1)) > 2 * len(peers.calls("train", 1)) - 10


def test_without_frames_set_aside_nothing_is_preferred(open_peers, monkeypatch):
    peers = open_peers("aedfl")
    value = peers.value
    monkeypatch.setattr(
        peers, "value", lambda n, call: None if call.op == "held_loss" else value(n, call)
    )
    peers.run(40)
    own = peers.machines[1].dump()["own"]
    assert dict(own["prefs"]) == {2: 0.0, 3: 0.0}
    assert own["scalars"][-2] == 0.5
    assert len(peers.notes("applied")) > 10


def test_who_comes_back_with_what_it_published_begins_with_a_round(open_peers):
    peers = open_peers("aedfl")
    peers.run(9)
    state = peers.machines[1].dump()
    since = len(peers.effects)
    peers.crash(1, state=state)
    assert [send.dst for _, send in peers.mail if send.cls == "request" and send.boot == 2]
    assert not [note for _, _, note in peers.effects[since:] if isinstance(note, Note)]
    peers.crash(1, state=None)
    assert [call.op for call in peers.answers[1]] == ["set_lambda", "get_params"]
