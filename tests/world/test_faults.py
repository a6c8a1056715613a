"""Plans of faults: one fault's draws depend on no other, and links do what is asked of them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from simedge.core.streams import Streams
from simedge.world.datagrams import LinkError
from simedge.world.fault_settings import FaultSettings
from simedge.world.faults import links_hit, plan_faults
from simedge.world.plan import plan_world
from simedge.world.settings import DeviceSettings, LinksSettings, SmallWorldSettings
from simedge.world.strains import open_strain

MENU = TypeAdapter(FaultSettings)
END = 60 * 10**9
WORLD = plan_world(
    [DeviceSettings(id="cam", count=6), DeviceSettings(id="box", count=4)],
    SmallWorldSettings(kind="small-world", neighbours=4),
    LinksSettings(),
    streams=Streams(1),
)


def fault(**data):
    data.setdefault("at", "10 s")
    return MENU.validate_python({key.rstrip("_"): value for key, value in data.items()})


def plan(*faults, seed=1):
    return plan_faults(
        faults, WORLD.members, links=WORLD.network.links, streams=Streams(seed), duration_ns=END
    )


def named(name, base):
    return fault(name=name, **base)


SHARES = st.sampled_from(["0%", "10%", "50%", "100%"])
TIMES = st.fixed_dictionaries(
    {"at": st.integers(0, 70).map(lambda s: f"{s} s"), "for": st.integers(1, 9).map("{} s".format)},
    optional={"every": st.integers(10, 30).map("{} s".format)},
)
KINDS = st.one_of(
    st.fixed_dictionaries({"kind": st.just("crash"), "devices": SHARES}),
    st.fixed_dictionaries({"kind": st.just("pause"), "devices": st.integers(0, 10)}),
    st.fixed_dictionaries({"kind": st.just("loss"), "mean": SHARES, "links": SHARES}),
    st.fixed_dictionaries({"kind": st.just("swizzle-clog"), "share": SHARES}),
    st.fixed_dictionaries({"kind": st.just("split"), "share": SHARES}),
    st.fixed_dictionaries({"kind": st.just("bridge"), "device": st.just("cam-2")}),
    st.fixed_dictionaries({"kind": st.just("slow"), "devices": SHARES, "factor": st.just(2)}),
    st.fixed_dictionaries({"kind": st.just("twin"), "devices": SHARES}),
    st.fixed_dictionaries({"kind": st.just("token-nan"), "devices": SHARES}),
    st.fixed_dictionaries({"kind": st.just("label-shift"), "devices": SHARES}),
    st.fixed_dictionaries({"kind": st.just("same-start"), "devices": SHARES}),
    st.fixed_dictionaries(
        {"kind": st.just("clock-offset"), "devices": SHARES, "by": st.just("-1 s")}
    ),
    st.fixed_dictionaries({"kind": st.just("clock-drift"), "devices": SHARES, "ppm": st.just(7)}),
    st.just({"kind": "failover", "lag": "3 s"}),
    st.just({"kind": "split-brain", "groups": [["cam"], ["box-1"]]}),
    st.just({"kind": "overload", "rate": "9 Hz"}),
    st.just({"kind": "tie-shuffle"}),
    st.just({"kind": "flap", "links": 5, "down": "700 ms", "up": "300 ms"}),
    st.just({"kind": "reboot-loop", "devices": 2, "up": "1 s", "down": "2 s", "count": 3}),
)
FAULTS = st.lists(st.tuples(KINDS, TIMES).map(lambda pair: pair[0] | pair[1]), max_size=5)


@given(FAULTS, st.integers(0, 5), st.integers(0, 3))
def test_leaving_one_fault_out_moves_no_record_of_another(found, gone, seed):
    faults = [named(f"f{i}", data) for i, data in enumerate(found)]
    rest = [each for each in faults if each.name != f"f{gone}"]
    kept = [due for due in plan(*faults, seed=seed) if due.payload.name != f"f{gone}"]
    assert kept == list(plan(*rest, seed=seed))


@given(FAULTS)
def test_a_plan_is_in_order_of_time_within_the_run_and_every_end_has_its_beginning(found):
    dues = plan(*(named(f"f{i}", data) for i, data in enumerate(found)))
    assert [due.at for due in dues] == sorted(due.at for due in dues)
    open_ = set()
    for due in dues:
        assert 0 <= due.at < END
        if due.kind == "keep":
            continue
        key = due.target, due.payload.name
        if due.kind in {"crash", "strike"}:
            assert key not in open_
            open_.add(key)
        else:
            open_.remove(key)


STRAINS = [
    {"kind": "loss", "mean": "30%"},
    {"kind": "loss", "mean": "30%", "burst": "50 ms"},
    {"kind": "duplicate", "share": "30%", "copies": 2},
    {"kind": "replay", "share": "30%", "age": "1 s"},
    {"kind": "reorder", "share": "30%", "extra": "20 ms"},
    {"kind": "delay", "extra": "1 ms", "jitter": "9 ms"},
    {"kind": "corrupt", "share": "30%", "bits": 3},
    {"kind": "truncate", "share": "30%"},
]


@pytest.fixture(scope="session", name="strained")
def _strained(crank, datagram, link):
    def strained(*data, n=150):
        one = link(delay_ns=10**6)
        for i, each in enumerate(data):
            made = fault(**({"name": f"f{i}"} | each))
            one.degrade(open_strain(made, link=one.name, streams=Streams(7)))
        balance = []
        run = crank(one, after=lambda _: balance.append(one.tally().imbalance()))
        run.offers([(i * 10**7, datagram(i + 1, 200, data=bytes(100))) for i in range(n)])
        assert set(balance) == {(0, 0)}
        return run, one

    return strained


def decided(run, kind, *, cause=None):
    return [f.datagram.uid.seq for _, f in run.fates if f.kind == kind and cause in {None, f.cause}]


@pytest.mark.parametrize("one", STRAINS, ids=lambda s: s["kind"])
@pytest.mark.parametrize("other", STRAINS[2:], ids=lambda s: s["kind"])
def test_what_a_strain_decides_depends_on_no_other(strained, one, other):
    alone, _ = strained(one | {"name": "one"})
    both, _ = strained(one | {"name": "one"}, other | {"name": "other"})
    lost = decided(alone, "lost")
    assert decided(both, "lost") == lost
    if one["kind"] in {"duplicate", "replay"} and other["kind"] not in {"duplicate", "replay"}:
        assert decided(both, "duplicated") == decided(alone, "duplicated")


def test_strains_lose_copy_and_change_their_share(strained):
    n = 2000
    lossy, _ = strained({"kind": "loss", "mean": "30%"}, n=n)
    assert len(decided(lossy, "lost")) == pytest.approx(0.3 * n, abs=4.42 * (0.21 * n) ** 0.5)
    copied, link = strained({"kind": "duplicate", "share": "30%", "copies": 2}, n=n)
    twice = decided(copied, "duplicated")
    assert link.tally().duplicated.datagrams == 2 * len(twice)
    assert len(copied.arrived) == n + 2 * len(twice)
    changed, _ = strained({"kind": "corrupt", "share": "30%", "bits": 1}, n=n)
    flipped = [sum(d.data).bit_count() for _, d in changed.arrived if any(d.data)]
    assert len(flipped) == len(decided(changed, "corrupted"))
    assert set(flipped) == {1}
    cut, _ = strained({"kind": "truncate", "share": 1, "keep": "25%"})
    assert {len(d.data) for _, d in cut.arrived} == {25}


def test_what_is_reordered_is_overtaken_also_on_a_fifo_link(strained):
    run, _ = strained({"kind": "reorder", "share": "30%", "extra": "25 ms"})
    order = [d.uid.seq for _, d in run.arrived]
    assert sorted(order) == list(range(1, 151))
    assert order != sorted(order)
    delayed, _ = strained({"kind": "delay", "extra": "5 ms", "jitter": "90 ms"})
    assert [d.uid.seq for _, d in delayed.arrived] == list(range(1, 151))


def test_a_replay_brings_the_same_bytes_again(strained):
    run, _ = strained({"kind": "replay", "share": 1, "age": "1 s"}, n=3)
    first, again = run.arrived[:3], run.arrived[3:]
    assert [(at + 10**9, d) for at, d in first] == again


def test_a_narrow_link_serves_at_its_rate_and_a_black_hole_takes_what_is_large(strained):
    slow, _ = strained({"kind": "bandwidth", "factor": "50%"}, n=1)
    assert slow.arrived[0][0] == 10**6 + 2 * 160_000
    fast, _ = strained({"kind": "bandwidth", "factor": "250%"}, n=1)
    assert fast.arrived[0][0] == 10**6 + 64_000
    rate, _ = strained({"kind": "bandwidth", "rate": "1 Mbit/s"}, n=1)
    assert rate.arrived[0][0] == 10**6 + 1_600_000
    hole, _ = strained({"kind": "mtu-black-hole", "above": "199 B"}, n=2)
    assert hole.arrived == []
    through, _ = strained({"kind": "mtu-black-hole", "above": "200 B"}, n=2)
    assert len(through.arrived) == 2


def test_only_reports_and_replies_are_lost_by_ack_loss(datagram):
    strain = open_strain(fault(kind="ack-loss", share=1), link="a.b", streams=Streams(1))
    lost = {cls for cls in ("token", "prior", "report", "reply", "join")
            if strain.loses(datagram(cls=cls), 0)}  # fmt: skip
    assert lost == {"report", "reply"}


def cut_by(**data):
    dues = plan(fault(**data))
    names = {link.number: link.name for link in WORLD.network.links}
    return {names[due.target] for due in dues if due.kind == "strike"}


def test_a_partition_cuts_what_lies_between_groups():
    ends = {link.name: (link.src, link.dst) for link in WORLD.network.links}
    cams = set(range(1, 7))
    between = {name for name, (u, v) in ends.items() if (u in cams) is not (v in cams)}
    assert cut_by(kind="partition", groups=[["cam"]]) == between
    assert cut_by(kind="partition", groups=[["cam"]], direction="one-way") == {
        name for name in between if ends[name][0] in cams
    }
    around = {name for name, pair in ends.items() if 2 in pair}
    assert cut_by(kind="isolate", device="cam-2") == around
    assert cut_by(kind="bridge", device="cam-2").isdisjoint(around)
    assert cut_by(kind="split", share="0%") == set()
    assert cut_by(kind="split", share="100%") == {n for n, pair in ends.items() if 0 in pair}


def test_links_are_chosen_by_name_number_share_or_device():
    links = WORLD.network.links

    def hit(**data):
        chosen = fault(kind="link-down", **data)
        return links_hit(chosen, WORLD.members, links, streams=Streams(1))

    assert hit() == hit(links="all") == links
    assert len(hit(links=7)) == 7
    assert len(hit(links="10%")) == -(-len(links) // 10)
    assert [link.name for link in hit(links=["cam-1.server"])] == ["cam-1.server"]
    assert all(2 in {link.src, link.dst} for link in hit(devices=["cam-2"]))
    assert len(hit(devices=["cam-2"])) >= 4
    with pytest.raises(LinkError, match="names no link: cam-1"):
        hit(links=["cam-1.sever"])


@given(st.fractions(0, 1, max_denominator=1000))
def test_settings_of_faults_survive_writing_and_reading(share):
    data = {"kind": "duplicate", "share": str(Fraction(share)), "at": "1 s", "links": ["a.b"]}
    written = MENU.validate_python(data)
    assert MENU.validate_python(written.model_dump(mode="json", by_alias=True)) == written


MOMENTS = st.one_of(
    st.fixed_dictionaries({"kind": st.just("half-open"), "devices": SHARES}),
    st.fixed_dictionaries({"kind": st.just("clock-jump"), "devices": SHARES, "by": st.just("1 s")}),
    st.fixed_dictionaries({"kind": st.just("rollback"), "versions": st.integers(1, 9)}),
)


@given(MOMENTS, st.integers(0, 70), st.none() | st.integers(1, 30))
def test_what_is_over_at_once_ends_when_it_begins_as_often_as_asked(data, at, every):
    again = {} if every is None else {"every": f"{every} s"}
    one = fault(**data | {"at": f"{at} s"} | again)
    dues = plan(one)
    times = sorted({due.at // 10**9 for due in dues})
    expected = list(range(at, 60, every or 60))
    assert times == (expected if dues else times)
    for number in {due.target for due in dues}:
        kinds = [(due.at, due.kind) for due in dues if due.target == number]
        pairs = [(s * 10**9, kind) for s in expected for kind in ("strike", "relief")]
        assert kinds == pairs
    with pytest.raises(ValueError, match="over at once"):
        fault(**data | {"for": "1 s"})


def test_a_standby_is_kept_at_its_lag_before_each_failover_and_replaces_at_once():
    dues = plan(fault(kind="failover", lag="3 s", at="2 s", every="20 s", for_="1 s"))
    assert [(due.at // 10**9, due.kind) for due in dues] == [
        (0, "keep"), (2, "crash"), (3, "restart"), (19, "keep"), (22, "crash"), (23, "restart"),
        (39, "keep"), (42, "crash"), (43, "restart"),
    ]  # fmt: skip
    at_once = plan(fault(kind="failover", lag="0 s"))
    assert [due.kind for due in at_once] == ["keep", "crash", "restart"]
    assert {due.at for due in at_once} == {10 * 10**9}
