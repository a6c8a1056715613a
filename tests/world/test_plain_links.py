"""The short way of a datagram through a link is the long way, told in fewer words."""

import heapq
from fractions import Fraction
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.world.datagrams import Fate
from simedge.world.jitter_settings import NoJitter, NormalJitter, UniformJitter
from simedge.world.link_settings import QueueSettings
from simedge.world.loss_settings import (
    BernoulliLoss,
    GilbertElliottLoss,
    ListLoss,
    NoLoss,
    PacketChainLoss,
)
from simedge.world.network import Network
from simedge.world.routing import Routes
from simedge.world.strains import Silence

MS = 1_000_000
LOSSES = [
    NoLoss(kind="none"),
    BernoulliLoss(kind="bernoulli", mean=Fraction(1, 3)),
    BernoulliLoss(kind="bernoulli", mean=Fraction(1)),
    GilbertElliottLoss.model_validate({"kind": "gilbert-elliott", "mean": "30%", "burst": "3 ms"}),
    PacketChainLoss.model_validate({"kind": "gilbert-elliott-packets", "p": "30%", "r": "40%"}),
    ListLoss.model_validate({"kind": "list", "ordinals": [2, 3, 7]}),
]
JITTERS = [
    NoJitter(kind="none"),
    UniformJitter.model_validate({"kind": "uniform", "high": "4 ms"}),
    NormalJitter.model_validate({"kind": "normal", "sd": "2 ms"}),
]

QUEUES = [
    *(QueueSettings(datagrams=n) for n in (0, 1, 3)),
    QueueSettings.model_construct(datagrams=100, bytes=2600),
]
plain = st.fixed_dictionaries(
    {
        "rate_bps": st.just(10_000_000),
        "delay_ns": st.sampled_from([0, 2 * MS]),
        "loss": st.sampled_from(LOSSES),
        "jitter": st.sampled_from(JITTERS),
        "queue": st.sampled_from(QUEUES),
        "fifo": st.booleans(),
        "flush": st.booleans(),
        "retries": st.sampled_from([0, 0, 2]),
        "gap_ns": st.integers(0, MS),
    }
)
beyond = st.sampled_from(
    [
        *({},) * 4,
        {"mtu": 1000},
        {"mtu": 1000, "fragment": True},
        {"duplicate": Fraction(1, 4)},
        {"duty": Fraction(1, 2)},
    ]
)
figures = st.builds(lambda some, more: some | more, plain, beyond)
offers = st.tuples(st.integers(0, 3 * MS), st.just("offer"), st.sampled_from([40, 1000, 1500]))
events = st.sampled_from(["go_down", "come_back", "degrade", "restore"])
befalls = st.tuples(st.integers(0, 30 * MS), events, st.just(0))
traffic = st.lists(st.one_of(offers, offers, offers, befalls), max_size=40)


class Watched:
    """A link with what is due, what happens and what arrives, by the short way or without it."""

    def __init__(self, link, *, short):
        self.link = link
        self.short = short
        self.taken = self.asked = 0
        self.trail, self.fates, self.arrived = [], [], []

    def run(self, calls):
        order = count()
        queue = [(at, 99, next(order), call) for at, call in calls]
        heapq.heapify(queue)
        while queue:
            now, _, _, what = heapq.heappop(queue)
            dues, fates = what(now) if callable(what) else self.take(what, now)
            self.trail += [(now, *due) for due in dues]
            self.fates += [
                (now, *fate._replace(datagram=fate.datagram._replace(whole=None))) for fate in fates
            ]
            for due in dues:
                heapq.heappush(queue, (due[0], due[1], next(order), due))
        return self

    def offer(self, datagram, now):
        dues = self.plainly(self.link.offer_plain, datagram, now)
        if dues is None:
            return self.link.offer(datagram, now)[:2]
        return dues, (Fate("sent", self.link.number, datagram, datagram.cause),)

    def take(self, due, now):
        _, _, _, kind, payload = due
        if kind != "arrive":
            dues = self.plainly(self.link.end_plain, payload, now) if kind == "served" else None
            return self.link.handle(kind, payload, now)[:2] if dues is None else (dues, ())
        datagram, step = self.plainly(self.link.land_plain, payload.ticket), ((), ())
        if datagram is None:
            datagram, step = self.link.land(payload, now)
        if datagram is not None:
            self.arrived.append((now, datagram))
        return step[:2]

    def plainly(self, way, *what):
        answer = way(*what) if self.short else None
        self.asked += self.short
        self.taken += answer is not None
        return answer

    def books(self, now):
        link = self.link
        return link.tally(), link.busy_ns(now), link.tries, link.begun


def calls_on(watched, events, datagram):
    now, calls = 0, []
    ways = {
        "go_down": lambda now: watched.link.go_down(now)[:2],
        "come_back": lambda now: watched.link.come_back(now)[:2],
        "degrade": lambda _: watched.link.degrade(Silence("hush")) or ((), ()),
        "restore": lambda _: watched.link.restore("hush") or ((), ()),
    }
    for seq, (gap, what, size) in enumerate(events):
        now += gap
        one = datagram(seq, size, data=bytes(5))
        calls.append((now, ways.get(what, lambda now, one=one: watched.offer(one, now))))
    return calls


@settings(max_examples=300)
@given(figures=figures, events=traffic)
def test_the_short_way_and_the_long_way_are_one(link, datagram, figures, events):
    short, long = (Watched(link(**figures), short=short) for short in (True, False))
    for each in (short, long):
        each.run(calls_on(each, events, datagram))
    assert short.trail == long.trail
    assert short.fates == long.fates
    assert short.arrived == long.arrived
    assert short.books(10**12) == long.books(10**12)


@given(loss=st.sampled_from(LOSSES), jitter=st.sampled_from(JITTERS), gap=st.integers(0, 2 * MS))
def test_what_is_plain_goes_the_short_way(link, datagram, loss, jitter, gap):
    watched = Watched(link(loss=loss, jitter=jitter), short=True)
    watched.run(calls_on(watched, [(gap, "offer", 1500)] * 30, datagram))
    lost = watched.link.tally().lost.datagrams
    assert watched.asked - watched.taken == lost
    assert watched.asked == 90 - lost


def test_a_clogged_link_hands_nothing_over_the_short_way(link, datagram):
    one = link()
    routes = Routes({(1, 2): 1})
    network = Network([one], routes=routes, detect_ns=1, hello_ns=1, hold_datagrams=1)
    assert network.way(1, 2) is one
    assert network.way(2, 1) is None
    (served,) = one.offer_plain(datagram(1), 0)
    (arrival,) = one.end_plain(served[4], served[0])
    network.clog(one.number, 10**9, paced=False)
    assert network.land_plain(arrival[4]) is None
    assert network.arrive(arrival[4], arrival[0])[1].dues[0].at == 10**9


def test_what_has_ended_already_is_not_plain(link, datagram):
    one = link()
    (served,) = one.offer_plain(datagram(1), 0)
    one.go_down(1)
    assert one.end_plain(served[4], served[0]) is None
    one.come_back(2)
    assert one.end_plain(served[4], served[0]) is None
    assert one.land_plain(7) is None
