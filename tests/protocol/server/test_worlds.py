"""Protocols with a server in whole worlds: faults of all kinds, then peace."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.protocol.machine import Forgotten, LinkStatus

MS, S = 10**6, 10**9
ARMS = {
    "fedavg": {"kind": "fedavg", "frames": 4, "fraction": 0.6, "deadline": "2 s"},
    "fedavg-all": {"kind": "fedavg", "frames": 4, "fraction": 1.0, "wait": "wait_all"},
    "fedasync": {"kind": "fedasync", "frames": 4},
    "fedbuff": {"kind": "fedbuff", "frames": 4, "buffer": 3, "training_max": 2},
    "gradient": {"kind": "centralised", "mode": "gradient", "step_deadline": "3 s"},
    "gradient-all": {"kind": "centralised", "mode": "gradient"},
    "raw": {"kind": "centralised", "uploads_max": 1},
    "raw-model": {"kind": "centralised", "serve": "device", "serve_every": 3, "uploads_max": 1},
}
WHAT = ("crash", "wipe", "back up", "forget", "down", "up", "replay", "replay", "noise")
FAULTS = st.lists(
    st.tuples(
        st.integers(0, 3000), st.sampled_from(WHAT), st.integers(0, 3), st.integers(0, 10**6)
    ),
    max_size=12,
)


def befall(world, what, number, draw):
    """Let a fault happen now."""
    device = number or 1
    if what == "crash":
        world.crash(number, state=world.state(number), lasting=(1 + draw % 900) * MS)
    elif what == "wipe":
        world.crash(number, lasting=(1 + draw % 900) * MS)
    elif what == "back up":
        world.kept[number] = world.kept.get(number) or world.state(number)
        world.crash(number, state=world.kept[number])
    elif what == "forget" and not world.down:
        number, other = (0, device) if draw % 2 else (device, 0)
        world.tell(number, Forgotten(other=other))
    elif what in {"down", "up"}:
        for here, other in ((0, device), (device, 0)):
            if here not in world.down:
                world.tell(here, LinkStatus(other=other, up=what == "up"))
    elif what == "replay":
        world.replay(draw)


@pytest.mark.parametrize("arm", ARMS)
@settings(max_examples=3, deadline=None)
@given(faults=FAULTS, seed=st.integers(0, 99), loss=st.sampled_from([0.0, 0.1, 0.4]))
def test_work_goes_on_after_whatever_happened(pump, arm, faults, seed, loss):
    """Many an event is handled by two machines, one just loaded; nothing counts twice."""
    draws = np.random.Generator(np.random.Philox(key=seed))

    def fate(_send, _count):
        if world.now < 4 * S and draws.random() < loss:
            return None
        return int(draws.integers(200 * MS, 600 * MS))

    world = pump(ARMS[arm], devices=3, fate=fate, reload=17)
    world.kept = {}
    for at, what, number, draw in sorted(faults):
        world.run(at * MS)
        befall(world, what, number, draw)
    for device in (1, 2, 3):
        world.run(4 * S)
        befall(world, "up", device, 0)
    world.run(20 * S)
    before = world.version
    trained = {number: world.learners[number].frames for number in (1, 2, 3)}
    world.run(25 * S)
    assert world.version > before + 1
    idle = [number for number, frames in trained.items() if world.learners[number].frames == frames]
    assert not idle


def test_averaging_one_step_each_is_descent_on_the_union(pump):
    """One batch a round, nobody missing: both arms walk the same way."""
    rounds = {"kind": "fedavg", "frames": 8, "fraction": 1.0, "wait": "wait_all"}
    descent = {"kind": "centralised", "mode": "gradient", "batch": 8, "learning_rate": 0.1}
    models = []
    for arm in (rounds, descent):
        world = pump(arm)
        while world.version < 5:
            world.run(10 * S, steps=1)
        models.append(world.model)
    assert models[0] == pytest.approx(models[1], rel=1e-6)


def test_a_buffer_of_one_update_is_mixing_a_whole_model_in(pump):
    """One device, full weight, no pull: both arms take over what it trained."""
    buffered = {"kind": "fedbuff", "frames": 8, "buffer": 1}
    mixing = {"kind": "fedasync", "frames": 8, "alpha": 1.0, "rho": 0.0, "staleness": "constant"}
    models = []
    for arm in (buffered, mixing):
        world = pump(arm, devices=1)
        while world.version < 5:
            world.run(10 * S, steps=1)
        models.append(world.model)
    assert models[0] == pytest.approx(models[1], rel=1e-6)
