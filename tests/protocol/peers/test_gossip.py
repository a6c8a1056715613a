"""Gossip: who sends what to whom, and what comes of what is received."""

import numpy as np

from simedge.protocol.gossip import Aged, merge_aged
from simedge.protocol.machine import LinkStatus, Received, Send
from simedge.protocol.params import Code, Parcel, bytes_of, read_message, send_params, shape_on
from simedge.protocol.post import Post

MS = 10**6


def model_of(values, age, *, post, at=0):
    parcel = Parcel(code=Code.MODEL, payload=bytes_of(np.float32(values)), g=age, captured_ns=at)
    return Received(data=send_params(post, parcel, dst=1).data, src=post.dev)


def read(peers, send):
    return read_message(send.data, shape_on(peers.ground))


def test_every_period_a_model_and_its_age_go_to_one_neighbour(open_peers):
    peers = open_peers("gossip")
    peers.run(8)
    sends = [e for _, number, e in peers.effects if isinstance(e, Send) and number == 2]
    assert len(sends) == 4
    assert {send.cls for send in sends} == {"model"}
    assert {send.dst for send in sends} <= {1, 3}
    assert [read(peers, send).seq for send in sends] == [1, 2, 3, 4]
    assert [read(peers, send).g for send in sends] == [2, 4, 6, 8], "all are as old as each other"
    assert all(len(send.data) - 4 * 5 <= 53 for send in sends)
    peers.settle()
    assert len(peers.notes("merged")) == 12


def test_neighbours_are_drawn_alike_and_none_that_is_down(open_peers):
    peers = open_peers("gossip", interval=1)
    peers.run(120)
    to = [e.dst for _, n, e in peers.effects if isinstance(e, Send) and n == 1]
    assert 40 <= to.count(2) <= 80
    peers.tell(1, LinkStatus(other=2, up=False))
    since = len(peers.effects)
    peers.run(20)
    assert {e.dst for _, n, e in peers.effects[since:] if isinstance(e, Send) and n == 1} == {3}
    peers.tell(1, LinkStatus(other=3, up=False))
    since = len(peers.effects)
    peers.run(5)
    assert not [e for _, n, e in peers.effects[since:] if isinstance(e, Send) and n == 1]


def test_who_is_alone_just_learns(open_peers):
    peers = open_peers("gossip", devices=1)
    peers.run(6)
    assert not peers.mail
    assert [e.op for calls in peers.answers.values() for e in calls] == []
    assert not peers.calls("set_params")
    assert not peers.calls("get_params")


def test_what_comes_while_the_learner_is_busy_is_merged_in_its_order(open_peers):
    peers = open_peers("gossip")
    for _ in range(8):
        peers.frame(1)
        peers.now += MS
    peers.mail.clear()
    peers.answer(1)
    post, expected = Post(2), Aged(8, peers.models[1])
    for index, age in enumerate((12, 3, 0)):
        values = [index, 2, 3, 4, 5]
        peers.tell(1, model_of(values, age, post=post, at=MS))
        expected = merge_aged(expected, Aged(age, np.float32(values)))
    assert [call.op for call in peers.answers[1]] == ["get_params"], "asked once"
    peers.answer(1)
    peers.answer(1)
    assert peers.models[1].tolist() == expected.values.tolist()
    details = [note.detail for note in peers.notes("merged")]
    assert details == [(12, 0, 1000), (3, 5, 1000), (0, 8, 1000)]
    peers.frame(1)
    assert peers.machines[1].dump()["own"]["numbers"][0] == 13, "12 was the oldest, then it learned"


def test_no_more_models_wait_than_there_is_room_for(open_peers):
    peers = open_peers("gossip")
    post = Post(2)
    for _ in range(40):
        peers.tell(1, model_of([1, 2, 3, 4, 5], 1, post=post))
    assert peers.machines[1].counters == {"overrun": 8}
    peers.answer(1)
    assert peers.notes("applied")[0].detail == (32,)


def test_credit_is_saved_up_and_spent_in_answers(open_peers):
    peers = open_peers("simple", devices=2)
    peers.run(2)
    assert not [e for _, _, e in peers.effects if isinstance(e, Send)], "nobody begins without"
    peers.tell(1, model_of([1, 2, 3, 4, 5], 0, post=Post(2)))
    peers.answer(1)
    assert [send.dst for _, send in peers.mail] == [2]
    assert peers.machines[1].dump()["own"]["credit"] == 1
    peers.run(3)
    assert len(peers.notes("merged")) > 2


def test_the_server_has_nothing_to_do(open_peers):
    peers = open_peers("gossip")
    (note,) = peers.tell(0, model_of([1, 2, 3, 4, 5], 0, post=Post(2)))
    assert note.detail == ("refused",)


def test_models_of_another_size_form_or_time_are_refused(open_peers):
    peers = open_peers("gossip")
    post = Post(2)
    causes = []
    for event in (
        model_of([1, 2, 3], 0, post=post),
        model_of([1, 2, 3, 4, np.inf], 0, post=post),
        model_of([1, 2, 3, 4, 5], 0, post=post, at=MS),
        model_of([1, 2, 3, 4, 5], 0, post=Post(1)),
        Received(data=model_of([1, 2, 3, 4, 5], 0, post=post).data, src=3),
    ):
        causes += [note.detail[0] for note in peers.tell(1, event)]
    assert causes == ["malformed", "malformed", "future", "stranger", "stranger"]
    assert not peers.answers[1]


def test_what_is_owed_as_the_last_link_goes_down_is_counted(open_peers):
    peers = open_peers("gossip", devices=2)
    for _ in range(2):
        peers.frame(1)
    peers.tell(1, LinkStatus(other=2, up=False))
    peers.answer(1)
    assert not peers.mail
    assert peers.machines[1].counters["model_unsent"] == 1
