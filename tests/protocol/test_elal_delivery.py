"""A proxy set that comes over the network: asked for in joins, taken once, and no other."""

import hashlib

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.protocol.errors import ProtocolError
from simedge.protocol.machine import (
    Checkpoint,
    LearnerCall,
    Received,
    Restarted,
    Send,
    SendOutcome,
    SetTimer,
    TimerFired,
)
from simedge.protocol.opening import open_server
from simedge.protocol.settings import ElalSettings
from simedge.protocol.shape import DATAGRAM_BYTES_MAX, RELIABLE_BYTES_MAX, Ground
from simedge.protocol.transport import bulk_bits, wire_bits
from simedge.protocol.wire import Join, Kind, Message, decode, encode

S = 10**9
MS = 10**6
ITEMS = bytes(range(200)) * 30


def ground_of(items=ITEMS):
    name = hashlib.sha256(items).digest()
    return Ground(classes=3, blocks=4, rows=2, pset=name, tau_ns=S, proxy_set=items)


def of(kind, effects):
    return [effect for effect in effects if isinstance(effect, kind)]


def sets(effects):
    return [send for send in of(Send, effects) if send.cls == "proxy"]


def asks(lone, send):
    return Join.unpack(lone.read(send).payload).wants_proxy


@pytest.fixture
def lone(open_lone):
    """Return a device that has joined without a proxy set."""
    lone = open_lone(ground=ground_of(), delivery="transfer")
    lone.reply(0)
    return lone


@pytest.fixture
def desk(open_desk):
    """Return a server that delivers."""
    return open_desk(ground=ground_of(), delivery="transfer")


def join(desk, dev=1, *, seq=None, boot=1, **fields):
    said = Join(pset=ground_of().pset, classes=3, rows=2, blocks=4, wants_proxy=True, **fields)
    return desk.hear(4, said.pack(), dev=dev, boot=boot, seq=seq)


# ------------------------------------------------------------------------------------- the device
def test_nothing_is_passed_before_the_proxy_set_is_there(lone):
    (first,) = of(Send, lone.first)
    assert asks(lone, first)
    assert lone.frames() == [Checkpoint()]
    assert len(ITEMS) > DATAGRAM_BYTES_MAX
    assert lone.hear(5, ITEMS, n=8) == []
    assert [call.op for call in of(LearnerCall, lone.frames())] == ["proxy_pass"]


def test_who_has_the_set_asks_for_it_no_more_and_takes_no_other(lone):
    lone.hear(5, ITEMS)
    (again,) = of(Send, lone.reply(5))
    assert not asks(lone, again)
    lone.hear(5, ITEMS)
    assert lone.machine.counters == {"oversize": 1}
    lone.hear(5, ITEMS[:100])
    assert lone.machine.counters == {"oversize": 1, "duplicate": 1}


def test_the_reward_weighs_the_set_as_a_transfer(lone):
    before = lone.machine.dump()["post"][1]
    lone.hear(5, ITEMS)
    around = range(17, 54)
    whole = {bulk_bits(bytes(len(ITEMS) + each)) for each in around}
    assert whole.isdisjoint(wire_bits(bytes(len(ITEMS) + each)) for each in around)
    assert lone.machine.dump()["post"][1] - before in whole


@given(broken=st.binary(max_size=3_000))
@settings(max_examples=20)
def test_a_set_of_another_name_is_refused(open_lone, broken):
    lone = open_lone(ground=ground_of(), delivery="transfer")
    lone.reply(0)
    lone.hear(5, broken)
    assert lone.machine.counters == {"wrong_proxy": 1}
    assert lone.frames() == [Checkpoint()]


def test_only_the_proxy_set_may_be_long(lone):
    long = Message(kind=Kind.PARAMS, dev=0, boot=1, seq=1, t_us=0, payload=ITEMS, blk=1, enc=0)
    lone.tell(Received(data=encode(long), src=0))
    lone.tell(Received(data=b"0" * 2_000, src=0))
    assert lone.machine.counters == {"oversize": 1, "corrupt": 1}


@pytest.mark.parametrize("kept", [True, False])
def test_a_crash_takes_the_set_only_if_it_takes_all(lone, kept):
    lone.hear(5, ITEMS)
    state = msgpack.unpackb(msgpack.packb(lone.machine.dump()))
    effects = lone.tell(Restarted(boot=2, checkpoint=state if kept else None))
    (send,) = of(Send, effects)
    assert asks(lone, send) is not kept


def test_by_default_nobody_asks_for_it_and_none_is_taken(open_lone, open_desk):
    lone = open_lone(ground=ground_of())
    assert not asks(lone, of(Send, lone.first)[0])
    lone.reply(0)
    lone.hear(5, ITEMS[:50])
    assert lone.machine.counters == {"refused": 1}
    assert sets(join(open_desk(ground=ground_of()))) == []


# ------------------------------------------------------------------------------------- the server
def test_the_set_follows_the_reply_reliably_and_once(desk):
    reply, send = of(Send, join(desk, seq=1))
    assert (reply.cls, reply.reliability) == ("reply", "datagram")
    assert (send.cls, send.dst, send.reliability, send.tag) == ("proxy", 1, "reliable", 1)
    message = decode(send.data, desk.shape, RELIABLE_BYTES_MAX)
    assert (message.kind, message.n, message.payload) == (Kind.PROXY, 8, ITEMS)
    assert sets(join(desk, seq=1)) == [], "the same join once more"
    assert sets(join(desk, seq=2)) == [], "it is on its way"
    assert desk.tell(SendOutcome(tag=1, ok=True)) == []
    assert sets(join(desk, seq=2)) == [], "an old join that comes late"
    assert len(sets(join(desk, seq=3))) == 1, "it was lost at the device"


def test_what_failed_is_sent_again_after_longer_and_longer_waits(desk):
    (send,) = sets(join(desk))
    waits = []
    for _ in range(3):
        (timer,) = of(SetTimer, desk.tell(SendOutcome(tag=send.tag, ok=False)))
        waits.append((timer.at - desk.now) // S)
        (send,) = sets(desk.tell(TimerFired(id=timer.id), after=timer.at - desk.now))
    assert waits == [1, 2, 4]
    assert desk.tell(SendOutcome(tag=1, ok=True)) == []
    assert desk.machine.counters["late_event"] == 1
    assert desk.machine.counters["proxy_failed"] == 3


def test_a_server_that_comes_back_sends_again_what_was_on_its_way(desk):
    for dev in (2, 1):
        join(desk, dev)
    desk.tell(SendOutcome(tag=1, ok=True))
    state = msgpack.unpackb(msgpack.packb(desk.machine.dump()))
    desk.machine.load(state)
    assert desk.machine.dump() == state
    (again,) = sets(desk.tell(Restarted(boot=2, checkpoint=state)))
    assert (again.dst, again.boot, again.tag) == (1, 2, 3)


def test_who_is_not_let_in_gets_nothing(desk):
    assert sets(join(desk, x_mode=1)) == []
    assert sets(join(desk, 9)) == []


def test_a_set_that_cannot_be_delivered_is_refused():
    elal = ElalSettings(delivery="transfer")
    wrong = Ground(classes=3, blocks=4, rows=2, pset=bytes(32), tau_ns=S, proxy_set=ITEMS)
    with pytest.raises(ProtocolError, match="not pset"):
        open_server(elal, wrong, devices=1)
    with pytest.raises(ProtocolError, match="most are"):
        open_server(elal, ground_of(bytes(RELIABLE_BYTES_MAX)), devices=1)
    with pytest.raises(ValueError, match="nothing to deliver"):
        ElalSettings(delivery="transfer", x_mode="class")


# ------------------------------------------------------------------------------------------- both
@given(failing=st.lists(st.integers(0, 2), min_size=2, max_size=2))
@settings(max_examples=9)
def test_every_device_passes_as_soon_as_it_has_the_set(world, failing):
    left = dict(enumerate(failing, 1))

    class Far(world):
        ground = Ground(
            classes=3, blocks=2, rows=2, pset=ground_of().pset, tau_ns=S, proxy_set=ITEMS
        )

        def carry_out(self, number, effect, now):
            if not isinstance(effect, Send) or effect.reliability == "datagram":
                super().carry_out(number, effect, now)
                return
            ok = left[effect.dst] == 0
            left[effect.dst] -= not ok
            if ok:
                self.at(now + 10 * MS, effect.dst, Received(data=effect.data, src=number))
            self.at(now + 20 * MS, number, SendOutcome(tag=effect.tag, ok=ok))

    run = Far({"delivery": "transfer"}, reload=True)
    run.frames(25, every=200 * MS)
    run.run(5 * S)
    for dev, failures in enumerate(failing, 1):
        passes = [at for at, _, call in run.of("LearnerCall", dev) if call["op"] == "proxy_pass"]
        came = (20 + (2**failures - 1) * 1_000 + 20 * failures + 10) * MS
        assert min(passes) == -(-came // (400 * MS)) * 400 * MS
        assert run.machines[0].counters.get("proxy_failed", 0) == sum(failing)
