"""What is computed ahead is as if it were not: whatever befalls a device, the history is the same.

The slow twin learns each frame when it is its turn.
"""

from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import SPIKING, Run, lossy

from simedge.drivers.lookahead import Horizon

MS = st.integers(0, 2500).map("{} ms".format)
WHOM = st.sampled_from([["cam"], ["cam-1"], ["box-2"], ["cam", "box"]])
STATES = st.sampled_from(["kept", "checkpoint", "wiped"])


def faults(kind, **values):
    given_ = {"kind": st.just(kind), "devices": WHOM, "at": MS}
    return st.fixed_dictionaries(given_ | values)


LASTING = {"for": st.integers(1, 900).map("{} ms".format)}
FAULTS = st.one_of(
    faults("crash", state=STATES, **LASTING),
    faults("slow", factor=st.sampled_from([1.5, 40, 900]), **LASTING),
    faults("battery", capacity=st.sampled_from(["1 mJ", "300 mJ", "2 J"])),
    faults("pause", **LASTING),
    faults("out-of-memory", limit=st.just("1 MiB"), **LASTING),
    faults("reboot-loop", state=STATES, up=st.just("90 ms"), down=st.just("60 ms"),
           count=st.integers(1, 9)),
    faults("frame-burst", factor=st.integers(2, 4), **LASTING),
    faults("frame-silence", **LASTING),
)  # fmt: skip
HEAT = st.lists(
    st.tuples(st.integers(0, 2500), st.sampled_from([1, 3, 200])),
    max_size=3,
    unique_by=lambda step: step[0],
)


def told(scenario):
    """Return all that a run tells, and what its devices know at the end."""
    with Run(scenario) as held:
        list(held.slices())
        digests = [device.learner.digest() for device in held.driver.devices]
    summary = held.finish().summary
    assert summary["invariants"]["broken"] == []
    return digests, summary["log_sha256"], summary["energy_j"], summary["counts"]


def told_without_looking_ahead(scenario):
    with patch.object(Horizon, "open", new=False):
        return told(scenario)


@pytest.fixture(scope="module", name="base")
def _base():
    return lossy(duration="3 s", evaluate__every="1 s").vary(SPIKING)


def heated(steps):
    throttle = [{"at": f"{at} ms", "factor": factor} for at, factor in sorted(steps)]
    return [
        {"id": "cam", "count": 2, "compute": "cpu-small", "throttle": throttle, "queue": 2},
        {"id": "box", "count": 2, "compute": "cpu-large", "background": throttle},
    ]


@given(st.lists(FAULTS, max_size=3), HEAT)
@settings(max_examples=15)
def test_looking_ahead_changes_no_history_under_faults(base, found, steps):
    named = [fault | {"name": f"f{i}"} for i, fault in enumerate(found)]
    scenario = base.vary({"faults": named, "devices": heated(steps)})
    assert told(scenario) == told_without_looking_ahead(scenario)


def test_frames_are_computed_ahead_at_all(base):
    with patch.object(Horizon, "take", autospec=True, side_effect=Horizon.take) as taken:
        told(base)
    assert taken.call_count > 50
