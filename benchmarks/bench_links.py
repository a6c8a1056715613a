"""Datagrams a second through one link and through a world of 20,000 links, and what they keep.

Run ``python benchmarks/bench_links.py``; figures are the best of three runs in processor time.
"""

import gc
import sys
import time
import tracemalloc
from fractions import Fraction

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
        self.arrived = 0
        self._left = 0
        self.kernel.register(0, self._arrive)
        for link in self.links:
            self.kernel.register(link.number, self._serve)
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
        uid = Uid(self.names[place], "server", "token", 1, n)
        datagram = Datagram(uid=uid, data=b"", wire_bytes=1000, path=(0,), sent_ns=now)
        for due in self.network.send(datagram, place, now)[0]:
            self.kernel.post(due)
        if n + 1 < self._left:
            self.kernel.post((now + _MS // 5, 8, self._source, "send", n + 1))

    def _serve(self, record: tuple, now: int) -> None:
        for due in self.network.handle(record[2], record[3], record[4], now=now)[0]:
            self.kernel.post(due)

    def _arrive(self, record: tuple, now: int) -> None:
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
        print(f"one link, {name:16} {_rate(1, 100_000, **figures):9,.0f} datagrams/s")
    for name in ("plain", "bursts"):
        rate = _rate(20_000, many, 1, **_LAWS[name])
        print(f"20,000 links, {name:12} {rate:9,.0f} datagrams/s")
    built, after = _kept(2_000, 20_000, **_LAWS["bursts"])
    _, later = _kept(2_000, 60_000, **_LAWS["bursts"])
    print(f"a link keeps {built:,.0f} B new, {after:,.0f} B used, {later:,.0f} B later")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
