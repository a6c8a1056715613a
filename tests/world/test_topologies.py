"""Topologies: who has a link to whom, by kind, and graphs from files."""

import itertools
import json
import os

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from simedge.core.streams import Streams
from simedge.world.datagrams import LinkError
from simedge.world.graphs import unreachable
from simedge.world.plan import plan_world
from simedge.world.settings import DeviceSettings, LinksSettings, TopologySettings
from simedge.world.topology import edges, name_word, ring, roster
from simedge.world.topology_files import TopologyFileError, read_edges
from simedge.world.topology_sense import topology_problems

KINDS = TypeAdapter(TopologySettings)


def members(count=6, gateways=0):
    groups = [DeviceSettings(id="cam", count=count)] if count else []
    return roster(groups + ([DeviceSettings(id="gate", count=gateways)] if gateways else []))


def found(count=6, *, gates=0, seed=1, **data):
    return edges(KINDS.validate_python(data), members(count, gates), Streams(seed))


SOME = st.sampled_from(
    [
        {"kind": "star"},
        {"kind": "small-world", "neighbours": 2},
        {"kind": "ring"},
        {"kind": "ring", "uplinks": 2},
        {"kind": "complete"},
        {"kind": "complete", "uplinks": 1},
        {"kind": "geometric"},
        {"kind": "geometric", "radius": "60%", "uplinks": 3},
        {"kind": "tiers", "gateways": ["gate"]},
        {"kind": "tiers", "gateways": ["gate"], "homes": 2},
    ]
)


@given(SOME, st.integers(3, 12), st.integers(2, 4), st.integers(0, 9))
def test_every_topology_is_a_set_of_pairs_that_a_world_can_be_made_of(data, count, gates, seed):
    pairs = found(count, gates=gates, seed=seed, **data)
    numbers = range(count + gates + 1)
    assert all(u in numbers and v in numbers and u < v for u, v in pairs)
    assert len(set(pairs)) == len(pairs)
    assert pairs == found(count, gates=gates, seed=seed, **data)
    groups = [DeviceSettings(id="cam", count=count), DeviceSettings(id="gate", count=gates)]
    built = plan_world(groups, KINDS.validate_python(data), LinksSettings(), streams=Streams(seed))
    assert built.edges == pairs
    if data.get("uplinks", "all") == "all" or data["kind"] in {"ring", "complete"}:
        assert unreachable(built.members, pairs) == ()


def test_rings_close_and_small_ones_are_no_multigraphs():
    assert [ring(n) for n in range(4)] == [[], [], [(1, 2)], [(1, 2), (1, 3), (2, 3)]]
    assert found(4, kind="ring")[:4] == ((0, 1), (0, 2), (0, 3), (0, 4))
    assert all(degree == 2 for _, degree in nx.Graph(ring(9)).degree())


def test_a_complete_graph_has_every_pair():
    assert set(found(5, kind="complete")) == set(itertools.combinations(range(6), 2))


@given(st.integers(0, 20), st.sampled_from(["1%", "10%", "35%", "100%"]), st.integers(0, 9))
def test_geometric_neighbours_are_those_within_the_radius(count, radius, seed):
    settings = KINDS.validate_python({"kind": "geometric", "radius": radius})
    stream = Streams(seed).stream("topology", "geometric", "places")
    places = {m.number: stream.words(name_word(m.name))[:2] for m in members(count)[1:]}
    reach = settings.radius * 2**64
    near = {
        (u, v)
        for u, v in itertools.combinations(places, 2)
        if sum((a - b) ** 2 for a, b in zip(places[u], places[v], strict=True)) <= reach**2
    }
    assert {e for e in edges(settings, members(count), Streams(seed)) if e[0]} == near


def test_another_device_moves_no_other_place():
    few = {e for e in found(8, kind="geometric") if e[0]}
    more = {e for e in found(9, kind="geometric") if e[0]}
    assert few == {(u, v) for u, v in more if v <= 8}


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 3))
def test_tiers_have_gateways_between_devices_and_server(count, gates, homes):
    data = {"kind": "tiers", "gateways": ["gate"], "homes": homes}
    if homes > gates:
        with pytest.raises(LinkError, match=f"{homes} homes need as many gateways"):
            found(count, gates=gates, **data)
        return
    pairs = found(count, gates=gates, **data)
    above = set(range(count + 1, count + gates + 1))
    assert {v for u, v in pairs if u == 0} == above
    for device in range(1, count + 1):
        assert {v for u, v in pairs if u == device} <= above
        assert len({v for u, v in pairs if u == device}) == homes
    loads = [sum(v == gate for u, v in pairs if u) for gate in above]
    assert max(loads) - min(loads) <= homes


GRAPH = nx.Graph([("server", "cam-1"), ("cam-1", "cam-2"), ("cam-2", "cam-3")])
PAIRS = (("cam-1", "cam-2"), ("cam-1", "server"), ("cam-2", "cam-3"))


def written(folder, form, graph=GRAPH):
    path = folder / f"net.{form}"
    if form == "graphml":
        nx.write_graphml(graph, path)
    elif form == "gml":
        nx.write_gml(graph, path)
    else:
        path.write_text(json.dumps(nx.node_link_data(graph, edges="links")))
    return path


@pytest.mark.parametrize("form", ["graphml", "gml", "json"])
def test_a_graph_survives_every_file_format(tmp_path, form):
    assert read_edges(written(tmp_path, form), "auto") == PAIRS
    directed = nx.MultiDiGraph([*GRAPH.edges(), *((v, u) for u, v in GRAPH.edges())])
    assert read_edges(written(tmp_path, form, directed), form) == PAIRS


def test_a_node_is_called_by_its_name(tmp_path):
    graph = nx.Graph([(0, 1), (1, 2), (2, 3)])
    nx.set_node_attributes(graph, dict(enumerate(["server", "cam-1", "cam-2", "cam-3"])), "name")
    assert read_edges(written(tmp_path, "graphml", graph), "auto") == PAIRS


WRONG = {
    "x.graphml": ("<graphml", "no graphml graph: "),
    "y.graphml": ("<!DOCTYPE a [<!ENTITY b 'c'>]><graphml/>", "entities are refused"),
    "x.gml": ("graph [ node", "no gml graph: "),
    "x.json": ("{", "no json graph: "),
    "y.json": ("[]", "is an object with nodes and links"),
    "z.json": ('{"nodes": []}', "needs the keys nodes and links"),
    "u.json": ('{"nodes": [{"id": "a"}], "links": []}', "there are no edges"),
    "v.json": ('{"nodes": [{"id": "a"}], "links": [{"source": "a", "target": "a"}]}',
               "'a' has a link to itself"),
    "w.json": ('{"nodes": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}], "links": []}',
               "two nodes have the same name"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_holds_no_topology_says_so(tmp_path, name):
    text, message = WRONG[name]
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(TopologyFileError) as caught:
        read_edges(path, "auto")
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_files_that_are_missing_binary_or_huge_are_refused(tmp_path):
    with pytest.raises(TopologyFileError, match="No such file"):
        read_edges(tmp_path / "none.gml", "auto")
    (tmp_path / "b.gml").write_bytes(bytes([255, 254]))
    with pytest.raises(TopologyFileError, match="not UTF-8 at byte 0"):
        read_edges(tmp_path / "b.gml", "auto")
    (tmp_path / "h.gml").write_bytes(b" " * (4 * 2**20 + 1))
    with pytest.raises(TopologyFileError, match="larger than"):
        read_edges(tmp_path / "h.gml", "auto")


@pytest.mark.parametrize(
    ("data", "path", "message"),
    [
        ({"kind": "ring", "uplinks": 9}, ("uplinks",), "9 uplinks for 4 devices"),
        ({"kind": "tiers", "gateways": ["can"]}, ("gateways", 0), "did you mean 'cam'?"),
        ({"kind": "tiers", "gateways": ["cam"], "homes": 9}, ("homes",), "there are 4"),
        ({"kind": "file", "path": "a.gml", "edges": [["server", "cam1"]]}, ("path",),
         "did you mean 'cam-1'?"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_named(data, path, message):
    ((where, what),) = topology_problems(
        KINDS.validate_python(data), [DeviceSettings(id="cam", count=4)]
    )
    assert where == path
    assert message in what


def test_what_is_no_file_is_refused_before_it_is_opened(tmp_path):
    pipe = tmp_path / "graph.json"
    os.mkfifo(pipe)
    for path, said in ((pipe, "this is no file"), (tmp_path / "a\0.json", "null")):
        with pytest.raises(TopologyFileError, match=said):
            read_edges(path, "json")
