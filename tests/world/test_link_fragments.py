"""Links that cut and corrupt, and draws that keep to themselves."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.world.datagrams import LinkError
from simedge.world.jitter_settings import UniformJitter
from simedge.world.link_settings import QueueSettings
from simedge.world.loss_settings import BernoulliLoss
from simedge.world.profiles import LinkModel

MS = 1_000_000
traffic = st.lists(st.tuples(st.integers(0, 20 * MS), st.integers(0, 2000)), max_size=12)


def bernoulli(mean):
    return BernoulliLoss(kind="bernoulli", mean=Fraction(mean))


def lost_seqs(run, cause):
    return [f.datagram.uid.seq for _, f in run.fates if f.kind == "lost" and f.cause == cause]


@given(traffic, st.sampled_from([50, 200, 500]), st.booleans())
def test_cutting_and_joining_gives_back_every_byte(crank, link, datagram, traffic, mtu, ip):
    run = crank(link(mtu=mtu, fragment=True, ip=ip, reassembly_ns=10**12))
    sent = {s: bytes(range(256)) * (n // 256 + 1) for s, (_, n) in enumerate(traffic)}
    run.offers(
        [(at, datagram(s, len(sent[s]) + 28, data=sent[s])) for s, (at, _) in enumerate(traffic)]
    )
    lost = {f.datagram.uid.seq for _, f in run.fates if f.kind == "lost"}
    assert {d.uid.seq: d.data for _, d in run.arrived} == {
        s: data for s, data in sent.items() if s not in lost
    }
    assert all(d.whole is None and d.uid.fragment == 0 for _, d in run.arrived)


def test_a_repeated_fragment_counts_once_and_a_late_one_never(crank, link, datagram):
    twice = link(mtu=520, fragment=True, ip=False, duplicate=Fraction(1))
    run = crank(twice).offers([(0, datagram(1, 1500))])
    assert len(run.arrived) == 1
    assert twice.tally().delivered.datagrams == 6
    late = link(mtu=520, fragment=True, ip=False, reassembly_ns=815_999)
    run = crank(late).offers([(0, datagram(1, 1500))])
    assert run.arrived == []
    assert lost_seqs(run, "reassembly") == [1]
    assert late.tally().datagrams()["reassembly"] == 1


def test_a_corrupted_fragment_spoils_the_message_and_nothing_else(crank, link, datagram):
    data = bytes(2000)
    run = crank(link(mtu=520, fragment=True, corrupt=Fraction(1)))
    run.offers([(0, datagram(1, 2028, data=data))])
    ((_, got),) = run.arrived
    assert len(got.data) == 2000
    assert int.from_bytes(got.data, "big").bit_count() == 5


def test_the_least_mtu_leaves_one_byte_and_less_is_refused(crank, link, datagram):
    run = crank(link(mtu=21, fragment=True, ip=False, queue=QueueSettings(datagrams=10**6)))
    run.offers([(0, datagram(1, 120))])
    assert len(run.arrived) == 1
    with pytest.raises(LinkError, match="no room for its payload"):
        LinkModel(rate_bps=1, mtu=20, fragment=True, ip=False)
    with pytest.raises(LinkError, match="would be cut into 100000 fragments"):
        link(mtu=21, fragment=True, ip=False).offer(datagram(1, 100_020), 0)


@given(traffic, st.sampled_from(["loss", "duplicate", "corrupt", "jitter", "retries"]))
def test_removing_one_trouble_changes_no_draw_of_another(crank, link, datagram, traffic, removed):
    troubles = {
        "loss": bernoulli("1/5"),
        "duplicate": Fraction(1, 3),
        "corrupt": Fraction(1, 3),
        "jitter": UniformJitter.model_validate({"kind": "uniform", "high": "2 ms"}),
        "retries": 0,
    }
    wide = QueueSettings.model_construct(datagrams=100, bytes=10**9)

    def fates(figures):
        run = crank(link(queue=wide, **figures))
        run.offers([(at, datagram(s, n, data=b"abc")) for s, (at, n) in enumerate(traffic)])
        through = {d.uid.seq for _, d in run.arrived}
        kinds = ("lost", "duplicated", "corrupted")
        told = {k: {f.datagram.uid.seq for _, f in run.fates if f.kind == k} for k in kinds}
        return through, told

    through, all_told = fates(troubles)
    through_less, less = fates({k: v for k, v in troubles.items() if k != removed})
    assert through <= through_less
    for kind, cause in (("lost", "loss"), ("duplicated", "duplicate"), ("corrupted", "corrupt")):
        if removed != cause:
            assert less[kind] & through == all_told[kind] & through
    if removed != "loss":
        assert less["lost"] == all_told["lost"]


@given(traffic)
def test_losing_less_never_makes_information_older(crank, link, datagram, traffic):
    def newest(mean):
        run = crank(link(loss=bernoulli(mean), rate_bps=10**9))
        run.offers([(at, datagram(s, n)) for s, (at, n) in enumerate(sorted(traffic))])
        ages, best = {}, -1
        for at, got in run.arrived:
            best = max(best, got.uid.seq)
            ages[at] = best
        return ages

    with_loss, without = newest("1/3"), newest(0)
    for at, seq in with_loss.items():
        assert max(s for t, s in without.items() if t <= at) >= seq
