"""Links against closed forms: each row fails if state, unit or order of the model is wrong.

Statistical rows take |estimate - expected| <= 4.42 standard errors (two-sided 1e-5); correlated
samples inflate the variance by V.
"""

import heapq
import math
from fractions import Fraction
from itertools import count

import numpy as np
import pytest

from simedge.core.streams import Streams
from simedge.core.tables import exponential_table
from simedge.world.datagrams import Datagram, Uid
from simedge.world.link_settings import QueueSettings
from simedge.world.links import Link
from simedge.world.loss_settings import BernoulliLoss, GilbertElliottLoss
from simedge.world.network import Network
from simedge.world.profiles import LinkModel
from simedge.world.routing import Routes

MS, S = 1_000_000, 10**9
AMPLE = QueueSettings.model_construct(datagrams=10**9, bytes=10**18)


def bernoulli(share):
    return BernoulliLoss(kind="bernoulli", mean=Fraction(share))


def a_link(seed=7, **figures):
    model = LinkModel(**({"rate_bps": 10_000_000, "queue": AMPLE} | figures))
    return Link(model, name="dev03.up", number=9, src=1, dst=2, streams=Streams(seed))


def datagrams(times, sizes):
    for seq, (at, size) in enumerate(zip(times, sizes, strict=True)):
        uid = Uid("dev03", "server", "token", 1, seq)
        yield Datagram(uid=uid, data=b"", wire_bytes=size, path=(2,), sent_ns=at)


def deliver(link, times, sizes, *, watch=None):
    """Offer datagrams at their times; return (arrival, datagram) in order of arrival."""
    queue, order, arrived = [], count(), []

    def until(now):
        while queue and queue[0][0] <= now:
            at, *_, due = heapq.heappop(queue)
            if due.kind == "arrive":
                datagram, _ = link.land(due.payload, at)
                if datagram is not None:
                    arrived.append((at, datagram))
                continue
            for new in link.handle(due.kind, due.payload, at).dues:
                heapq.heappush(queue, (new.at, new.order, next(order), new))
            if watch is not None:
                watch(at)

    for datagram in datagrams(times, sizes):
        until(datagram.sent_ns)
        for new in link.offer(datagram, datagram.sent_ns).dues:
            heapq.heappush(queue, (new.at, new.order, next(order), new))
        if watch is not None:
            watch(datagram.sent_ns)
    until(math.inf)
    return arrived


def exponentials(name, n, mean):
    """Draw n whole numbers of the tabulated exponential law."""
    words = Streams(3).stream("test", name, "exponential").block(-(-n // 4))[:n]
    table = np.array(exponential_table(), np.int64)
    return ((table[(words >> np.uint64(52)).astype(np.int64)] * mean) >> 32).tolist()


def arrivals(n, mean_ns, name="arrivals"):
    return np.cumsum(exponentials(name, n, mean_ns)).tolist()


def steady(n, every_ns):
    return range(0, n * every_ns, every_ns)


def test_independent_losses_and_duplicates_have_their_shares():
    n, p, d = 50_000, 0.2, 0.1
    link = a_link(loss=bernoulli("1/5"), duplicate=Fraction(1, 10))
    deliver(link, steady(n, 2 * MS), [100] * n)
    tally = link.tally()
    assert abs(tally.lost.datagrams / n - p) <= 4.42 * math.sqrt(p * (1 - p) / n)
    variance = (1 - p) * (1 + 3 * d) - ((1 - p) * (1 + d)) ** 2
    assert abs(tally.delivered.datagrams / n - 0.88) <= 4.42 * math.sqrt(variance / n)


@pytest.mark.parametrize(
    ("mean", "burst", "bad", "every_ns", "inflation"),
    [
        ("20%", "1 s", "100%", 100 * MS, 16.02),
        ("20%", "1 s", "100%", S, 1.803),
        ("2.2%", "660 ms", "50%", 100 * MS, 6.69),
    ],
)
def test_bursts_in_time_have_their_mean_and_their_correlation(
    mean, burst, bad, every_ns, inflation
):
    n = 50_000
    loss = GilbertElliottLoss.model_validate(
        {"kind": "gilbert-elliott", "mean": mean, "burst": burst, "bad": bad}
    )
    link = a_link(loss=loss)
    share_bad = float(loss.mean / loss.bad)
    rate = S / loss.burst / (1 - share_bad)
    rho = math.exp(-every_ns / S * rate)
    p, l_bad = float(loss.mean), float(loss.bad)
    covariance = share_bad * (1 - share_bad) * l_bad**2
    v = 1 + 2 * covariance * rho / ((1 - rho) * p * (1 - p))
    assert v == pytest.approx(inflation, rel=2e-3)
    arrived = deliver(link, steady(n, every_ns), [100] * n)
    error = math.sqrt(v * p * (1 - p) / n)
    assert abs(link.tally().lost.datagrams / n - p) <= 4.42 * error
    lost = np.ones(n)
    lost[[d.uid.seq for _, d in arrived]] = 0
    found = np.mean((lost[:-1] - p) * (lost[1:] - p)) / (p * (1 - p))
    # Lag-one correlation; its own error is that of a mean of inflated products.
    assert abs(found - covariance * rho / (p * (1 - p))) <= 4.42 * math.sqrt(v / n) / math.sqrt(p)


@pytest.mark.parametrize("retries", [1, 7])
def test_hop_retries_leave_a_power_of_the_loss(retries):
    n, p = 40_000, 0.2
    link = a_link(loss=bernoulli("1/5"), retries=retries)
    deliver(link, steady(n, 5 * MS), [100] * n)
    left = p ** (retries + 1)
    tries = (1 - left) / (1 - p)
    assert abs(link.tally().lost.datagrams / n - left) <= 4.42 * math.sqrt(left / n) + 1 / n
    # Variance of a geometric law, which a cut only lowers.
    assert abs(link.tries / n - tries) <= 4.42 * math.sqrt(p / (1 - p) ** 2 / n)


def waits(link, times, sizes, ns_per_byte=1):
    return np.array(
        [at - d.sent_ns - d.wire_bytes * ns_per_byte for at, d in deliver(link, times, sizes)]
    )


BYTE_A_NS = 8 * 10**9


def test_exponential_service_waits_as_queueing_theory_says():
    n, load = 40_000, 0.5
    sizes = exponentials("service", n, MS)
    found = waits(a_link(rate_bps=BYTE_A_NS), arrivals(n, int(MS / load)), sizes).mean() / MS
    variance = load * (2 + 5 * load - 4 * load**2 + load**3) / (1 - load) ** 4
    assert variance == pytest.approx(29, abs=0.5)
    assert abs(found - load / (1 - load)) <= 4.42 * math.sqrt(variance / n)


@pytest.mark.parametrize(("load", "variance"), [(0.5, 3.08), (0.8, 233)])
def test_constant_service_waits_half_as_long(load, variance):
    n = 50_000
    found = waits(a_link(rate_bps=BYTE_A_NS), arrivals(n, int(MS / load)), [MS] * n).mean() / MS
    assert abs(found - load / (2 * (1 - load))) <= 4.42 * math.sqrt(variance / n)


@pytest.mark.parametrize(
    ("load", "blocked", "inflation"), [(0.8, 0.08882, 3.4), (0.5, 0.015873, 2.4)]
)
def test_a_bounded_queue_blocks_as_queueing_theory_says(load, blocked, inflation):
    n, places = 50_000, 5
    assert (1 - load) * load**places / (1 - load ** (places + 1)) == pytest.approx(
        blocked, rel=1e-4
    )
    queue = QueueSettings.model_construct(datagrams=places - 1, bytes=10**18)
    link = a_link(rate_bps=BYTE_A_NS, queue=queue)
    deliver(link, arrivals(n, int(MS / load)), exponentials("service", n, MS))
    error = math.sqrt(inflation * blocked * (1 - blocked) / n)
    assert abs(link.tally().queue_drop.datagrams / n - blocked) <= 4.42 * error


def test_the_area_under_the_queue_is_the_sum_of_the_waits():
    n, link = 3_000, a_link(rate_bps=BYTE_A_NS)
    area, before = 0, (0, 0)

    def watch(now):
        nonlocal area, before
        since, length = before
        area += (now - since) * length
        before = now, link.tally().queued.datagrams

    times, sizes = arrivals(n, int(MS / 0.8)), exponentials("service", n, MS)
    arrived = deliver(link, times, sizes, watch=watch)
    assert sum(at - d.sent_ns - d.wire_bytes for at, d in arrived) == area > 0


def test_overload_drops_what_does_not_fit():
    link = a_link(queue=QueueSettings(datagrams=10))
    deliver(link, steady(12_000, MS), [1500] * 12_000)
    assert link.tally().queue_drop.datagrams == 1990


def test_serialisation_of_one_datagram():
    ((at, _),) = deliver(a_link(), [0], [1500])
    assert at == 1_200_000


@pytest.mark.parametrize(("k", "last_ns"), [(1, 18_600_000), (10, 29_400_000)])
def test_k_datagrams_over_three_hops_form_a_pipeline(k, last_ns):
    model = LinkModel(rate_bps=10_000_000, delay_ns=5 * MS)
    ends = [(0, 1), (1, 2), (2, 3)]
    links = [
        Link(model, name=f"n{u}.n{v}", number=10 + u, src=u, dst=v, streams=Streams(1))
        for u, v in ends
    ]
    net = Network(
        links, routes=Routes(dict.fromkeys(ends, 1)), detect_ns=1, hello_ns=1, hold_datagrams=0
    )
    queue, order, last = [], count(), 0
    steps = [
        net.send(
            Datagram(uid=Uid("n0", "n3", "t", 1, s), data=b"", wire_bytes=1500, path=(3,)), 0, 0
        )
        for s in range(k)
    ]
    while steps or queue:
        for due in (due for step in steps for due in step.dues):
            heapq.heappush(queue, (due.at, due.order, next(order), due))
        now, *_, due = heapq.heappop(queue)
        if due.kind == "arrive":
            here, step = net.arrive(due.payload, now)
            last = now if here is not None else last
        else:
            step = net.handle(due.target, due.kind, due.payload, now=now)
        steps = [step] if step.dues else []
    assert last == last_ns
