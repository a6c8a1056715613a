"""A link on which every message meets its recorded fate, told by its name.

It has neither queue nor rate: a message comes after its recorded delay or is lost at once. Its
radio is billed for as long as the rate of the model takes, one message at a time. Of faults, those
act that lose, hold or cut.
"""

from collections.abc import Mapping

from typing_extensions import override

from simedge.core.records import Due, Order
from simedge.core.streams import Streams
from simedge.world.datagrams import Datagram, Fate, Flight, LinkError
from simedge.world.links import Link
from simedge.world.profiles import LinkModel
from simedge.world.rates import Capacity, Constant
from simedge.world.shared_link import SharedLink

__all__ = ["Fates", "RecordedLink", "open_link"]


class Fates(Constant):
    """Delays of recorded messages by (uid, link), None for a lost one; a rate for the bill."""

    __slots__ = ("delays_ns",)

    def __init__(self, delays_ns: Mapping[tuple[str, str], int | None], rate_bps: int) -> None:
        super().__init__(rate_bps)
        self.delays_ns = delays_ns


class RecordedLink(Link):
    """One direction between two neighbours, as it was recorded message by message."""

    __slots__ = ("_delays_ns",)

    def __init__(  # noqa: PLR0913 -- a link is all of these
        self,
        model: LinkModel,
        *,
        name: str,
        number: int,
        src: int,
        dst: int,
        streams: Streams,
        capacity: Fates,
    ) -> None:
        super().__init__(
            model, name=name, number=number, src=src, dst=dst, streams=streams, capacity=capacity
        )
        self._delays_ns = capacity.delays_ns

    @override
    def _enter(self, datagram: Datagram, now: int, fates: list[Fate]) -> Due | None:
        """Let a datagram come after its recorded delay, or lose it.

        Raises
        ------
        LinkError
            If the recording does not know it.
        """
        if not self.up:
            self._books.lost(datagram, "down", fates)
            return None
        key = ("/".join(map(str, datagram.uid)), self.name)
        if key not in self._delays_ns:
            raise LinkError(
                f"{key[0]} on {self.name} was not recorded: replay with mode time instead"
            )
        self._bill(datagram, now)
        delay_ns = self._delays_ns[key]
        strained = self._strains is not None and self._strains.lose(datagram, now)
        if delay_ns is None or strained:
            self._books.lost(datagram, "loss", fates)
            return None
        self._ticket += 1
        if self._flights is None:
            self._flights = {}
        self._flights[self._ticket] = datagram
        flight = Flight(self.number, self._ticket)
        return Due(now + delay_ns, Order.RECEIVED, self.dst, "arrive", flight)

    def _bill(self, datagram: Datagram, now: int) -> None:
        end = self.capacity.finish_ns(now, datagram.wire_bytes)
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
    capacity: Capacity | None,
) -> Link:
    """Return a link, of the kind that its capacity asks for."""
    if isinstance(capacity, Fates):
        return RecordedLink(
            model, name=name, number=number, src=src, dst=dst, streams=streams, capacity=capacity
        )
    return SharedLink(
        model, name=name, number=number, src=src, dst=dst, streams=streams, capacity=capacity
    )
