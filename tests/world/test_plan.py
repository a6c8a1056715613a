"""From settings to a world: names, numbers, figures, topology."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.world.datagrams import LinkError
from simedge.world.graphs import graph, unreachable
from simedge.world.plan import plan_world
from simedge.world.profiles import PROFILES, merge, resolve
from simedge.world.rates import fixed
from simedge.world.settings import (
    DeviceSettings,
    LinkSettings,
    LinksSettings,
    SmallWorldSettings,
    StarSettings,
)
from simedge.world.topology import choose, edges, roster, small_world

LOSSY = {
    "default": {"profile": "ethernet", "jitter": {"kind": "uniform", "high": "20 ms"},
                "loss": {"kind": "bernoulli", "mean": "30%"}},
}  # fmt: skip


def world(counts=(2, 2), topology=None, links=None, seed=1, **more):
    devices = [DeviceSettings(id=f"g{i}", count=n) for i, n in enumerate(counts)]
    return plan_world(
        devices,
        topology or StarSettings(),
        LinksSettings.model_validate(links or {}),
        streams=Streams(seed),
        **more,
    )


def test_devices_are_numbered_by_position_and_links_after_them():
    built = world()
    assert [m.name for m in built.members] == ["server", "g0-1", "g0-2", "g1-1", "g1-2"]
    assert [(n.number, n.name, n.src, n.dst) for n in built.network.links][:5] == [
        (5, "server.g0-1", 0, 1),
        (6, "server.g0-2", 0, 2),
        (7, "server.g1-1", 0, 3),
        (8, "server.g1-2", 0, 4),
        (9, "g0-1.server", 1, 0),
    ]
    assert built.names[0] == "server"
    assert built.names[12] == "g1-2.server"
    assert {n: s.id for n, s in built.devices.items()} == {1: "g0", 2: "g0", 3: "g1", 4: "g1"}


def test_an_override_names_groups_or_devices_and_later_ones_win():
    links = {
        "default": {"profile": "lte", "delay": "9 ms"},
        "overrides": [
            {"devices": ["g0"], "loss": {"kind": "bernoulli", "mean": "20%"}},
            {"devices": ["g0-2"], "profile": "5g"},
            {"devices": ["g1-1"], "up": "1 Mbit/s", "down": "2 Mbit/s"},
        ],
    }
    by_name = {link.name: link.model for link in world(links=links).network.links}
    assert by_name["g0-1.server"].loss.mean == Fraction(1, 5)
    assert by_name["g0-1.server"].delay_ns == 9_000_000
    assert by_name["g0-2.server"].profile == "5g"
    assert by_name["g0-2.server"].delay_ns == 15_000_000
    assert by_name["server.g0-2"].delay_ns == 10_000_000
    assert by_name["g0-2.server"].loss.mean == Fraction("0.016")
    assert (by_name["g1-1.server"].rate_bps, by_name["server.g1-1"].rate_bps) == (10**6, 2 * 10**6)
    assert by_name["g1-2.server"].rate_bps == 6_000_000


def test_between_devices_up_is_the_rate_both_ways():
    topology = SmallWorldSettings(kind="small-world", neighbours=2)
    links = {"default": {"up": "1 Mbit/s", "down": "2 Mbit/s"}}
    for link in world(topology=topology, links=links).network.links:
        assert link.model.rate_bps == (2 * 10**6 if link.src == 0 else 10**6)


def test_equal_links_share_their_figures():
    links = world(counts=(50,)).network.links
    assert len({id(link.model) for link in links}) == 2


def test_every_profile_resolves_both_ways():
    for name, profile in PROFILES.items():
        up = resolve(LinkSettings(profile=name), upwards=True)
        down = resolve(LinkSettings(profile=name), upwards=False)
        assert (up.rate_bps, down.rate_bps) == (profile.up_bps, profile.down_bps)
        assert up.profile == name
    assert resolve(LinkSettings(profile="wifi-air"), upwards=True).retries == 7
    assert resolve(LinkSettings(profile="ble"), upwards=True).mtu == 244


def test_what_is_given_wins_over_the_profile():
    given = LinkSettings.model_validate(
        {"profile": "ble", "mtu": "1500 B", "order": "free", "queue_on_down": "flush",
         "arq": {"retries": 2, "gap": "1 ms"}, "queue": {"datagrams": 3}, "duplicate": "1%"}
    )  # fmt: skip
    model = resolve(given, upwards=False)
    assert (model.mtu, model.fifo, model.flush) == (1500, False, True)
    assert (model.retries, model.gap_ns, model.queue.datagrams) == (2, 1_000_000, 3)
    assert (model.duplicate, model.corrupt) == (Fraction(1, 100), 0)


@given(st.sampled_from(sorted(PROFILES)), st.sampled_from(["2 ms", None]))
def test_laying_nothing_over_settings_changes_nothing(profile, delay):
    settings = LinkSettings.model_validate({"profile": profile, "delay": delay})
    assert resolve(merge(settings, LinkSettings()), upwards=True) == resolve(settings, upwards=True)


def fates(built, datagram, crank, name):
    link = next(link for link in built.network.links if link.name == name)
    run = crank(link)
    run.offers([(s * 10**7, datagram(s, source="g0-1", destination="server")) for s in range(60)])
    return [(at, d.uid.seq) for at, d in run.arrived]


@given(st.integers(1, 3), st.integers(0, 3))
def test_adding_a_device_leaves_the_draws_of_other_links_unchanged(crank, datagram, more, seed):
    small, large = (world((2, n), links=LOSSY, seed=seed) for n in (1, 1 + more))
    names = [link.name for link in small.network.links]
    assert set(names) < {link.name for link in large.network.links}
    for name in ("g0-1.server", "server.g1-1"):
        assert fates(small, datagram, crank, name) == fates(large, datagram, crank, name)


def test_another_seed_and_the_other_direction_have_other_weather(crank, datagram):
    here = fates(world(links=LOSSY), datagram, crank, "g0-1.server")
    assert here != fates(world(links=LOSSY, seed=2), datagram, crank, "g0-1.server")
    assert here != fates(world(links=LOSSY), datagram, crank, "server.g0-1")


def test_a_star_joins_everyone_to_the_server():
    members = roster([DeviceSettings(id="cam", count=3)])
    assert edges(StarSettings(), members, Streams(1)) == ((0, 1), (0, 2), (0, 3))


def test_without_rewiring_a_small_world_is_a_ring_lattice():
    settings = SmallWorldSettings(kind="small-world", neighbours=4, rewire=Fraction(0))
    found = small_world(settings, devices=7, streams=Streams(1))
    apart = {min(j - i, 7 - j + i) for i, j in found}
    assert apart == {1, 2}
    assert len(found) == 14


@given(st.integers(5, 30), st.sampled_from([2, 4]), st.integers(0, 5))
def test_rewiring_keeps_the_number_of_edges_and_makes_no_loops(devices, neighbours, seed):
    settings = SmallWorldSettings(kind="small-world", neighbours=neighbours, rewire=Fraction(1, 2))
    found = small_world(settings, devices=devices, streams=Streams(seed))
    assert len(set(found)) == devices * neighbours // 2
    assert all(1 <= i < j <= devices for i, j in found)
    assert found == sorted(found)


def test_a_complete_ring_has_nowhere_to_rewire_to():
    settings = SmallWorldSettings(kind="small-world", neighbours=4, rewire=Fraction(1))
    assert len(small_world(settings, devices=5, streams=Streams(1))) == 10


def test_uplinks_are_chosen_by_draws_that_others_do_not_move():
    def uplinked(count, devices=12, seed=1):
        settings = SmallWorldSettings(kind="small-world", neighbours=4, uplinks=count)
        members = roster([DeviceSettings(id="cam", count=devices)])
        pairs = edges(settings, members, Streams(seed))
        return [v for u, v in pairs if u == 0]

    assert uplinked("all") == list(range(1, 13))
    for few, more in pairwise(uplinked(n) for n in range(1, 12)):
        assert set(few) < set(more)
    assert len({tuple(uplinked(3, seed=seed)) for seed in range(5)}) > 1
    names = [f"cam-{i}" for i in range(1, 13)]
    stream = Streams(1).stream("topology", "small-world", "uplinks")
    few, more = (set(choose(n, 4, stream)) for n in (names, [*names, "cam-13"]))
    assert more - {"cam-13"} <= few


def test_too_few_devices_for_a_topology_are_refused():
    members = roster([DeviceSettings(id="cam", count=4)])
    with pytest.raises(LinkError, match="needs at least 5 devices, got 4"):
        edges(SmallWorldSettings(kind="small-world", neighbours=4), members, Streams(1))
    with pytest.raises(LinkError, match="uplinks must be at most 4"):
        edges(SmallWorldSettings(kind="small-world", uplinks=5), members, Streams(1))


def test_the_graph_knows_who_cannot_reach_the_server():
    members = roster([DeviceSettings(id="cam", count=3)])
    assert unreachable(members, [(0, 1), (2, 3)]) == ("cam-2", "cam-3")
    assert graph(members, [(0, 1)]).nodes[2] == {"name": "cam-2", "group": "cam"}


def test_a_recording_is_opened_for_each_direction_that_it_drives():
    asked = []

    def opened(trace, device, rate_bps):
        assert rate_bps == 10**9
        asked.append((trace.file, trace.phase, device))
        return fixed(8)

    both = {"default": {"trace": {"file": "a.up", "down": "a.down", "phase": "random"}}}
    world((1,), links=both, open_trace=opened)
    assert asked == [("a.down", "random", "g0-1"), ("a.up", "random", "g0-1")]
    asked.clear()
    one = {"default": {"trace": {"file": "b", "direction": "down", "phase": "2 s"}}}
    world((1,), links=one, open_trace=opened)
    assert asked == [("b", 2 * 10**9, "g0-1")]
    with pytest.raises(LinkError, match="nothing here reads recordings, such as 'b'"):
        world((1,), links=one)
