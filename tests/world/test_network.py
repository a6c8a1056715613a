"""The network: routes, relays, deaths and returns."""

from fractions import Fraction

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.world.datagrams import NOTHING, LinkError, RouteChange
from simedge.world.links import Link
from simedge.world.loss_settings import BernoulliLoss, NoLoss
from simedge.world.network import Network
from simedge.world.profiles import LinkModel
from simedge.world.routing import MAX_HOPS, Routes, edge_costs

MS, S = 1_000_000, 1_000_000_000


def both(pairs):
    return [ends for u, v in pairs for ends in ((u, v), (v, u))]


def network(pairs, *, hold=16, **figures):
    model = LinkModel(**({"rate_bps": 10_000_000, "delay_ns": MS} | figures))
    streams = Streams(1)
    links = [
        Link(model, name=f"n{u}.n{v}", number=100 + i, src=u, dst=v, streams=streams)
        for i, (u, v) in enumerate(sorted(both(pairs)))
    ]
    routes = Routes(dict.fromkeys(both(pairs), 1))
    return Network(links, routes=routes, detect_ns=3 * S, hello_ns=S, hold_datagrams=hold)


RING = [(0, 1), (1, 2), (2, 3), (0, 3)]


def sending(net, datagram, source):
    return lambda now: net.send(datagram, source, now)


def lost(run, cause):
    return [f.datagram.uid.seq for _, f in run.fates if f.kind == "lost" and f.cause == cause]


def test_a_relay_passes_on_what_is_not_for_it(crank, datagram):
    net = network([(0, 1), (1, 2)])
    run = crank(net).run([(0, sending(net, datagram(1, to=0), 2))])
    assert [at for at, _ in run.arrived] == [2 * (1_200_000 + MS)]
    assert [(f.kind, net.by_number[f.target].name) for _, f in run.fates] == [
        ("sent", "n2.n1"),
        ("sent", "n1.n0"),
    ]
    assert net.totals() == {
        "sent": 2, "delivered": 2, "lost": 0, "duplicated": 0, "in_flight": 0,
    }  # fmt: skip
    assert net.imbalances() == {}


def test_the_path_changes_exactly_when_the_death_is_detected(crank, datagram):
    net = network(RING)
    assert net.routes.path(2, 0) == (1, 0)
    run = crank(net)
    sends = [(at, sending(net, datagram(seq, to=0), 2))
             for seq, at in ((1, 2 * S), (2, 4 * S - 1), (3, 4 * S), (4, 6 * S))]  # fmt: skip
    run.run([(S, lambda now: net.device_down(1, now)), *sends])
    # The record of the detection is older than the send of the same instant.
    assert lost(run, "down") == [1, 2]
    assert [d.uid.seq for _, d in run.arrived] == [3, 4]
    assert run.changes == [(4 * S, RouteChange(2, 0, (3, 0)))]


def test_a_route_comes_back_one_hello_after_the_device(crank):
    net = network(RING)
    net.routes.path(2, 0)
    run = crank(net).run(
        [(0, lambda now: net.device_down(1, now)), (10 * S, lambda now: net.device_up(1, now))]
    )
    assert run.changes == [(3 * S, RouteChange(2, 0, (3, 0))), (11 * S, RouteChange(2, 0, (1, 0)))]


def test_a_short_absence_is_never_noticed(crank, datagram):
    net = network(RING)
    net.routes.path(2, 0)
    run = crank(net).run(
        [
            (0, lambda now: net.device_down(1, now)),
            (S, lambda now: net.device_down(1, now)),
            (2 * S, lambda now: net.device_up(1, now)),
            (2 * S, lambda now: net.device_up(1, now)),
            (3 * S, sending(net, datagram(1, to=0), 2)),
        ]
    )
    assert run.changes == []
    assert len(run.arrived) == 1


def test_an_edge_between_two_dead_devices_returns_with_the_second(crank):
    net = network([(0, 1), (1, 2), (0, 3)])
    net.routes.path(2, 0)
    run = crank(net).run(
        [
            (0, lambda now: net.device_down(1, now)),
            (0, lambda now: net.device_down(2, now)),
            (5 * S, lambda now: net.device_up(1, now)),
            (8 * S, lambda now: net.device_up(2, now)),
        ]
    )
    assert run.changes == [(3 * S, RouteChange(2, 0, ())), (9 * S, RouteChange(2, 0, (1, 0)))]


def test_without_a_path_some_are_held_and_the_rest_are_dropped(crank, datagram):
    net = network([(0, 1), (1, 2)], hold=2)
    sends = [(4 * S + seq, sending(net, datagram(seq, to=0), 2)) for seq in range(1, 6)]
    run = crank(net).run(
        [
            (0, lambda now: net.device_down(1, now)),
            *sends,
            (9 * S, lambda now: net.device_up(1, now)),
        ]
    )
    assert lost(run, "no_route") == [3, 4, 5]
    assert net.no_route == 3
    assert [(at > 10 * S, d.uid.seq) for at, d in run.arrived] == [(True, 1), (True, 2)]
    assert net.imbalances() == {}


def test_what_is_held_stays_held_until_its_own_way_is_open(crank, datagram):
    net = network([(0, 1), (0, 2), (0, 3)])
    run = crank(net).run(
        [
            (0, lambda now: net.device_down(0, now)),
            (0, lambda now: net.device_down(3, now)),
            (4 * S, sending(net, datagram(1, to=2), 1)),
            (4 * S, sending(net, datagram(2, to=3), 1)),
            (5 * S, lambda now: net.device_up(0, now)),
            (20 * S, lambda now: net.device_up(3, now)),
        ]
    )
    assert [(at // S, d.uid.seq) for at, d in run.arrived] == [(6, 1), (21, 2)]


def test_a_dying_device_takes_along_what_it_holds_and_queues(crank, datagram):
    net = network([(0, 1), (1, 2)], rate_bps=12_000)
    run = crank(net).run(
        [
            (0, sending(net, datagram(1, to=1), 2)),
            (0, sending(net, datagram(2, to=1), 2)),
            (1, lambda now: net.device_down(1, now)),
            (4 * S, sending(net, datagram(3, to=0), 2)),
            (5 * S, lambda now: net.device_down(2, now)),
        ]
    )
    assert lost(run, "down") == [1, 2]
    assert lost(run, "no_route") == [3]
    assert run.arrived == []


def test_what_is_in_flight_to_a_dying_device_never_arrives(crank, datagram):
    net = network([(0, 1)], delay_ns=5 * S)
    run = crank(net).run(
        [
            (0, sending(net, datagram(1, to=0), 1)),
            (S, lambda now: net.device_down(0, now)),
            (2 * S, lambda now: net.device_up(0, now)),
        ]
    )
    assert [(at, f.cause) for at, f in run.fates if f.kind == "lost"] == [(S, "down")]
    assert run.arrived == []


def test_the_network_refuses_what_it_does_not_know():
    with pytest.raises(LinkError, match="no record 'frame' for number 1"):
        network(RING).handle(1, "frame", None, now=0)
    assert [link.name for link in network(RING).links_of(1)] == ["n0.n1", "n1.n0", "n1.n2", "n2.n1"]
    assert network(RING).links_of(9) == ()


def test_ties_go_to_the_smallest_path_of_numbers():
    pairs = [(1, 3), (1, 2), (2, 4), (3, 4), (4, 0), (5, 0), (1, 5)]
    for order in (pairs, pairs[::-1]):
        routes = Routes(dict.fromkeys(both(order), 1))
        assert routes.path(1, 4) == (2, 4)
        assert routes.path(0, 1) == (5, 1)
        assert routes.path(0, 9) == ()
        assert routes.path(0, 1) == (5, 1)


def test_equal_costs_go_to_fewer_hops():
    routes = Routes({(1, 2): 5, (2, 3): 5, (1, 3): 10})
    assert routes.path(1, 3) == (3,)
    assert Routes({(1, 2): 4, (2, 3): 5, (1, 3): 10}).path(1, 3) == (2, 3)


def test_a_path_has_at_most_so_many_hops():
    line = [(i, i + 1) for i in range(MAX_HOPS + 1)]
    routes = Routes(dict.fromkeys(both(line), 1))
    assert len(routes.path(MAX_HOPS, 0)) == MAX_HOPS
    assert routes.path(MAX_HOPS + 1, 0) == ()


def test_expected_transmissions_count_both_directions():
    def model(loss):
        return LinkModel(rate_bps=1, delay_ns=7, loss=loss)

    bernoulli = {m: BernoulliLoss(kind="bernoulli", mean=Fraction(m)) for m in ("1/10", "1/5", "1")}
    models = {
        (1, 2): model(bernoulli["1/10"]),
        (2, 1): model(bernoulli["1/5"]),
        (1, 3): model(NoLoss(kind="none")),
        (3, 4): model(bernoulli["1"]),
    }
    assert edge_costs(models, "etx") == {(1, 2): 1_388_889, (2, 1): 1_388_889, (1, 3): 1_000_000}
    assert set(edge_costs(models, "latency").values()) == {7}
    assert set(edge_costs(models, "hops").values()) == {1}


graphs = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda e: e[0] < e[1]),
    max_size=14, unique=True,
)  # fmt: skip


@given(graphs, st.randoms(use_true_random=False))
def test_routes_are_the_shortest_and_forget_nothing(pairs, random):
    routes = Routes(dict.fromkeys(both(pairs), 1))
    graph = nx.Graph(pairs)
    graph.add_nodes_from(range(8))
    gone = random.sample(pairs, len(pairs) // 2)

    def agree():
        for u in range(8):
            lengths = nx.single_source_shortest_path_length(graph, u)
            for v in range(8):
                if u != v:
                    assert len(routes.path(u, v)) == lengths.get(v, 0)

    agree()
    before = {(u, v): routes.path(u, v) for u in range(8) for v in range(8) if u != v}
    graph.remove_edges_from(gone)
    changes = routes.remove(both(gone))
    agree()
    after = {pair: routes.path(*pair) for pair in before}
    assert {c[:2]: c.path for c in changes} == {
        pair: path for pair, path in after.items() if path != before[pair]
    }
    graph.add_edges_from(gone)
    routes.restore([*both(gone), (98, 99)])
    agree()
    assert {pair: routes.path(*pair) for pair in before} == before


@pytest.mark.parametrize("silent", [True, False])
def test_a_severed_link_is_detected_and_comes_back_like_a_dead_one(crank, datagram, silent):
    net = network(RING)
    (number,) = (link.number for link in net.links if (link.src, link.dst) == (2, 1))
    assert net.routes.path(2, 0) == (1, 0)
    run = crank(net)
    times = [2 * S, 4 * S - 1, 4 * S, 6 * S, 9 * S]
    sends = [(at, sending(net, datagram(i, to=0), 2)) for i, at in enumerate(times, 1)]
    cut = [
        (S, lambda now: net.sever(number, "a", now, silent=silent)),
        (2 * S, lambda now: net.sever(number, "b", now, silent=not silent)),
        (3 * S, lambda now: net.mend(number, "b", now)),
        (7 * S, lambda now: net.mend(number, "a", now)),
    ]
    run.run([*cut, *sends])
    # In silence the datagram is served first, and then lost.
    causes = {1: "down", 2: "loss" if silent else "down"}
    assert {f.datagram.uid.seq: f.cause for _, f in run.fates if f.kind == "lost"} == causes
    assert [d.uid.seq for _, d in run.arrived] == [3, 4, 5]
    assert run.changes == [
        (4 * S, RouteChange(2, 0, (3, 0))),
        (8 * S, RouteChange(2, 0, (1, 0))),
    ]
    assert net.imbalances() == {}


def test_a_severed_link_stays_down_while_any_of_its_ends_is(crank):
    net = network(RING)
    (link,) = (link for link in net.links if (link.src, link.dst) == (2, 1))
    crank(net).run(
        [
            (S, lambda now: net.sever(link.number, "a", now, silent=False)),
            (2 * S, lambda now: net.device_down(1, now)),
            (3 * S, lambda now: net.mend(link.number, "a", now)),
        ]
    )
    assert not link.up
    assert net.routes.path(2, 0) == (3, 0)
    crank(net).run(
        [
            (20 * S, lambda now: net.sever(link.number, "b", now, silent=False)),
            (21 * S, lambda now: net.device_up(1, now)),
        ]
    )
    assert not link.up
    assert net.routes.path(2, 0) == (3, 0)
    crank(net).run([(30 * S, lambda now: net.mend(link.number, "b", now))])
    assert link.up
    assert net.routes.path(2, 0) == (1, 0)


def test_without_any_path_datagrams_wait_until_the_link_is_mended(crank, datagram):
    net = network([(0, 1)], hold=2)
    (number,) = (link.number for link in net.links if link.src == 1)
    run = crank(net)
    run.run(
        [
            (0, sending(net, datagram(0, to=0), 1)),
            (1, lambda now: net.sever(number, "a", now, silent=True)),
            *((5 * S + i, sending(net, datagram(i, to=0), 1)) for i in (1, 2, 3)),
            (9 * S, lambda now: net.mend(number, "a", now)),
        ]
    )
    assert lost(run, "no_route") == [3]
    assert [(at > 10 * S, d.uid.seq) for at, d in run.arrived] == [(True, 1), (True, 2)]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(100, 2000)), max_size=20),
    st.booleans(),
    st.integers(1, 20),
)
def test_a_clog_holds_all_and_releases_it_in_order(crank, datagram, sends, paced, long):
    net = network([(0, 1)])
    (number,) = (link.number for link in net.links if link.src == 1)
    begin, end = 5 * MS, (5 + long) * MS
    run = crank(net)
    offers = [
        (at * MS, sending(net, datagram(i, size, to=0), 1))
        for i, (at, size) in enumerate(sorted(sends))
    ]
    run.run([(begin, lambda _: net.clog(number, end, paced=paced) or NOTHING), *offers])
    assert [d.uid.seq for _, d in run.arrived] == list(range(len(sends)))
    assert not [at for at, _ in run.arrived if begin < at < end]
    assert net.imbalances() == {}
