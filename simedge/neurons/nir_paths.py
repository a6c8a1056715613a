"""Paths through a NIR graph from neurons to neurons, as one matrix and one delay each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simedge.neurons.errors import CircuitError

__all__ = ["Way", "in_order", "ways_to"]

_ENDS = frozenset({"Input", "LIF"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What comes from a source: y = weight·x(t - delay) + bias; what else was said of it."""

    source: str
    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    delay_s: float
    said: Mapping[str, Any]


def in_order(graph: Any) -> list[str]:  # noqa: ANN401 -- NIR has no types
    """Return the populations in the order of volleys: as it was written, else from the input on."""
    names = [name for name, node in graph.nodes.items() if type(node).__name__ == "LIF"]
    far = _distances(graph)
    last = len(graph.nodes) + 1
    places = {name: graph.nodes[name].metadata.get("place", far.get(name, last)) for name in names}
    return sorted(names, key=lambda name: int(places[name]))


def _distances(graph: Any) -> dict[str, int]:  # noqa: ANN401
    """Return the edges from the input to each node that it reaches."""
    far = {name: 0 for name, node in graph.nodes.items() if type(node).__name__ == "Input"}
    fresh = list(far)
    while fresh:
        reached = [after for name in fresh for before, after in graph.edges if before == name]
        fresh = [name for name in dict.fromkeys(reached) if name not in far]
        far |= dict.fromkeys(fresh, 1 + max(far.values()))
    return far


def ways_to(graph: Any, name: str) -> list[Way]:  # noqa: ANN401
    """Return the paths that end at a population, in the order that was written, if one was.

    Raises
    ------
    CircuitError
        If a path goes in circles without meeting neurons, or delays unlike lines unlike.
    """
    found = [way for before in _before(graph, name) for way in _ways_from(graph, before, ())]
    return sorted(found, key=lambda way: int(way.said.get("place", 0)))


def _before(graph: Any, name: str) -> list[str]:  # noqa: ANN401
    return [before for before, after in graph.edges if after == name]


def _ways_from(graph: Any, name: str, seen: tuple[str, ...]) -> list[Way]:  # noqa: ANN401
    """Return the paths that end with the output of a node."""
    if name in seen:
        raise CircuitError(f"node {name} feeds itself with no neurons between")
    node = graph.nodes[name]
    if type(node).__name__ in _ENDS:
        size = _size(node)
        same = np.eye(size), np.zeros(size)
        return [Way(source=name, weight=same[0], bias=same[1], delay_s=0.0, said={})]
    ways = [w for before in _before(graph, name) for w in _ways_from(graph, before, (*seen, name))]
    return [_through(node, name, way) for way in ways]


def _size(node: Any) -> int:  # noqa: ANN401
    shape = node.input_type["input"] if type(node).__name__ == "Input" else np.shape(node.tau)
    return int(np.prod(shape))


def _through(node: Any, name: str, way: Way) -> Way:  # noqa: ANN401
    """Return a path that goes on through a Linear, Affine or Delay."""
    if type(node).__name__ == "Delay":
        delays = np.unique(np.asarray(node.delay, float))
        if delays.size != 1:
            raise CircuitError(f"delays of one projection are alike, those of node {name} are not")
        return Way(
            source=way.source,
            weight=way.weight,
            bias=way.bias,
            delay_s=way.delay_s + float(delays[0]),
            said=way.said,
        )
    matrix = np.asarray(node.weight, float)
    if matrix.ndim != 2 or matrix.shape[1] != way.weight.shape[0]:
        raise CircuitError(f"node {name} must have a matrix with {way.weight.shape[0]} columns")
    straight = np.array_equal(way.weight, np.eye(way.weight.shape[0]))
    return Way(
        source=way.source,
        weight=matrix if straight else matrix @ way.weight,
        bias=matrix @ way.bias + getattr(node, "bias", 0.0),
        delay_s=way.delay_s,
        said=node.metadata if straight else {},
    )
