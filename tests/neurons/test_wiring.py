"""Wiring: exact in-degrees, keyed draws, and the graphs that they should be."""

from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.neurons.errors import CircuitError
from simedge.neurons.recurrent.wiring import (
    fixed_fan_out,
    normal_weights,
    one_to_one,
    random_mask,
    small_world,
    synapses_of,
    uniform_weights,
)


def stream(seed, name="mask"):
    return Streams(seed).stream("wiring", name, "draw")


def ring(seed, rewire, size=100):
    return small_world(stream(seed), size, neighbours=10, rewire=rewire)


def graph(synapses):
    return nx.Graph(zip(*(ends.tolist() for ends in synapses.pairs()), strict=True))


@given(st.data(), st.integers(0, 12), st.integers(0, 12))
def test_the_way_back_lists_the_same_synapses(data, sources, targets):
    pairs = st.tuples(st.integers(0, sources - 1), st.integers(0, targets - 1))
    given_ = data.draw(st.sets(pairs)) if sources and targets else set()
    ends = tuple(np.array(sorted(given_), np.int64).reshape(-1, 2).T)
    synapses = synapses_of(ends, sources=sources, targets=targets)
    assert set(zip(*(part.tolist() for part in synapses.pairs()), strict=True)) == given_
    lengths = np.diff(synapses.in_start.astype(np.int64))
    post = np.repeat(np.arange(targets), lengths)
    assert lengths.tolist() == synapses.fan_in().tolist()
    assert post.tolist() == synapses.target[synapses.in_synapse].tolist()
    assert synapses.in_source.tolist() == synapses.pairs()[0][synapses.in_synapse].tolist()
    back = list(zip(post.tolist(), synapses.in_source.tolist(), strict=True))
    assert back == sorted(back)


@given(
    seed=st.integers(0, 99),
    half=st.integers(1, 5),
    more=st.integers(2, 30),
    rewire=st.fractions(0, 1),
)
def test_every_neuron_of_a_small_world_hears_exactly_its_number(seed, half, more, rewire):
    size = 2 * half + more
    synapses = small_world(stream(seed), size, neighbours=2 * half, rewire=rewire)
    assert np.diff(synapses.in_start.astype(np.int64)).tolist() == [2 * half] * size
    source, target = synapses.pairs()
    assert not np.any(source == target)
    again = small_world(stream(seed), size, neighbours=2 * half, rewire=rewire)
    assert again.target.tolist() == synapses.target.tolist()


def test_a_small_world_is_one():
    paths, clusters = {}, {}
    for rewire in (Fraction(0), Fraction(1, 10), Fraction(1)):
        graphs = [graph(ring(seed, rewire)) for seed in range(5)]
        paths[rewire] = np.mean([nx.average_shortest_path_length(g) for g in graphs])
        clusters[rewire] = np.mean([nx.average_clustering(g) for g in graphs])
    assert (paths[0], clusters[0]) == (pytest.approx(5.4545, abs=1e-3), pytest.approx(2 / 3))
    some = Fraction(1, 10)
    assert paths[some] < 0.6 * paths[0]
    assert clusters[some] > 2 * clusters[1]
    assert (paths[some], clusters[some]) == (
        pytest.approx(2.4, abs=0.1),
        pytest.approx(0.5, abs=0.03),
    )


def test_rewiring_draws_every_other_neuron_alike():
    source, target = ring(3, Fraction(1), size=400).pairs()
    gaps = np.bincount((source - target) % 400, minlength=400)
    far = gaps[20:381]
    assert gaps[0] == 0
    assert abs(far.mean() - 10) < 0.5
    assert far.var() < 2 * far.mean()


def test_a_random_mask_has_its_density_and_keeps_its_pairs_when_it_grows():
    small = random_mask(stream(1), Fraction(3, 10), sources=200, targets=300)
    large = random_mask(stream(1), Fraction(3, 10), sources=400, targets=300)
    assert abs(small.count / 60_000 - 0.3) < 4 * (0.21 / 60_000) ** 0.5
    kept = large.pairs()[0] < 200
    assert [p.tolist() for p in small.pairs()] == [p[kept].tolist() for p in large.pairs()]
    none = random_mask(stream(1), Fraction(1), sources=9, targets=9, autapses=False)
    assert none.count == 72
    assert not np.any(np.equal(*none.pairs()))
    assert random_mask(stream(1), Fraction(0), sources=9, targets=9).count == 0


@given(seed=st.integers(0, 99), size=st.integers(1, 40), data=st.data(), autapses=st.booleans())
def test_a_fan_out_is_exact(seed, size, data, autapses):
    fan_out = data.draw(st.integers(0, size - (not autapses)))
    options = {"sources": size, "targets": size, "autapses": autapses}
    synapses = fixed_fan_out(stream(seed), fan_out, **options)
    assert np.diff(synapses.start.astype(np.int64)).tolist() == [fan_out] * size
    source, target = synapses.pairs()
    assert len(set(zip(source.tolist(), target.tolist(), strict=True))) == source.size
    assert autapses or not np.any(source == target)


def test_a_fan_out_reaches_all_alike():
    synapses = fixed_fan_out(stream(5), 20, sources=2000, targets=100, autapses=True)
    heard = np.diff(synapses.in_start.astype(np.int64))
    assert abs(heard - 400).max() < 5 * (400 * 0.8) ** 0.5


def test_weights_are_drawn_as_asked():
    synapses = one_to_one(10_000)
    flat = uniform_weights(stream(1), synapses, 0.2, high=0.6)
    assert (flat.min() >= 0.2, flat.max() < 0.6, abs(flat.mean() - 0.4) < 0.01) == (True,) * 3
    normal = normal_weights(stream(1), synapses, 0.5)
    assert (abs(normal.mean()) < 0.03, abs(normal.std() - 0.5) < 0.02) == (True, True)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: synapses_of((np.array([2]), np.array([0])), sources=2, targets=1),
        lambda: synapses_of((np.array([0, 0]), np.array([0, 0])), sources=1, targets=1),
        lambda: small_world(stream(0), 11, neighbours=10, rewire=Fraction(0)),
        lambda: small_world(stream(0), 20, neighbours=3, rewire=Fraction(0)),
        lambda: fixed_fan_out(stream(0), 5, sources=5, targets=5, autapses=False),
    ],
)
def test_wiring_that_cannot_be_is_refused(wrong):
    with pytest.raises(CircuitError):
        wrong()


def test_a_synapse_costs_few_bytes():
    synapses = fixed_fan_out(stream(1), 50, sources=500, targets=500)
    fields = ("start", "target", "in_start", "in_synapse", "in_source")
    assert sum(getattr(synapses, name).nbytes for name in fields) < 13 * synapses.count
