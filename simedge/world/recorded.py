"""A link on which every message meets its recorded fate, told by its name.

It has neither queue nor rate: a message comes after its recorded delay or is lost at once. Its
radio is billed for as long as the rate of the model takes, one message at a time.
"""

from typing import Final

from typing_extensions import override

from simedge.core.records import Due, Order
from simedge.core.streams import Streams
from simedge.world.datagrams import Datagram, Fate, Flight, LinkError, Step
from simedge.world.links import Link
from simedge.world.profiles import LinkModel
from simedge.world.rates import Recorded

__all__ = ["RecordedLink", "open_link"]

_OFFERED: Final = 0


class RecordedLink(Link):
    """One direction between two neighbours, as it was recorded message by message."""

    __slots__ = ("_fates",)

    def __init__(  # noqa: PLR0913 -- a link is all of these
        self,
        model: LinkModel,
        *,
        name: str,
        number: int,
        src: int,
        dst: int,
        streams: Streams,
        recorded: Recorded,
    ) -> None:
        super().__init__(model, name=name, number=number, src=src, dst=dst, streams=streams)
        self._fates = recorded.fates or {}

    @override
    def offer(self, datagram: Datagram, now: int) -> Step:
        """Take a datagram in: it is lost, or comes after its recorded delay.

        Raises
        ------
        LinkError
            If the recording does not know it.
        """
        sent = Fate("sent", self.number, datagram, datagram.cause)
        self._count(_OFFERED, datagram)
        if not self.up:
            return Step((), (sent, self._lose(datagram, "down")))
        key = ("/".join(map(str, datagram.uid)), self.name)
        if key not in self._fates:
            raise LinkError(
                f"{key[0]} on {self.name} was not recorded: replay with mode time instead"
            )
        self._bill(datagram, now)
        delay_ns = self._fates[key]
        if delay_ns is None:
            return Step((), (sent, self._lose(datagram, "loss")))
        self._ticket += 1
        if self._flights is None:
            self._flights = {}
        self._flights[self._ticket] = datagram
        flight = Flight(self.number, self._ticket)
        return Step((Due(now + delay_ns, Order.RECEIVED, self.dst, "arrive", flight),), (sent,))

    def _bill(self, datagram: Datagram, now: int) -> None:
        end = self._capacity.finish_ns(now, datagram.wire_bytes)
        assert end is not None
        self.begun += 1
        self.tries += 1
        self._busy_ns += end - now
        for air in self.airs:
            air.use(now, end)


def open_link(  # noqa: PLR0913 -- a link is all of these
    model: LinkModel,
    *,
    name: str,
    number: int,
    src: int,
    dst: int,
    streams: Streams,
    recorded: Recorded,
) -> Link:
    """Return a link, of the kind that its recording asks for."""
    kind = Link if recorded.fates is None else RecordedLink
    return kind(
        model, name=name, number=number, src=src, dst=dst, streams=streams, recorded=recorded
    )
