"""Who can reach whom: tells machines when a way to another is lost, and when it is back.

What they learn is what routing knows, after the time that it takes to notice.
"""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from simedge.core.records import Order
from simedge.kernel.kernel import Record
from simedge.world.datagrams import RouteChange
from simedge.world.routing import Routes

__all__ = ["Reach"]


class Reach:
    """Watches the ways that machines may want to use.

    Parameters
    ----------
    pairs
        From whom to whom.
    post
        Puts a record into the kernel's queue.
    """

    def __init__(
        self,
        routes: Routes,
        pairs: Iterable[tuple[int, int]],
        *,
        post: Callable[[Record], None],
    ) -> None:
        self._post = post
        self._pairs = frozenset(pairs)
        self._lost: dict[int, set[int]] = {}
        for source, other in self._pairs:
            # Routes follow the ways that somebody has asked for.
            if not routes.path(source, other):
                self._lost.setdefault(source, set()).add(other)

    def begin(self) -> None:
        """Tell at the start what cannot be reached."""
        for source in sorted(self._lost):
            self.remind(source, 0)

    def changed(self, change: RouteChange, now: int) -> None:
        """Take a change of a path."""
        pair = change.source, change.destination
        up = bool(change.path)
        if pair not in self._pairs or (change.destination in self._of(change.source)) != up:
            return
        lost = self._lost.setdefault(change.source, set())
        (lost.discard if up else lost.add)(change.destination)
        self._tell(pair, now, up=up)

    def remind(self, source: int, now: int) -> None:
        """Tell one that has (re)started whom it cannot reach."""
        for other in sorted(self._of(source)):
            self._tell((source, other), now, up=False)

    def _of(self, source: int) -> AbstractSet[int]:
        return self._lost.get(source, frozenset())

    def _tell(self, pair: tuple[int, int], now: int, *, up: bool) -> None:
        source, other = pair
        self._post((now, Order.STARTED, source, "link-status", (other, up)))
