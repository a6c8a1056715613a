"""What the kernel costs over a bare heap: records a second with 20, 1,000 and 20,000 pending.

Run: ``pytest benchmarks/bench_kernel.py --benchmark-columns=median,ops``; the table at the end of
``python benchmarks/bench_kernel.py`` gives the ratios, measured side by side.

Every way dispatches records of five fields that each post one successor 1,000 ns later. The bare
heap is as fast as heapq goes with a call: local names, no check, no horizon. With the log on each
record writes the line of an arrived frame; "hash" keeps the hash of the log alone.
"""

import statistics
import tempfile
import time
from functools import partial
from heapq import heappop, heappush
from pathlib import Path

import pytest

from simedge.core import Order
from simedge.core.records import Due
from simedge.kernel import Kernel
from simedge.run.eventlog import EventLog

RECORDS = 50_000
ROUNDS = 15


def bare_heap(pending):
    """Heapq and a call: the limit in Python."""
    heap = []

    def handler(_record, now):
        nonlocal sequence
        sequence += 1
        at = now + 1000
        heappush(heap, (at, 0, sequence, (at, 0, 0, "x", handler)))

    def dispatch():
        for _ in range(RECORDS):
            now, _, _, record = heappop(heap)
            record[4](record, now)

    sequence = 0
    for at in range(pending):
        sequence += 1
        heappush(heap, (at, 0, sequence, (at, 0, 0, "x", handler)))
    return dispatch


def kernel(pending):
    """The kernel, log off."""
    world = Kernel()
    post = world.post
    order = Order.FRAME

    def handler(_record, now):
        post((now + 1000, order, 0, "x", None))

    return filled(world, handler, pending)


def kernel_due(pending):
    """The kernel, with named tuples instead of plain ones."""
    world = Kernel()
    post = world.post
    order = Order.FRAME

    def handler(_record, now):
        post(Due(now + 1000, order, 0, "x", None))

    return filled(world, handler, pending)


def kernel_logged(pending, *, events):
    """The kernel, with one line of the event log for every record."""
    world = Kernel()
    post = world.post
    order = Order.FRAME
    folder = tempfile.TemporaryDirectory()
    log = EventLog(Path(folder.name) / "log", events=events)

    def handler(_record, now):
        log.append(now, 8, "cam-1", "frame-arrived", 5, (618,))
        post((now + 1000, order, 0, "x", None))

    dispatch = filled(world, handler, pending)

    def logged():
        dispatch()
        log.close()
        folder.cleanup()

    return logged


def filled(world, handler, pending):
    """Return what dispatches so many records, with so many pending."""
    world.register(0, handler)
    for at in range(pending):
        world.post((at, Order.FRAME, 0, "x", None))
    return partial(world.run_slice, RECORDS)


WAYS = {
    "bare heap": bare_heap,
    "kernel": kernel,
    "kernel, named": kernel_due,
    "kernel, hash": partial(kernel_logged, events=False),
    "kernel, log": partial(kernel_logged, events=True),
}


@pytest.mark.parametrize("pending", [20, 1_000, 20_000])
@pytest.mark.parametrize("way", WAYS)
def test_dispatch(benchmark, way, pending):
    def setup():
        return (WAYS[way](pending),), {}

    benchmark.pedantic(lambda dispatch: dispatch(), setup=setup, rounds=5, warmup_rounds=1)


def seconds(way, pending):
    dispatch = way(pending)
    start = time.process_time()
    dispatch()
    return time.process_time() - start


def main():
    print(f"{'pending':>7}  {'way':<16}{'best k/s':>10}{'to bare (median)':>18}")
    for pending in (20, 1_000, 20_000):
        rounds = [
            {name: seconds(way, pending) for name, way in WAYS.items()} for _ in range(ROUNDS)
        ]
        for name in WAYS:
            best = min(each[name] for each in rounds)
            ratio = statistics.median(each["bare heap"] / each[name] for each in rounds)
            print(f"{pending:>7}  {name:<16}{RECORDS / best / 1e3:>10.0f}{ratio:>18.2f}")


if __name__ == "__main__":
    main()
