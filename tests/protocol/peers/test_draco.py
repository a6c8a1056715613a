"""Pushing updates: accumulators that lose nothing, limits, unification."""

import numpy as np
import pytest

from simedge.protocol.machine import LinkStatus, Received, Send
from simedge.protocol.params import (
    Code,
    Parcel,
    bytes_of,
    read_message,
    send_params,
    shape_on,
    values_of,
)
from simedge.protocol.post import Post

MS = 10**6
EXACT = {"learning_rate": 0.25, "accept_max": 10**6}
STEP = np.array([1, 2, -4, 0, 0]) / 4 * -0.25


def sums(peers, number):
    """Return own, out and received, and the scalars by name."""
    state = peers.machines[number].dump()["own"]
    return [np.frombuffer(data) for _, _, data in state["sums"]]


def steps_of(number, gradients):
    step = STEP.copy()
    step[4] = number / 4 * -0.25
    return gradients * step


def sent(peers, cls, number):
    return [
        read_message(e.data, shape_on(peers.ground))
        for _, source, e in peers.effects
        if isinstance(e, Send) and (e.cls, source) == (cls, number)
    ]


def answered(peers, number):
    waiting = sum(call.op == "gradient" for call in peers.answers[number])
    return len(peers.calls("gradient", number)) - waiting


def test_who_is_alone_loses_no_gradient(open_peers):
    peers = open_peers("draco", devices=1, **EXACT)
    peers.run(100)
    peers.settle()
    own, _, received = sums(peers, 1)
    done = steps_of(1, answered(peers, 1))
    assert answered(peers, 1) > 20
    assert (peers.models[1] - peers.began[1] + own == done).all()
    assert not received.any()
    assert not [e for _, _, e in peers.effects if isinstance(e, Send)]


def test_accumulators_lose_nothing_while_nothing_is_lost(open_peers):
    peers = open_peers("draco", unify_every="1 h", **EXACT)
    peers.run(60)
    for number in (1, 2, 3):
        deltas = sent(peers, "delta", number)
        by_seq = {message.seq: values_of(message, 5) for message in deltas}
        assert len(deltas) == 2 * len(by_seq), "each goes to both neighbours"
        total = np.sum(list(by_seq.values()), axis=0) + sums(peers, number)[1]
        assert (total == steps_of(number, answered(peers, number))).all()
        assert sum(m.n for m in deltas) // 2 <= 2 * answered(peers, number)
    merged = sum(note.detail[0] for note in peers.notes("applied"))
    waiting = sum(m.dump()["own"]["scalars"][-1] for n, m in peers.machines.items() if n)
    assert merged + waiting == len(peers.notes("merged"))
    assert len(peers.notes("merged")) == sum(len(sent(peers, "delta", n)) for n in (1, 2, 3))


def test_a_window_takes_in_what_came_until_it_ends(open_peers):
    peers = open_peers("draco", devices=2, **EXACT)
    parcels = [[0, 2, 0, 0, 4], [2, 1, 0, 0, 4]]
    post = Post(2)
    for values in parcels:
        parcel = Parcel(code=Code.DELTA, payload=bytes_of(np.float32(values)), captured_ns=0)
        data = send_params(post, parcel, dst=1).data
        peers.tell(1, Received(data=data, src=2))
    while answered(peers, 1) < 2:
        peers.advance(1 * MS)
        while peers.answers[1]:
            peers.answer(1)
    peers.mail.clear()
    total = np.sum(parcels, axis=0) + steps_of(1, 2)
    peers.advance(100 * MS - peers.now)
    calls = [call.op for call in peers.answers[1]]
    assert calls.count("get_params") == 1
    while peers.answers[1][0].op != "get_params":
        peers.answers[1].popleft()
    peers.answer(1)
    (call,) = peers.calls("set_params", 1)
    assert call.values == pytest.approx(peers.began[1] + total / 3, abs=1e-6)
    assert peers.notes("applied")[-1].detail == (2,)


def test_an_update_stays_until_somebody_can_be_told(open_peers):
    peers = open_peers("draco", devices=2, unify_every="1 h", **EXACT)
    peers.tell(1, LinkStatus(other=2, up=False))
    peers.run(40)
    assert not sent(peers, "delta", 1)
    assert (sums(peers, 1)[1] == steps_of(1, answered(peers, 1))).all()
    peers.tell(1, LinkStatus(other=2, up=True))
    peers.run(20)
    assert sent(peers, "delta", 1)


def test_no_more_updates_are_accepted_than_allowed_nor_older_ones(open_peers):
    peers = open_peers("draco", unify_every="1 h", accept_max=3)
    peers.run(60)
    accepted = peers.notes("merged")
    assert len(accepted) == 9
    assert peers.machines[1].counters["refused"] > 0
    peers = open_peers("draco", unify_every="1 h", age_max="1 us")
    peers.run(60)
    assert not peers.notes("merged")


def test_all_take_over_the_model_of_the_hub_and_pass_it_on_once(open_peers):
    peers = open_peers("draco", unify_every="300 ms", window="100 ms", accept_max=2)
    peers.run(29)
    assert not sent(peers, "model", 2)
    # Number 2 is at position 1 = 1 mod 3.
    peers.advance(10 * MS)
    for number in (1, 2, 3):
        while peers.answers[number]:
            peers.answer(number)
    peers.mail = [(n, e) for n, e in peers.mail if e.cls == "model"]
    assert [n for n, _ in peers.mail] == [2, 2]
    while peers.mail:
        peers.deliver(0)
    for number in (1, 3):
        assert not any(each.any() for each in sums(peers, number))
        while peers.answers[number]:
            peers.answer(number)
        assert peers.models[number].tolist() == peers.models[2].tolist()
        assert len(sent(peers, "model", number)) == 1, "to the one it did not come from"
        assert peers.machines[number].counters["echo"] == 1
    assert len(sent(peers, "model", 2)) == 2
    state = peers.machines[1].dump()["own"]["scalars"]
    assert state[:2] == [1, 0], "unified once, and accepts again"


def test_a_model_on_its_way_is_not_merged_after_a_unification(open_peers):
    peers = open_peers("draco", unify_every="300 ms", window="300 ms")
    peers.run(29)
    peers.advance(10 * MS)
    while peers.answers[2]:
        peers.answer(2)
    index = next(i for i, (n, e) in enumerate(peers.mail) if (e.cls, e.dst) == ("model", 1))
    assert "get_params" in {call.op for call in peers.answers[1]}
    peers.deliver(index)
    while peers.answers[1]:
        peers.answer(1)
    assert peers.models[1].tolist() == peers.models[2].tolist()


def test_gradients_that_fall_due_wait_and_not_for_ever(open_peers):
    peers = open_peers("draco", devices=1, gradient_every=1)
    peers.advance(1000 * MS)
    assert len(peers.calls("gradient")) == 1
    assert peers.machines[1].counters["gradient_overrun"] > 10
    for _ in range(16):
        while peers.answers[1][0].op != "gradient":
            peers.answer(1)
        peers.answer(1)
    assert len(peers.calls("gradient")) == 17


def test_a_flood_that_comes_late_does_not_take_the_turn_of_the_hub(open_peers):
    peers = open_peers("draco", unify_every="300 ms", window="100 ms")
    peers.run(29)
    peers.advance(10 * MS)
    while peers.answers[2]:
        peers.answer(2)
    peers.advance(300 * MS)
    # It is the turn of number 3; the flood of number 2 is still on its way.
    index = next(i for i, (n, e) in enumerate(peers.mail) if (e.cls, n, e.dst) == ("model", 2, 3))
    assert peers.machines[3].dump()["own"]["scalars"][6] == 2, "it is about to flood"
    peers.deliver(index)
    while peers.answers[3]:
        peers.answer(3)
    floods = [message.g for message in sent(peers, "model", 3)]
    assert floods == [1, 2, 2], "one passed on, one of its own to each"


def times_of(peers, clock):
    return [at for at, number, e in peers.effects if number == 1 and getattr(e, "id", "") == clock]


def test_neither_clock_shifts_the_other(open_peers):
    """Gradients are so rare in one world that their clock draws once."""
    often = open_peers("draco", devices=1, gradient_every=2)
    rarely = open_peers("draco", devices=1, gradient_every=10**6)
    for peers in (often, rarely):
        peers.advance(1000 * MS)
    assert len(times_of(often, "gradient")) > 2 * len(times_of(rarely, "gradient"))
    assert times_of(often, "transmit") == times_of(rarely, "transmit")
