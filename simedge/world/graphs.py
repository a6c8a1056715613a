"""The topology as a networkx graph: for statistics, readers and questions of reachability."""

from collections.abc import Iterable, Sequence

import networkx as nx  # type: ignore[import-untyped]

from simedge.world.topology import Member

__all__ = ["graph", "unreachable"]


def graph(members: Sequence[Member], pairs: Iterable[tuple[int, int]]) -> nx.Graph:
    """Return the topology as a networkx graph of numbers, each with its name and group."""
    result: nx.Graph = nx.Graph()
    for member in members:
        result.add_node(member.number, name=member.name, group=member.group)
    result.add_edges_from(pairs)
    return result


def unreachable(members: Sequence[Member], pairs: Iterable[tuple[int, int]]) -> tuple[str, ...]:
    """Return the names of the devices from which no path leads to the server, by number."""
    reached = nx.node_connected_component(graph(members, pairs), 0)
    return tuple(m.name for m in members if m.number not in reached)
