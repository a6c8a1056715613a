"""Datagrams a second through one link and through a world of 20,000 links, and what they keep.

Run ``python benchmarks/bench_links.py [datagrams]``; figures are in processor time, the best of
three runs with one link. Beside each stands the same scaled to a machine on which the bare heap
with a call (`bench_kernel.bare_heap`, 20,000 pending) makes 1,272 thousand records a second.
"""

import gc
import os
import sys
import time
import tracemalloc
from fractions import Fraction
from pathlib import Path

from bench_kernel import RECORDS, bare_heap

from simedge.core.records import Order
from simedge.core.streams import Streams
from simedge.kernel import Kernel
from simedge.world.datagrams import Datagram, Uid
from simedge.world.jitter_settings import UniformJitter
from simedge.world.links import Link
from simedge.world.loss_settings import BernoulliLoss, GilbertElliottLoss
from simedge.world.network import Network
from simedge.world.profiles import LinkModel
from simedge.world.routing import Routes

_MS = 1_000_000
_REFERENCE = 1_272_000
_FRAME = Order.FRAME
_TO = (0,)
_new = tuple.__new__  # as the carrier makes them
_LAWS = {
    "plain": {},
    "bernoulli 10 %": {"loss": BernoulliLoss(kind="bernoulli", mean=Fraction(1, 10))},
    "bursts": {
        "loss": GilbertElliottLoss.model_validate(
            {"kind": "gilbert-elliott", "mean": "10%", "burst": "200 ms"}
        )
    },
    "loss and jitter": {
        "loss": BernoulliLoss(kind="bernoulli", mean=Fraction(1, 10)),
        "jitter": UniformJitter.model_validate({"kind": "uniform", "high": "1 ms"}),
    },
}


class World:
    """Some links between a server and devices, and a source that sends in turn on each."""

    def __init__(self, count: int, **figures: object) -> None:
        model = LinkModel(rate_bps=100_000_000, delay_ns=_MS, **figures)
        streams = Streams(1)
        self.names = ["server", *(f"cam-{i}" for i in range(1, count + 1))]
        self.links = [
            Link(
                model,
                name=f"{self.names[i]}.server",
                number=count + 1 + i,
                src=i,
                dst=0,
                streams=streams,
            )
            for i in range(1, count + 1)
        ]
        edges = {(i, 0): 1 for i in range(1, count + 1)}
        self.network = Network(
            self.links, routes=Routes(edges), detect_ns=1, hello_ns=1, hold_datagrams=1
        )
        self.kernel = Kernel()
        self._post = self.kernel.post
        self._by_number = self.network.by_number
        self.arrived = 0
        self._left = 0
        self.kernel.register(0, self._arrive)
        serve = self._serve
        for link in self.links:
            self.kernel.register(link.number, serve)
        self._source = 2 * count + 2
        self.kernel.register(self._source, self._send)

    def run(self, datagrams: int) -> None:
        """Send that many, one every 0.2 ms, through links in turn."""
        self._left = datagrams
        self.kernel.post((self.kernel.now, 8, self._source, "send", 0))
        while self.kernel.run_slice(100_000):
            pass

    def _send(self, record: tuple, now: int) -> None:
        n = record[4]
        place = 1 + n % len(self.links)
        uid = _new(Uid, (self.names[place], "server", "token", 1, n, 0, 0))
        datagram = _new(Datagram, (uid, b"", 1000, _TO, "payload", now, None))
        link = self.network.way(place, 0)
        dues = link.offer_plain(datagram, now)
        if dues is None:
            dues = self.network.send(datagram, place, now).dues
        for due in dues:
            self._post(due)
        if n + 1 < self._left:
            self._post((now + _MS // 5, _FRAME, self._source, "send", n + 1))

    def _serve(self, record: tuple, now: int) -> None:
        _, _, target, kind, payload = record
        dues = self._by_number[target].end_plain(payload, now)
        if dues is None:
            dues = self.network.handle(target, kind, payload, now=now).dues
        for due in dues:
            self._post(due)

    def _arrive(self, record: tuple, now: int) -> None:
        datagram = self.network.land_plain(record[4])
        if datagram is None:
            datagram, _ = self.network.arrive(record[4], now)
        self.arrived += datagram is not None


def _rate(count: int, datagrams: int, repeats: int = 3, **figures: object) -> float:
    best = 0.0
    for _ in range(repeats):
        world = World(count, **figures)
        gc.collect()
        begin = time.process_time()
        world.run(datagrams)
        best = max(best, datagrams / (time.process_time() - begin))
    return best


def _yardstick(repeats: int = 3) -> float:
    """Return the records a second of a bare heap with a call."""
    best = 0.0
    for _ in range(repeats):
        dispatch = bare_heap(20_000)
        begin = time.process_time()
        dispatch()
        best = max(best, RECORDS / (time.process_time() - begin))
    return best


def _resident() -> int:
    """Return the bytes of memory that this process occupies."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _print_rate(name: str, rate: float, yard: float) -> None:
    scaled = rate * _REFERENCE / yard
    print(
        f"{name:28} {rate:9,.0f} datagrams/s; yardstick {yard / 1000:5,.0f} k/s;"
        f" scaled {scaled:9,.0f}"
    )


def _large(name: str, datagrams: int) -> None:
    """Measure 20,000 links, with the memory after a third and at the end."""
    world = World(20_000, **_LAWS[name])
    gc.collect()
    yard, resident, spent = _yardstick(), [], 0.0
    for part in (datagrams // 3, datagrams - datagrams // 3):
        begin = time.process_time()
        world.run(part)
        spent += time.process_time() - begin
        resident.append(_resident() / 2**20)
    # The machine may have changed its speed meanwhile.
    _print_rate(f"20,000 links, {name}", datagrams / spent, (yard + _yardstick()) / 2)
    print(f"    resident memory {resident[0]:.1f} MiB after a third, {resident[1]:.1f} at the end")


def _kept(count: int, datagrams: int, **figures: object) -> tuple[float, float]:
    """Return the bytes a link after building, and after that many datagrams."""
    tracemalloc.start()
    world = World(count, **figures)
    gc.collect()
    built = tracemalloc.get_traced_memory()[0]
    world.run(datagrams)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return built / count, after / count


def main(many: int = 1_000_000) -> None:
    """Print the table."""
    for name, figures in _LAWS.items():
        yard = _yardstick()
        _print_rate(f"one link, {name}", _rate(1, 100_000, **figures), yard)
    for name in ("plain", "bursts"):
        _large(name, many)
    built, after = _kept(2_000, 20_000, **_LAWS["bursts"])
    _, later = _kept(2_000, 60_000, **_LAWS["bursts"])
    print(f"a link keeps {built:,.0f} B new, {after:,.0f} B used, {later:,.0f} B later")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
