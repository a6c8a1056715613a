"""The state of a link, and the short way of a datagram through it when nothing is out of the way.

A link is plain while it is up and whole, at a constant rate, without a duty cycle, duplication or
corruption. A plain datagram is no larger than its MTU, is not refused, and needs no second try.
Its way is told in plain records, without a step and without fates::

    link.offer_plain(datagram, now)   -> records   it is ``sent``
    link.end_plain(service, now)      -> records   of a kernel's ``served``
    link.land_plain(ticket)           -> the datagram of an ``arrive``

Each answers None, and has done nothing, where the way is not plain: then `Link.offer`, `handle`
and `land` are to be asked. They answer the same in any case, only more slowly.
"""

from collections import deque
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from simedge.core.records import Order
from simedge.core.streams import Streams, bernoulli_threshold
from simedge.world.accounts import DELIVERED, ENDS, OFFERED, AirTime
from simedge.world.books import Books
from simedge.world.datagrams import Datagram, Flight, LinkError
from simedge.world.draws import Draws, Words
from simedge.world.jitter import open_jitter
from simedge.world.loss import ALWAYS, NEVER, Loss, open_loss
from simedge.world.profiles import LinkModel
from simedge.world.rates import SCALE, Capacity, Constant, fixed, weather

if TYPE_CHECKING:
    from simedge.world.strains import Strains

__all__ = ["PlainLink", "PlainRecord"]

PlainRecord = tuple[int, Order, int, str, object]
"""A `Due` as a plain tuple, which takes a fifth of the time to make and to take apart."""

_jitter = lru_cache(maxsize=256)(open_jitter)
# Looked up once: reading a member of an enumeration costs as much as the arithmetic of a service.
_SERVICE, _RECEIVED = Order.SERVICE, Order.RECEIVED
# A named tuple made from its values takes half the time of one made by its own constructor.
_new = tuple.__new__
_BYTES: Final = ENDS + OFFERED
_DELIVERED_BYTES: Final = ENDS + DELIVERED
_ANY_SIZE: Final = 2**62
_NOT_PLAIN: Final = -1


@lru_cache(maxsize=256)
def _thresholds(*shares: Fraction) -> tuple[int, ...] | None:
    return tuple(map(bernoulli_threshold, shares)) if any(shares) else None


class PlainLink:
    """One direction between two neighbours, as far as its short way goes.

    Parameters
    ----------
    model
        Resolved figures.
    name
        ``<source>.<destination>``: keys its draws.
    number
        Its number as a target of the kernel.
    src, dst
        Numbers of its ends.
    streams
        Random streams of the run.
    capacity
        How long serialisations take; without one, the rate or the air time of the model.
    """

    __slots__ = (
        "_attempt", "_books", "_busy_ns", "_chances", "_counts", "_draws", "_flights", "_free_ns",
        "_jitter", "_last_ns", "_limit", "_loss", "_queue", "_queued_bytes", "_random",
        "_rate_bps", "_served_ns", "_service", "_service_lost", "_service_words", "_strains",
        "_ticket", "_waits", "_weather", "airs", "begun", "capacity", "dst", "model", "name",
        "number", "src", "tries", "up",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 -- a link is all of these
        self,
        model: LinkModel,
        *,
        name: str,
        number: int,
        src: int,
        dst: int,
        streams: Streams,
        capacity: Capacity | None = None,
    ) -> None:
        if src == dst:
            raise LinkError(f"a link needs two ends, got {src} twice (link {name})")
        self.model = model
        self.name = name
        self.number = number
        self.src = src
        self.dst = dst
        self.up = True
        self.begun = 0
        self.airs: tuple[AirTime, ...] = ()
        self._busy_ns = 0
        self.capacity = capacity or fixed(model.rate_bps, model.spread)
        # Only of a rate that is the same for ever; what it would be is known without a call.
        self._rate_bps = self.capacity.rate_bps if type(self.capacity) is Constant else 0
        self._strains: Strains | None = None
        self._weather = weather(capacity)
        self.tries = 0
        self._random = streams
        self._draws: Draws | None = None
        self._loss = open_loss(model.loss, streams=streams, link=name, weather=self._weather)
        self._jitter = _jitter(model.jitter)
        self._chances = _thresholds(model.duplicate, model.corrupt)
        self._queue: deque[Datagram] | None = None
        self._queued_bytes = 0
        self._flights: dict[int, Datagram] | None = None
        self._service: Datagram | None = None
        self._service_lost = False
        self._service_words: Words | None = None
        self._attempt = 0
        self._served_ns = self._free_ns = self._last_ns = 0
        self._waits = False
        self._ticket = 0
        self._books = Books(number)
        self._counts = self._books.counts
        self._limit = _NOT_PLAIN
        self._look()

    def offer_plain(self, datagram: Datagram, now: int) -> tuple[PlainRecord, ...] | None:
        """Take a datagram in; None: not plain."""
        size = datagram.wire_bytes
        if size > self._limit:
            return None
        dues: tuple[PlainRecord, ...] = ()
        if self._service is None:
            due = self._serve(datagram, size, now)
            if due is None:
                return None
            dues = (due,)
        else:
            limits, queue = self.model.queue, self._queue
            if queue is None:
                queue = deque()
            if len(queue) >= limits.datagrams or size > limits.bytes - self._queued_bytes:
                return None
            queue.append(datagram)
            self._queue = queue
            self._queued_bytes += size
        counts = self._counts
        counts[OFFERED] += 1
        counts[_BYTES] += size
        return dues

    def end_plain(self, service: object, now: int) -> tuple[PlainRecord, ...] | None:
        """Let what has been served travel, and serve what comes next; None: not plain."""
        datagram = self._service
        if self._limit < 0 or self._service_lost or service != self._ticket or datagram is None:
            return None
        queue = self._queue
        if queue is not None and self._loss is not None and self.model.retries:
            return None  # what comes next may need another try, which has a fate
        self._service = None
        model = self.model
        at = now + model.delay_ns
        if self._jitter is not None:
            words = self._service_words or self._words(datagram)
            self._service_words = None
            at = max(now, at + self._jitter.offset_ns(words[1]))
        if model.fifo:
            at = max(at, self._last_ns)
            self._last_ns = at
        self._ticket = ticket = self._ticket + 1
        if self._flights is None:
            self._flights = {ticket: datagram}
        else:
            self._flights[ticket] = datagram
        flight = _new(Flight, (self.number, ticket))
        arrival: PlainRecord = (at, _RECEIVED, self.dst, "arrive", flight)
        if queue is None:
            return (arrival,)
        following = queue.popleft()
        if not queue:
            self._queue = None  # an empty deque keeps a block of memory
        size = following.wire_bytes
        self._queued_bytes -= size
        due = self._serve(following, size, now)
        assert due is not None
        return arrival, due

    def land_plain(self, ticket: int) -> Datagram | None:
        """Return the datagram that is here now; None: not plain."""
        flights = self._flights
        if self._limit < 0 or flights is None or self.model.fragment:
            return None
        datagram = flights.pop(ticket, None)
        if datagram is None:
            return None
        if not flights:
            self._flights = None  # an empty dictionary keeps its table
        counts = self._counts
        counts[DELIVERED] += 1
        counts[_DELIVERED_BYTES] += datagram.wire_bytes
        return datagram

    def _serve(self, datagram: Datagram, size: int, now: int) -> PlainRecord | None:
        """Start a service at a constant rate; None, and nothing done: it needs another try."""
        end = now - (-size * SCALE // self._rate_bps)
        loss, lost, words = self._loss, False, None
        if loss is not None:
            threshold = loss.threshold(datagram, self.begun + 1, end)
            if threshold == ALWAYS:
                lost = True
            elif threshold:
                self._attempt = 0
                words = self._words(datagram)
                lost = words[0] < threshold
            if lost and self.model.retries:
                return None
        self.begun += 1
        self.tries += 1
        self._attempt = 0
        self._service, self._service_lost, self._service_words = datagram, lost, words
        self._busy_ns += end - now
        self._served_ns = end
        if self.airs:
            for air in self.airs:
                air.use(now, end)
        self._ticket = ticket = self._ticket + 1
        return (end, _SERVICE, self.number, "served", ticket)

    def _look(self) -> None:
        """Find out anew whether the link is plain."""
        model = self.model
        steady = self._rate_bps and model.duty == 1 and self._weather is None
        plain = steady and self.up and self._strains is None and self._chances is None
        limit = _ANY_SIZE if model.mtu is None else model.mtu
        self._limit = limit if plain else _NOT_PLAIN

    def _loses(self, loss: Loss, datagram: Datagram, at: int) -> bool:
        """Return whether a try is lost; words drawn for it serve what comes after."""
        threshold = loss.threshold(datagram, self.begun, at)
        if not NEVER < threshold < ALWAYS:
            return threshold == ALWAYS
        self._service_words = words = self._words(datagram)
        return words[0] < threshold

    def _words(self, datagram: Datagram, copy: int = 0) -> Words:
        return (self._draws or self._keyed()).words(datagram, self._attempt, copy=copy)

    def _keyed(self) -> Draws:
        if self._draws is None:
            self._draws = Draws(self._random, self.name)
        return self._draws
