"""Paths of small worlds, beside what Watts and Strogatz and their readers found."""

from fractions import Fraction

import networkx as nx
import numpy as np
import pytest

from simedge.core.streams import Streams
from simedge.world.topology import small_world
from simedge.world.topology_settings import SmallWorldSettings


def mean_path(settings, seed, devices=200):
    pairs = small_world(settings, devices=devices, streams=Streams(seed))
    return nx.average_shortest_path_length(nx.Graph(pairs))


def test_paths_of_a_ring_lattice_are_as_long_as_they_must_be():
    lattice = SmallWorldSettings(kind="small-world", neighbours=10, rewire=Fraction(0))
    # To the device d places on it takes ceil(d / (k / 2)) steps, either way round.
    steps = [-(-min(d, 200 - d) // 5) for d in range(1, 200)]
    assert mean_path(lattice, 1) == pytest.approx(sum(steps) / 199, abs=1e-12)


def test_paths_of_a_fully_rewired_ring_are_those_of_a_random_graph():
    """Fronczak, Fronczak and Holyst (2004): (ln n - gamma) / ln k + 1/2."""
    rewired = SmallWorldSettings(kind="small-world", neighbours=10, rewire=Fraction(1))
    expected = (np.log(200) - np.euler_gamma) / np.log(10) + 0.5
    found = [mean_path(rewired, seed) for seed in range(10)]
    assert sum(found) / 10 == pytest.approx(expected, rel=0.05)


def test_few_shortcuts_shorten_paths_long_before_they_undo_clusters():
    """What makes a world small: Watts and Strogatz (1998), figure 2."""
    lattice, few = (
        SmallWorldSettings(kind="small-world", neighbours=10, rewire=Fraction(q))
        for q in ("0", "1/50")
    )
    shorter = sum(mean_path(few, seed) for seed in range(10)) / 10 / mean_path(lattice, 1)
    clusters = [
        nx.average_clustering(nx.Graph(small_world(few, devices=200, streams=Streams(seed))))
        for seed in range(10)
    ]
    assert shorter < 0.5
    assert sum(clusters) / 10 / (2 / 3) > 0.9
