"""Links: what happens to a datagram, and what never does."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.world.datagrams import NOTHING, Flight, LinkError
from simedge.world.jitter_settings import ExponentialJitter, NormalJitter, UniformJitter
from simedge.world.link_settings import QueueSettings
from simedge.world.loss_settings import BernoulliLoss, GilbertElliottLoss, ListLoss
from simedge.world.profiles import LinkModel

MS = 1_000_000
TOKEN = {"source": "dev03", "destination": "server"}


def bernoulli(mean):
    return BernoulliLoss(kind="bernoulli", mean=Fraction(mean))


def lost_seqs(run, cause="loss"):
    return [f.datagram.uid.seq for _, f in run.fates if f.kind == "lost" and f.cause == cause]


def test_the_fates_of_a_known_stream_are_these(crank, link, datagram):
    run = crank(link(loss=bernoulli("1/5"), rate_bps=10**9))
    run.offers([(seq * MS, datagram(seq, **TOKEN)) for seq in range(1, 41)])
    assert lost_seqs(run) == [10, 15, 18, 19, 21, 22, 23, 30, 39, 40]


def test_the_jitter_of_a_known_datagram_is_this(crank, link, datagram):
    uniform = UniformJitter.model_validate({"kind": "uniform", "high": "1 ms"})
    exponential = ExponentialJitter.model_validate({"kind": "exponential", "mean": "10 ms"})
    for jitter, extra in ((uniform, 35973), (exponential, 366_751)):
        run = crank(link(jitter=jitter, rate_bps=8 * 10**9))
        run.offers([(0, datagram(5, 1000, **TOKEN))])
        assert [at for at, _ in run.arrived] == [1000 + extra]


def test_a_resend_meets_a_fate_of_its_own(crank, link, datagram):
    def lost(resend):
        run = crank(link(loss=bernoulli("1/5")))
        run.offers([(s * 5 * MS, datagram(s, resend=resend, **TOKEN)) for s in range(1, 200)])
        return lost_seqs(run)

    assert lost(0) != lost(1)


def test_serialisation_is_rounded_up_and_queues_are_first_in_first_out(crank, link, datagram):
    run = crank(link(rate_bps=7_000_000_000, delay_ns=5))
    run.offers([(0, datagram(seq, 100)) for seq in (1, 2, 3)])
    assert [(at, d.uid.seq) for at, d in run.arrived] == [(120, 1), (235, 2), (350, 3)]


def test_drop_tail_counts_datagrams_and_bytes_but_not_the_one_in_service(crank, link, datagram):
    by_count = crank(link(queue=QueueSettings(datagrams=2)))
    by_count.offers([(0, datagram(seq)) for seq in range(1, 6)])
    assert lost_seqs(by_count, "queue_drop") == [4, 5]
    room = QueueSettings.model_construct(datagrams=100, bytes=2000)
    by_bytes = crank(link(queue=room))
    by_bytes.offers([(0, datagram(1)), (0, datagram(2)), (0, datagram(3)), (0, datagram(4, 500))])
    assert lost_seqs(by_bytes, "queue_drop") == [3]
    none = crank(link(queue=QueueSettings(datagrams=0)))
    none.offers([(0, datagram(1)), (0, datagram(2))])
    assert lost_seqs(none, "queue_drop") == [2]


def test_too_large_for_the_mtu_is_lost_at_the_door(crank, link, datagram):
    run = crank(link(mtu=244)).offers([(0, datagram(1, 244)), (0, datagram(2, 245))])
    assert lost_seqs(run, "mtu") == [2]
    assert [d.uid.seq for _, d in run.arrived] == [1]


def test_jitter_overtakes_only_where_the_order_is_free(crank, link, datagram):
    jitter = UniformJitter.model_validate({"kind": "uniform", "high": "50 ms"})

    def order(*, fifo):
        run = crank(link(jitter=jitter, fifo=fifo, rate_bps=10**9))
        run.offers([(seq * MS, datagram(seq)) for seq in range(40)])
        return [d.uid.seq for _, d in run.arrived]

    assert order(fifo=True) == list(range(40))
    assert sorted(order(fifo=False)) == list(range(40)) != order(fifo=False)


def test_a_negative_jitter_never_delivers_before_the_end_of_service(crank, link, datagram):
    jitter = NormalJitter.model_validate({"kind": "normal", "sd": "5 ms"})
    run = crank(link(jitter=jitter, delay_ns=MS, fifo=False, rate_bps=12_000_000))
    run.offers([(seq * 100 * MS, datagram(seq)) for seq in range(100)])
    waits = [at - d.uid.seq * 100 * MS for at, d in run.arrived]
    assert min(waits) == MS
    assert max(waits) > 5 * MS


def test_a_list_loses_exactly_what_it_names(crank, link, datagram):
    message = {"source": "dev03", "destination": "server", "class": "token", "seq": 4}
    loss = ListLoss.model_validate({"kind": "list", "ordinals": [2], "messages": [message]})
    run = crank(link(loss=loss))
    run.offers([(0, datagram(seq, **TOKEN)) for seq in range(1, 7)])
    assert lost_seqs(run) == [2, 4]


def test_retries_hold_the_link_back_to_back(crank, link, datagram):
    loss = ListLoss.model_validate({"kind": "list", "ordinals": [1]})
    busy = link(loss=loss, retries=2, gap_ns=10, rate_bps=8 * 10**9)
    run = crank(busy).offers([(0, datagram(1, 1000)), (0, datagram(2, 1000))])
    assert [at for at, _ in run.arrived] == [3 * 1000 + 2 * 10 + 1000]
    assert (busy.tries, busy.begun, busy.busy_ns(10**9)) == (4, 2, 4020)


def test_a_retry_draws_anew(crank, link, datagram):
    busy = link(loss=bernoulli("1/2"), retries=1, rate_bps=10**9)
    crank(busy).offers([(seq * MS, datagram(seq)) for seq in range(1, 2001)])
    lost = busy.tally().lost.datagrams
    assert 400 < lost < 600


def test_a_duplicate_is_a_copy_with_a_delay_of_its_own(crank, link, datagram):
    jitter = UniformJitter.model_validate({"kind": "uniform", "high": "50 ms"})
    run = crank(link(duplicate=Fraction(1), jitter=jitter, fifo=False))
    run.offers([(0, datagram(1))])
    assert [d.uid.seq for _, d in run.arrived] == [1, 1]
    assert run.arrived[0][0] != run.arrived[1][0]
    assert [f.copies for _, f in run.fates if f.kind == "duplicated"] == [1]


def test_a_corrupting_link_flips_one_bit(crank, link, datagram):
    run = crank(link(corrupt=Fraction(1)))
    run.offers([(0, datagram(seq, data=bytes(40))) for seq in range(1, 20)])
    flipped = [int.from_bytes(d.data, "big").bit_count() for _, d in run.arrived]
    assert flipped == [1] * 19
    assert len({d.data for _, d in run.arrived}) > 10
    empty = crank(link(corrupt=Fraction(1))).offers([(0, datagram(1))])
    assert [d.data for _, d in empty.arrived] == [b""]


def test_going_down_loses_what_is_on_the_link_and_keeps_the_queue(crank, link, datagram):
    target = link(rate_bps=12_000_000, delay_ns=10 * MS)
    run = crank(target)
    offers = [(0, lambda now, s=s: target.offer(datagram(s), now)) for s in (1, 2, 3, 4)]
    run.run([
        *offers,
        (int(2.5 * MS), target.go_down),
        (int(2.6 * MS), target.go_down),
        (3 * MS, lambda now: target.offer(datagram(5), now)),
        (20 * MS, target.come_back),
        (21 * MS, target.come_back),
    ])  # fmt: skip
    assert lost_seqs(run, "down") == [1, 2, 3, 5]
    assert [(at, d.uid.seq) for at, d in run.arrived] == [(31 * MS, 4)]
    assert target.busy_ns(31 * MS) == int(3.5 * MS)


def test_going_down_may_flush_the_queue(crank, link, datagram):
    for settings, asked in ((True, False), (False, True)):
        target = link(flush=settings)
        run = crank(target)
        run.run([
            (0, lambda now, t=target: t.offer(datagram(1), now)),
            (0, lambda now, t=target: t.offer(datagram(2), now)),
            (1, lambda now, t=target, f=asked: t.go_down(now, flush=f)),
            (2, target.come_back),
        ])  # fmt: skip
        assert lost_seqs(run, "down") == [1, 2]
        assert run.arrived == []


def test_a_link_refuses_what_it_does_not_know(link, datagram):
    with pytest.raises(LinkError, match=r"no record 'frame' \(link dev03.up\)"):
        link().handle("frame", None, 0)
    with pytest.raises(LinkError, match="leaves the range of a draw"):
        link(loss=bernoulli("1/2")).offer(datagram(2**32), 0)
    with pytest.raises(LinkError, match="needs two ends"):
        type(link())(LinkModel(rate_bps=1), name="x", number=5, src=1, dst=1, streams=None)
    assert link().handle("served", 1, 0) is NOTHING
    assert link().land(Flight(9, 1), 0) == (None, NOTHING)


@pytest.mark.parametrize(
    "figures",
    [{"rate_bps": 0}, {"delay_ns": -1}, {"retries": -1}, {"gap_ns": -1},
     {"duplicate": Fraction(2)}, {"corrupt": Fraction(-1)}],
)  # fmt: skip
def test_a_model_out_of_range_names_the_culprit(figures):
    with pytest.raises(LinkError, match=next(iter(figures)).split("_")[0]):
        LinkModel(**({"rate_bps": 1} | figures))


figures = st.fixed_dictionaries(
    {
        "rate_bps": st.sampled_from([120_000, 10**6, 10**9, 10**11]),
        "delay_ns": st.integers(0, 5 * MS),
        "fifo": st.booleans(),
        "retries": st.integers(0, 2),
        "gap_ns": st.integers(0, 1000),
        "mtu": st.none() | st.integers(200, 2000),
        "duplicate": st.sampled_from([Fraction(0), Fraction(1, 3), Fraction(1)]),
        "corrupt": st.sampled_from([Fraction(0), Fraction(1, 2)]),
        "flush": st.booleans(),
        "fragment": st.booleans(),
        "header": st.just(0),
        "ip": st.just(False),
        "reassembly_ns": st.sampled_from([1, MS, 2000 * MS]),
        "duty": st.sampled_from([Fraction(1), Fraction(1, 3)]),
        "loss": st.sampled_from([Fraction(0), Fraction(1, 5), Fraction(1)]).map(bernoulli)
        | st.just(
            GilbertElliottLoss.model_validate(
                {"kind": "gilbert-elliott", "mean": "30%", "burst": "20 ms", "good": "5%"}
            )
        ),
        "jitter": st.sampled_from([None, "2 ms", "7 ms"]).map(
            lambda high: UniformJitter.model_validate({"kind": "uniform", "high": high or 0})
        ),
        "queue": st.builds(
            QueueSettings.model_construct, datagrams=st.integers(0, 3), bytes=st.integers(0, 4000)
        ),
    }
)
traffic = st.lists(st.tuples(st.integers(0, 20 * MS), st.integers(0, 2000)), max_size=12)
weather = st.lists(st.tuples(st.integers(0, 25 * MS), st.booleans()), max_size=4)


@given(figures, traffic, weather)
def test_nothing_appears_or_vanishes_at_any_instant(
    crank, link, datagram, figures, traffic, weather
):
    target = link(**figures)

    def conserved(now):
        tally = target.tally()
        assert tally.imbalance() == (0, 0)
        whole = tally.datagrams()
        ends = sum(whole.values()) - whole["offered"] - whole["duplicated"]
        assert whole["offered"] + whole["duplicated"] == ends
        assert min(whole.values()) >= 0
        assert 0 <= target.busy_ns(now) <= now

    run = crank(target, after=conserved)
    offers = [
        (at, lambda now, s=s, n=n: target.offer(datagram(s, n, data=b"x"), now))
        for s, (at, n) in enumerate(traffic)
    ]
    run.run(offers + [(at, target.come_back if up else target.go_down) for at, up in weather])
    tally = target.tally()
    assert tally.in_service.datagrams == tally.in_flight.datagrams == 0
    whole = tally.datagrams()
    assert whole["delivered"] == len(run.arrived)
    assert whole["offered"] == len(traffic)


@given(figures, traffic)
def test_nothing_arrives_before_it_was_sent_serialised_and_carried(
    crank, link, datagram, figures, traffic
):
    run = crank(link(**figures)).offers(
        [(at, datagram(s, n, sent_ns=at)) for s, (at, n) in enumerate(traffic)]
    )
    for at, got in run.arrived:
        serial_ns = -(-got.wire_bytes * 8 * 10**9 // figures["rate_bps"])
        assert at >= got.sent_ns + serial_ns + figures["delay_ns"]


@given(figures, traffic)
def test_a_fifo_link_delivers_in_the_order_of_service(crank, link, datagram, figures, traffic):
    run = crank(link(**(figures | {"fifo": True})))
    run.offers([(at, datagram(s, n)) for s, (at, n) in enumerate(traffic)])
    places = {seq: place for place, seq in enumerate(
        f.datagram.uid.seq for _, f in run.fates if f.kind == "sent"
    )}  # fmt: skip
    order = [places[d.uid.seq] for _, d in run.arrived]
    assert order == sorted(order)


@given(figures, traffic)
def test_bytes_served_in_a_window_never_exceed_the_capacity(
    crank, link, datagram, figures, traffic
):
    plain = {"duplicate": Fraction(0), "retries": 0, "fifo": True, "fragment": False}
    still = UniformJitter.model_validate({"kind": "uniform", "high": 0})
    run = crank(link(**(figures | plain | {"jitter": still, "loss": bernoulli(0)})))
    run.offers([(at, datagram(s, n)) for s, (at, n) in enumerate(traffic)])
    ends = [(at - figures["delay_ns"], d.wire_bytes) for at, d in run.arrived]
    for i, (start, _) in enumerate(ends):
        for j in range(i + 1, len(ends)):
            served = sum(n for _, n in ends[i + 1 : j + 1])
            assert 8 * served * 10**9 <= (ends[j][0] - start) * figures["rate_bps"]


@given(figures, traffic, st.booleans())
def test_loss_zero_loses_nothing_and_loss_one_everything(
    crank, link, datagram, figures, traffic, total
):
    target = link(**(figures | {"loss": bernoulli(int(total)), "mtu": None}))
    crank(target).offers([(at, datagram(s, n)) for s, (at, n) in enumerate(traffic)])
    tally = target.tally()
    served = tally.offered.datagrams - tally.queue_drop.datagrams
    assert tally.lost.datagrams == (served if total else 0)
    assert (tally.delivered.datagrams == 0) or not total


@pytest.mark.parametrize("rate", [1, 10**11])
def test_the_slowest_and_the_fastest_link_take_the_time_that_they_must(crank, link, datagram, rate):
    run = crank(link(rate_bps=rate)).offers([(0, datagram(1, 1500))])
    assert [at for at, _ in run.arrived] == [12_000 * 10**9 // rate]


@given(st.integers(1, 10**6), st.sampled_from([8, 1000, 8 * 10**6, 10**9]))
def test_twice_the_size_takes_twice_the_time(crank, link, datagram, size, rate):
    def served_at(n):
        run = crank(link(rate_bps=rate)).offers([(0, datagram(1, n))])
        return run.arrived[0][0]

    assert 2 * served_at(size) - 1 <= served_at(2 * size) <= 2 * served_at(size)
    if (size * 8 * 10**9) % rate == 0:
        assert served_at(2 * size) == 2 * served_at(size)


@given(traffic)
def test_switching_duplication_on_shifts_no_loss(crank, link, datagram, traffic):
    def lost(duplicate):
        run = crank(link(loss=bernoulli("1/5"), duplicate=duplicate))
        run.offers([(at, datagram(s, n)) for s, (at, n) in enumerate(traffic)])
        return set(lost_seqs(run))

    assert lost(Fraction(0)) == lost(Fraction(1))


class Never:
    """Carries nothing from a time on."""

    def __init__(self, end_ns):
        self.end_ns = end_ns

    def finish_ns(self, begin_ns, octets):
        end = begin_ns + octets
        return end if end <= self.end_ns else None


def test_what_a_capacity_never_finishes_is_lost_and_holds_nothing_up(crank, link, datagram):
    target = link(capacity=Never(2500))
    run = crank(target)
    run.offers([(0, datagram(seq, size)) for seq, size in ((1, 1000), (2, 2000), (3, 1500))])
    assert [(at, d.uid.seq) for at, d in run.arrived] == [(1000, 1), (2500, 3)]
    assert lost_seqs(run, "trace_end") == [2]
    assert target.tally().imbalance() == (0, 0)
    refused = crank(link(capacity=Never(0))).offers([(5, datagram(4))])
    assert lost_seqs(refused, "trace_end") == [4]
