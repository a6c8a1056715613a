"""Transfers against closed forms: one shared link, a lossy one, and processor sharing."""

import math

import numpy as np
import pytest

from simedge.core.streams import Streams
from simedge.core.tables import exponential_table
from simedge.world.bulk import bulk
from simedge.world.flows import Flows

MS, S = 10**6, 10**9
MEGABYTE = 8 * 10**6


def play(events, rate):
    """Start flows at their times on one link; return when each ends."""
    flows, ends = Flows({1: rate}), {}
    events = sorted(events, reverse=True)
    end = None
    while events or end:
        if events and (end is None or events[-1][0] <= end[0]):
            at, flow, bits = events.pop()
            flows.start(flow, bits, [1], now=at)
        else:
            ends |= dict.fromkeys(flows.finish(end[0]), end[0])
        end = flows.next_end()
    return ends


@pytest.mark.parametrize(
    ("events", "ends"),
    [
        ([(0, 1, MEGABYTE), (0, 2, MEGABYTE)], {1: 2 * S, 2: 2 * S}),
        ([(0, 1, MEGABYTE), (S // 2, 2, MEGABYTE // 4)], {1: 1250 * MS, 2: S}),
        ([(0, i, MEGABYTE) for i in (1, 2, 3)], {1: 2999999626, 2: 2999999626, 3: 3000000001}),
    ],
)
def test_one_link_shared(events, ends):
    assert play(events, 8_000_000) == ends


def test_a_transfer_over_a_lossy_link_takes_this_long():
    costs, rtt_ns = bulk(2_000_026, 200_000), 40 * MS
    ((_, passed),) = play([(rtt_ns, 1, 8 * costs.wire_bytes)], 8_000_000).items()
    assert passed + (costs.rounds - 1) * rtt_ns + rtt_ns // 2 == 2_810_618_000


def exponentials(name, n, mean):
    words = Streams(3).stream("test", name, "exponential").block(-(-n // 4))[:n]
    table = np.array(exponential_table(), np.int64)
    return (((table[(words >> np.uint64(52)).astype(np.int64)] * mean) >> 32) + 1).tolist()


def coins(n):
    words = Streams(3).stream("test", "kinds", "coins").block(-(-n // 4))[:n]
    return (words >> np.uint64(63)).tolist()


@pytest.mark.parametrize("law", ["constant", "exponential", "hyper-exponential"])
def test_processor_sharing_takes_the_same_mean_whatever_the_law_of_sizes(law):
    n, load, mean = 200_000, 0.5, 10**6
    times = np.cumsum(exponentials("arrivals", n, int(mean / load))).tolist()
    sizes = {
        "constant": [mean] * n,
        "exponential": exponentials("sizes", n, mean),
        # Every other one by a draw is three times as long, each exponential.
        "hyper-exponential": [
            size * (1 + 2 * kind) // 2
            for size, kind in zip(exponentials("sizes", n, mean), coins(n), strict=True)
        ],
    }[law]  # fmt: skip
    ends = play(list(zip(times, range(n), sizes, strict=True)), S)
    stays = np.array([ends[i] - times[i] for i in range(n)]) / mean
    expected = 1 / (1 - load)
    # Fifty batches see the correlation; t(49) at 1e-5 is 4.9.
    error = 4.9 * stays.reshape(50, -1).mean(axis=1).std(ddof=1) / math.sqrt(50)
    assert abs(stays.mean() - expected) <= min(error, 0.05 * expected)
