"""Laws of the kernel: total order, slicing, refusal at the door."""

import heapq
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core import Due, Order
from simedge.kernel import Kernel, KernelError

records = st.builds(
    Due,
    at=st.integers(0, 20),
    order=st.sampled_from(Order),
    target=st.integers(0, 3),
    kind=st.sampled_from("abc"),
    payload=st.integers(0, 9),
)


def kernel_with(log):
    kernel = Kernel()
    for target in range(4):
        kernel.register(target, lambda record, now: log.append((now, record)))
    return kernel


@given(st.lists(records, max_size=40))
def test_records_happen_in_order_of_time_class_target_and_posting(posted):
    log = []
    kernel = kernel_with(log)
    for record in posted:
        kernel.post(record)
    expected = sorted(posted, key=lambda r: (r.at, r.order, r.target))
    assert kernel.pending() == expected
    assert kernel.run_slice(1000) == len(posted)
    assert [record for _, record in log] == expected
    assert all(now == record.at for now, record in log)
    assert kernel.dispatched == len(posted)


@given(st.lists(records, max_size=40), st.lists(st.integers(1, 7), min_size=1, max_size=9))
def test_slicing_changes_nothing(posted, slices):
    straight, sliced = [], []
    one, other = kernel_with(straight), kernel_with(sliced)
    for record in posted:
        one.post(record)
        other.post(record)
    assert one.digest() == other.digest()
    one.run_slice(1000)
    step = 0
    while other.has_before(10**6):
        other.run_slice(slices[step % len(slices)])
        step += 1
    assert straight == sliced
    assert one.digest() == other.digest()


@given(st.lists(records, min_size=1, max_size=20), st.integers(0, 20))
def test_a_slice_stops_at_its_horizon(posted, until):
    log = []
    kernel = kernel_with(log)
    for record in posted:
        kernel.post(record)
    kernel.run_slice(1000, until)
    assert len(log) == sum(record.at <= until for record in posted)
    assert all(record.at > until for record in kernel.pending())
    assert not kernel.has_before(until)


def test_a_handler_may_schedule_at_its_own_instant():
    log = []
    kernel = Kernel()

    def handler(record, now):
        log.append((now, record[3]))
        if record[3] == "first":
            kernel.post(Due(at=now, order=Order.FAULT, target=0, kind="second"))

    kernel.register(0, handler)
    kernel.post(Due(at=3, order=Order.METRICS, target=0, kind="first"))
    kernel.run_slice(10)
    assert log == [(3, "first"), (3, "second")]
    assert kernel.now_ns == 3


@pytest.mark.parametrize("at", [-1, 1.0, np.int64(5), 2**63, True])
def test_a_time_that_is_no_future_int_is_refused(at):
    kernel = kernel_with([])
    with pytest.raises(KernelError, match="time must be an int"):
        kernel.post(Due(at=at, order=Order.FRAME, target=0, kind="x"))


def test_the_past_and_unknown_targets_are_refused():
    kernel = kernel_with([])
    kernel.post(Due(at=7, order=Order.FRAME, target=0, kind="x"))
    kernel.run_slice(1)
    with pytest.raises(KernelError, match="at 7"):
        kernel.post(Due(at=6, order=Order.FRAME, target=0, kind="x"))
    with pytest.raises(KernelError, match="no target 9"):
        kernel.post(Due(at=8, order=Order.FRAME, target=9, kind="x"))
    with pytest.raises(KernelError, match="already"):
        kernel.register(0, print)
    with pytest.raises(KernelError, match=r"2\^40"):
        kernel.register(2**40, print)


@given(st.lists(records, min_size=1, max_size=10), records)
def test_the_digest_tells_futures_apart(posted, extra):
    one, other = kernel_with([]), kernel_with([])
    for record in posted:
        one.post(record)
        other.post(record)
    other.post(extra)
    assert one.digest() != other.digest()


def plainly(posted, successors):
    """Dispatch as a bare heap does: the slow twin, which pops before and pushes after."""
    number, heap, log = itertools.count(), [], []
    for record in posted:
        heapq.heappush(heap, (record.at, record.order, record.target, next(number), record))
    while heap:
        now, *_, record = heapq.heappop(heap)
        log.append((now, record))
        for due in successors(len(log), now):
            heapq.heappush(heap, (due.at, due.order, due.target, next(number), due))
    return log


@given(
    st.lists(records, max_size=10),
    st.lists(st.lists(records, max_size=3), max_size=20),
    st.lists(st.integers(1, 7), min_size=1, max_size=9),
    st.sets(st.integers(0, 30)),
)
def test_whatever_handlers_post_happens_as_on_a_bare_heap(posted, plan, slices, looks):
    def successors(index, now):
        later = plan[index - 1] if index <= len(plan) else []
        return [due._replace(at=now + due.at) for due in later]

    log, kernel = [], Kernel()

    def handler(record, now):
        log.append((now, record))
        if len(log) in looks:  # to look at the future does not change it
            assert kernel.has_before(10**6) == bool(kernel.pending())
            kernel.digest()
        for due in successors(len(log), now):
            kernel.post(due)
        assert kernel.now == kernel.now_ns == now

    for target in range(4):
        kernel.register(target, handler)
    for record in posted:
        kernel.post(record)
    for count in itertools.cycle(slices):
        if not kernel.has_before(10**6):
            break
        kernel.run_slice(count)
    assert log == plainly(posted, successors)
    assert kernel.dispatched == len(log)


def test_the_future_as_a_handler_sees_it_is_without_the_record_at_work():
    seen, kernel = [], Kernel()
    kernel.register(0, lambda *_: seen.append((kernel.pending(), kernel.has_before(4))))
    for at in (3, 5):
        kernel.post(Due(at=at, order=Order.FRAME, target=0, kind="x"))
    kernel.run_slice(10)
    last = Due(at=5, order=Order.FRAME, target=0, kind="x")
    assert seen == [([last], False), ([], False)]


def test_a_slice_may_be_run_from_within_a_handler():
    log, kernel = [], Kernel()

    def handler(record, _now):
        log.append(record[3])
        if record[3] == "a":
            kernel.run_slice(1)

    kernel.register(0, handler)
    for at, kind in enumerate("abc"):
        kernel.post(Due(at=at, order=Order.FRAME, target=0, kind=kind))
    assert kernel.run_slice(10) == 2
    assert log == ["a", "b", "c"]
    assert kernel.dispatched == 3


def test_a_record_whose_handler_fails_is_gone_and_the_rest_go_on():
    log, kernel = [], Kernel()

    def handler(record, _now):
        log.append(record[3])
        if record[3] == "bad":
            raise IndexError(record[3])

    kernel.register(0, handler)
    for at, kind in enumerate(["bad", "good"]):
        kernel.post(Due(at=at, order=Order.FRAME, target=0, kind=kind))
    with pytest.raises(IndexError, match="bad"):
        kernel.run_slice(10)
    assert kernel.run_slice(10) == 1
    assert log == ["bad", "good"]


@given(st.lists(records, max_size=40), st.permutations(range(4)), st.integers(1, 5))
def test_ties_are_ranked_as_asked_and_equal_ranks_stay_as_posted(posted, ranks, step):
    log = []
    kernel = Kernel(lambda record: ranks[record[2]])

    def handle(record, now):
        log.append(record)
        if record.payload > 5:  # from within: what comes next takes its place as well
            kernel.post(record._replace(at=now + step, payload=0))

    for target in range(4):
        kernel.register(target, handle)
    for record in posted:
        kernel.post(record)
    kernel.run_slice(1000)
    assert [r[:2] for r in log] == sorted(r[:2] for r in log)
    assert len(log) == len(posted) + sum(r.payload > 5 for r in posted)
    order = [(r.at, r.order, ranks[r.target]) for r in log]
    assert order == sorted(order)
    with pytest.raises(KernelError, match="registered"):
        kernel.post(Due(at=10**9, order=Order.FRAME, target=9, kind="a"))
    with pytest.raises(KernelError, match="must be an int"):
        kernel.post(Due(at=-1, order=Order.FRAME, target=1, kind="a"))
