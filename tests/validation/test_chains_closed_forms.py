"""Chains of loss, fragments and duty cycles against closed forms.

Statistical rows take |estimate - expected| <= 4.42 standard errors (two-sided 1e-5); correlated
samples inflate the variance by V. Every row runs our link and nothing beside it.
"""

import heapq
import math
from fractions import Fraction
from itertools import count, pairwise

import numpy as np
import pytest

from simedge.core.streams import Streams
from simedge.world.datagrams import Datagram, Uid
from simedge.world.link_settings import QueueSettings
from simedge.world.links import Link
from simedge.world.loss import mean_loss
from simedge.world.loss_settings import BernoulliLoss, FourStateLoss, PacketChainLoss
from simedge.world.profiles import PROFILES, LinkModel, resolve
from simedge.world.rates import LoraAir
from simedge.world.settings import LinkSettings

MS = 1_000_000
AMPLE = QueueSettings.model_construct(datagrams=10**9, bytes=10**18)


def a_link(**figures):
    model = LinkModel(**({"rate_bps": 10**9, "queue": AMPLE} | figures))
    return Link(model, name="dev03.up", number=9, src=1, dst=2, streams=Streams(7))


def deliver(link, offers):
    """Offer (at, size) in turn; return (at, datagram) of arrivals and (at, kind) of fates."""
    queue, order, arrived, begun = [], count(), [], []
    offers = [(at, Uid("dev03", "server", "t", 1, seq), n) for seq, (at, n) in enumerate(offers)]
    offers.reverse()
    while queue or offers:
        if offers and (not queue or offers[-1][0] < queue[0][0]):
            at, uid, size = offers.pop()
            step = link.offer(Datagram(uid=uid, data=b"", wire_bytes=size, path=(2,)), at)
        else:
            at, *_, due = heapq.heappop(queue)
            if due.kind == "arrive":
                datagram, step = link.land(due.payload, at)
                if datagram is not None:
                    arrived.append((at, datagram))
            else:
                step = link.handle(due.kind, due.payload, at)
        for due in step.dues:
            if due.kind == "served":
                begun.append((at, due.at))
            heapq.heappush(queue, (due.at, due.order, next(order), due))
    return arrived, begun


def losses(loss, n):
    """Return 1 for each of n datagrams that the link lost, else 0."""
    arrived, _ = deliver(a_link(loss=loss), [(seq * MS, 100) for seq in range(n)])
    lost = np.ones(n)
    lost[[d.uid.seq for _, d in arrived]] = 0
    return lost


def chain(p, r, bad, good):
    data = {"kind": "gilbert-elliott-packets", "p": p, "r": r, "bad": bad, "good": good}
    return PacketChainLoss.model_validate(data)


def runs(lost):
    """Return the lengths of runs of losses."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], lost, [0]))))
    return edges[1::2] - edges[::2]


@pytest.mark.parametrize(
    ("figures", "share", "inflation", "run"),
    [
        ((0.02, 0.2, 1, 0), 0.090909, 8.091, 5.0),
        ((0.01, 0.1, 0.8, 0.01), 0.081818, 12.110, 2.8),
        ((0.05, 0.2, 0.75, 0.01), 0.158, 4.952, 2.347),
    ],
)
def test_bursts_by_packet_have_their_share_their_variance_and_their_runs(
    figures, share, inflation, run
):
    n = 50_000
    p, r, bad, good = figures
    in_bad = p / (p + r)
    loss = chain(*map(str, figures))
    assert float(mean_loss(loss)) == pytest.approx(share, abs=1e-6)
    spread = in_bad * (1 - in_bad) * (bad - good) ** 2
    rho = 1 - p - r
    v = 1 + 2 * spread * rho / ((1 - rho) * share * (1 - share))
    assert v == pytest.approx(inflation, rel=1e-3)
    lost = losses(loss, n)
    assert abs(lost.mean() - share) <= 4.42 * math.sqrt(v * share * (1 - share) / n)
    lengths = runs(lost)
    assert share / (share * (1 - share) - spread * rho) == pytest.approx(run, abs=2e-3)
    assert abs(lengths.mean() - run) <= 4.42 * lengths.std() / math.sqrt(len(lengths))
    # Sums of 500 have the inflated variance; the variance of a variance is 2/(m - 1).
    sums = lost.reshape(-1, 500).sum(axis=1)
    expected = 500 * share * (1 - share) * v
    assert abs(sums.var() / expected - 1) <= 4.42 * math.sqrt(3 / len(sums))


@pytest.mark.parametrize(
    ("figures", "share", "inflation"),
    [
        ((0.02, 0.2, 0.1, 0.3, 0.01), 0.096210, 6.83),
        ((0.05, 0.4, 0.1, 0.5, 0.02), 0.123932, 2.82),
    ],
)
def test_four_states_have_their_share(figures, share, inflation):
    n = 50_000
    names = ("p13", "p31", "p32", "p23", "p14")
    data = dict(zip(names, map(str, figures), strict=True))
    loss = FourStateLoss.model_validate({"kind": "four-state"} | data)
    assert float(mean_loss(loss)) == pytest.approx(share, abs=1e-6)
    error = math.sqrt(inflation * share * (1 - share) / n)
    assert abs(losses(loss, n).mean() - share) <= 4.42 * error


def survivors(loss, fragments, n):
    """Return the share of n datagrams of which all fragments arrived."""
    link = a_link(loss=loss, mtu=120, fragment=True, ip=False)
    arrived, _ = deliver(link, [(seq * 100 * MS, 20 + 100 * fragments) for seq in range(n)])
    tally = link.tally()
    assert tally.imbalance() == (0, 0)
    gone = "lost" if fragments == 1 else "reassembly"
    assert tally.datagrams()[gone] == n - len(arrived)
    assert tally.offered.datagrams == n * fragments
    return len(arrived) / n


@pytest.mark.parametrize(
    ("fragments", "independent", "bursts", "long"),
    [(1, 0.8, 0.8, 0.8), (3, 0.512, 0.722, 0.78), (10, 0.1074, 0.504, 0.714)],
)
def test_a_datagram_is_lost_with_any_of_its_fragments(fragments, independent, bursts, long):
    n = 4_000
    cases = [(BernoulliLoss(kind="bernoulli", mean=Fraction(1, 5)), independent, 1.0)]
    for p, r, expected in (("0.05", "0.2", bursts), ("0.0125", "0.05", long)):
        share = 0.8 * (1 - float(p)) ** (fragments - 1)
        assert share == pytest.approx(expected, abs=6e-4)
        # Neighbours share a burst: at most one inflation of the chain itself.
        inflation = 1 + 2 * (1 - float(p) - float(r)) / (float(p) + float(r))
        cases.append((chain(p, r, 1, 0), share, inflation))
    for loss, expected, inflation in cases:
        error = math.sqrt(inflation * expected * (1 - expected) / n)
        assert abs(survivors(loss, fragments, n) - expected) <= 4.42 * error


def test_fragments_of_ip_have_these_sizes_and_lose_this_share():
    n = 20_000
    sizes = []
    link = a_link(mtu=576, fragment=True, rate_bps=8 * 10**9)
    _, begun = deliver(link, [(0, 1400 + 28)])
    sizes = [end - start for start, end in begun]
    assert sizes == [572, 572, 324]
    ten = BernoulliLoss(kind="bernoulli", mean=Fraction(1, 10))
    lossy = a_link(mtu=576, fragment=True, loss=ten)
    arrived, _ = deliver(lossy, [(seq * MS, 1428) for seq in range(n)])
    lost = 1 - len(arrived) / n
    assert abs(lost - 0.271) <= 4.42 * math.sqrt(0.271 * 0.729 / n)


@pytest.mark.parametrize(
    ("spread", "application", "air_ns", "period_s", "kilobyte_min"),
    [
        (7, 222, 368_896_000, 36.9, 3.1),
        (8, 222, 655_872_000, 65.6, 5.5),
        (9, 115, 676_864_000, 67.7, 10),
        (10, 51, 698_368_000, 69.8, 23),
        (11, 51, 1_560_576_000, 156, 52),
        (12, 51, 2_793_472_000, 279, 93),
    ],
)
def test_lora_has_its_air_times_and_its_pauses(spread, application, air_ns, period_s, kilobyte_min):
    assert LoraAir(spread).finish_ns(0, application + 28) == air_ns
    model = resolve(LinkSettings(profile=f"lora-sf{spread}"), upwards=True)
    assert model.mtu == PROFILES[f"lora-sf{spread}"].mtu == application + 28
    link = Link(model, name="dev03.up", number=9, src=1, dst=2, streams=Streams(7))
    full = -(-1000 // application)
    _, begun = deliver(link, [(0, application + 28)] * full)
    assert [end - start for start, end in begun] == [air_ns] * full
    assert {after - start for (start, _), (after, _) in pairwise(begun)} == {100 * air_ns}
    assert 100 * air_ns / 1e9 == pytest.approx(period_s, abs=0.5)
    assert full * 100 * air_ns / 60e9 == pytest.approx(kilobyte_min, abs=0.5)


def test_fifty_one_bytes_at_sf7_take_this_long():
    assert LoraAir(7).finish_ns(0, 51 + 28) == 118_016_000


@pytest.mark.parametrize("duty", ["1%", "10%", "100%"])
def test_a_duty_cycle_holds_in_every_window_that_begins_with_a_use(duty):
    share = Fraction(duty[:-1]) / 100
    link = a_link(duty=share, rate_bps=8 * 10**9)
    sizes = [100 + 37 * (seq % 11) for seq in range(60)]
    _, begun = deliver(link, [(7 * seq, size) for seq, size in enumerate(sizes)])
    assert len(begun) == 60
    for i, (start, _) in enumerate(begun):
        used = 0
        for after, end in begun[i:-1]:
            used += end - after
            nxt = next(s for s, _ in begun if s > after)
            assert used <= share * (nxt - start)
