"""What faults tell machines: a connection forgotten, an older store, a crowd that says nothing."""

import msgpack
import numpy as np
import pytest

from simedge.protocol.crowd import Crowd
from simedge.protocol.elal_publishing import weights_of
from simedge.protocol.elal_server import ElalServer
from simedge.protocol.machine import (
    Forgotten,
    Note,
    Received,
    RolledBack,
    Send,
    SetTimer,
    Started,
    TimerFired,
)
from simedge.protocol.opening import open_server
from simedge.protocol.settings import ElalSettings, IsolatedSettings
from simedge.protocol.shape import Ground
from simedge.protocol.wire import Kind, decode

S = 10**9
GROUND = Ground(classes=3, blocks=4, rows=2, pset=bytes(32), tau_ns=S)


def kinds(desk, effects):
    return [desk.read(e).kind for e in effects if isinstance(e, Send)]


def test_a_server_that_forgot_a_device_wants_it_to_join_and_knows_the_others(open_desk):
    desk = open_desk()
    desk.join(1)
    desk.join(2)
    desk.token()
    assert desk.machine.handle(Forgotten(other=1), desk.now) == []
    (note, reply) = desk.token()
    assert note == Note(kind="refused", subject=1, detail=("stranger",))
    assert desk.read(reply).kind == Kind.JOIN
    assert not [e for e in desk.token(dev=2) if isinstance(e, Note) and e.kind == "refused"]
    desk.join(1)
    assert any(e.kind == "merged" for e in desk.token() if isinstance(e, Note))
    assert desk.machine.handle(Forgotten(other=3), desk.now) == []


def test_a_rolled_back_store_has_the_versions_and_bytes_of_then(open_desk):
    desk = open_desk(age_weight="none")
    desk.join()
    desk.token([[1, 0, 0], [1, 0, 0]])
    first = next(e for e in desk.publish() if isinstance(e, Send))
    then = msgpack.unpackb(msgpack.packb(desk.machine.dump()))
    desk.token([[0, 1, 0], [0, 1, 0]])
    second = next(e for e in desk.publish() if isinstance(e, Send))
    assert [desk.read(s).g for s in (first, second)] == [1, 2]
    desk.machine.handle(RolledBack(state=then), desk.now)
    (again,) = desk.have([2, 0, 0, 0])
    assert again.data == first.data
    assert again.resend > 1, "no fate of its earlier sendings is its own"
    after = desk.read(next(e for e in desk.publish() if isinstance(e, Send)))
    assert (after.g, after.boot) == (2, 1)
    assert after.payload == desk.read(second).payload, "the tokens are as new as they were"
    assert after.seq > desk.read(second).seq


def test_what_has_not_fallen_is_not_published_again(open_desk):
    desk = open_desk()
    desk.join()
    desk.token()
    desk.publish()
    desk.machine.handle(RolledBack(state=desk.machine.dump()), desk.now)
    assert not [e for e in desk.publish() if isinstance(e, Send)]


@pytest.mark.parametrize("settings", [{}, {"part_level": 1}, {"coding": {"bits": 15}}])
def test_all_that_a_crowd_says_is_taken_and_moves_no_prior(settings):
    elal = ElalSettings.model_validate({"kind": "elal", "prior_budget": 4} | settings)
    machine = open_server(elal, GROUND, devices=5)
    assert isinstance(machine, ElalServer)
    machine.handle(Started(boot=1), 0)
    crowd = Crowd(elal, GROUND, first=3, senders=3)
    shape = elal.shape(classes=3, blocks=4, rows=2)
    merged = 0
    for count in range(40):
        for dev, cls, seq, data in crowd.say(count, count * S):
            message = decode(data, shape, shape.message_limit)
            assert (message.dev, message.seq, message.boot) == (dev, seq, 1)
            assert cls == Kind(message.kind).name.lower()
            effects = machine.handle(Received(data=data, src=dev), count * S)
            merged += sum(e.kind == "merged" for e in effects if isinstance(e, Note))
    assert merged == 40
    assert "stranger" not in machine.counters
    weights = machine.register.read(
        np.arange(4),
        40 * S,
        weights=weights_of(elal, GROUND),
        versions=np.zeros(4, np.int64),
    )
    assert not weights.rows.any()
    assert not weights.devices.any()
    blocks = {b for dev in (3, 4, 5) for b in range(4) if machine.register.look(dev, b)[0][0]}
    assert blocks == {0, 1, 2, 3}


def test_a_crowd_that_is_forgotten_joins_again():
    elal = ElalSettings.model_validate({"kind": "elal"})
    crowd = Crowd(elal, GROUND, first=3, senders=2)
    said = [[each.cls for each in crowd.say(count, 0)] for count in range(4)]
    assert said == [["join", "token"], ["join", "token"], ["token"], ["token"]]
    crowd.forgotten()
    assert [(each.cls, each.seq) for each in crowd.say(4, 0)] == [("join", 2), ("token", 3)]


def test_a_server_that_nobody_talks_to_minds_nothing():
    machine = open_server(IsolatedSettings(), GROUND, devices=1)
    for event in (Forgotten(other=1), RolledBack(state={}), TimerFired(id="publish")):
        assert machine.handle(event, 0) == []


def test_a_device_that_forgot_joins_again_and_keeps_what_it_holds(open_lone):
    lone = open_lone()
    held = lone.machine.dump()["priors"]
    effects = lone.tell(Forgotten(other=0))
    (send,) = (e for e in effects if isinstance(e, Send))
    assert (send.cls, send.resend) == ("join", 0)
    assert [e.id for e in effects if isinstance(e, SetTimer)] == ["join"]
    assert lone.machine.dump()["priors"] == held
    assert lone.machine.dump()["joining"]["joined"] is False
