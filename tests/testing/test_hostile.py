"""Bad input is refused by an error or a counter: nothing dies, hangs, swells or changes state."""

import importlib.util
import os
import sys
import tracemalloc
from pathlib import Path

import pytest

from simedge.protocol.elal_device import ElalDevice
from simedge.protocol.machine import Received
from simedge.testing.hostile import bad_frame, lots
from simedge.testing.hostile_machines import open_hosts, try_frames

ROOT = Path(__file__).parents[2]
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
FEW = {"frames": 2_000, "scenarios": 40, "studies": 10, "traces": 200, "logs": 100}
SPELL = {"frames": 50_000, "scenarios": 4_000, "studies": 1_000, "traces": 10_000, "logs": 10_000}
SWOLLEN_BYTES = 16 * 2**20


@pytest.fixture(scope="module")
def bulk():
    spec = importlib.util.spec_from_file_location("hostile", ROOT / "benchmarks" / "hostile.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "hostile", module)
        spec.loader.exec_module(module)
        yield module


@pytest.mark.parametrize("what", FEW)
def test_what_is_nearly_sound_is_refused_or_read(bulk, what):
    count = bulk.COUNTS[what] if NIGHTLY else FEW[what]
    for first in range(0, count, SPELL[what]):
        found = bulk.slice_of(what, 1, range(first, min(count, first + SPELL[what])))
        assert found.broken == ()


def test_no_message_makes_a_machine_allocate_much():
    hosts = open_hosts("elal")
    sound = [data for host in hosts for _, data in host.heard]
    tracemalloc.start()
    try:
        for index in range(50_000 if NIGHTLY else 300):
            data = bad_frame(lots(2, index), sound)
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            hosts[index % 3].machine.handle(Received(data=data, src=index % 4), 10**14)
            assert tracemalloc.get_traced_memory()[1] - before < SWOLLEN_BYTES, index
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("said", ["ZeroDivisionError", "changed its state"])
def test_a_machine_that_minds_bad_messages_is_found(monkeypatch, said):
    hosts, hear = open_hosts("elal"), ElalDevice.handle

    def minding(self, event, now):
        effects = hear(self, event, now)
        if said == "ZeroDivisionError":
            raise ZeroDivisionError
        self._passes += 1
        return effects

    monkeypatch.setattr(ElalDevice, "handle", minding)
    assert any(said in text for _, text in try_frames(1, range(60), hosts).broken)
