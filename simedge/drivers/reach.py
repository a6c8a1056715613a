"""Who can reach whom: tells machines when a way to another is lost, and when it is back.

What they learn is what routing knows, after the time that it takes to notice.
"""

from collections.abc import Callable, Iterable

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
        # Routes follow the ways that somebody has asked for.
        self._lost = {pair for pair in self._pairs if not routes.path(*pair)}

    def begin(self) -> None:
        """Tell at the start what cannot be reached."""
        for source in sorted({source for source, _ in self._lost}):
            self.remind(source, 0)

    def changed(self, change: RouteChange, now: int) -> None:
        """Take a change of a path."""
        pair = change.source, change.destination
        if pair not in self._pairs or (pair in self._lost) != bool(change.path):
            return
        up = bool(change.path)
        (self._lost.discard if up else self._lost.add)(pair)
        self._tell(pair, now, up=up)

    def remind(self, source: int, now: int) -> None:
        """Tell one that has (re)started whom it cannot reach."""
        for pair in sorted(pair for pair in self._lost if pair[0] == source):
            self._tell(pair, now, up=False)

    def _tell(self, pair: tuple[int, int], now: int, *, up: bool) -> None:
        source, other = pair
        self._post((now, Order.STARTED, source, "link-status", (other, up)))
