"""Laws of capacity: exact, never exceeded, equal to a slow twin that walks row by row."""

import os
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.world.capacity import (
    CapacityError,
    Levels,
    Opportunities,
    OpportunityCapacity,
    StepCapacity,
    Steps,
)

SECOND = 10**9
JOBS = 30 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 12
TIMES = st.lists(st.integers(0, 40), min_size=1, max_size=40, unique=True).map(sorted)
OCTETS = st.integers(1, 400)


@st.composite
def rows(draw, scale=10**8):
    times = draw(TIMES)
    return [(at, draw(st.integers(0, 30)) * scale) for at in times]


def segments(table, repeat):
    """Yield (start, end or None, rate) of a step function from time 0 on, for ever."""
    last = table[-1][0] - table[-2][0] if len(table) > 1 else SECOND
    period = table[-1][0] + last
    edges = [0, *(at for at, _ in table[1:]), period]
    lap = 0
    while True:
        for (start, end), (_, rate) in zip(pairwise(edges), table, strict=True):
            yield lap * period + start, lap * period + end, rate
        lap += 1
        if repeat == "hold":
            yield period, None, table[-1][1]
            return
        if repeat == "stop":
            return


def slow_finish(table, repeat, begin, octets):
    """Walk the rows and take bits away until none are left: the definition, in fractions."""
    left = Fraction(8 * octets)
    for start, end, rate in segments(table, repeat):
        if end is not None and end <= begin:
            continue
        since = max(start, begin)
        if rate and (end is None or left <= Fraction(rate * (end - since), SECOND)):
            return since + -(-left * SECOND // rate)
        if end is not None:
            left -= Fraction(rate * (end - since), SECOND)
    return None


def allowed_bits(table, repeat, window):
    """Integrate the rate over a window of time."""
    low, high = window
    total = Fraction(0)
    for start, end, rate in segments(table, repeat):
        if start >= high:
            break
        stop = high if end is None else min(end, high)
        total += Fraction(rate * max(0, stop - max(start, low)), SECOND)
    return total


@given(rows(), st.sampled_from(["wrap", "hold", "stop"]), st.integers(0, 200), OCTETS)
def test_the_end_of_a_job_is_that_of_the_slow_twin(table, repeat, begin, octets):
    if repeat == "wrap" and not any(rate for _, rate in table):
        with pytest.raises(CapacityError, match="cannot wrap"):
            StepCapacity(Steps(table))
        return
    capacity = StepCapacity(Steps(table), repeat=repeat)
    assert capacity.finish_ns(begin, octets) == slow_finish(table, repeat, begin, octets)


@given(rows(), st.sampled_from(["wrap", "hold", "stop"]), st.lists(OCTETS, max_size=JOBS))
def test_no_window_lets_more_through_than_its_rate(table, repeat, jobs):
    if not any(rate for _, rate in table):
        return
    capacity = StepCapacity(Steps(table), repeat=repeat)
    spans, now = [], 3
    for octets in jobs:
        end = capacity.finish_ns(now, octets)
        if end is None:
            break
        spans.append((now, end, octets))
        now = end
    for i, (begin, _, _) in enumerate(spans):
        for j in range(i, len(spans)):
            bits = 8 * sum(octets for _, _, octets in spans[i : j + 1])
            assert bits <= allowed_bits(table, repeat, (begin, spans[j][1]))


@given(rows(), st.integers(0, 100), OCTETS)
def test_a_job_is_not_through_a_nanosecond_too_late(table, begin, octets):
    if not any(rate for _, rate in table):
        return
    end = StepCapacity(Steps(table)).finish_ns(begin, octets)
    assert allowed_bits(table, "wrap", (begin, end)) >= 8 * octets
    assert allowed_bits(table, "wrap", (begin, end - 1)) < 8 * octets


@given(rows(), st.sampled_from(["wrap", "hold", "stop"]), st.integers(0, 100), OCTETS)
def test_twice_the_rate_carries_twice_the_job_in_the_same_time(table, repeat, begin, octets):
    if not any(rate for _, rate in table):
        return
    double = [(at, 2 * rate) for at, rate in table]
    once = StepCapacity(Steps(table), repeat=repeat).finish_ns(begin, octets)
    assert StepCapacity(Steps(double), repeat=repeat).finish_ns(begin, 2 * octets) == once


@given(rows(), st.integers(0, 10**4), OCTETS)
def test_a_phase_is_a_later_start(table, phase, octets):
    if not any(rate for _, rate in table):
        return
    steps = Steps(table)
    later = StepCapacity(steps).finish_ns(5 + phase, octets) - phase
    assert StepCapacity(steps, phase_ns=phase).finish_ns(5, octets) == later


@given(rows(), st.sampled_from(["hold", "stop"]))
def test_after_the_end_nothing_is_through(table, repeat):
    capacity = StepCapacity(Steps(table), repeat=repeat)
    if capacity.end_ns is None:
        assert repeat == "hold"
        assert table[-1][1] > 0
    else:
        assert capacity.finish_ns(capacity.end_ns, 1) is None
        assert capacity.end_ns == 0 or capacity.finish_ns(capacity.end_ns - 1, 1) in {
            None,
            capacity.end_ns,
        }


def test_the_known_steps():
    steps = Steps([(0, 10**6), (SECOND, 0), (2 * SECOND, 4 * 10**6)])
    ends = [StepCapacity(steps).finish_ns(SECOND // 2, n) for n in (62_500, 62_501, 250_000, 10**6)]
    assert ends == [SECOND, 2_000_002_000, 2_375_000_000, 5_625_000_000]


def test_long_runs_of_nanoseconds_lose_nothing():
    steps = Steps([(0, 999_999_937), (SECOND - 1, 0), (80 * SECOND + 1, 1)])
    begin = 10**17 + 11
    end = StepCapacity(steps).finish_ns(begin, 10**9)
    assert end == slow_far(steps, begin, 10**9)


def slow_far(steps, begin, octets):
    """Bisect on W itself."""

    def work(at):
        lap, place = divmod(at, steps.period_ns)
        return lap * steps.total + steps.work(place)

    target, low, high = work(begin) + 8 * octets * SECOND, begin, begin + 10**14
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if work(middle) >= target else (middle + 1, high)
    return low


def slow_opportunities(times, jobs, *, octets, repeat):
    """Serve jobs (arrival, octets) one opportunity at a time, first in first out."""
    period, waiting, done = times[-1], list(jobs), []
    for lap in range(1 if repeat == "stop" else 1_000):
        for time in times:
            at, left = lap * period + time, octets
            while left and waiting and waiting[0][0] < at:
                used = min(left, waiting[0][1])
                left -= used
                waiting[0] = (waiting[0][0], waiting[0][1] - used)
                if waiting[0][1] == 0:
                    done.append(at)
                    waiting.pop(0)
            if not waiting:
                return done
    return done


@given(
    st.lists(st.integers(0, 9), min_size=2, max_size=20).map(sorted).filter(lambda t: t[-1] > 0),
    st.lists(st.tuples(st.integers(0, 25), st.integers(1, 40)), min_size=2, max_size=20).map(
        sorted
    ),
    st.integers(1, 16),
    st.sampled_from(["wrap", "stop"]),
)
def test_opportunities_serve_as_if_taken_one_by_one(times, jobs, octets, repeat):
    # Arrivals lie between the instants: one in the instant of an end goes on with what is left.
    times, jobs = [2 * at for at in times], [(2 * at + 1, size) for at, size in jobs]
    shared = Opportunities(times, octets=octets)
    capacity = OpportunityCapacity(shared, repeat=repeat)
    ends, free = [], 0
    for arrival, size in jobs:
        end = capacity.finish_ns(max(arrival, free), size)
        if end is None:
            break
        ends.append(end)
        free = end
    assert ends == slow_opportunities(times, jobs, octets=octets, repeat=repeat)


def test_an_opportunity_comes_before_an_arrival_of_the_same_instant():
    capacity = OpportunityCapacity(Opportunities([5, 7, 7], octets=10))
    assert capacity.finish_ns(5, 1) == 7
    assert capacity.finish_ns(7, 9) == 7
    assert capacity.finish_ns(7, 10) == 7
    assert capacity.finish_ns(7, 1) == 12


def test_the_last_and_the_first_of_two_laps_may_coincide():
    capacity = OpportunityCapacity(Opportunities([0, 5], octets=10))
    assert [capacity.finish_ns(at, 10) for at in (0, 5, 5, 10)] == [5, 5, 10, 10]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Steps([]),
        lambda: Steps([(5, 1), (5, 2)]),
        lambda: Steps([(0, -1)]),
        lambda: Steps([(-1, 1)]),
        lambda: Steps([(0, 1), (5, 1)], period_ns=5),
        lambda: Opportunities([]),
        lambda: Opportunities([0, 0]),
        lambda: Opportunities([3, 2]),
        lambda: Opportunities([-1, 2]),
        lambda: Opportunities([1], octets=0),
        lambda: OpportunityCapacity(Opportunities([1]), repeat="hold"),
        lambda: Levels([], period_ns=5),
    ],
)
def test_what_is_no_capacity_is_refused(make):
    with pytest.raises(CapacityError):
        make()


def test_opportunities_end_when_they_stop():
    shared = Opportunities([3, 9])
    assert OpportunityCapacity(shared).end_ns is None
    stopped = OpportunityCapacity(shared, repeat="stop", phase_ns=4)
    assert stopped.end_ns == 5
    assert [stopped.finish_ns(0, 1504), stopped.finish_ns(5, 1)] == [5, None]


@given(TIMES, st.integers(0, 200))
def test_levels_hold_until_the_next_row(times, at):
    period = times[-1] + 3
    levels = Levels([(t, t * 10) for t in times], period_ns=period)

    def expected(place):
        return 10 * max((t for t in times if t <= place), default=times[0])

    assert levels.at(at, "wrap") == expected(at % period)
    assert levels.at(at, "stop") == expected(at)


def test_nothing_is_sent_at_once():
    assert StepCapacity(Steps([(0, 5)])).finish_ns(17, 0) == 17
