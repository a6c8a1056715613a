"""What servers make of models: numbers of the formulas, and laws of every merge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.protocol.machine import (
    Checkpoint,
    LearnerCall,
    LearnerDone,
    LinkStatus,
    Send,
    TimerFired,
)
from simedge.protocol.params import OPAQUE, Code
from simedge.protocol.server_settings import FedAsyncSettings, FedBuffSettings

S = 10**9
ALL = {"kind": "fedavg", "fraction": 1.0, "wait": "wait_all"}
DESCENT = {"kind": "centralised", "mode": "gradient", "learning_rate": 0.1}
VALUE = st.floats(-1e6, 1e6, width=32)
VECTOR = st.lists(VALUE, min_size=2, max_size=2)


def test_averages_weigh_models_by_their_samples(counter):
    desk = counter(ALL, devices=2)
    assert desk.models(desk.effects) == [(1, 0), (2, 0)]
    desk.say(1, [1, 2], n=10)
    effects = desk.say(2, [3, 4], n=30)
    assert desk.model == [2.5, 3.5]
    assert desk.models(effects) == [(1, 1), (2, 1)]


def test_central_descent_goes_along_the_mean_gradient(counter):
    desk = counter(DESCENT, first=(1, 1), devices=2)
    desk.say(1, [1, 2], code=Code.GRADIENT, n=10)
    desk.say(2, [3, -2], code=Code.GRADIENT, n=30)
    assert desk.model == pytest.approx([0.75, 1.1], rel=1e-6)


def test_a_stale_model_weighs_less(counter):
    desk = counter({"kind": "fedasync"}, first=(1, 1))
    for version in range(3):
        desk.say(1, [1, 1], g=version)
    assert desk.model == [1.0, 1.0]
    desk.say(2, [3, -1], g=0)
    assert desk.model == pytest.approx([1.6, 0.4], rel=1e-6)


def test_weights_of_stale_models_have_their_numbers():
    hinge = FedAsyncSettings(staleness="hinge")
    expected = [1.0, 0.090909091, 0.024390244]
    assert [hinge.weight(d) for d in (6, 7, 10)] == pytest.approx(expected, abs=1e-9)
    assert FedAsyncSettings().weight(10) == pytest.approx(0.301511345, abs=1e-9)
    assert FedAsyncSettings(staleness="constant").weight(99) == 1.0


def test_a_buffer_is_divided_by_its_count(counter):
    desk = counter({"kind": "fedbuff", "buffer": 2}, first=(10, 10))
    for version in range(3):
        for dev in (1, 2):
            desk.say(dev, [0, 0], code=Code.DELTA, g=version)
    assert desk.version == 3
    desk.say(1, [1, 2], code=Code.DELTA, g=3)
    desk.say(2, [4, 0], code=Code.DELTA, g=0)
    assert desk.model == [8.5, 9.0]


def test_no_buffer_waits_for_more_devices_than_there_are():
    asked = FedBuffSettings()
    assert [asked.arrivals(devices) for devices in (1, 2, 9, 10, 20)] == [1, 2, 9, 10, 10]
    assert FedBuffSettings(buffer=12).arrivals(2) == 12


def test_a_server_steps_when_each_of_few_devices_has_sent(counter):
    desk = counter({"kind": "fedbuff"}, devices=3, first=(10, 10))
    for dev in (1, 2, 3):
        assert desk.version == 0
        desk.say(dev, [0, 0], code=Code.DELTA, g=0)
    assert desk.version == 1


@settings(max_examples=30, deadline=None)
@given(vectors=st.lists(st.tuples(VECTOR, st.integers(1, 2**32 - 1)), min_size=1, max_size=4))
def test_a_mean_lies_among_what_it_is_the_mean_of(counter, vectors):
    desk = counter(ALL, devices=len(vectors))
    for dev, (vector, n) in enumerate(vectors, start=1):
        desk.say(dev, vector, n=n)
    assert desk.version == 1
    _lies_among(desk.model, [vector for vector, _ in vectors])


@settings(max_examples=30, deadline=None)
@given(first=VECTOR, vectors=st.lists(VECTOR, min_size=1, max_size=5), alpha=st.floats(0.01, 1.0))
def test_a_mixture_lies_between_old_and_new(counter, first, vectors, alpha):
    desk = counter({"kind": "fedasync", "alpha": alpha}, first=first)
    for vector in vectors:
        before = desk.model
        desk.say(1, vector, g=0)
        _lies_among(desk.model, [before, vector])


def _lies_among(merged, inputs):
    low, high = np.min(np.float32(inputs), axis=0), np.max(np.float32(inputs), axis=0)
    slack = 1e-6 * np.maximum(np.abs(low), np.abs(high)) * (low != high)
    assert (low - slack <= merged).all()
    assert (merged <= high + slack).all()


# ---------------------------------------------------------------------------------- rules of rounds
def test_a_round_without_enough_answers_is_void(counter):
    desk = counter({"kind": "fedavg", "fraction": 1.0}, first=(1, 1))
    desk.say(1, [9, 9])
    desk.now += 10 * S
    desk.tell(TimerFired(id="round"))
    assert (desk.version, desk.model, desk.counters["void_rounds"]) == (1, [1.0, 1.0], 1)
    desk.say(2, [9, 9], g=0)
    assert desk.counters["late"] == 1


def test_nobody_waits_for_a_device_whose_link_is_down(counter):
    desk = counter(ALL)
    desk.say(1, [2, 2])
    desk.say(2, [4, 4])
    assert desk.version == 0
    desk.tell(LinkStatus(other=3, up=False))
    assert (desk.version, desk.model) == (1, [3.0, 3.0])


@pytest.mark.parametrize(
    ("arm", "code"),
    [
        (ALL, Code.MODEL),
        (DESCENT, Code.GRADIENT),
        ({"kind": "fedasync"}, Code.MODEL),
        ({"kind": "fedbuff"}, Code.DELTA),
    ],
)
def test_an_unknown_version_is_answered_with_the_model(counter, arm, code):
    desk = counter(arm)
    effects = desk.say(2, [5, 5], code=code, g=7)
    assert desk.models(effects) == [(2, 0)]
    assert (desk.model, desk.counters["unknown_version"]) == ([0.0, 0.0], 1)


def test_a_model_too_stale_is_dropped_and_answered(counter):
    desk = counter({"kind": "fedasync", "staleness_max": 0}, first=(1, 1))
    desk.say(2, [1, 1], g=0)
    effects = desk.say(1, [9, 9], g=0)
    assert desk.models(effects) == [(1, 1)]
    assert (desk.model, desk.counters["too_stale"]) == ([1.0, 1.0], 1)


def test_a_message_counts_once(counter):
    desk = counter({"kind": "fedasync"})
    data = desk.write(1, [1, 1])
    desk.hear(data, 1)
    before = desk.model
    desk.hear(data, 1)
    assert (desk.model, desk.counters["duplicate"]) == (before, 1)


def test_work_goes_to_idle_devices_in_turn(counter):
    desk = counter({"kind": "fedbuff", "training_max": 1, "buffer": 9})
    assert desk.models(desk.effects) == [(1, 0)]
    turns = []
    for dev in (1, 2, 3, 1):
        turns += desk.models(desk.say(dev, [0, 0], code=Code.DELTA))
    assert [dev for dev, _ in turns] == [2, 3, 1, 2]


# ------------------------------------------------------------------------------------- raw frames
def test_a_step_takes_one_frame_of_each_and_serves_them(counter):
    desk = counter({"kind": "centralised"}, devices=2)
    frame = {"code": Code.FRAME, "enc": OPAQUE}
    assert not [e for e in desk.say(1, b"a\0\1", **frame) if isinstance(e, LearnerCall)]
    (ask,) = [e for e in desk.say(2, b"b\0\2", **frame) if isinstance(e, LearnerCall)]
    assert (ask.args.frames, ask.args.labels) == ((b"a", b"b"), (1, 2))
    served = desk.tell(LearnerDone(call=ask.call, value=(3, 1)))
    sends = [(e.dst, e.cls, e.reliability) for e in served if isinstance(e, Send)]
    assert sends == [(1, "prediction", "datagram"), (2, "prediction", "datagram")]
    desk.say(1, b"a\0\4", **frame)
    assert desk.counters["malformed"] == 1


@pytest.mark.parametrize(("serve", "every"), [("server", 100), ("device", 100), ("device", 1)])
def test_every_step_on_frames_is_checkpointed_when_it_is_over(counter, serve, every):
    desk = counter({"kind": "centralised", "serve": serve, "serve_every": every}, devices=1)
    for version in (1, 2):
        (ask,) = [
            e
            for e in desk.say(1, b"a\0\1", code=Code.FRAME, enc=OPAQUE)
            if isinstance(e, LearnerCall)
        ]
        effects = desk.tell(LearnerDone(call=ask.call, value=(3,)))
        calls = [e for e in effects if isinstance(e, LearnerCall)]
        if calls:  # the model goes down: it is first asked for
            assert Checkpoint() not in effects
            model = np.zeros(desk.ground.params, np.float32)
            effects = desk.tell(LearnerDone(call=calls[0].call, value=model))
        assert effects.count(Checkpoint()) == 1
        kept = desk.machine.dump()
        assert kept["house"]["supply"]["version"] == version
        assert kept["scheme"]["learning"] == []


@settings(max_examples=50, deadline=None)
@given(data=st.binary(max_size=80), spot=st.integers(0, 60), flip=st.integers(1, 255))
def test_bad_bytes_change_nothing_but_a_counter(counter, data, spot, flip):
    desk = counter({"kind": "fedasync"})
    sound = bytearray(desk.write(1, [1, 1]))
    sound[spot % len(sound)] ^= flip
    before = desk.machine.dump()
    for bad in (data, bytes(sound)):
        desk.hear(bad, 1)
    after = desk.machine.dump()
    del before["house"]["counters"], after["house"]["counters"]
    after["house"]["post"] = before["house"]["post"]
    after["house"]["members"] = before["house"]["members"]
    assert after == before
