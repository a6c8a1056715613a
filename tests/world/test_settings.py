"""What a scenario may say about the world, and what is wrong with what it says."""

import subprocess
import sys
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from simedge.core.records import Order
from simedge.core.streams import Streams
from simedge.world.datagrams import LinkError
from simedge.world.faults import Crash, plan_faults, targets
from simedge.world.jitter import Jitter, open_jitter
from simedge.world.jitter_settings import JitterSettings
from simedge.world.loss import ALWAYS, NEVER, mean_loss, open_loss
from simedge.world.loss_settings import LossSettings
from simedge.world.sense import Problem, problems
from simedge.world.settings import (
    CrashSettings,
    DeviceSettings,
    LinksSettings,
    ServerSettings,
    SmallWorldSettings,
    StarSettings,
    TopologySettings,
)
from simedge.world.topology import roster

S = 10**9
LOSS, JITTER, TOPOLOGY = (TypeAdapter(t) for t in (LossSettings, JitterSettings, TopologySettings))


@pytest.mark.parametrize(
    ("adapter", "data", "message"),
    [
        (LOSS, {"kind": "bernoulli", "mean": "120%"}, "0% to 100%"),
        (LOSS, {"kind": "gilbert-elliott", "mean": "10%"}, "burst"),
        (LOSS, {"kind": "gilbert-elliott", "mean": "10%", "burst": 0}, "or equal to 10000"),
        (LOSS, {"kind": "gilbert-elliott", "mean": "60%", "burst": "1 s", "bad": "50%"},
         "good <= mean <= bad"),
        (LOSS, {"kind": "gilbert-elliott", "mean": "5%", "burst": "1 s", "good": 1}, "good < bad"),
        (LOSS, {"kind": "gilbert-elliott-packets", "p": 0, "r": 0}, "p or r above 0"),
        (LOSS, {"kind": "gilbert-elliott-packets", "p": "120%", "r": 0}, "0% to 100%"),
        (LOSS, {"kind": "four-state", "p13": "60%", "p14": "60%", "p31": 1}, "p13 . p14 <= 1"),
        (LOSS, {"kind": "four-state", "p13": "60%", "p31": 0}, "bursts must end"),
        (JITTER, {"kind": "pareto", "mean": "1 ms", "sd": 0}, "greater than 0"),
        (JITTER, {"kind": "lognormal", "mean": "1 ms"}, "sd"),
        (LOSS, {"kind": "bernouli", "mean": "1%"}, "does not match any of the expected tags"),
        (LOSS, {"kind": "list", "ordinals": [0]}, "greater than or equal to 1"),
        (JITTER, {"kind": "uniform", "low": "2 ms", "high": "1 ms"}, "low <= high"),
        (JITTER, {"kind": "table", "points": [["50%", "1 ms"], ["40%", "2 ms"]]}, "must rise"),
        (JITTER, {"kind": "table", "points": [["50%", "2 ms"], ["60%", "1 ms"]]}, "must rise"),
        (JITTER, {"kind": "table", "points": 5}, "points"),
        (JITTER, {"kind": "normal", "sd": 5}, "needs a unit"),
        (TOPOLOGY, {"kind": "small-world", "neighbours": 3}, "multiple of 2"),
        (TOPOLOGY, {"kind": "star", "neighbours": 4}, "Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_bad_settings_say_what_is_wrong(adapter, data, message):
    with pytest.raises(ValidationError, match=message):
        adapter.validate_python(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "either devices or server"),
        ({"devices": "10%", "server": True}, "either devices or server"),
        ({"devices": 1, "every": "5 s"}, "needs a shorter for"),
        ({"devices": 1, "every": "5 s", "for": "5 s"}, "needs a shorter for"),
        ({"devices": 1, "state": "lost"}, "'kept', 'checkpoint' or 'wiped'"),
    ],
)
def test_bad_crashes_say_what_is_wrong(data, message):
    with pytest.raises(ValidationError, match=message):
        CrashSettings.model_validate({"kind": "crash", "at": "1 s"} | data)


@given(
    st.sampled_from(["lte", None]),
    st.sampled_from(["15%", "1/3"]),
    st.integers(10_000, 10**10),
    st.sampled_from([[["1/3", "1 ms"], ["90%", "2500 us"]]]),
)
def test_settings_survive_writing_and_reading(profile, mean, burst, points):
    links = LinksSettings.model_validate(
        {
            "default": {
                "profile": profile,
                "loss": {"kind": "gilbert-elliott", "mean": mean, "burst": f"{burst} ns"},
                "jitter": {"kind": "table", "points": points},
            },
            "overrides": [{"devices": ["cam", "box-2"], "up": "5 Mbit/s"}],
        }
    )
    assert LinksSettings.model_validate(links.model_dump(mode="json", by_alias=True)) == links


def test_a_number_counts_devices_and_a_fraction_is_a_share():
    def devices(value):
        data = {"kind": "crash", "at": 0, "devices": value}
        return CrashSettings.model_validate(data).devices

    assert (devices(1), devices("100%"), devices(0.5)) == (1, Fraction(1), Fraction(1, 2))
    assert devices(["cam", "box-1"]) == ("cam", "box-1")


def test_settings_import_neither_numpy_nor_networkx():
    code = (
        "import sys, simedge.world.settings as s; print({'numpy', 'networkx'} & set(sys.modules))"
    )
    out = subprocess.run(  # noqa: S603  our own interpreter and text
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "set()"


MEMBERS = roster([DeviceSettings(id="cam", count=8), DeviceSettings(id="box", count=12)])


def crash(**data):
    data.setdefault("at", "10 s")
    return CrashSettings.model_validate({"kind": "crash"} | data)


def names(fault, members=MEMBERS, seed=1):
    return [m.name for m in targets(fault, members, Streams(seed))]


def test_a_share_of_devices_is_rounded_up_and_drawn_by_the_fault_s_own_stream():
    assert len(names(crash(devices="10%"))) == 2
    assert len(names(crash(devices="11%"))) == 3
    assert len(names(crash(devices=5))) == 5
    assert names(crash(devices="0%")) == names(crash(devices=0)) == []
    assert set(names(crash(devices=2))) < set(names(crash(devices=3)))
    assert names(crash(devices=5)) != names(crash(devices=5, name="other"))
    assert names(crash(devices=5)) != names(crash(devices=5), seed=2)


def test_another_device_moves_no_one_else_s_draw():
    more = roster([DeviceSettings(id="cam", count=8), DeviceSettings(id="box", count=13)])
    kept = set(names(crash(devices=5), more)) - {"box-13"}
    assert kept <= set(names(crash(devices=5)))


def test_targets_may_be_groups_devices_or_the_server():
    assert names(crash(devices=["box-2", "cam"])) == [*(f"cam-{i}" for i in range(1, 9)), "box-2"]
    assert names(crash(server=True)) == ["server"]
    with pytest.raises(LinkError, match="names no device: box-13"):
        names(crash(devices=["box-13"]))


def plan(*faults, duration=100 * S):
    return plan_faults(faults, MEMBERS, streams=Streams(1), duration_ns=duration)


def test_a_crash_ends_with_a_restart_unless_the_run_ends_before():
    kept = Crash("crash", "kept")
    assert plan(crash(devices=["cam-2"], state="kept", **{"for": "20 s"})) == (
        (10 * S, Order.FAULT, 2, "crash", kept),
        (30 * S, Order.FAULT, 2, "restart", kept),
    )
    assert [d.kind for d in plan(crash(devices=["cam-2"]))] == ["crash"]
    assert [d.kind for d in plan(crash(devices=["cam-2"], **{"for": "90 s"}))] == ["crash"]
    assert plan(crash(devices=["cam-2"], at="100 s")) == ()


def test_a_crash_may_come_again_and_again():
    again = plan(crash(devices=["cam-2"], every="30 s", **{"for": "10 s"}))
    assert [(d.at // S, d.kind) for d in again] == [
        (10, "crash"), (20, "restart"), (40, "crash"), (50, "restart"), (70, "crash"),
        (80, "restart"),
    ]  # fmt: skip


def test_faults_are_in_order_of_time_and_independent():
    first, second = crash(devices=3, name="a", at="20 s"), crash(devices=3, name="b", at="10 s")
    both = plan(first, second)
    assert [d.at for d in both] == sorted(d.at for d in both)
    assert set(both) == set(plan(first)) | set(plan(second))


DEVICES = (DeviceSettings(id="cam", count=3), DeviceSettings(id="box", count=1))


def find(devices=DEVICES, topology=None, links=None, **rest):
    return problems(
        devices, topology or StarSettings(), LinksSettings.model_validate(links or {}), **rest
    )


def test_a_sane_world_has_no_problems():
    links = {"overrides": [{"devices": ["cam", "cam-3", "box-1"]}]}
    faults = (crash(devices=["cam-1"]), crash(devices=4, name="b"), crash(server=True, name="c"))
    small = SmallWorldSettings(kind="small-world", neighbours=2, uplinks=4)
    servers = (ServerSettings(), ServerSettings(compute="server"))
    for server in servers:
        assert find(topology=small, links=links, faults=faults, server=server) == ()


def test_everything_that_makes_no_sense_is_found_at_once():
    bad = {"idle": "9 W", "busy": "1 W"}
    found = find(
        devices=(
            *DEVICES,
            DeviceSettings.model_validate({"id": "cam", "compute": bad}),
            DeviceSettings(id="server"),
        ),
        topology=SmallWorldSettings(kind="small-world", neighbours=6, uplinks=9),
        links={"overrides": [{"devices": ["cam", "bix"]}, {"devices": ["cam-0", "qqqqq"]}]},
        faults=(crash(devices=["camm-1"]), crash(devices=7)),
        server=ServerSettings.model_validate({"compute": bad}),
    )
    assert [p.where for p in found] == [
        ("devices", 2, "id"),
        ("devices", 2, "compute"),
        ("devices", 3, "id"),
        ("server", "compute"),
        ("topology", "neighbours"),
        ("topology", "uplinks"),
        ("links", "overrides", 0, "devices", 1),
        ("links", "overrides", 1, "devices", 0),
        ("links", "overrides", 1, "devices", 1),
        ("faults", 0, "name"),
        ("faults", 0, "devices", 0),
        ("faults", 1, "name"),
        ("faults", 1, "devices"),
    ]
    assert "did you mean 'box'?" in found[6].what
    assert found[8].what == "there is no device or group 'qqqqq'"


def test_no_device_at_all_is_a_problem():
    assert find(devices=()) == (Problem(("devices",), "a scenario needs at least one device"),)


def jitter(**data):
    return open_jitter(JITTER.validate_python(data))


def test_each_jitter_has_its_law():
    last = 2**64 - 1
    assert jitter(kind="none") is None
    uniform = jitter(kind="uniform", low="1 ns", high="4 ns")
    assert isinstance(uniform, Jitter)
    assert [uniform.offset_ns(w << 62) for w in range(4)] == [1, 2, 3, 4]
    normal = jitter(kind="normal", sd="1 s")
    assert normal.offset_ns(0) == -normal.offset_ns(last) == -3668329285
    exponential = jitter(kind="exponential", mean="1 s")
    assert (exponential.offset_ns(0), exponential.offset_ns(last)) == (122080, 9317766167)


def test_a_table_of_quantiles_is_hit_at_its_points():
    table = jitter(kind="table", points=[["50%", "1 ms"], ["75%", "3 ms"]])
    assert table.offset_ns(0) == 0
    assert table.offset_ns(2**62) == 500_000
    assert table.offset_ns(2**63) == 1_000_000
    assert table.offset_ns(2**63 + 2**61) == 2_000_000
    assert table.offset_ns(2**64 - 1) == 3_000_000
    whole = jitter(kind="table", points=[["100%", "8 ns"]])
    assert whole.offset_ns(2**64 - 1) == 7


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_greater_word_is_never_a_smaller_delay(a, b):
    for law in (
        jitter(kind="uniform", high="1 ms"),
        jitter(kind="normal", sd="1 ms"),
        jitter(kind="exponential", mean="1 ms"),
        jitter(kind="table", points=[["50%", "1 ms"], ["60%", "1 ms"]]),
    ):
        assert law.offset_ns(min(a, b)) <= law.offset_ns(max(a, b))


def loss(link="dev03.up", seed=7, **data):
    return open_loss(LOSS.validate_python(data), streams=Streams(seed), link=link)


def test_the_stays_of_a_known_stream_are_these():
    law = loss(kind="gilbert-elliott", mean="20%", burst="500 ms")
    changes = [0, 1_727_829_328, 2_020_637_417, 2_678_744_495, 4_001_826_037]
    for change, after in zip(changes, [NEVER, ALWAYS, NEVER, ALWAYS, NEVER], strict=True):
        assert law.threshold(None, 1, change) == after
        if change:
            assert law.threshold(None, 1, change - 1) == ALWAYS - after
            assert law.threshold(None, 1, change) == after


@given(st.lists(st.integers(0, 10**9), min_size=1), st.integers(0, 9))
def test_the_weather_does_not_depend_on_who_asks_or_when(times, seed):
    data = {"kind": "gilbert-elliott", "mean": "30%", "burst": "50 ms", "good": "1%"}
    one, other = loss(seed=seed, **data), loss(seed=seed, **data)
    forwards = {at: one.threshold(None, 1, at) for at in sorted(times)}
    assert [other.threshold(None, 1, at) for at in times] == [forwards[at] for at in times]


def test_without_a_second_state_there_are_no_stays():
    always = loss(kind="gilbert-elliott", mean="100%", burst="1 s")
    never = loss(kind="gilbert-elliott", mean="0%", burst="1 s")
    assert (always.threshold(None, 1, 0), never.threshold(None, 1, 0)) == (ALWAYS, NEVER)
    half = loss(kind="gilbert-elliott", mean="50%", burst="1 s", bad="50%")
    assert half.threshold(None, 1, 5) == ALWAYS // 2
    assert loss(kind="none") is None


def test_the_mean_of_a_law_is_what_is_lost_in_the_long_run():
    means = [
        mean_loss(LOSS.validate_python(data))
        for data in (
            {"kind": "none"},
            {"kind": "list", "ordinals": [1]},
            {"kind": "bernoulli", "mean": "5%"},
            {"kind": "gilbert-elliott", "mean": "20%", "burst": "1 s"},
        )
    ]
    assert means == [0, 0, Fraction(1, 20), Fraction(1, 5)]
