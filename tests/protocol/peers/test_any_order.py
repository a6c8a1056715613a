"""Machines that exchange models, under every order of events, drops, duplicates and crashes."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.protocol.machine import LinkStatus, Note, Received

MS = 10**6


def held_between(peers, *, zero):
    """Check that no coordinate of a model left the range of what the peers began with."""
    began = [model for number, model in peers.began.items() if number]
    began += [np.zeros(5, np.float32)] * zero
    for number in range(1, peers.ground.devices + 1):
        assert (np.min(began, axis=0) <= peers.models[number]).all()
        assert (peers.models[number] <= np.max(began, axis=0)).all()


def deliver(peers, index, *, times=1, ok=True):
    if peers.mail:
        peers.deliver(index % len(peers.mail), times=times, ok=ok)


def answer(peers, index):
    waiting = [number for number, calls in peers.answers.items() if calls]
    if waiting:
        peers.answer(waiting[index % len(waiting)])


def save(peers, index):
    number = 1 + index % 3
    peers.saved[number] = peers.machines[number].dump()


def crash(peers, index):
    number = 1 + index % 3
    peers.crash(number, state=peers.saved.get(number))


def make_noise(peers, index, noise):
    sent = peers.mail[index % len(peers.mail)][1].data if peers.mail else b""
    for data in (noise, sent[:-1], sent[:9] + noise + sent[9:]):
        if data != sent:
            effects = peers.tell(index % 4, Received(data=data, src=index % 3))
            assert [each.kind for each in effects] == ["refused"]


ACTS = {
    "deliver": deliver,
    "twice": partial(deliver, times=2),
    "drop": partial(deliver, ok=False),
    "answer": answer,
    "frame": lambda peers, index: peers.frame(1 + index % 3),
    "advance": lambda peers, index: peers.advance(index * MS),
    "save": save,
    "crash": crash,
    "wipe": lambda peers, index: peers.crash(index % 4, state=None),
    "down": lambda peers, i: peers.tell(1 + i % 3, LinkStatus(other=i % 4, up=False)),
    "up": lambda peers, i: peers.tell(1 + i % 3, LinkStatus(other=i % 4, up=True)),
}
OFTEN = ["deliver", "answer", "frame", "advance"] * 4
STEPS = st.tuples(st.sampled_from([*OFTEN, *ACTS, "noise"]), st.integers(0, 60))


@pytest.mark.parametrize("name", ["gossip", "simple", "randomised", "aedfl", "draco", "fd"])
@settings(max_examples=25)
@given(actions=st.lists(STEPS, max_size=60), noise=st.binary(max_size=80))
def test_whatever_befalls_peers_their_models_stay_sane_and_twins_agree(
    name, actions, noise, open_peers
):
    peers = open_peers(name, twins=True)
    published = {}
    for action, index in actions:
        seen = len(peers.effects)
        if action == "noise":
            make_noise(peers, index, noise)
        else:
            ACTS[action](peers, index)
        for _, number, effect in peers.effects[seen:]:
            if isinstance(effect, Note) and effect.kind == "published":
                key = number, peers.boots[number], effect.subject
                assert effect.detail[0] > published.get(key, -1), "versions rise"
                published[key] = effect.detail[0]
    if peers.settings.kind in {"gossip", "aedfl"}:
        held_between(peers, zero=peers.settings.kind == "aedfl")
