"""Laws of what a device must hold: nothing that machines and queues keep is left out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.drivers import lookahead
from simedge.learning.learner import open_learner
from simedge.run.fit import memory_terms, params_of
from simedge.run.problems import ScenarioError
from simedge.run.sight import sight_of

FRAME_BYTES = 13 * 8  # a pixel's, at most
CAP = {
    "fedavg": 2,
    "fedasync": 2,
    "fedbuff": 2,
    "gossip": 34,
    "draco": 5,
    "isolated": 0,
    "elal": 0,
    "fd": 0,
}
KINDS = [
    *({"kind": kind} for kind in CAP),
    *({"kind": "aedfl", "pulls": pulls} for pulls in (1, 2, 5)),
    {"kind": "centralised"},
    {"kind": "centralised", "serve": "device"},
    {"kind": "centralised", "mode": "gradient"},
]


def world(small, protocol, learner, queue):
    changes = {"protocol": {"policy": {"kind": "fixed"}} | protocol, "devices[cam].queue": queue}
    return small.vary(changes | learner | {"topology": {"kind": "complete"}})


def held(scenario):
    sight = sight_of(scenario)
    learner = open_learner(
        scenario.learner,
        classes=sight.classes,
        width=sight.width,
        height=sight.height,
        streams=Streams(1),
        device="probe",
    )
    pixels = sight.width * sight.height
    return memory_terms(scenario.devices[0], learner, scenario, pixels=pixels), learner, pixels


LINEAR = {"learner": {"kind": "linear"}}
SPIKING = {
    "learner": {
        "kind": "spiking",
        "layers": [{"kind": "conv", "maps": 4, "kernel": 3, "stride": 2}],
    }
}


@settings(max_examples=40)
@given(st.sampled_from(KINDS), st.sampled_from([LINEAR, SPIKING]), st.integers(1, 40))
def test_a_device_holds_what_its_machine_and_its_queue_can_keep(small, protocol, learner, queue):
    scenario = world(small, protocol, learner, queue)
    terms, built, pixels = held(scenario)
    kind = protocol["kind"]
    served = kind == "centralised" and protocol.keys() == {"kind"}
    copies = 0 if served else CAP.get(kind, 3 + protocol.get("pulls", -1))
    assert terms.get("models", 0) == 4 * copies * params_of(built, scenario)
    assert ("parameters" in terms) is not served
    frames = queue + 1 + (lookahead.HELD_MAX if kind == "aedfl" else 0)
    assert terms["queue"] == frames * FRAME_BYTES * pixels
    # The quick bound spares nobody what the slow one would refuse.
    fits = sum(terms.values()) * 100 // 70 + 2
    assert scenario.vary({"devices[cam].memory": f"{fits} B"})
    with pytest.raises(ScenarioError, match="must hold"):
        scenario.vary({"devices[cam].memory": f"{fits - 4} B"})
