"""Round trips, divergences, windows, timers, periods: the small books of a machine."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.bookkeeping import Period, Refusals, Timers
from simedge.protocol.feedback import Feedback
from simedge.protocol.kl import kl_terms
from simedge.protocol.machine import CancelTimer, FrameLearned, SetTimer
from simedge.protocol.post import Sender
from simedge.protocol.prior_store import PriorStore
from simedge.protocol.shape import Coding, Shape, address_of
from simedge.protocol.transport import JOIN_RETRY_NS_MAX, RoundTrip, wire_bits
from simedge.protocol.window import Window
from simedge.protocol.wire import U32_MAX, Report, have_code

SECOND = 10**9
MS = 10**6


# ------------------------------------------------------------------------------------ divergences
def test_both_divergences_are_those_of_the_vector():
    prior, own = np.array([[0.7, 0.2, 0.1]]), np.array([[0.5, 0.3, 0.2]])
    assert kl_terms(prior, own) == pytest.approx((0.085122826, 0.092032850), abs=1e-9)


def test_divergences_of_a_softmax_are_those_of_the_second_vector():
    own = np.array([[0.6652409558, 0.2447284711, 0.0900305732]])
    prior = np.array([[0.2, 0.5, 0.3]])
    assert kl_terms(prior, own) == pytest.approx((0.4779529504, 0.5162956447), abs=1e-9)


@given(
    st.lists(
        st.lists(st.integers(0, 9), min_size=3, max_size=3).filter(any), min_size=1, max_size=4
    )
)
def test_divergences_are_never_negative_and_vanish_between_equals(raw):
    rows = np.array(raw, np.float64)
    rows /= rows.sum(axis=1, keepdims=True)
    other = np.full_like(rows, 1 / 3)
    forward, reverse = kl_terms(other, rows)
    assert forward >= -1e-12
    assert reverse >= -1e-12
    assert kl_terms(rows, rows) == pytest.approx((0, 0), abs=1e-9)


# -------------------------------------------------------------------------------------- transport
def test_a_datagram_carries_28_bytes_of_headers():
    assert wire_bits(bytes(665)) == 8 * 693


def test_retries_wait_a_second_at_first_and_double():
    trip = RoundTrip()
    assert [trip.retry_ns(resend) for resend in range(5)] == [
        SECOND,
        2 * SECOND,
        4 * SECOND,
        8 * SECOND,
        10 * SECOND,
    ]
    assert trip.retry_ns(6, JOIN_RETRY_NS_MAX) == 60 * SECOND
    assert trip.retry_ns(10**9, JOIN_RETRY_NS_MAX) == 60 * SECOND


def test_round_trips_are_smoothed_by_an_eighth_and_a_quarter():
    trip = RoundTrip()
    trip.sample(800 * MS)
    assert (trip.smoothed_ns, trip.deviation_ns) == (800 * MS, 400 * MS)
    assert trip.retry_ns(0) == 2_400 * MS
    trip.sample(400 * MS)
    assert (trip.smoothed_ns, trip.deviation_ns) == (750 * MS, 400 * MS)


@given(st.lists(st.integers(1, 100 * SECOND), min_size=1, max_size=30), st.integers(0, 40))
def test_retry_times_stay_within_their_bounds(samples, resend):
    trip = RoundTrip()
    for sample in samples:
        trip.sample(sample)
    assert min(samples) - 1 <= trip.smoothed_ns <= max(samples)
    assert 200 * MS <= trip.retry_ns(resend) <= 10 * SECOND
    twin = RoundTrip()
    twin.load(trip.dump())
    assert twin.dump() == trip.dump()


# ----------------------------------------------------------------------------------------- window
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 1_500)), max_size=60))
def test_a_window_knows_each_number_of_its_boot_once(arrivals):
    window, seen, boot, highest = Window(), set(), 0, 0
    for now, (sent_boot, seq) in enumerate(arrivals):
        if sent_boot < boot:
            continue  # refused before it comes to the window
        if sent_boot > boot:
            seen, boot, highest = set(), sent_boot, 0
        within = highest - seq < 1_024
        assert window.take(sent_boot, seq, now) == (within and seq in seen)
        if within:
            seen.add(seq)
        highest = max(highest, seq)
        assert (window.boot, window.highest, window.received) == (boot, highest, len(seen))
        twin = Window()
        twin.load(window.dump())
        assert twin.dump() == window.dump()


# --------------------------------------------------------------------------------------- feedback
def report(max_seq, received, *, hold_us=0):
    return Report(boot=1, max_seq=max_seq, received=received, hold_us=hold_us)


def test_the_share_of_lost_tokens_is_smoothed_by_a_fifth():
    feedback = Feedback()
    feedback.heard(report(10, 5), SECOND)
    assert feedback.fail == pytest.approx(0.1)
    feedback.heard(report(10, 5), SECOND)
    assert feedback.fail == pytest.approx(0.1)
    feedback.heard(report(20, 15), SECOND)
    assert feedback.fail == pytest.approx(0.08)
    feedback.missed()
    assert feedback.fail == pytest.approx(0.264)


def test_a_server_that_forgot_only_restarts_the_differences():
    feedback = Feedback()
    feedback.heard(report(10, 10), SECOND)
    feedback.heard(report(20, 2), SECOND)
    assert feedback.fail == 0
    feedback.heard(report(22, 3), SECOND)
    assert feedback.fail == pytest.approx(0.1)


def test_round_trips_leave_out_what_the_server_held():
    feedback = Feedback()
    feedback.sent(1, 100 * MS)
    feedback.sent(2, 200 * MS)
    assert feedback.heard(report(2, 2, hold_us=50_000), 300 * MS) == 50 * MS
    assert feedback.heard(report(2, 2), 400 * MS) is None
    feedback.sent(3, 500 * MS)
    assert feedback.heard(report(3, 3, hold_us=U32_MAX), 600 * MS) is None
    feedback.sent(4, 500 * MS)
    assert feedback.heard(report(4, 4, hold_us=200_000), 600 * MS) is None
    assert feedback.heard(report(9, 9), 600 * MS) is None
    assert feedback.trip.smoothed_ns == 50 * MS


def test_only_the_last_thousand_sendings_are_remembered():
    feedback = Feedback()
    for seq in range(1, 1_026):
        feedback.sent(seq, seq)
    assert len(feedback.dump()["sent_at"]) == 1_024
    assert feedback.heard(report(1, 1), SECOND) is None
    assert feedback.heard(report(2, 2), SECOND) == SECOND - 2
    feedback.restart()
    assert feedback.dump()["sent_at"] == []
    assert feedback.trip.smoothed_ns == SECOND - 2


# ------------------------------------------------------------------------------------------ books
def test_a_timer_fires_once_and_not_after_its_cancellation():
    timers = Timers()
    assert timers.set("have", 10) == SetTimer(id="have", at=10)
    assert not timers.fire("have", 9)
    assert timers.fire("have", 10)
    assert not timers.fire("have", 11)
    timers.set("have", 20)
    timers.set("have", 30)
    assert not timers.fire("have", 20)
    assert timers.cancel("have") == [CancelTimer(id="have")]
    assert timers.cancel("have") == []
    assert not timers.fire("have", 30)


def test_a_period_ends_with_its_frames_and_means_known_losses():
    refusals, period = Refusals(), Period(3)
    learned = [FrameLearned(n=1, loss=loss, correct=True) for loss in (1.0, math.nan, 2.0)]
    assert [period.add(event, refusals) for event in learned] == [False, False, True]
    assert period.loss == 1.5
    assert refusals.counters == {"loss_nan": 1}
    blind = FrameLearned(n=3, loss=math.nan, correct=False)
    assert period.add(blind, refusals)
    assert period.loss == 1.5
    twin = Period(3)
    twin.load(period.dump())
    assert twin.dump() == period.dump()


def test_a_sender_that_runs_out_of_numbers_raises_its_boot():
    sender = Sender()
    sender.load([4, [[1, U32_MAX - 1]]])
    assert [sender.number(1), sender.boot] == [U32_MAX, 4]
    assert [sender.number(1), sender.boot] == [1, 5]


@pytest.mark.parametrize("dtype", [np.uint16, np.int64, np.float64, np.bool_, np.uint64])
def test_arrays_come_back_from_plain_data(dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    again = array_of(plain_of(array))
    assert again.dtype == array.dtype
    assert (again == array).all()
    again[0, 0] = 1  # writable


# ----------------------------------------------------------------------------------------- priors
takes = st.tuples(
    st.sampled_from([0, 1, address_of(0, level=1), address_of(1, level=1, part=1)]),
    st.integers(1, 4),  # version
    st.integers(0, 5),  # published
    st.lists(st.booleans(), min_size=2, max_size=2),  # rows with an opinion
)
looks = st.tuples(takes.map(lambda take: take[0]), st.integers(0, 6))


@given(st.lists(takes | looks, max_size=12))
def test_what_a_store_gives_rests_on_its_rows_alone(doings):
    shape = Shape(classes=2, blocks=2, rows=2, coding=Coding(bits=8))
    store = PriorStore(shape)
    for address, *rest in doings:
        if len(rest) == 3:
            version, published_ns, present = rest
            rows = shape.span(address)[2]
            codes = np.array([[255 * here, 0] for here in present[:rows]], np.uint16)
            store.accept(address, (1, version), published_ns=published_ns, codes=codes)
            continue
        twin = PriorStore(shape)
        twin.load(store.dump())
        held, fresh = store.held(address, rest[0]), twin.held(address, rest[0])
        assert (held is None) == (fresh is None)
        if held is not None:
            assert (held.rows == fresh.rows).all()
            assert (held.mask == fresh.mask).all()
            assert store.held(address, rest[0]) is held


def test_a_store_keeps_the_greatest_version_of_each_row():
    shape = Shape(classes=2, blocks=2, rows=2, coding=Coding(bits=8))
    store = PriorStore(shape)
    old, new = np.array([[255, 0]] * 2, np.uint16), np.array([[0, 255], [0, 0]], np.uint16)
    assert store.have_vector() == b"\0\0"
    assert store.held(0, 0) is None
    assert store.accept(0, (1, 300), published_ns=5, codes=old)
    assert not store.accept(0, (1, 300), published_ns=6, codes=new)
    assert not store.accept(0, (1, 299), published_ns=6, codes=new)
    assert store.have_vector() == bytes([have_code(300), 0])
    assert store.held(0, 5).mask.tolist() == [True, True]
    assert store.held(0, 6) is None
    assert store.accept(0, (2, 1), published_ns=9, codes=new)
    held = store.held(0, 0)
    assert held.mask.tolist() == [True, False]
    assert held.rows[1].tolist() == [0, 0]
    assert store.version(0) == 1
    twin = PriorStore(shape)
    twin.load(store.dump())
    assert twin.dump() == store.dump()
