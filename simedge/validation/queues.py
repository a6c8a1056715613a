"""C9 to C14: the queue and the server of a link, against queueing theory."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Final

from simedge.core.streams import Streams
from simedge.validation import formulas
from simedge.validation.crank import (
    MS,
    OCTET_A_NS,
    S,
    a_link,
    arrivals,
    deliver,
    exponentials,
)
from simedge.validation.finding import Case, Finding, Row, exact, near
from simedge.validation.turn import turn
from simedge.world.datagrams import Datagram, Uid
from simedge.world.link_settings import QueueSettings
from simedge.world.links import Link
from simedge.world.network import Network
from simedge.world.profiles import LinkModel
from simedge.world.routing import Routes

__all__ = ["ROWS"]

_MTEN: Final = 10_000_000


def _mean_wait(seed: int, *, load: float, sizes: Sequence[int]) -> float:
    """Return the mean wait of datagrams without a memory, in services of 1 ms."""
    times = arrivals(seed, len(sizes), mean_ns=int(MS / load))
    link = a_link(seed, rate_bps=OCTET_A_NS)
    return float(deliver(link, zip(times, sizes, strict=True)).waits().mean()) / MS


def _mm1(seed: int, *, load: float) -> tuple[Finding, ...]:
    n = 80_000
    found = _mean_wait(seed, load=load, sizes=exponentials(seed, "service", n, mean=MS))
    error = math.sqrt(formulas.mm1_variance(load) / n)
    return (near("mean wait", formulas.mm1_wait(load), found, n=n, error=error),)


def _md1(seed: int, *, load: float, variance: float) -> tuple[Finding, ...]:
    n = 80_000
    found = _mean_wait(seed, load=load, sizes=[MS] * n)
    error = math.sqrt(variance / n)
    return (near("mean wait", formulas.md1_wait(load), found, n=n, error=error),)


def _bounded(seed: int, *, load: float, inflation: float) -> tuple[Finding, ...]:
    n, places = 50_000, 5
    queue = QueueSettings.model_construct(datagrams=places - 1, bytes=10**18)
    link = a_link(seed, rate_bps=OCTET_A_NS, queue=queue)
    times = arrivals(seed, n, mean_ns=int(MS / load))
    deliver(link, zip(times, exponentials(seed, "service", n, mean=MS), strict=True))
    blocked = formulas.blocking(load, places)
    error = math.sqrt(inflation * blocked * (1 - blocked) / n)
    found = link.tally().queue_drop.datagrams / n
    return (near("share blocked", blocked, found, n=n, error=error),)


def _little(seed: int) -> tuple[Finding, ...]:
    n, load = 5_000, 0.8
    link = a_link(seed, rate_bps=OCTET_A_NS)
    area, since, length = 0, 0, 0

    def watch(now: int) -> None:
        nonlocal area, since, length
        area += (now - since) * length
        since, length = now, link.tally().queued.datagrams

    times = arrivals(seed, n, mean_ns=int(MS / load))
    sizes = exponentials(seed, "service", n, mean=MS)
    run = deliver(link, zip(times, sizes, strict=True), watch=watch)
    waited = sum(at - d.sent_ns - d.wire_bytes for at, d in run.arrived)
    return (exact("area under the queue, ns", waited, area, n=n),)


def _overload(seed: int) -> tuple[Finding, ...]:
    n, places, size = 12_000, 10, 1500
    link = a_link(seed, queue=QueueSettings(datagrams=places))
    deliver(link, ((seq * MS, size) for seq in range(n)))
    service_ns = formulas.serialisation_ns(size, _MTEN)
    drops = formulas.overload_drops(n, period_ns=MS, service_ns=service_ns, places=places)
    return (exact("dropped", drops, link.tally().queue_drop.datagrams, n=n),)


def _serialisation(seed: int, *, rate_bps: int) -> tuple[Finding, ...]:
    ((at, _),) = deliver(a_link(seed, rate_bps=rate_bps), [(0, 1500)]).arrived
    return (exact("arrival, ns", formulas.serialisation_ns(1500, rate_bps), at),)


def _pipeline(seed: int, *, k: int) -> tuple[Finding, ...]:
    """Send k datagrams at once over three equal hops."""
    model = LinkModel(rate_bps=_MTEN, delay_ns=5 * MS)
    ends = [(0, 1), (1, 2), (2, 3)]
    links = [
        Link(model, name=f"n{u}.n{v}", number=10 + u, src=u, dst=v, streams=Streams(seed))
        for u, v in ends
    ]
    routes = Routes(dict.fromkeys(ends, 1))
    net = Network(links, routes=routes, detect_ns=S, hello_ns=S, hold_datagrams=0)
    names = [Uid("n0", "n3", "token", 1, seq) for seq in range(k)]
    sent = [Datagram(uid=uid, data=b"", wire_bytes=1500, path=(3,)) for uid in names]
    run = turn(net, [(0, partial(net.send, datagram, 0)) for datagram in sent])
    service_ns = formulas.serialisation_ns(1500, _MTEN)
    last = formulas.pipeline_ns(k, len(ends), service_ns=service_ns, delay_ns=5 * MS)
    return (exact("last arrival, ns", last, run.arrived[-1][0], n=k),)


ROWS: Final = (
    Row(
        id="C9",
        check="M/M/1: mean wait in a link's queue, in mean services",
        formula="a/(1 - a); n var = a (2 + 5a - 4a^2 + a^3)/(1 - a)^4, a the load",
        rule="4.42 SE, variance of correlated waits",
        cases=tuple(Case(parameters=f"a {a:g}", run=partial(_mm1, load=a)) for a in (0.5, 0.8)),
    ),
    Row(
        id="C10",
        check="M/D/1: mean wait in a link's queue, in services",
        formula="a/(2 (1 - a)); n var 3.08 and 233 by simulation",
        rule="4.42 SE, variance of correlated waits",
        cases=tuple(
            Case(parameters=f"a {a:g}", run=partial(_md1, load=a, variance=v))
            for a, v in ((0.5, 3.08), (0.8, 233))
        ),
    ),
    Row(
        id="C11",
        check="M/M/1/K: share that a queue of K - 1 turns away",
        formula="(1 - a) a^K/(1 - a^(K + 1))",
        rule="4.42 SE, variance times V (3.4 and 2.4 by simulation)",
        cases=tuple(
            Case(parameters=f"a {a:g}, K 5", run=partial(_bounded, load=a, inflation=v))
            for a, v in ((0.8, 3.4), (0.5, 2.4))
        ),
    ),
    Row(
        id="C12",
        check="Little's law in a link's queue",
        formula="integral of the queue = sum of the waits",
        rule="exact",
        cases=(Case(parameters="M/M/1, a 0.8, until it is empty", run=_little),),
    ),
    Row(
        id="C13",
        check="overload of a queue that drops its tail",
        formula="n (1 - P/S) - Q",
        rule="exact",
        cases=(Case(parameters="12 000 x 1500 B, one a ms, 10 Mbit/s, Q 10", run=_overload),),
    ),
    Row(
        id="C14",
        check="serialisation, and k datagrams over three hops",
        formula="ceil(8n 1e9/r); (k + h - 1) S + h d",
        rule="exact",
        cases=(
            Case(parameters="1500 B, 10 Mbit/s", run=partial(_serialisation, rate_bps=_MTEN)),
            Case(parameters="1500 B, 1 bit/s", run=partial(_serialisation, rate_bps=1)),
            Case(parameters="1500 B, 100 Gbit/s", run=partial(_serialisation, rate_bps=10**11)),
            Case(parameters="h 3, d 5 ms, k 1", run=partial(_pipeline, k=1)),
            Case(parameters="h 3, d 5 ms, k 10", run=partial(_pipeline, k=10)),
        ),
    ),
)
