"""A link: one direction between two neighbours, as a pure object.

What a driver needs::

    link.offer(datagram, now)        -> Step   queue or refuse; schedules the end of service
    link.handle(kind, payload, now)  -> Step   "served": fate; schedules the arrival; "free": next
    link.land(flight, now)           -> (Datagram | None, Step)   at "arrive"; None: none is whole
    link.degrade(strain), link.restore(name)   a fault begins and ends
    link.go_down(now)                -> Step   what is in flight is lost
    link.come_back(now)              -> Step   what the queue kept is served
    link.tally()                     -> Tally  counts, with the identity of conservation

`Step.dues` are to be scheduled, `Step.fates` to be logged; `Network` does so for every link.

A datagram passes: admit (down, mtu), cut (fragments pass all that follows alone), queue
(drop-tail, in datagrams and bytes), serve (as its capacity says, hop ARQ tries back to back, then
the pause of a duty cycle), fate at the end of serialisation (lost, else duplicated, corrupted),
travel (propagation and jitter), join. Unlike netem, loss comes after serialisation: a lost
datagram has cost air time and energy.

Every draw is keyed by the datagram's uid on the link's own stream: word 0 loss, 1 jitter,
2 duplication, 3 corruption. So what else is sent changes no fate.
"""

from collections import deque

from simedge.core.records import Due, Order
from simedge.world.accounts import ENDS, OFFERED, Tally
from simedge.world.datagrams import NOTHING, Datagram, Fate, Flight, LinkError, Step
from simedge.world.draws import Words
from simedge.world.fragments import cut, room
from simedge.world.loss import NEVER
from simedge.world.plain_links import PlainLink
from simedge.world.strains import PROMPT, Lag, Strain, Strains

__all__ = ["Link"]

# Looked up once: reading a member of an enumeration costs as much as the arithmetic of a service.
_SERVICE, _RECEIVED = Order.SERVICE, Order.RECEIVED
# A named tuple made from its values takes half the time of one made by its own constructor.
_new = tuple.__new__


class Link(PlainLink):
    """One direction between two neighbours; see `PlainLink` for what it is made of."""

    __slots__ = ()

    def offer(self, datagram: Datagram, now: int) -> Step:
        """Take a datagram in, or refuse it: ``sent``, perhaps followed by ``lost``."""
        model = self.model
        if model.fragment and model.mtu is not None and datagram.wire_bytes > model.mtu:
            return self._offer_fragments(datagram, model.mtu, now)
        counts = self._counts
        counts[OFFERED] += 1
        counts[ENDS + OFFERED] += datagram.wire_bytes
        fates = [_new(Fate, ("sent", self.number, datagram, datagram.cause, 0))]
        due = self._enter(datagram, now, fates)
        return _new(Step, (() if due is None else (due,), tuple(fates), ()))

    def handle(self, kind: str, payload: object, now: int) -> Step:
        """Take a record of one's own: ``served``, the end of a service, or ``free``, of a pause."""
        if kind != "served":
            return self._freed(kind, now)
        datagram = self._service
        # A link that went down has already disposed of what was in service.
        if datagram is None or payload != self._ticket:
            return NOTHING
        self._service = None
        words, self._service_words = self._service_words, None
        fates: list[Fate] = []
        if self._service_lost:
            self._books.lost(datagram, "loss", fates)
            step = Step((), tuple(fates))
        elif self._chances is None and self._strains is None:
            step = _new(Step, ((self._fly(datagram, words, now),), (), ()))
        else:
            step = self._travel(datagram, words, now)
        return step if self._queue is None else self._and_next(self._queue, step, now)

    def land(self, flight: Flight, now: int) -> tuple[Datagram | None, Step]:
        """Return the datagram that is whole now, or None, and what else is settled by it."""
        flights = self._flights
        datagram = None if flights is None else flights.pop(flight.ticket, None)
        if datagram is None:
            return None, NOTHING
        if not flights:
            self._flights = None  # an empty dictionary keeps its table
        return self._books.landed(datagram, now)

    def flying(self, flight: Flight) -> Datagram | None:
        """Return a datagram that is in flight, or None if it was lost on the way."""
        return None if self._flights is None else self._flights.get(flight.ticket)

    def degrade(self, strain: Strain) -> None:
        """Let a fault have its way with what is served from now on."""
        self._strain((self._strains or Strains(self.capacity)).plus(strain))

    def restore(self, name: str) -> None:
        """End the fault of a name."""
        if self._strains is not None:
            self._strain(self._strains.without(name))

    def _strain(self, strains: Strains) -> None:
        self._strains = strains or None
        self.capacity = strains.capacity
        self._look()

    def go_down(self, now: int, *, flush: bool = False) -> Step:
        """Go down: what is in service and in flight is lost.

        The queue is kept or flushed as the settings say; `flush` empties it in any case, also
        that of a link which is down already.
        """
        gone: list[Datagram] = []
        if self.up:
            self.up = False
            self._look()
            gone += (self._flights or {}).values()
            self._flights = None
            flush = flush or self.model.flush
            if self._service is not None:
                gone.append(self._service)
                self._service = None
                self._busy_ns -= self._served_ns - now
        if flush and self._queue is not None:
            gone += self._queue
            self._queue = None
            self._queued_bytes = 0
        fates: list[Fate] = []
        for datagram in gone:
            self._books.lost(datagram, "down", fates)
        return Step((), tuple(fates))

    def come_back(self, now: int) -> Step:
        """Come back, and serve what the queue kept."""
        if self.up:
            return NOTHING
        self.up = True
        self._look()
        return NOTHING if self._queue is None else self._and_next(self._queue, NOTHING, now)

    def busy_ns(self, now: int) -> int:
        """Return the time spent on serialisation, retries and their gaps included."""
        ahead = 0 if self._service is None else max(0, self._served_ns - now)
        return self._busy_ns - ahead

    def tally(self) -> Tally:
        """Return what became of everything offered so far."""
        service = () if self._service is None else (self._service,)
        waiting = (tuple(self._queue or ()), service, tuple((self._flights or {}).values()))
        return self._books.tally(waiting)

    def _offer_fragments(self, datagram: Datagram, mtu: int, now: int) -> Step:
        """Cut a datagram and offer its fragments; ``sent`` is told once, with all their bytes."""
        model = self.model
        pieces = cut(datagram, room(mtu, model.header, ip=model.ip), model.header)
        sent = datagram._replace(wire_bytes=self._books.cut(pieces, model.reassembly_ns))
        fates = [Fate("sent", self.number, sent, datagram.cause)]
        entered = (self._enter(piece, now, fates) for piece in pieces)
        dues = tuple(due for due in entered if due is not None)
        return Step(dues, tuple(fates))

    def _enter(self, datagram: Datagram, now: int, fates: list[Fate]) -> Due | None:
        """Serve, queue or refuse a datagram."""
        cause = self._refusal(datagram, now)
        if cause:
            self._books.lost(datagram, cause, fates)
            return None
        if self._service is None and now >= self._free_ns:
            return self._begin(datagram, now, fates)
        if self._queue is None:
            self._queue = deque()
        self._queue.append(datagram)
        self._queued_bytes += datagram.wire_bytes
        return self._pause() if self._service is None else None

    def _refusal(self, datagram: Datagram, now: int) -> str:
        if not self.up:
            return "down"
        model = self.model
        if model.mtu is not None and datagram.wire_bytes > model.mtu:
            return "mtu"
        if self._service is None and now >= self._free_ns:
            return ""
        limits = model.queue
        waiting = 0 if self._queue is None else len(self._queue)
        free = limits.bytes - self._queued_bytes
        return "" if waiting < limits.datagrams and datagram.wire_bytes <= free else "queue_drop"

    def _freed(self, kind: str, now: int) -> Step:
        if kind != "free":
            raise LinkError(f"a link knows no record {kind!r} (link {self.name})")
        self._waits = False
        if not self.up or self._service is not None or self._queue is None:
            return NOTHING
        return self._and_next(self._queue, NOTHING, now)

    def _pause(self) -> Due | None:
        """Wait until the duty cycle allows the next service."""
        if self._waits:
            return None
        self._waits = True
        return Due(self._free_ns, _SERVICE, self.number, "free")

    def _and_next(self, queue: deque[Datagram], step: Step, now: int) -> Step:
        """Return a step and the start of the next service that can end, or of a pause."""
        fates = list(step.fates)
        due = self._pause() if now < self._free_ns else None
        while now >= self._free_ns and due is None and queue:
            datagram = queue.popleft()
            self._queued_bytes -= datagram.wire_bytes
            due = self._begin(datagram, now, fates)
        if not queue:
            self._queue = None  # an empty deque keeps a block of memory
        return Step(step.dues if due is None else (*step.dues, due), tuple(fates))

    def _begin(self, datagram: Datagram, now: int, fates: list[Fate]) -> Due | None:
        """Start a service; its end and fate are pure functions of now, so both are known here.

        None: it would never end, and is lost at once.
        """
        finish_ns, size = self.capacity.finish_ns, datagram.wire_bytes
        end = finish_ns(now, size)
        if end is None:
            self._books.lost(datagram, "trace_end", fates)
            return None
        self.begun += 1
        self._service_words = None
        self._attempt = 0
        loss = self._loss
        lost = loss is not None and self._loses(loss, datagram, end)
        while loss is not None and lost and self._attempt < self.model.retries:
            again = finish_ns(end + self.model.gap_ns, size)
            if again is None:
                break
            end = again
            self._attempt += 1
            self._service_words = None
            lost = self._loses(loss, datagram, end)
        self.tries += 1 + self._attempt
        if self._attempt:
            fates.append(Fate("retried", self.number, datagram, copies=self._attempt))
        self._service, self._service_lost = datagram, lost
        self._busy_ns += end - now
        self._served_ns = end
        if self.model.duty != 1:
            # The next start is at least the use times (1 / duty - 1) after its end.
            share = self.model.duty
            self._free_ns = now - (now - end) * share.denominator // share.numerator
        for air in self.airs:
            air.use(now, end)
        self._ticket += 1
        return _new(Due, (end, _SERVICE, self.number, "served", self._ticket))

    def _travel(self, datagram: Datagram, words: Words | None, now: int) -> Step:
        fates: list[Fate] = []
        strains = self._strains
        if strains is not None and strains.lose(datagram, now):
            self._books.lost(datagram, "loss", fates)
            return Step((), tuple(fates))
        words = words or self._words(datagram)
        duplicate, corrupt = self._chances or (NEVER, NEVER)
        twice = words[2] < duplicate
        if twice:
            self._books.copied(datagram, 1, fates)
        lag = PROMPT if strains is None else strains.lag(datagram)
        sent = datagram
        if words[3] < corrupt and datagram.data:
            datagram = self._keyed().flip(datagram, self._attempt)
        if strains is not None:
            datagram = strains.alter(datagram)
        if datagram is not sent:
            fates.append(Fate("corrupted", self.number, datagram))
        dues = [self._fly(datagram, words, now, lag=lag)]
        if twice:
            dues.append(self._fly(datagram, self._words(datagram, copy=1), now, lag=lag))
        copies = () if strains is None else strains.copies(datagram)
        if copies:
            self._books.copied(datagram, len(copies), fates)
        for again, age_ns in copies:
            dues.append(self._fly(datagram, again, now, lag=(age_ns, True)))
        return Step(tuple(dues), tuple(fates))

    def _fly(self, datagram: Datagram, words: Words | None, now: int, *, lag: Lag = PROMPT) -> Due:
        model, (later_ns, free) = self.model, lag
        known_ns = None if self._weather is None else self._weather.delay_ns(now)
        at = now + (model.delay_ns if known_ns is None else known_ns)
        if self._jitter is not None:
            word = (words or self._words(datagram))[1]
            at = max(now, at + self._jitter.offset_ns(word))
        at += later_ns
        if model.fifo and not free:
            at = self._last_ns = max(at, self._last_ns)
        # Tickets of services and flights come from one counter: an original and its copy differ.
        self._ticket += 1
        if self._flights is None:
            self._flights = {}
        self._flights[self._ticket] = datagram
        flight = _new(Flight, (self.number, self._ticket))
        return _new(Due, (at, _RECEIVED, self.dst, "arrive", flight))
