"""Every kind of fault in a small world, from end to end: the books balance, and it did happen."""

import typing
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import SPIKING, lossy, records_of, run

from simedge.world.fault_settings import FaultSettings
from simedge.world.storage_fault_settings import StorageFault

S = 10**9
LINK = {"at": "1 s", "for": "3 s"}
FAULTS = [
    {"kind": "loss", "mean": "60%"} | LINK,
    {"kind": "loss", "mean": "50%", "burst": "300 ms", "links": "50%"} | LINK,
    {"kind": "ack-loss", "share": 1} | LINK,
    {"kind": "duplicate", "share": "50%", "copies": 3} | LINK,
    {"kind": "replay", "share": "50%", "age": "700 ms"} | LINK,
    {"kind": "reorder", "share": "50%", "extra": "300 ms", "devices": ["cam"]} | LINK,
    {"kind": "delay", "extra": "50 ms", "jitter": "80 ms"} | LINK,
    {"kind": "corrupt", "share": "50%", "bits": 5} | LINK,
    {"kind": "truncate", "share": "50%", "keep": "40%"} | LINK,
    {"kind": "bandwidth", "factor": "0.1%"} | LINK,
    {"kind": "bandwidth", "factor": "300%"} | LINK,
    {"kind": "bandwidth", "rate": "20 kbit/s"} | LINK,
    {"kind": "mtu-black-hole", "above": "60 B"} | LINK,
    {"kind": "clog", "links": ["cam-1.server", "server.cam-1"]} | LINK,
    {"kind": "clog", "release": "paced", "every": "2 s"} | LINK | {"for": "900 ms"},
    {"kind": "swizzle-clog", "share": "70%"} | LINK,
    {"kind": "link-down", "devices": 2} | LINK,
    {"kind": "flap", "down": "300 ms", "up": "200 ms"} | LINK,
    {"kind": "partition", "groups": [["cam-1", "box"]]} | LINK,
    {"kind": "partition", "groups": [["cam"], ["server"]], "direction": "one-way",
     "mode": "refuse"} | LINK,
    {"kind": "isolate", "device": "cam-1"} | LINK,
    {"kind": "split"} | LINK,
    {"kind": "bridge", "device": "box-1"} | LINK,
    {"kind": "crash", "devices": ["cam"]} | LINK,
    {"kind": "crash", "server": True, "state": "wiped"} | LINK,
    {"kind": "pause", "devices": ["cam-1"]} | LINK,
    {"kind": "pause", "server": True} | LINK,
    {"kind": "slow", "devices": ["cam"], "factor": 40} | LINK,
    {"kind": "reboot-loop", "devices": ["cam-1"], "up": "200 ms", "down": "400 ms", "count": 3,
     "at": "1 s"},
    {"kind": "out-of-memory", "devices": ["box"], "limit": "16 MiB"} | LINK,
    {"kind": "battery", "devices": ["box-2"], "capacity": "8 J", "at": "1 s"},
    {"kind": "frame-silence", "devices": ["cam-1"]} | LINK,
    {"kind": "frame-burst", "devices": ["cam-1"], "factor": 3} | LINK,
    {"kind": "clock-offset", "devices": ["cam-1"], "by": "-90 ms"} | LINK,
    {"kind": "clock-drift", "devices": ["cam"], "ppm": 200_000} | LINK,
    {"kind": "clock-jump", "devices": ["cam-1"], "by": "800 ms", "at": "1 s", "every": "2 s"},
    {"kind": "tie-shuffle"} | LINK,
    {"kind": "half-open", "devices": ["cam-1"], "side": "device", "at": "1 s"},
    {"kind": "half-open", "devices": ["cam"], "at": "1 s", "every": "700 ms"},
    {"kind": "same-start", "devices": ["cam", "box"]} | LINK,
    {"kind": "label-shift", "devices": ["cam-1"], "class": 3, "factor": 50} | LINK,
    {"kind": "token-nan", "devices": ["cam-1"]} | LINK,
    {"kind": "token-shape", "devices": ["cam-1"], "share": "50%"} | LINK,
    {"kind": "slow", "server": True, "factor": 200} | LINK,
    {"kind": "failover", "lag": "700 ms"} | LINK,
    {"kind": "failover", "lag": "10 s", "at": "2500 ms"},
    {"kind": "rollback", "versions": 2, "at": "3500 ms", "every": "1 s"},
    {"kind": "split-brain", "groups": [["cam"], ["box"]]} | LINK,
    {"kind": "overload", "rate": "50 Hz"} | LINK,
    {"kind": "twin", "devices": ["cam-1"]} | LINK,
    {"kind": "token-constant", "devices": ["cam-1"], "class": 3} | LINK,
    {"kind": "token-confident", "devices": ["cam-1"], "share": "50%"} | LINK,
    {"kind": "token-shuffle", "devices": ["cam-1"]} | LINK,
]  # fmt: skip


def named(fault):
    return f"{fault['kind']}{'-' + fault['mode'] if 'mode' in fault else ''}"


def test_every_kind_on_the_menu_is_in_the_corpus():
    kinds = {
        kind
        for member in typing.get_args(typing.get_args(FaultSettings)[0])
        if member is not StorageFault  # of which no device or link knows
        for kind in typing.get_args(member.model_fields["kind"].annotation)
    }
    assert kinds == {fault["kind"] for fault in FAULTS}


@pytest.fixture(scope="module", name="calm")
def _calm():
    return run(lossy(faults=[]))


@pytest.mark.parametrize("fault", FAULTS, ids=named)
def test_the_books_balance_under_every_fault(fault, calm):
    result = run(lossy(faults=[fault]))
    summary, records = result.summary, records_of(result)
    assert summary["invariants"]["broken"] == []
    told = Counter((r.kind, r.subject) for r in records if r.kind.startswith("fault-"))
    name = fault["kind"] if not fault["kind"].startswith("token") else "token"
    assert told["fault-started", name] > 0
    if fault["kind"] != "battery":
        assert told["fault-ended", name] == told["fault-started", name]
    assert all(r.detail == fault["kind"] for r in records if r.kind.startswith("fault-"))
    before = [r for r in records if r.at < S]
    assert before == [r for r in records_of(calm) if r.at < S]
    if name == "same-start":  # these cameras see the end of the movement, all at one instant
        return
    plain = [r for r in records if not r.kind.startswith("fault")]
    assert plain != records_of(calm), "a fault changes something"
    if name != "tie-shuffle":  # which changes the order alone
        assert not set(plain) <= set(records_of(calm))


ENDLESS = {"battery", "reboot-loop", "clock-jump", "half-open", "rollback"}
SERVER = [
    {"kind": "crash", "server": True, "state": state} for state in ("kept", "checkpoint", "wiped")
]
MIXED = st.lists(
    st.tuples(st.sampled_from(FAULTS + 3 * SERVER), st.integers(0, 3500), st.integers(1, 1900)),
    min_size=2,
    max_size=4,
)


@given(MIXED, st.sampled_from([{}, {"mtu": "300 B", "fragment": True}, {"arq": {"retries": 2}}]))
@settings(max_examples=10)
def test_the_books_balance_under_faults_together(mixed, link):
    faults = [
        fault
        | {"name": f"f{i}", "at": f"{at} ms"}
        | ({"for": f"{long} ms"} if fault["kind"] not in ENDLESS else {})
        for i, (fault, at, long) in enumerate(mixed)
    ]
    loss = {"kind": "gilbert-elliott", "mean": "20%", "burst": "200 ms"}
    links = {"default": {"profile": "wifi-air", "loss": loss, "duplicate": "5%"} | link}
    result = run(lossy(faults=faults, links=links, duration="4 s"))
    assert result.summary["invariants"]["broken"] == []


def summary_of(*faults, **values):
    return run(lossy(faults=list(faults), **values)).summary


def test_a_fault_beyond_the_end_changes_nothing():
    late = {"kind": "loss", "mean": 1, "at": "6 s"}
    assert summary_of(late)["log_sha256"] == summary_of()["log_sha256"]


def test_what_a_pause_holds_up_comes_when_it_ends():
    pause = {"kind": "pause", "devices": ["cam-1"], "at": "2 s", "for": "2 s"}
    records = [r for r in records_of(run(lossy(faults=[pause]))) if r.target == "cam-1"]
    inside = [r for r in records if 2 * S < r.at < 4 * S]
    assert {r.kind for r in inside} <= {"frame-arrived", "frame-dropped", "received"}
    assert [r.kind for r in records if r.at > 4 * S].count("frame-learned") > 5


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "pause", "devices": ["cam", "box-1"], "at": "1111 ms", "for": "700 ms"},
        {"kind": "slow", "devices": ["cam"], "factor": 300, "at": "1111 ms", "for": "2 s"},
    ],
    ids=named,
)
def test_stepped_volleys_bear_faults_as_fused_ones_do(fault):
    base = lossy(faults=[fault], duration="3 s").vary(SPIKING)
    fused, stepped = run(base), run(base.vary({"kernel.volleys": "stepped"}))
    assert records_of(stepped) == records_of(fused)
    assert stepped.summary["counts"] == fused.summary["counts"]
    assert stepped.summary["energy_j"] == fused.summary["energy_j"]


@pytest.mark.parametrize("joules", [1, 2])
def test_a_device_lasts_as_long_as_its_battery(joules):
    battery = {"kind": "battery", "devices": ["cam-1"], "capacity": f"{joules} J", "at": 0}
    crash = {"kind": "crash", "devices": ["cam-1"], "at": "5500 ms", "for": "100 ms"}
    result = run(lossy(faults=[battery, crash]))
    records = records_of(result)
    (died,) = [r for r in records if r.target == "cam-1" and r.kind == "crashed"]
    assert not [r for r in records if r.target == "cam-1" and r.kind == "restarted"]
    spent = result.summary["energy_j"]["per_device"]["cam-1"]
    assert joules <= spent < joules * 1.02
    assert result.summary["robustness"] == {"devices_up_final": 3, "crashes": 1}
    assert died.at < 5 * S


def test_a_device_that_is_slow_is_busy_for_longer():
    slow = {"kind": "slow", "devices": ["cam"], "factor": 40, "at": 0}
    assert (
        summary_of(slow)["latency_ms"]["update"]["p95"]
        > 30 * summary_of()["latency_ms"]["update"]["p95"]
    )


def test_nothing_is_delivered_over_a_clogged_link():
    name = "cam-1.server"
    clog = {"kind": "clog", "links": [name], "at": "1 s", "for": "3 s"}
    still = {"links": {"default": {"profile": "ethernet"}}, "topology": {"kind": "star"}}
    records = records_of(run(lossy(faults=[clog], **still)))
    got = [r for r in records if r.kind == "received" and r.subject.startswith("cam-1/")]
    assert [r for r in got if r.at < S]
    assert not [r for r in got if S < r.at < 4 * S]
    freed = [r.subject for r in got if r.at == 4 * S]
    sent = [r.subject for r in records if r.kind == "sent" and r.target == name]
    assert len(freed) > 3
    assert freed == [uid for uid in sent if uid in set(freed)]


def grouped(**values):
    return {"devices": [{"id": "cam", "count": 2} | values], "topology": {"kind": "ring"}}


def test_a_battery_of_the_device_itself_is_drained_alike():
    result = run(lossy(faults=[], **grouped(battery="2 J")))
    robustness = result.summary["robustness"]
    assert robustness == {"devices_up_final": 0, "crashes": 2}
    for spent in result.summary["energy_j"]["per_device"].values():
        assert 2 <= spent < 2.04
    left = {s.entity: s.value for s in result.samples if s.metric == "battery_j"}
    assert left == {"cam-1": 0, "cam-2": 0}
    full = run(lossy(faults=[], **grouped(battery="1 Wh")))
    assert full.summary["robustness"]["crashes"] == 0
    assert full.summary["log_sha256"] == summary_of(**grouped())["log_sha256"]


def test_heat_and_other_load_multiply():
    def latency(**values):
        return summary_of(**grouped(**values))["latency_ms"]["update"]["p50"]

    cool = latency()
    hot = [{"at": 0, "factor": 2}]
    assert latency(throttle=hot) == pytest.approx(2 * cool, rel=1e-5)
    assert latency(throttle=hot, background=[{"at": 0, "factor": 1.5}]) == pytest.approx(
        3 * cool, rel=1e-5
    )
    assert latency(throttle=[*hot, {"at": "1 s", "factor": 1}]) == cool


def test_what_a_crash_drops_is_dropped_by_the_fault():
    slow = {"kind": "slow", "devices": ["cam-1"], "factor": 400, "at": 0}
    crash = {"kind": "crash", "devices": ["cam-1"], "at": "3 s"}
    records = records_of(run(lossy(faults=[slow, crash])))
    dropped = [r for r in records if r.kind == "frame-dropped" and r.detail == "crash"]
    assert dropped
    assert {r.order for r in dropped} == {0}


def test_a_fault_of_memory_spares_who_holds_less():
    small = {"kind": "out-of-memory", "devices": ["cam"], "limit": "1 GiB", "at": "1 s"}
    assert summary_of(small)["robustness"]["crashes"] == 0


@settings(max_examples=4)
@given(st.integers(0, 2000))
def test_a_fault_of_memory_strikes_who_holds_more_than_is_left_as_soon_as_it_does(kib):
    """The queue of a slow device grows with each frame; its memory is enough for it whole."""
    slow = {"kind": "slow", "devices": ["cam-1"], "factor": 4000, "at": 0}
    world = lossy(faults=[slow], duration="4 s")
    (name, peak), *_ = run(world).summary["memory_bytes"]["peak_per_device"].items()
    assert name == "cam-1"
    limit = peak + 1000 - kib
    small = {"kind": "out-of-memory", "devices": [name], "limit": f"{limit} B", "at": "1 s"}
    result = run(world.vary({"faults": [slow, small | {"for": "2 s"}]}))
    fallen = [r.at for r in result.records if r.kind == "crashed"]
    held = result.summary["memory_bytes"]["peak_per_device"][name]
    assert len(fallen) == (limit < held) <= (limit < peak)
    assert all(S <= at < 3 * S for at in fallen)
    assert not result.summary["invariants"]["broken"]


def test_a_camera_that_is_silent_delivers_nothing():
    silent = {"kind": "frame-silence", "devices": ["cam-1"], "at": "1 s", "for": "2 s"}
    burst = {"kind": "frame-burst", "devices": ["cam-2"], "at": "1 s", "for": "2 s", "factor": 4}
    records = records_of(run(lossy(faults=[silent, burst])))
    frames = Counter(r.target for r in records if r.kind == "frame-arrived" and S < r.at < 3 * S)
    assert frames["cam-1"] == 0
    assert frames["cam-2"] == 4 * frames["box-1"] == 64
