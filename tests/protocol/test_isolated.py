"""The floor: learning without a word."""

import msgpack

from simedge.core.streams import Streams
from simedge.protocol.machine import (
    Checkpoint,
    FrameLearned,
    LearnerCall,
    LearnerDone,
    LinkStatus,
    Note,
    Received,
    Restarted,
    SendOutcome,
    SetLambda,
    Started,
    TimerFired,
)
from simedge.protocol.opening import open_device, open_server
from simedge.protocol.settings import IsolatedSettings
from simedge.protocol.shape import Ground

GROUND = Ground(classes=3, blocks=4, rows=2, pset=bytes(32), tau_ns=10**9)
STREAM = Streams(3).stream("policy", "cam-1", "noise")


def opened(policy=None):
    settings = IsolatedSettings.model_validate(
        {"interval": 2, "policy": policy or {"kind": "fixed"}}
    )
    return open_device(settings, GROUND, dev=1, layers=2, stream=STREAM)


def frame(loss=1.0):
    return FrameLearned(n=1, loss=loss, correct=True)


def test_shares_are_set_once_and_nothing_is_ever_said():
    machine = opened()
    (call,) = machine.handle(Started(boot=1), 0)
    assert call.args == SetLambda(values=(0.5, 0.5))
    assert machine.handle(LearnerDone(call=call.call, value=None), 1) == []
    effects = [e for now in range(6) for e in machine.handle(frame(), now)]
    assert effects == [Checkpoint()] * 3


def test_a_policy_sees_the_loss_alone():
    machine = opened({"kind": "reinforce", "beta": 9.0, "gamma": 9.0})
    machine.handle(Started(boot=1), 0)
    rewards = []
    for now in range(6):
        effects = machine.handle(frame(loss=float(now)), now)
        rewards += [e.value for e in effects if getattr(e, "metric", "") == "policy_reward"]
        calls = [e for e in effects if isinstance(e, LearnerCall)]
        assert len(calls) == now % 2
    assert rewards == [-2.5, -4.5]


def test_a_restart_takes_what_the_fault_left():
    machine = opened({"kind": "reinforce"})
    for now in range(3):
        machine.handle(frame(), now)
    state = msgpack.unpackb(msgpack.packb(machine.dump()))
    machine.handle(Restarted(boot=2, checkpoint=state), 5)
    actions = [e.subject for e in machine.handle(frame(), 6) if isinstance(e, Note)]
    assert actions == [2]
    machine.handle(Restarted(boot=3, checkpoint=None), 7)
    assert machine.handle(frame(), 8) == []
    actions = [e.subject for e in machine.handle(frame(), 9) if isinstance(e, Note)]
    assert actions == [1]


def test_a_loaded_machine_is_the_one_that_was_dumped():
    machine = opened({"kind": "reinforce", "episode": 2})
    machine.handle(Started(boot=1), 0)
    for now in range(9):
        state = machine.dump()
        twin = opened({"kind": "reinforce", "episode": 2})
        twin.load(msgpack.unpackb(msgpack.packb(state)))
        assert twin.dump() == state
        assert twin.handle(frame(), now) == machine.handle(frame(), now)


def test_what_has_no_business_here_is_counted():
    machine = opened()
    assert machine.handle(LinkStatus(other=0, up=False), 1) == []
    assert machine.handle(TimerFired(id="join"), 1) == []
    assert machine.handle(SendOutcome(tag=0, ok=True), 1) == []
    assert machine.handle(LearnerDone(call=9, value=None), 1) == []
    assert len(machine.handle(Received(data=b"", src=0), 1)) == 1
    assert machine.counters == {"late_event": 3, "refused": 1}


def test_the_server_of_nobody_does_nothing():
    server = open_server(IsolatedSettings(), GROUND, devices=2)
    assert server.handle(Started(boot=1), 0) == []
    (note,) = server.handle(Received(data=b"", src=2), 1)
    assert note == Note(kind="refused", subject=2, detail=("refused",))
    twin = open_server(IsolatedSettings(), GROUND, devices=2)
    twin.load(server.dump())
    assert twin.counters == {"refused": 1}
