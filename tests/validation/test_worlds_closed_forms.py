"""Frame queues and small worlds against closed forms."""

import heapq
from fractions import Fraction
from itertools import count

import networkx as nx
import numpy as np
import pytest

from simedge.core.records import Order
from simedge.core.streams import Streams
from simedge.world.compute import Board
from simedge.world.device import Device
from simedge.world.settings import SmallWorldSettings
from simedge.world.topology import small_world

PERIOD, SERVICE = 33_333_333, 50_000_000
BOARD = Board(conv=1, depthwise=1, dense=1, event=10**9, overhead_ns=0, idle_uw=0, busy_uw=0)


class Fifty:
    """Work of 50 ms."""

    volleys = 1
    counts = None
    macs = {}  # noqa: RUF012  never changed

    def advance(self, count=None):
        del count
        return np.array([SERVICE], np.int64)

    def commit(self):
        return None

    def discard(self):
        raise AssertionError

    def begin(self, job):
        del job
        return self


def camera(n, **settings):
    """Let n frames arrive at a device every period; return it and how many were dropped."""
    device, order, dropped = Device(BOARD, Fifty(), number=1, **settings), count(), 0
    queue = [(i * PERIOD, Order.FRAME, next(order), None) for i in range(n)]
    while queue:
        now, _, _, due = heapq.heappop(queue)
        if due is None:
            dropped += len(device.frame(now, now))
        else:
            device.handle(due.kind, due.payload, now)
        for new in device.start(now):
            heapq.heappush(queue, (new.at, new.order, next(order), new))
    return device, dropped


@pytest.mark.parametrize(
    ("queue", "share"), [(0, Fraction(1, 2)), (1, Fraction(1, 3)), (3, Fraction(1, 3))]
)
@pytest.mark.parametrize("drop", ["newest", "oldest"])
def test_an_overloaded_device_drops_what_it_must(queue, share, drop):
    n = 3000
    _, dropped = camera(n, queue=queue, drop=drop)
    assert abs(dropped - share * n) <= queue + 1


@pytest.mark.parametrize(
    ("drop", "latencies"),
    [("newest", [50.0, 66.7, 83.3, 66.7, 83.3, 66.7]), ("oldest", [50.0, 66.7, 50.0, 66.7])],
)
def test_latency_of_an_update_is_wait_and_service(drop, latencies):
    device, _ = camera(3000, drop=drop)
    found = [ns / 1e6 for ns in device.update_ns]
    assert [round(ms, 1) for ms in found[: len(latencies)]] == latencies
    bound = 2 * SERVICE if drop == "newest" else SERVICE + PERIOD
    # The last frame of all has no successor to displace it.
    assert max(device.update_ns[:-1]) < bound
    steady = found[len(found) // 4 :]
    assert sum(steady) / len(steady) == pytest.approx(75.0 if drop == "newest" else 58.4, abs=0.1)


@pytest.mark.parametrize(
    ("share", "clustering"), [("0", 0.6667), ("1/100", 0.6469), ("1/10", 0.4860)]
)
def test_rewiring_lowers_clustering_as_it_must(share, clustering):
    settings = SmallWorldSettings(kind="small-world", neighbours=10, rewire=Fraction(share))
    graphs = 1 if share == "0" else 20
    found = [
        nx.average_clustering(nx.Graph(small_world(settings, devices=200, streams=Streams(seed))))
        for seed in range(graphs)
    ]
    if share == "0":
        assert found == [pytest.approx(2 / 3, abs=1e-9)]
    assert sum(found) / graphs == pytest.approx(clustering, abs=0.015)


def mean_path(settings, seed, devices=200):
    pairs = small_world(settings, devices=devices, streams=Streams(seed))
    return nx.average_shortest_path_length(nx.Graph(pairs))


def test_paths_of_a_ring_lattice_are_as_long_as_they_must_be():
    lattice = SmallWorldSettings(kind="small-world", neighbours=10, rewire=Fraction(0))
    # To the device d places on it takes ceil(d / (k / 2)) steps, either way round.
    steps = [-(-min(d, 200 - d) // 5) for d in range(1, 200)]
    assert mean_path(lattice, 1) == pytest.approx(sum(steps) / 199, abs=1e-12)


def test_paths_of_a_fully_rewired_ring_are_those_of_a_random_graph():
    """Fronczak, Fronczak and Holyst (2004): (ln n - gamma) / ln k + 1/2."""
    rewired = SmallWorldSettings(kind="small-world", neighbours=10, rewire=Fraction(1))
    expected = (np.log(200) - np.euler_gamma) / np.log(10) + 0.5
    found = [mean_path(rewired, seed) for seed in range(10)]
    assert sum(found) / 10 == pytest.approx(expected, rel=0.05)


def test_few_shortcuts_shorten_paths_long_before_they_undo_clusters():
    """What makes a world small: Watts and Strogatz (1998), figure 2."""
    lattice, few = (
        SmallWorldSettings(kind="small-world", neighbours=10, rewire=Fraction(q))
        for q in ("0", "1/50")
    )
    shorter = sum(mean_path(few, seed) for seed in range(10)) / 10 / mean_path(lattice, 1)
    clusters = [
        nx.average_clustering(nx.Graph(small_world(few, devices=200, streams=Streams(seed))))
        for seed in range(10)
    ]
    assert shorter < 0.5
    assert sum(clusters) / 10 / (2 / 3) > 0.9
