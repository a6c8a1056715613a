"""Routes: the cheapest path between two devices over the edges that are thought alive.

Costs are integers; ties go to fewer hops, then to the lexicographically smallest path of
numbers, never to the order of insertion. Paths in use are kept and looked at again when an edge
leaves or returns; nothing is computed for pairs that never speak.
"""

import heapq
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Final, Literal

from simedge.world.datagrams import RouteChange
from simedge.world.loss import mean_loss
from simedge.world.profiles import LinkModel

__all__ = ["MAX_HOPS", "Routes", "edge_costs"]

MAX_HOPS: Final = 16
_MICRO: Final = 1_000_000

Edge = tuple[int, int]


def edge_costs(
    models: Mapping[Edge, LinkModel], route: Literal["hops", "latency", "etx"]
) -> dict[Edge, int]:
    """Return the cost of each directed edge; an edge that loses everything has none.

    hops 1; latency the propagation in ns; etx 1 / ((1 - p_f)(1 - p_r)) in millionths, the
    expected transmissions of De Couto et al. (2003), with the losses of both directions.
    """
    if route == "hops":
        return dict.fromkeys(models, 1)
    if route == "latency":
        return {edge: model.delay_ns for edge, model in models.items()}
    through = {edge: 1 - mean_loss(model.loss) for edge, model in models.items()}
    both = {(u, v): through[u, v] * through.get((v, u), Fraction(1)) for u, v in models}
    return {edge: round(_MICRO / share) for edge, share in both.items() if share}


class Routes:
    """Paths over a directed graph of numbers, of at most `MAX_HOPS` hops.

    A search does not go on from a device that it reaches in `MAX_HOPS` hops.

    Parameters
    ----------
    costs
        Cost of each directed edge.
    """

    __slots__ = ("_all_costs", "_costs", "_near", "_paths", "_trees", "_unit", "known")

    def __init__(self, costs: Mapping[Edge, int]) -> None:
        self._all_costs = dict(costs)
        self._unit = all(cost == 1 for cost in self._all_costs.values())
        self._costs: dict[Edge, int] = {}
        self._near: dict[int, list[int]] = {}
        self._paths: dict[Edge, tuple[int, ...]] = {}
        self.known: Mapping[Edge, tuple[int, ...]] = self._paths
        """What `path` has found and keeps, for who asks often."""
        self._trees: dict[int, dict[int, tuple[int, ...]]] = {}
        self._link(self._all_costs)

    def path(self, source: int, destination: int) -> tuple[int, ...]:
        """Return the numbers still to visit, the destination last; empty where there is no way."""
        pair = (source, destination)
        known = self._paths.get(pair)
        if known is None:
            known = self._paths[pair] = self._find(source, destination)
        return known

    def remove(self, edges: Iterable[Edge]) -> tuple[RouteChange, ...]:
        """Take edges out of the graph; return the paths in use that change, by pair."""
        gone = {edge for edge in edges if edge in self._costs}
        for u, v in gone:
            del self._costs[u, v]
            self._near[u].remove(v)
        self._trees.clear()
        return self._again([item for item in self._paths.items() if _uses(*item, gone)])

    def restore(self, edges: Iterable[Edge]) -> tuple[RouteChange, ...]:
        """Put edges back into the graph; return the paths in use that change, by pair."""
        self._link(edge for edge in edges if edge not in self._costs)
        self._trees.clear()
        # Where every edge costs one, nothing is better than a direct one.
        least = 1 if self._unit else 0
        return self._again([item for item in self._paths.items() if len(item[1]) != least])

    def _link(self, edges: Iterable[Edge]) -> None:
        for edge in edges:
            if edge in self._all_costs:
                self._costs[edge] = self._all_costs[edge]
                self._near.setdefault(edge[0], []).append(edge[1])

    def _again(self, known: list[tuple[Edge, tuple[int, ...]]]) -> tuple[RouteChange, ...]:
        changes = []
        for (source, destination), path in sorted(known):
            new = self._paths[source, destination] = self._find(source, destination)
            if new != path:
                changes.append(RouteChange(source, destination, new))
        return tuple(changes)

    def _find(self, source: int, destination: int) -> tuple[int, ...]:
        if self._unit and (source, destination) in self._costs:
            return (destination,)
        if source == 0:
            # The server speaks to everyone: one search for all.
            if source not in self._trees:
                self._trees[source] = self._search(source, None)
            return self._trees[source].get(destination, ())
        return self._search(source, destination).get(destination, ())

    def _search(self, source: int, destination: int | None) -> dict[int, tuple[int, ...]]:
        """Dijkstra's search by (cost, hops, path), to the destination or everywhere."""
        best: dict[int, tuple[int, ...]] = {}
        open_: list[tuple[int, int, tuple[int, ...], int]] = [(0, 0, (), source)]
        while open_:
            cost, hops, path, here = heapq.heappop(open_)
            if here in best:
                continue
            best[here] = path
            if here == destination or hops == MAX_HOPS:
                continue
            for there in self._near.get(here, ()):
                if there not in best:
                    step = cost + self._costs[here, there]
                    heapq.heappush(open_, (step, hops + 1, (*path, there), there))
        return best


def _uses(pair: Edge, path: tuple[int, ...], gone: set[Edge]) -> bool:
    if len(path) == 1:
        return pair in gone
    return not gone.isdisjoint(zip((pair[0], *path), path, strict=False))
