"""Laws of what a training must hold at once."""

import pytest

from simedge.learning.errors import LearnerError
from simedge.learning.rules.training_memory import PLACES, THROUGH_TIME, training_bytes
from simedge.world.memory import MemoryLimitError, check_memory

GESTURE = PLACES[0]
HALF_A_GIBIBYTE = 512 * 2**20


def state(place, rule):
    return list(training_bytes(place, rule).values())[-1]


def test_through_time_needs_more_with_every_tick_and_traces_do_not():
    longer = GESTURE._replace(ticks=2 * GESTURE.ticks, active=2 * GESTURE.active)
    grew = {rule: state(longer, rule) / state(GESTURE, rule) for rule in THROUGH_TIME}
    assert grew == {"bptt": 2.0, "s-tllr": 1.0, "tess": 1.0}
    for rule in THROUGH_TIME:
        twice = GESTURE._replace(batch=2 * GESTURE.batch)
        assert state(twice, rule) == 2 * state(GESTURE, rule)


def test_a_device_refuses_through_time_with_what_it_needs_and_takes_traces():
    with pytest.raises(MemoryLimitError, match="activations of all ticks 524300800 B"):
        check_memory(training_bytes(GESTURE, "bptt"), HALF_A_GIBIBYTE, device="cam")
    for rule in ("s-tllr", "tess"):
        check_memory(training_bytes(GESTURE, rule), HALF_A_GIBIBYTE, device="cam")


def test_parameters_are_those_of_the_net_that_is_trained():
    pytest.importorskip("torch", reason="the references need torch: pip install simedge[deep]")
    from simedge.learning.deep.references.shapes import plan

    for place in PLACES:
        side = 48 if "CIFAR10" in place.name else 32
        net = plan("vgg9", (2, side, side), 10)
        hidden = sum(a * b * 9 for a, b in (layer.weight[:2] for layer in net.layers))
        assert training_bytes(place, "tess")["parameters"] == 4 * (hidden + 512 * 10 + 10)
        assert sum(place.net.neurons[1:-1]) == sum(layer.neurons for layer in net.layers)


def test_a_rule_on_frames_has_no_ticks_to_hold():
    with pytest.raises(LearnerError, match="bptt, s-tllr, tess"):
        training_bytes(GESTURE, "lls")
