"""C23, C24 and C26: paths, fragments of IP, small worlds."""

import math
from fractions import Fraction
from functools import partial
from typing import Final

import networkx as nx  # type: ignore[import-untyped]

from simedge.core.streams import Streams
from simedge.validation import formulas
from simedge.validation.crank import MS, S, a_link, deliver
from simedge.validation.finding import Case, Finding, Row, exact, near, within
from simedge.validation.losses import independent
from simedge.validation.turn import turn
from simedge.world.datagrams import Datagram, Uid
from simedge.world.links import Link
from simedge.world.network import Network
from simedge.world.profiles import LinkModel
from simedge.world.routing import Routes, edge_costs
from simedge.world.settings import SmallWorldSettings
from simedge.world.topology import small_world

__all__ = ["ROWS"]


# ------------------------------------------------------------------------------------------- C23
def _etx(_seed: int) -> tuple[Finding, ...]:
    forth, back = 0.1, 0.2
    models = {
        ends: LinkModel(rate_bps=1, loss=independent(share))
        for ends, share in (((1, 2), "1/10"), ((2, 1), "1/5"))
    }
    costs = edge_costs(models, "etx")
    expected = round(10**6 / ((1 - forth) * (1 - back)))
    return (exact("ETX, millionths", (expected,) * 2, tuple(costs.values())),)


def _reroute(seed: int) -> tuple[Finding, ...]:
    """Let device 1 of a ring of four die, and send past it around that instant."""
    death_ns, detect_ns = S, 3 * S
    ring = [(0, 1), (1, 2), (2, 3), (0, 3)]
    ends = sorted(way for u, v in ring for way in ((u, v), (v, u)))
    model = LinkModel(rate_bps=10_000_000, delay_ns=MS)
    links = [
        Link(model, name=f"n{u}.n{v}", number=100 + i, src=u, dst=v, streams=Streams(seed))
        for i, (u, v) in enumerate(ends)
    ]
    routes = Routes(dict.fromkeys(ends, 1))
    net = Network(links, routes=routes, detect_ns=detect_ns, hello_ns=S, hold_datagrams=16)
    change_ns = death_ns + detect_ns
    times = (change_ns - 1, change_ns)
    names = [Uid("n2", "n0", "token", 1, seq) for seq in range(2)]
    sent = [Datagram(uid=uid, data=b"", wire_bytes=1500, path=(0,)) for uid in names]
    sends = [(at, partial(net.send, datagram, 2)) for at, datagram in zip(times, sent, strict=True)]
    routes.path(2, 0)
    run = turn(net, [(death_ns, partial(net.device_down, 1)), *sends])
    return (
        exact("path changes at, ns", (change_ns,), tuple(at for at, _ in run.changes)),
        exact("arrived", (1,), tuple(datagram.uid.seq for _, datagram in run.arrived)),
    )


# ------------------------------------------------------------------------------------------- C24
def _sizes(seed: int) -> tuple[Finding, ...]:
    link = a_link(seed, mtu=576, fragment=True, rate_bps=8 * S)
    served = deliver(link, [(0, 1428)]).served
    found = tuple(end - start for start, end in served)
    return (exact("on the wire, B", (572, 572, 324), found),)


def _lost(seed: int) -> tuple[Finding, ...]:
    n, share = 30_000, 1 - 0.9**3
    link = a_link(seed, mtu=576, fragment=True, rate_bps=S, loss=independent("1/10"))
    arrived = deliver(link, ((seq * MS, 1428) for seq in range(n))).arrived
    error = math.sqrt(share * (1 - share) / n)
    return (near("share lost", share, 1 - len(arrived) / n, n=n, error=error),)


# ------------------------------------------------------------------------------------------- C26
_DEVICES, _NEIGHBOURS = 200, 10


def _clustering(seed: int, *, rewire: Fraction) -> float:
    settings = SmallWorldSettings(kind="small-world", neighbours=_NEIGHBOURS, rewire=rewire)
    pairs = small_world(settings, devices=_DEVICES, streams=Streams(seed))
    return float(nx.average_clustering(nx.Graph(pairs)))


def _lattice(seed: int) -> tuple[Finding, ...]:
    found = Fraction(_clustering(seed, rewire=Fraction(0))).limit_denominator(1000)
    expected = Fraction(3 * (_NEIGHBOURS - 2), 4 * (_NEIGHBOURS - 1))
    return (exact("clustering", float(expected), float(found)),)


def _rewired(seed: int, *, rewire: Fraction) -> tuple[Finding, ...]:
    graphs = 40
    first = seed * graphs
    found = [_clustering(first + i, rewire=rewire) for i in range(graphs)]
    # Nothing is less clustered than chance, k / N.
    expected = max(formulas.clustering(_NEIGHBOURS, float(rewire)), _NEIGHBOURS / _DEVICES)
    mean = math.fsum(found) / graphs
    return (within("clustering", expected, mean, n=graphs, tolerance=0.015),)


ROWS: Final = (
    Row(
        id="C23",
        check="routes: cost of an edge, and the change of a path",
        formula="1/((1 - p_f)(1 - p_r)); the path changes `detect` after the fault",
        rule="exact",
        cases=(
            Case(parameters="p_f .1, p_r .2", run=_etx),
            Case(parameters="death at 1 s, detect 3 s", run=_reroute),
        ),
    ),
    Row(
        id="C24",
        check="fragments of IPv4",
        formula="payload a multiple of 8; 1 - (1 - p)^F lost",
        rule="exact; 4.42 SE",
        cases=(
            Case(parameters="1400 B of UDP, mtu 576", run=_sizes),
            Case(parameters="the same, p .1", run=_lost),
        ),
    ),
    Row(
        id="C26",
        check="Watts-Strogatz: clustering of the small-world topology, N 200, k 10",
        formula="3/4 (k - 2)/(k - 1) (1 - q)^3, k/N at least; q the share rewired",
        rule="exact at q 0; .015",
        cases=(
            Case(parameters="q 0", run=_lattice),
            *(
                Case(parameters=f"q {share}", run=partial(_rewired, rewire=Fraction(share)))
                for share in ("1/100", "1/10", "1")
            ),
        ),
    ),
)
