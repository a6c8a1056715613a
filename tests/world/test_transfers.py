"""Transfers and datagrams that share links: laws of a world turned by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transfer_worlds import Play, make_world, message_bytes

from simedge.world.bulk import bulk
from simedge.world.capacity import (
    Opportunities,
    OpportunityCapacity,
    StepCapacity,
    Steps,
)
from simedge.world.datagrams import LinkError
from simedge.world.recorded import Fates

MS, S = 10**6, 10**9
MEGABYTE = message_bytes(1_000_000)
PLAIN = {"up": "8 Mbit/s", "down": "8 Mbit/s", "delay": 0}

ends = st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(lambda pair: pair[0] != pair[1])
sends = st.lists(
    st.tuples(st.integers(0, 500), ends, st.integers(0, 60_000), st.booleans()),
    min_size=1,
    max_size=10,
)
figures = st.fixed_dictionaries(
    {
        "up": st.sampled_from(["1 Mbit/s", "900001 bit/s", "7 Mbit/s"]),
        "down": st.sampled_from(["1 Mbit/s", "333333 bit/s", "2 Mbit/s"]),
        "delay": st.sampled_from(["0 ms", "7 ms"]),
    },
    optional={
        "loss": st.sampled_from(
            [
                {"kind": "bernoulli", "mean": "20%"},
                {"kind": "gilbert-elliott", "mean": "20%", "burst": "50 ms"},
                {"kind": "gilbert-elliott-packets", "p": "5%", "r": "30%"},
            ]
        ),
        "arq": st.just({"retries": 2, "gap": "3 ms"}),
        "mtu": st.just("600 B"),
        "fragment": st.just(True),
        "jitter": st.just({"kind": "uniform", "high": "9 ms"}),
        "duplicate": st.just("20%"),
        "duty": st.sampled_from(["50%", "7%"]),
    },
)


def calls_of(play, sends, *, reliable=None):
    """The calls of drawn sends; the datagrams are of 1500 bytes at most."""
    calls = []
    for seq, (at, (source, to), size, bulky) in enumerate(sends, 1):
        if bulky and reliable is not False:
            calls.append(play.transfer(at * MS, source, to, seq=seq, size=size))
        elif not bulky and reliable is not True:
            calls.append(play.datagram(at * MS, source, to, seq=seq, size=size % 1473, cls="token"))
    return calls


@settings(max_examples=60)
@given(sends, figures)
def test_every_transfer_arrives_once_and_no_byte_is_missing(sends, figures):
    play = Play(make_world(figures))
    play.run(calls_of(play, sends))
    started = {uid for _, kind, uid in play.seen if kind == "started"}
    arrived = [uid for _, kind, uid in play.seen if kind == "arrived"]
    assert sorted(arrived) == sorted(started)
    assert sorted(play.ends("told")) == sorted((uid.seq, True) for uid in started)
    books = play.transfers.account(10**12)
    assert (books.started, books.ended, books.failed, books.under_way) == (
        len(started), len(started), 0, 0,
    )  # fmt: skip
    assert books.offered_bytes == books.passed_bytes
    assert books.abandoned_bytes == books.left_bytes == books.billed_bytes == 0
    assert play.network.imbalances() == {}
    bill = play.transfers.bill()
    assert bill.up + bill.down == sum(link.bulk_bytes for link in play.network.links)
    assert not play.transfers.active
    assert play.network.totals()["in_flight"] == 0


@settings(max_examples=60)
@given(sends, figures)
def test_no_message_of_a_pair_overtakes_another(sends, figures):
    play = Play(make_world(figures))
    play.run(calls_of(play, sends))
    orders = {"started": {}, "arrived": {}}
    for _, kind, uid in play.seen:
        if kind in orders:
            orders[kind].setdefault(uid[:2], []).append(uid.seq)
    assert orders["started"] == orders["arrived"]


@settings(max_examples=60)
@given(sends)
def test_no_window_sees_more_bytes_than_the_links_can_carry(sends):
    world = make_world(PLAIN | {"up": "1 Mbit/s", "down": "900001 bit/s"})
    served = {link.number: [(0, 0)] for link in world.network.links}

    def look(now):
        play.transfers.charge(now)
        for link in world.network.links:
            done = link.tally().delivered.bytes + link.tally().in_flight.bytes
            # Acknowledgements take no capacity, and nothing else comes back here.
            served[link.number].append((now, done + link.bulk_bytes))

    play = Play(world, after=look)
    sends = [(at, (1, 0) if i % 2 else (1, 2), *rest) for i, (at, _, *rest) in enumerate(sends)]
    play.run(calls_of(play, sends))
    slack = 1500 + len(sends)
    for link in world.network.links[1:4:2]:
        series = served[link.number]
        for i, (begin, before) in enumerate(series):
            for now, after in series[i + 1 :]:
                assert 8 * S * (after - before - slack) <= link.model.rate_bps * (now - begin)


def fates_of(play):
    return sorted(map(repr, play.fates)), [line for line in play.seen if line[1] == "landed"]


@settings(max_examples=60)
@given(sends, figures)
def test_a_medium_of_one_link_changes_no_nanosecond(sends, figures):
    overrides = [{"devices": ["d-1"], "medium": "air"}]
    sends = [(at, (1, 0), size, False) for at, _, size, _ in sends]
    plain, shared = Play(make_world(figures)), Play(make_world(figures, overrides=overrides))
    assert shared.transfers.active
    plain.run(calls_of(plain, sends))
    shared.run(calls_of(shared, sends))
    assert fates_of(plain) == fates_of(shared)


@settings(max_examples=30)
@given(sends, figures)
def test_datagrams_on_other_links_know_nothing_of_a_transfer(sends, figures):
    both, alone = Play(make_world(figures, devices=5)), Play(make_world(figures, devices=5))
    datagrams = [(at, (1, 0), size, False) for at, _, size, _ in sends]
    alone.run(calls_of(alone, datagrams))
    bulk = [both.transfer(0, 4, 5, size=100_000), both.transfer(10**8, 5, 4, size=50_000)]
    both.run(bulk + calls_of(both, datagrams))
    assert fates_of(both) == fates_of(alone)


STEPS = ((0, 10**6), (100 * MS, 0), (150 * MS, 333_333), (400 * MS, 2 * 10**6))
BURSTS = tuple(t * MS for t in (0, 3, 3, 17, 40, 41, 42, 42, 42, 90, 220, 301))
recordings = st.one_of(
    st.none(),
    st.sampled_from(["wrap", "hold", "stop"]).map(
        lambda repeat: lambda *_: StepCapacity(Steps(STEPS), repeat=repeat)
    ),
    st.sampled_from(["wrap", "stop"]).map(
        lambda repeat: lambda *_: OpportunityCapacity(Opportunities(BURSTS), repeat=repeat)
    ),
)
crashes = st.dictionaries(
    st.integers(0, 3), st.tuples(st.integers(0, 800), st.integers(0, 5000)), max_size=2
)


@settings(max_examples=150)
@given(sends, figures, recordings, crashes, st.booleans())
def test_whatever_goes_wrong_no_byte_is_missing(sends, figures, recording, crashes, medium):
    figures = figures | ({"medium": "air"} if medium else {})
    figures |= {"trace": {"file": "of a test"}} if recording else {}
    world = make_world(figures, ring=True, open_trace=recording, reliable_timeout="2 s")
    play = Play(world)
    calls = calls_of(play, sends)
    for number, (at, gap) in crashes.items():
        calls.append(play.crash(at * MS, number))
        if gap:
            calls.append(play.restart((at + gap) * MS, number))
    play.run(calls)
    began = [uid for _, kind, uid in play.seen if kind == "started"]
    assert sorted(began) == sorted(
        uid for _, kind, uid in play.seen if kind in {"arrived", "failed"}
    )
    books = play.transfers.account(10**13)
    assert books.ended + books.failed == books.started
    assert books.offered_bytes == books.passed_bytes + books.abandoned_bytes
    bill = play.transfers.bill()
    assert bill.up + bill.down == sum(link.bulk_bytes for link in world.network.links)
    # Who lives all the time is told of each of its transfers.
    alive = {world.names[number] for number in set(range(4)) - crashes.keys()}
    told = [tag for _, kind, (tag, *_) in play.seen if kind == "told"]
    assert {uid.seq for uid in began if uid.source in alive} <= set(told)
    assert len(told) == len(set(told))
    # Nothing is left in service.
    assert play.network.imbalances() == {}
    assert all(link.serves_until is None for link in world.network.links)
    assert play.transfers.active is medium


def test_a_datagram_that_sharing_keeps_beyond_the_end_of_a_recording_is_lost():
    play = Play(make_world(TRACED, open_trace=following((0, 8_000_000), repeat="stop")))
    play.run([play.transfer(59_999 * MS, 1, 0), play.datagram(59_999 * MS, 1, 0, seq=2, size=972)])
    assert [(at, kind, cause) for at, kind, *_, cause, _ in play.fates] == [
        (59_999 * MS, "sent", "payload"), (60 * S, "lost", "trace_end"),
    ]  # fmt: skip


def test_a_datagram_has_its_share_of_a_link_and_takes_it_from_the_transfer():
    play = Play(make_world(PLAIN))
    play.run(
        [play.transfer(0, 1, 0, size=MEGABYTE), play.datagram(100 * MS, 1, 0, seq=2, size=972)]
    )
    assert {uid.seq: at for uid, at in play.ends("landed").items()} == {2: 102 * MS}
    assert list(play.ends().values()) == [1001 * MS]


def test_a_service_that_runs_when_a_transfer_comes_shares_what_is_left_of_it():
    play = Play(make_world(PLAIN))
    play.run([play.datagram(0, 1, 0, size=972), play.transfer(MS // 2, 1, 0, seq=2, size=MEGABYTE)])
    assert list(play.ends("landed").values()) == [3 * MS // 2]
    assert list(play.ends().values()) == [1001 * MS]


def test_a_service_that_outlives_the_transfer_has_the_whole_link_again():
    play = Play(make_world(PLAIN))
    size = message_bytes(500)
    play.run([play.transfer(0, 1, 0, size=size), play.datagram(0, 1, 0, seq=2, size=972)])
    assert list(play.ends().values()) == [MS]
    assert list(play.ends("landed").values()) == [3 * MS // 2]


def test_a_duty_cycle_holds_for_transfers_too():
    play = Play(make_world(PLAIN | {"duty": "10%"}))
    play.run(
        [play.datagram(0, 1, 0, size=972), play.transfer(0, 1, 0, seq=2, size=message_bytes(10000))]
    )
    # The datagram shares .8 Mbit/s with the transfer from its first to its last bit, and rests.
    assert list(play.ends("landed").values()) == [2 * MS]
    # 100 ms of air at a tenth of the time, and what the datagram took: 10 ms.
    assert list(play.ends().values()) == [110 * MS]


def test_tries_of_hop_arq_take_air_and_lose_nothing():
    loss = {"kind": "bernoulli", "mean": "50%"}
    play = Play(make_world(PLAIN | {"loss": loss, "arq": {"retries": 20}}))
    play.run([play.transfer(0, 1, 0, size=MEGABYTE)])
    ((_, at),) = play.ends().items()
    assert abs(at - 2 * S) < 10_000
    play.transfers.charge(10**12)
    # Half of what was on the air was sent again.
    bill = play.transfers.bill()
    assert abs(bill.up - 2_000_000) < 5
    assert bill.again == bill.up - 1_000_000


def following(*rows, repeat="hold"):
    return lambda *_: StepCapacity(Steps(rows, period_ns=60 * S), repeat=repeat)


TRACED = PLAIN | {"trace": {"file": "of a test"}}


def test_a_transfer_waits_while_the_rate_is_zero():
    # Five seconds without capacity, both ways.
    trace = following((0, 8_000_000), (S, 0), (6 * S, 4_000_000))
    play = Play(make_world(TRACED, open_trace=trace))
    play.run([play.transfer(S // 2, 1, 0, size=MEGABYTE)])
    assert list(play.ends().values()) == [7 * S]


def test_a_transfer_fails_when_it_has_made_no_progress_for_so_long():
    trace = following((0, 8_000_000), (S, 0), (6 * S, 4_000_000))
    for timeout, ends in (("5 s", {7 * S}), ("4999999999 ns", set()), ("2 s", set())):
        play = Play(make_world(TRACED, open_trace=trace, reliable_timeout=timeout))
        play.run([play.transfer(S // 2, 1, 0, size=MEGABYTE)])
        assert set(play.ends().values()) == ends
        books = play.transfers.account(10**12)
        assert books.offered_bytes == books.passed_bytes + books.abandoned_bytes
        assert books.failed == (not ends)
    assert play.ends("failed").popitem()[1] == 3 * S
    assert play.ends("told") == {(1, False): 3 * S}


def test_without_a_way_a_transfer_waits_and_fails():
    play = Play(make_world(PLAIN, reliable_timeout="10 s"))
    down = [play.crash(0, 0), play.transfer(5 * S, 1, 2), play.transfer(6 * S, 3, 2, seq=2)]
    play.run([*down, play.restart(14 * S + S // 2, 0)])
    # The edges are back one hello later: the first has failed by then.
    assert play.ends("told") == {(1, False): 15 * S, (2, True): 15 * S + S // 2 + 1056 * 1000}


def test_a_transfer_goes_on_over_another_path_with_what_is_left():
    world = make_world(PLAIN, devices=4, ring=True)
    play = Play(world)
    play.run([play.transfer(0, 1, 3, size=MEGABYTE), play.crash(S // 2, 0)])
    # Half a second of it, three missed hellos, and the other half through d-2.
    assert list(play.ends().values()) == [4 * S]
    used = {link.name: link.bulk_bytes for link in world.network.links if link.bulk_bytes}
    assert used["d-1.server"] == used["server.d-3"] == used["d-1.d-2"] == used["d-2.d-3"] == 500_000


def test_mathis_caps_a_transfer_and_nothing_else():
    lossy = PLAIN | {"delay": "20 ms", "loss": {"kind": "bernoulli", "mean": "1%"}}
    plays = {}
    for model in ("ideal", "mathis"):
        plays[model] = Play(make_world(lossy, reliable_model=model))
        plays[model].run([plays[model].transfer(0, 1, 0, size=2_000_026)])
    # 1.22 1448 8 / (.04 .1) = 3 533 120 bit/s instead of 8 000 000.
    wire_bits, trips = 8 * bulk(2_000_026, 10_000).wire_bytes, 2 * 40 * MS + 20 * MS
    ideal, mathis = (next(iter(p.ends().values())) - trips for p in plays.values())
    assert ideal == wire_bits * 125
    assert mathis == -(-wire_bits * S // 3_533_120)


def test_a_sender_may_have_only_so_many_at_once(monkeypatch):
    monkeypatch.setattr("simedge.world.transfers._OPEN_MAX", 2)
    play = Play(make_world(PLAIN))
    play.run([play.transfer(5, 1, 0, seq=seq) for seq in (1, 2, 3)])
    assert play.ends("told")[3, False] == 5
    assert {tag for tag, ok in play.ends("told") if ok} == {1, 2}


def test_a_link_that_replays_messages_carries_no_transfer():
    play = Play(make_world(TRACED, open_trace=lambda *_: Fates({}, 1000)))
    with pytest.raises(LinkError, match="mode uid"):
        play.run([play.transfer(0, 1, 0)])


times = st.lists(st.integers(0, 40), min_size=1, max_size=12).map(sorted).filter(lambda t: t[-1])


@given(times, st.integers(0, 50), st.sampled_from(["wrap", "stop"]))
def test_opportunities_pass_after_they_come_and_all_of_them(times, phase, repeat):
    shared = Opportunities([t * MS for t in times])
    capacity = OpportunityCapacity(shared, repeat=repeat, phase_ns=phase * MS)
    now, work = 0, 0
    begun = shared.until(phase * MS - 1) if phase else 0
    begun = min(begun, len(shared)) if repeat == "stop" else begun
    while now is not None and now < 100 * MS:
        came = shared.until(now + phase * MS)
        came = (min(came, len(shared)) if repeat == "stop" else came) - begun
        assert work <= came * shared.octets * 8 * S
        rate, until = capacity.step(now)
        assert until is None or until > now
        if rate == 0 and now:
            # Whatever came has passed, but for the rest of a division.
            assert work > came * shared.octets * 8 * S - 10**8
        work += rate * ((until or now) - now)
        now = until


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=6),
    st.integers(0, 30),
    st.sampled_from(["wrap", "hold", "stop"]),
)
def test_steps_are_those_of_the_exact_law(rows, phase, repeat):
    at, series = 0, []
    for gap, rate in rows:
        series.append((at, rate))
        at += gap
    if not any(rate for _, rate in series):
        return
    capacity = StepCapacity(Steps(series, period_ns=at), repeat=repeat, phase_ns=phase)
    now, work = 0, 0
    while now is not None and now < 60:
        rate, until = capacity.step(now)
        assert until is None or until > now
        work += rate * ((60 if until is None else min(until, 60)) - now)
        now = until
    small = StepCapacity(Steps([(a, r * 8 * S) for a, r in series], period_ns=at),
                         repeat=repeat, phase_ns=phase)  # fmt: skip
    # All that passed by 60 ns ends by then, and one octet more does not.
    end = small.finish_ns(0, work) if work else 0
    assert end is not None
    assert end <= 60
    more = small.finish_ns(0, work + 1)
    assert more is None or more > 60
