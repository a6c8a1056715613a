"""Beside ns.py, a packet simulator on SimPy: a Poisson source, then one queue or three in a chain.

Run ``python benchmarks/bench_nspy.py`` where ns.py is installed (``pip install ns.py``), in an
environment of its own. Datagrams of 1,250 bytes at 10 Mbit/s are served in 1 ms each, offered 80 %
of the time. Gaps are the same in both, drawn before the clock runs. Both keep every time in the
system. Waits are held against the closed form of M/D/1, rho / (2 (1 - rho)) = 2 service times; in
the chain the queues behind the first never fill, since what leaves it has the gaps of a service.

ns.py takes the time of a packet before it waits for its gap; times are therefore taken from when
its first port has it. Figures are the best of three turns in processor time, side by side.
"""

import importlib.util
import sys
import time

import numpy as np

from simedge.core.records import Order
from simedge.core.streams import Streams
from simedge.kernel import Kernel
from simedge.world.datagrams import Datagram, Uid
from simedge.world.link_settings import QueueSettings
from simedge.world.links import Link
from simedge.world.network import Network
from simedge.world.profiles import LinkModel
from simedge.world.routing import Routes

_RATE_BPS, _SIZE, _SERVICE_NS = 10_000_000, 1250, 1_000_000
_LOAD = 0.8
_FRAME, _RECEIVED = Order.FRAME, Order.RECEIVED
_new = tuple.__new__


def gaps_ns(count: int) -> list[int]:
    """Return exponential gaps between datagrams."""
    words = Streams(1).stream("benchmark", "source", "gaps").block(-(-count // 4))
    shares = (words[:count] >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return np.ceil(-np.log1p(-shares) * _SERVICE_NS / _LOAD).astype(np.int64).tolist()


class Chain:
    """A source, and links in a row behind it, driven as the carrier drives them."""

    def __init__(self, gaps: list[int], hops: int) -> None:
        queue = QueueSettings.model_construct(datagrams=10**9, bytes=10**12)
        model = LinkModel(rate_bps=_RATE_BPS, queue=queue)
        streams = Streams(1)
        links = [
            Link(model, name=f"{i}.{i + 1}", number=100 + i, src=i, dst=i + 1, streams=streams)
            for i in range(hops)
        ]
        routes = Routes({(i, i + 1): 1 for i in range(hops)})
        self.network = Network(links, routes=routes, detect_ns=1, hello_ns=1, hold_datagrams=1)
        self.kernel = Kernel()
        for link in links:
            self.kernel.register(link.number, self._serve)
        for number in range(1, hops + 1):
            self.kernel.register(number, self._arrive)
        self.kernel.register(0, self._send)
        self._path = (hops,)
        self._gaps = iter(gaps)
        self._seq = 0
        self.times_ns: list[int] = []

    def run(self) -> None:
        """Send all, and wait for the last."""
        self.kernel.post((next(self._gaps), _FRAME, 0, "send", None))
        while self.kernel.run_slice(100_000):
            pass

    def mean_wait(self, hops: int) -> float:
        """Return the mean time in queues, in service times."""
        return sum(self.times_ns) / len(self.times_ns) / _SERVICE_NS - hops

    def _send(self, record: tuple, now: int) -> None:
        self._seq += 1
        uid = _new(Uid, ("a", "b", "token", 1, self._seq, 0, 0))
        datagram = _new(Datagram, (uid, b"", _SIZE, self._path, "payload", now, None))
        self._pass_on(datagram, record[2], now)
        gap = next(self._gaps, None)
        if gap is not None:
            self.kernel.post((now + gap, _FRAME, 0, "send", None))

    def _pass_on(self, datagram: Datagram, source: int, now: int) -> None:
        link = self.network.way(source, datagram.path[-1])
        dues = link.offer_plain(datagram, now)
        if dues is None:
            dues = self.network.send(datagram, source, now).dues
        for due in dues:
            self.kernel.post(due)

    def _serve(self, record: tuple, now: int) -> None:
        _, _, target, kind, payload = record
        dues = self.network.by_number[target].end_plain(payload, now)
        if dues is None:
            dues = self.network.handle(target, kind, payload, now=now).dues
        for due in dues:
            self.kernel.post(due)

    def _arrive(self, record: tuple, now: int) -> None:
        datagram = self.network.land_plain(record[4])
        if datagram is None:
            datagram, _ = self.network.arrive(record[4], now)
        if datagram.path[-1] == record[2]:
            self.times_ns.append(now - datagram.sent_ns)
        else:
            self._pass_on(datagram, record[2], now)


class NsChain:
    """The same of ns.py."""

    def __init__(self, gaps: list[int], hops: int) -> None:
        # Peers are imported where they are measured: most who run benchmarks have none.
        import simpy  # noqa: PLC0415
        from ns.packet.dist_generator import DistPacketGenerator  # noqa: PLC0415
        from ns.packet.sink import PacketSink  # noqa: PLC0415
        from ns.port.port import Port  # noqa: PLC0415

        self._env = simpy.Environment()
        left = iter([gap * 1e-9 for gap in gaps])
        source = DistPacketGenerator(
            self._env, "a", lambda: next(left), lambda: _SIZE, size=_SIZE * len(gaps)
        )
        self._sink = PacketSink(self._env, rec_arrivals=False)
        ports = [Port(self._env, _RATE_BPS, element_id=i) for i in range(hops)]
        source.out = ports[0]
        for port, following in zip(ports, [*ports[1:], self._sink], strict=True):
            port.out = following

    def run(self) -> None:
        """Send all, and wait for the last."""
        self._env.run()

    def mean_wait(self, hops: int) -> float:
        """Return the mean time in queues, in service times."""
        begun = [times[0] for times in self._sink.perhop_times[0]]
        ended = self._sink.arrivals[0]
        total = sum(b - a for a, b in zip(begun, ended, strict=True))
        return total / len(ended) / (_SERVICE_NS * 1e-9) - hops


def _measured(kind: type, gaps: list[int], hops: int) -> tuple[float, float]:
    chain = kind(gaps, hops)
    begin = time.process_time()
    chain.run()
    return len(gaps) / (time.process_time() - begin), chain.mean_wait(hops)


def main(count: int = 100_000, turns: int = 3) -> None:
    """Print the table."""
    kinds = {"simedge": Chain, "ns.py": NsChain}
    if importlib.util.find_spec("ns") is None:
        print("ns.py is left out: it is not installed here (pip install ns.py)")
        del kinds["ns.py"]
    gaps = gaps_ns(count)
    print(f"mean wait by the closed form: {_LOAD / 2 / (1 - _LOAD):.3f} service times")
    for hops in (1, 3):
        results = {name: [] for name in kinds}
        for _ in range(turns):
            for name, kind in kinds.items():
                results[name].append(_measured(kind, gaps, hops))
        best = {name: max(some) for name, some in results.items()}
        for name, (rate, wait) in best.items():
            print(f"{hops} hops  {name:8} {rate:9,.0f} datagrams/s  mean wait {wait:.3f}")
        if "ns.py" in best:
            print(f"{hops} hops  ratio {best['simedge'][0] / best['ns.py'][0]:.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
