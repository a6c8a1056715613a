"""Faults on links of every make: that cut, that follow a recording, that know recorded fates."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from simedge.core.streams import Streams
from simedge.world.capacity import Opportunities, OpportunityCapacity, StepCapacity, Steps
from simedge.world.clogs import Clog
from simedge.world.datagrams import NOTHING
from simedge.world.fault_settings import FaultSettings
from simedge.world.profiles import LinkModel
from simedge.world.rates import Constant, LoraAir, narrowed
from simedge.world.recorded import Fates, open_link
from simedge.world.strains import Silence, open_strain

MENU = TypeAdapter(FaultSettings)
MS = 10**6
STRAINS = [
    {"kind": "loss", "mean": "30%"},
    {"kind": "loss", "mean": "30%", "burst": "5 ms"},
    {"kind": "duplicate", "share": "50%", "copies": 3},
    {"kind": "replay", "share": "50%", "age": "7 ms"},
    {"kind": "reorder", "share": "30%", "extra": "2 ms"},
    {"kind": "delay", "extra": "1 ms", "jitter": "9 ms"},
    {"kind": "corrupt", "share": "30%", "bits": 3},
    {"kind": "truncate", "share": "30%"},
    {"kind": "bandwidth", "factor": "30%"},
    {"kind": "bandwidth", "rate": "2 Mbit/s"},
    {"kind": "mtu-black-hole", "above": "300 B"},
]


def strain(data, name="one"):
    fault = MENU.validate_python(data | {"at": 0, "name": name})
    return open_strain(fault, link="dev03.up", streams=Streams(7))


CAPACITIES = {
    "constant": lambda: None,
    "steps": lambda: StepCapacity(Steps([(0, 4_000_000), (9 * MS, 0), (20 * MS, 10**7)])),
    "opportunities": lambda: OpportunityCapacity(Opportunities([MS, 2 * MS, 30 * MS])),
    "ends": lambda: StepCapacity(Steps([(0, 4_000_000), (9 * MS, 10**7)]), repeat="stop"),
}
BEFALLS = st.lists(
    st.tuples(st.integers(0, 60 * MS), st.sampled_from(range(len(STRAINS))), st.booleans()),
    max_size=4,
)
TRAFFIC = st.lists(st.tuples(st.integers(0, 60 * MS), st.integers(50, 1500)), max_size=15)


@pytest.mark.parametrize("name", CAPACITIES)
@given(TRAFFIC, BEFALLS, st.sampled_from([None, 200]))
def test_nothing_gets_lost_in_the_books_of_a_strained_link(
    crank, link, datagram, name, traffic, befalls, mtu
):
    duplicate = Fraction(1, 5)
    one = link(capacity=CAPACITIES[name](), mtu=mtu, fragment=mtu is not None, duplicate=duplicate)
    balance = []
    run = crank(one, after=lambda _: balance.append(one.tally().imbalance()))

    def change(which, begins):
        label = f"f{which}"
        one.restore(label)
        if begins:
            one.degrade(strain(STRAINS[which], label))
        return NOTHING

    faults = [(at, lambda _, w=w, b=b: change(w, b)) for at, w, b in befalls]
    sent = [(at, datagram(i, n, data=bytes(n - 28))) for i, (at, n) in enumerate(traffic)]
    offers = [(at, lambda now, d=d: one.offer(d, now)) for at, d in sent]
    run.run([*faults, *offers])
    assert set(balance) <= {(0, 0)}
    whole = one.tally().datagrams()
    ends = ("delivered", "queue_drop", "lost", "down", "mtu", "reassembly")
    assert whole["offered"] + whole["duplicated"] == sum(whole[end] for end in ends)


@given(st.sampled_from([200, 600, None]), st.sampled_from(range(len(STRAINS))))
def test_a_fault_that_has_ended_leaves_no_trace(crank, link, datagram, mtu, which):
    def arrivals(*, before):
        one = link(mtu=mtu, fragment=mtu is not None)
        if before:
            one.degrade(strain(STRAINS[which]))
            one.degrade(Silence("two"))
            one.restore("two")
            one.restore("one")
        run = crank(one).offers([(i * MS, datagram(i, 900, data=bytes(872))) for i in range(20)])
        return run.arrived, run.fates

    assert arrivals(before=True) == arrivals(before=False)


SHARES = st.fractions(Fraction(1, 50), 1, max_denominator=50)
RATES = st.lists(st.integers(0, 20), min_size=1, max_size=12).filter(any)


@given(RATES, SHARES, st.integers(0, 10**10), st.integers(1, 10**5))
def test_a_share_of_a_recording_is_the_recording_of_that_share(rates, share, begin, size):
    def recording(unit):
        return StepCapacity(Steps([(i * 10**8, rate * unit) for i, rate in enumerate(rates)]))

    octets = size * share.numerator  # so that n / s is whole
    narrow = narrowed(recording(share.denominator * 1000), share)
    assert narrow.finish_ns(begin, octets) == recording(share.numerator * 1000).finish_ns(
        begin, octets
    )


@given(SHARES, SHARES, st.integers(0, 10**10), st.integers(1, 10**5))
def test_a_share_of_a_steady_capacity_makes_all_take_longer(share, other, begin, octets):
    for own in (Constant(1_000_003), LoraAir(9)):
        took = own.finish_ns(0, octets)
        narrow = narrowed(own, share)
        assert narrow.finish_ns(begin, octets) - begin == -(-took // share)
        twice = narrowed(narrow, other).finish_ns(begin, octets) - begin
        assert 0 <= twice - took / (share * other) < 1 + 1 / other


def test_a_recording_that_ends_has_no_end_for_what_is_left():
    stopped = StepCapacity(Steps([(0, 8_000)]), repeat="stop")
    assert narrowed(stopped, Fraction(1, 2)).finish_ns(0, 1000) is None
    assert narrowed(narrowed(stopped, Fraction(1, 2)), Fraction(1, 2)).finish_ns(0, 1) == 4 * MS


def test_a_clog_is_let_go_at_the_pace_of_the_recording(datagram):
    pace = StepCapacity(Steps([(0, 8_000_000), (10 * MS, 0), (20 * MS, 8_000_000)]), repeat="stop")
    clog = Clog(9 * MS, pace, before=None)
    held = [clog.hold(i, datagram(i, 1000), 1) for i in range(4)]
    assert held == [10 * MS, 21 * MS, 22 * MS, 23 * MS]
    done = [clog.hold(i, datagram(i, 10_000), 1) for i in range(4, 6)]
    assert done == [23 * MS] * 2  # it has ended: they wait for no more


def test_recorded_fates_stand_unless_a_fault_loses_more(crank, datagram):
    delays = {(f"a/b/token/1/{i}/0/0", "x.y"): 5 * MS for i in range(4)}
    fates = Fates(delays, 10**6)
    one = open_link(
        LinkModel(rate_bps=10**6),
        name="x.y", number=9, src=1, dst=2, streams=Streams(1), capacity=fates,
    )  # fmt: skip
    run = crank(one)
    run.run(
        [
            (0, lambda now: one.offer(datagram(0), now)),
            (MS, lambda _: one.degrade(strain(STRAINS[5])) or NOTHING),
            (MS, lambda now: one.offer(datagram(1), now)),
            (2 * MS, lambda _: one.degrade(Silence("two")) or NOTHING),
            (2 * MS, lambda now: one.offer(datagram(2), now)),
            (3 * MS, lambda _: one.restore("two") or NOTHING),
            (3 * MS, lambda now: one.offer(datagram(3), now)),
        ]
    )
    assert [(at, d.uid.seq) for at, d in run.arrived] == [(5 * MS, 0), (6 * MS, 1), (8 * MS, 3)]
    assert [f.datagram.uid.seq for _, f in run.fates if f.kind == "lost"] == [2]
    assert one.tally().imbalance() == (0, 0)
