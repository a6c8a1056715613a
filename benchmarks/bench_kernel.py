"""What the kernel costs over a bare heap: records a second with 20, 1,000 and 20,000 pending.

Run: ``pytest benchmarks/bench_kernel.py --benchmark-columns=median,ops``; the table at the end of
``python benchmarks/bench_kernel.py`` gives the ratio, measured side by side.
"""

import heapq
import statistics
import time

import pytest

from simedge.core import Due, Order
from simedge.kernel import Kernel

RECORDS = 200_000


def bare_heap(pending):
    """Heapq and a call: the limit in Python."""
    heap = []

    def handler(record, now):
        nonlocal sequence
        sequence += 1
        heapq.heappush(heap, (now + 1000, 0, sequence, (now + 1000, 0, 0, "x", handler)))

    sequence = 0
    for at in range(pending):
        sequence += 1
        heapq.heappush(heap, (at, 0, sequence, (at, 0, 0, "x", handler)))
    for _ in range(RECORDS):
        now, _, _, record = heapq.heappop(heap)
        record[4](record, now)


def kernel(pending):
    """Dispatch records that each post their successor."""
    world = Kernel()
    post = world.post

    def handler(_record, now):
        post((now + 1000, order, 0, "x", None))

    order = Order.FRAME
    world.register(0, handler)
    for at in range(pending):
        post(Due(at, Order.FRAME, 0, "x"))
    world.run_slice(RECORDS)


@pytest.mark.parametrize("pending", [20, 1_000, 20_000])
@pytest.mark.parametrize("way", [bare_heap, kernel])
def test_dispatch(benchmark, way, pending):
    benchmark.pedantic(way, args=(pending,), rounds=3, warmup_rounds=1)


def seconds(way, pending):
    start = time.process_time()
    way(pending)
    return time.process_time() - start


def main():
    print("pending   bare k/s   kernel k/s   kernel/bare")
    for pending in (20, 1_000, 20_000):
        pairs = [(seconds(bare_heap, pending), seconds(kernel, pending)) for _ in range(5)]
        bare, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(b / k for b, k in pairs)
        print(f"{pending:7d}{RECORDS / bare / 1e3:11.0f}{RECORDS / ours / 1e3:13.0f}{ratio:13.2f}")


if __name__ == "__main__":
    main()
