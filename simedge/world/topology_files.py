"""Topologies from files: GraphML, GML and node-link JSON, read into pairs of names.

The name of a node is its attribute ``name``, else its label or id. Directions, weights and
repeated edges are left out: a link has both directions, and its figures are in the scenario.
"""

import json
from pathlib import Path
from typing import Any, Final

import networkx as nx  # type: ignore[import-untyped]

from simedge.core.errors import SimedgeError

__all__ = ["TopologyFileError", "read_edges"]

_BYTES_MAX: Final = 4 * 2**20
_TEXT_MAX: Final = 150_000
"""Letters of all edges: a scenario that has taken them in must stay readable."""


class TopologyFileError(SimedgeError, ValueError):
    """A topology file cannot be read, or holds no topology."""


def read_edges(path: Path, form: str) -> tuple[tuple[str, str], ...]:
    """Return the edges of a file by the names of their ends, each once, ascending.

    Parameters
    ----------
    form
        ``graphml``, ``gml`` or ``json``; ``auto`` goes by the ending.

    Raises
    ------
    TopologyFileError
        With the file and what is wrong with it.
    """
    kind = path.suffix.lower().lstrip(".") if form == "auto" else form
    text = _text(path)
    if kind == "graphml" and "<!ENTITY" in text:
        raise TopologyFileError(f"{path}: entities are refused")
    graph = _graph(path, text, kind)
    names = {node: str(data.get("name", node)) for node, data in graph.nodes(data=True)}
    if len(set(names.values())) < len(names):
        raise TopologyFileError(f"{path}: two nodes have the same name")
    loops = [names[u] for u, v in graph.edges() if u == v]
    if loops:
        raise TopologyFileError(f"{path}: {loops[0]!r} has a link to itself")
    edges = sorted({_ordered(names[u], names[v]) for u, v in graph.edges()})
    if not edges:
        raise TopologyFileError(f"{path}: there are no edges")
    if sum(len(u) + len(v) for u, v in edges) > _TEXT_MAX:
        raise TopologyFileError(f"{path}: {len(edges)} edges are too many for a scenario")
    return tuple(edges)


def _ordered(u: str, v: str) -> tuple[str, str]:
    return (u, v) if u < v else (v, u)


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():
        raise TopologyFileError(f"{path}: this is no file")
    try:
        with path.open("rb") as file:
            data = file.read(_BYTES_MAX + 1)
    except (OSError, ValueError) as error:  # a name with a zero in it
        raise TopologyFileError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > _BYTES_MAX:
        raise TopologyFileError(f"{path}: larger than {_BYTES_MAX} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise TopologyFileError(f"{path}: not UTF-8 at byte {error.start}") from error


def _graph(path: Path, text: str, kind: str) -> Any:  # noqa: ANN401  networkx has no types
    try:
        match kind:
            case "graphml":
                return nx.parse_graphml(text)
            case "gml":
                return nx.parse_gml(text)
            case _:
                return _node_link(json.loads(text))
    # What a reader of foreign files raises is not for it to foresee.
    except Exception as error:
        reason = str(error).strip().splitlines()
        text = reason[0] if reason else type(error).__name__
        raise TopologyFileError(f"{path}: no {kind} graph: {text}") from error


def _node_link(data: object) -> Any:  # noqa: ANN401  networkx has no types
    if not isinstance(data, dict):
        raise TypeError("a node-link graph is an object with nodes and links")
    key = next((key for key in ("links", "edges") if key in data), None)
    if key is None or "nodes" not in data:
        raise TypeError("a node-link graph needs the keys nodes and links (or edges)")
    return nx.node_link_graph(data, edges=key)
