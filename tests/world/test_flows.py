"""Fluid flows: shares, progress, and what a transfer costs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_flows import PlainFlows, plain_max_min

from simedge.world.bulk import ROUNDS_MAX, bulk
from simedge.world.datagrams import LinkError
from simedge.world.flows import Flows, max_min

links = st.dictionaries(st.integers(1, 5), st.integers(0, 40), min_size=5, max_size=5).map(
    lambda found: {n: found.get(n, 7) for n in range(1, 6)}
)
paths = st.dictionaries(
    st.integers(1, 9), st.lists(st.integers(1, 5), min_size=1, max_size=4, unique=True), max_size=8
)


@given(paths, links)
def test_no_link_carries_more_than_it_can_and_a_link_holds_each_flow_back(paths, links):
    rates = max_min(paths, links)
    used = {n: sum(rates[flow] for flow, path in paths.items() if n in path) for n in links}
    assert all(used[n] <= links[n] for n in links)
    for path in paths.values():
        # Some link of every path is full, but for the rest of a division.
        assert any(used[n] + len(paths) > links[n] for n in path)


@given(paths, links)
def test_no_flow_has_more_than_its_share_at_the_cost_of_a_smaller_one(paths, links):
    rates = max_min(paths, links)
    for flow, path in paths.items():
        # At one full link of its path no other flow has more than a bit above it and the rest.
        slack = len(paths)
        assert any(
            all(rates[flow] + slack >= rates[o] for o, p in paths.items() if n in p) for n in path
        )


@given(paths, links)
def test_the_order_in_which_flows_are_written_changes_no_rate(paths, links):
    assert max_min(dict(reversed(paths.items())), links) == max_min(paths, links)


@given(paths, links)
def test_the_least_share_is_found_as_by_search(paths, links):
    assert max_min(paths, links) == plain_max_min(paths, links)


changes = st.lists(
    st.tuples(
        st.sampled_from(["start", "start", "reroute", "rate", "stop", "finish", "end"]),
        st.integers(1, 6),
        st.lists(st.integers(1, 5), max_size=3),
        st.integers(0, 50),
        st.sampled_from([0, 0, 1, 7, 10**9, 3 * 10**9]),
    ),
    max_size=30,
)


@settings(max_examples=50)
@given(changes)
def test_what_a_change_does_not_reach_goes_on_as_if_all_were_worked_out_anew(changes):
    capacity = dict.fromkeys(range(1, 6), 9)
    flows, plain, moving = Flows(capacity), PlainFlows(capacity), {}
    for what, flow, path, number, wait in changes:
        end = plain.next_end()
        now = end[0] if what == "end" and end else plain.now + wait
        there = flow in plain.path
        if what == "start" and not there and number:
            flows.join(flow, number * 10**9, path, now=now)
            plain.advance(now)
            plain.left[flow], plain.path[flow] = number * 10**9, tuple(path)
            moving[flow] = False
        elif what == "reroute" and there:
            flows.reroute(flow, path, now=now)
            plain.advance(now)
            plain.path[flow] = tuple(path)
        elif what == "rate":
            flows.set_rate(flow % 5 + 1, number, now=now)
            plain.advance(now)
            plain.capacity[flow % 5 + 1] = number
        elif what == "stop" and there:
            plain.advance(now)
            left = max(0, -(-plain.left.pop(flow) // 10**9))
            del plain.path[flow]
            assert flows.stop(flow, now=now) == left
        elif what in {"finish", "end"}:
            assert flows.finish(now) == plain.finish(now)
        assert flows.rates_bps() == plain.rates()
        end = plain.next_end()
        assert flows.next_end() == end
        first = end and min(end[1], key=lambda each: (plain.path[each][:1] or (-1,), each))
        assert flows.first_end() == (end and (end[0], first))
        moving.update((each, flows.moves(each)) for each in flows.turned() if each in flows)
        assert {each: moving[each] for each in plain.path} == {
            each: plain.moves(each) for each in plain.path
        }


def test_a_share_is_never_taken_twice():
    assert max_min({1: [1, 2], 2: [1, 2]}, {1: 5, 2: 4}) == {1: 2, 2: 2}
    assert max_min({1: [1, 2], 2: [1], 3: [2]}, {1: 10, 2: 4}) == {1: 2, 2: 8, 3: 2}
    assert max_min({2: [1], 1: [1]}, {1: 1_000_001}) == {1: 500_001, 2: 500_000}


@given(paths, links, st.data())
def test_a_flow_that_needs_a_link_twice_counts_twice(paths, links, data):
    twice = {flow: [*path, data.draw(st.sampled_from(path))] for flow, path in paths.items()}
    rates = max_min(twice, links)
    used = {n: sum(rates[flow] * path.count(n) for flow, path in twice.items()) for n in links}
    assert all(used[n] <= links[n] for n in links)
    for path in twice.values():
        assert any(used[n] + 2 * len(paths) > links[n] for n in path)
    assert max_min({1: [1, 2, 1], 2: [2]}, {1: 7, 2: 12}) == {1: 3, 2: 9}


@given(st.integers(1, 20), st.integers(0, 10**6))
def test_flows_on_one_link_have_the_shares_of_the_general_law(count, rate):
    flows = Flows({1: rate, 2: 5})
    for flow in range(count):
        flows.start(flow, 100, [1], now=0)
    assert flows.rates_bps() == max_min({flow: [1] for flow in range(count)}, {1: rate})


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(0, 1000))
def test_a_flow_that_has_passed_ends_whatever_becomes_of_its_rate(bits, rate, later):
    flows = Flows({1: rate})
    flows.start(1, bits, [1], now=0)
    ((at, _),) = [flows.next_end()]
    flows.set_rate(1, later, now=at)
    assert flows.next_end() == (at, (1,))
    assert flows.moves(1)
    assert flows.left_bits(1, now=at) == 0
    assert flows.finish(at) == (1,)


def play(events, rate):
    """Start flows at their times on one link; return when each ends."""
    flows, ends = Flows({1: rate}), {}
    events = sorted(events, reverse=True)
    while events or flows.next_end():
        end = flows.next_end()
        if events and (end is None or events[-1][0] <= end[0]):
            at, flow, bits = events.pop()
            flows.start(flow, bits, [1], now=at)
            continue
        for flow in flows.finish(end[0]):
            ends[flow] = end[0]
    return ends


starts = st.lists(
    st.tuples(st.integers(0, 10**9), st.integers(1, 10**7)), min_size=1, max_size=8
)  # fmt: skip


@given(starts, st.sampled_from([1_000, 10**6, 10**9 + 7]))
def test_a_link_is_never_idle_while_a_flow_is_there(starts, rate):
    ends = play([(at, i, bits) for i, (at, bits) in enumerate(starts)], rate)
    assert sorted(ends) == list(range(len(starts)))
    busy, now = 0, 0
    for at, bits in sorted(starts):
        now = max(now, at * rate) + bits * 10**9
    # Work conserving: the last end is that of any order of service, but for rounding up.
    busy = -(-now // rate)
    assert busy <= max(ends.values()) <= busy + len(starts) * 2
    assert all(end - starts[i][0] >= starts[i][1] * 10**9 // rate for i, end in ends.items())


def test_a_stalled_flow_waits_and_a_rerouted_one_keeps_its_progress():
    flows = Flows({1: 1000, 2: 500})
    flows.start(1, 1000, [1], now=0)
    flows.set_rate(1, 0, now=5 * 10**8)
    assert flows.next_end() is None
    flows.reroute(1, [2], now=10**9)
    assert flows.next_end() == (2 * 10**9, (1,))
    assert flows.rates_bps() == {1: 500}
    flows.reroute(1, [], now=15 * 10**8)
    assert flows.next_end() is None
    assert flows.stop(1, now=3 * 10**9) == 250


def test_flows_refuse_what_makes_no_sense():
    flows = Flows({1: 1})
    for bits, path in ((0, [1]), (5, []), (5, [2])):
        with pytest.raises(LinkError, match="cannot start"):
            flows.start(1, bits, path, now=0)
    with pytest.raises(LinkError, match="must not be negative"):
        flows.set_rate(1, -1, now=0)
    flows.start(1, 5, [1], now=7)
    with pytest.raises(LinkError, match="7 ns already"):
        flows.finish(6)


@pytest.mark.parametrize(
    ("size", "ppm", "expected"),
    [
        (2_000_026, 0, (1382, 1382, 2_071_894, 0, 35_932, 1)),
        (2_000_026, 200_000, (1382, 1728, 2_071_894, 518_724, 35_932, 5)),
        (10_000_000, 50_000, (6907, 7271, 10_359_168, 545_930, 179_608, 4)),
    ],
)
def test_a_transfer_costs_what_the_closed_form_says(size, ppm, expected):
    assert bulk(size, ppm) == expected


@given(st.integers(0, 10**7), st.integers(0, 999_999))
def test_more_loss_never_costs_less(size, ppm):
    less, more = bulk(size, ppm // 2), bulk(size, ppm)
    assert less.first_bytes == more.first_bytes
    assert less.again_bytes <= more.again_bytes
    assert 1 <= less.rounds <= more.rounds <= ROUNDS_MAX


def test_a_transfer_that_loses_everything_never_ends():
    assert bulk(5, 10**6) is None
    with pytest.raises(LinkError, match="no transfer"):
        bulk(5, 10**6 + 1)
