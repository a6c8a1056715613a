"""What machines that exchange models do with what they did not expect."""

import numpy as np
import pytest

from simedge.protocol.asks import Trained
from simedge.protocol.errors import ProtocolError
from simedge.protocol.machine import (
    Forgotten,
    LearnerCall,
    LearnerDone,
    LinkStatus,
    Note,
    Received,
    RolledBack,
    SendOutcome,
    TimerFired,
)
from simedge.protocol.params import OPAQUE, Code, Parcel, bytes_of, send_params
from simedge.protocol.post import Post
from simedge.protocol.wire import Kind, Message, encode

MS = 10**6


@pytest.mark.parametrize("name", ["gossip", "aedfl", "draco", "fd"])
def test_what_is_late_or_has_no_business_here_is_counted_and_changes_nothing(open_peers, name):
    peers = open_peers(name, twins=True)
    before = peers.machines[1].dump()
    for event in (
        TimerFired(id="pull"),
        SendOutcome(tag=99, ok=True),
        LearnerDone(call=99, value=None),
        Forgotten(other=0),
        RolledBack(state={"own": {}}),
        LinkStatus(other=2, up=True),
    ):
        assert peers.tell(1, event) == []
    assert peers.machines[1].dump() == before | {"counters": {"late_event": 3}}


@pytest.mark.parametrize("name", ["gossip", "aedfl", "draco", "fd"])
def test_what_the_protocol_does_not_know_is_refused(open_peers, name):
    peers = open_peers(name)
    sender = 0 if name == "fd" else 2
    post = Post(sender)
    frame = Parcel(code=Code.FRAME, payload=bytes(8), captured_ns=0, enc=OPAQUE)
    reply = Message(kind=Kind.REPORT, dev=sender, boot=1, seq=1, t_us=0, payload=bytes(16))
    if sender:
        reply = Message(kind=Kind.REPORT, dev=sender, boot=1, seq=1, t_us=0, payload=bytes(1))
    for data in (send_params(post, frame, dst=1).data, encode(reply)):
        (note,) = peers.tell(1, Received(data=data, src=sender))
        assert note == Note(kind="refused", subject=sender, detail=("refused",))


def test_a_request_says_nothing_but_that_it_is_one(open_peers):
    peers = open_peers("aedfl")
    for fields in ({"payload": b"x", "enc": OPAQUE}, {"payload": b""}):
        parcel = Parcel(code=Code.REQUEST, captured_ns=0, **fields)
        (note,) = peers.tell(1, Received(data=send_params(Post(2), parcel, dst=1).data, src=2))
        assert note.detail == ("malformed",)


@pytest.mark.parametrize(
    ("name", "op", "value"),
    [
        ("gossip", "get_params", None),
        ("gossip", "get_params", np.zeros(4, np.float32)),
        ("aedfl", "train", None),
        ("draco", "gradient", Trained(n=1, loss=0.0)),
        ("fd", "class_table", 1.0),
    ],
)
def test_a_learner_that_answers_something_else_is_to_blame(open_peers, name, op, value):
    peers = open_peers(name, devices=2)
    calls = []
    while not calls:
        peers.advance(10 * MS)
        peers.frame(1)
        calls = [call for call in peers.answers[1] if call.op == op]
        while not calls and peers.answers[1]:
            peers.answer(1)
        while peers.mail:
            peers.deliver(0)
    with pytest.raises(ProtocolError, match=r"shape|how much|slope"):
        peers.machines[1].handle(LearnerDone(call=calls[0].call, value=value), peers.now)


def test_a_policy_decides_every_period(open_peers):
    peers = open_peers("gossip", policy={"kind": "reinforce"})
    peers.run(10)
    shares = [
        effect.args.values
        for _, number, effect in peers.effects
        if isinstance(effect, LearnerCall) and effect.op == "set_lambda" and number == 1
    ]
    assert len(shares) == 6
    assert len(set(shares)) == 6


def test_where_clocks_differ_ages_begin_at_arrival(open_peers):
    peers = open_peers("gossip", shared_clock=False)
    peers.now = 5 * MS
    parcel = Parcel(
        code=Code.MODEL, payload=bytes_of(np.ones(5, np.float32)), captured_ns=1000 * MS
    )
    note, *_ = peers.tell(1, Received(data=send_params(Post(2), parcel, dst=1).data, src=2))
    assert note.detail == (0, 0, 5000)


def test_the_server_takes_no_answers(open_peers):
    peers = open_peers("fd")
    assert peers.tell(0, LearnerDone(call=1, value=None)) == []
    assert peers.machines[0].counters == {"late_event": 1}


def test_a_draco_peer_that_hears_of_a_unification_again_does_not_pass_it_on(open_peers):
    peers = open_peers("draco")
    post, other = Post(2), Post(3)
    parcel = Parcel(code=Code.MODEL, payload=bytes_of(np.ones(5, np.float32)), g=1, captured_ns=0)
    peers.tell(1, Received(data=send_params(post, parcel, dst=1).data, src=2))
    assert [send.dst for _, send in peers.mail] == [3]
    (note,) = peers.tell(1, Received(data=send_params(other, parcel, dst=1).data, src=3))
    assert note.detail == ("echo",)
    peers.answer(1)
    assert peers.models[1].tolist() == [1] * 5


def test_a_state_with_a_timer_or_question_of_another_protocol_is_a_bug(open_peers):
    peers = open_peers("gossip")
    state = peers.machines[1].dump()
    peers.machines[1].load(state | {"timers": [["pull", 5]]})
    with pytest.raises(NotImplementedError, match="pull"):
        peers.machines[1].handle(TimerFired(id="pull"), 5)
    server = open_peers("fd").machines[0]
    server.load(server.dump() | {"asking": [1, [[1, "own"]]]})
    with pytest.raises(NotImplementedError, match="own"):
        server.handle(LearnerDone(call=1, value=None), 5)
