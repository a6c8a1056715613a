"""A link: one direction between two neighbours, as a pure object.

What a driver needs::

    link.offer(datagram, now)        -> Step   queue or refuse; schedules the end of service
    link.handle(kind, payload, now)  -> Step   kind "served": fate; schedules the arrival
    link.land(flight, now)           -> Datagram | None   at "arrive"; None: it was lost under way
    link.degrade(strain), link.restore(name)   a fault begins and ends
    link.go_down(now)                -> Step   what is in flight is lost
    link.come_back(now)              -> Step   what the queue kept is served
    link.tally()                     -> Tally  counts, with the identity of conservation

`Step.dues` are to be scheduled, `Step.fates` to be logged. Most drivers talk to
`simedge.world.network.Network`, which does all this for every link.

A datagram passes: admit (down, mtu), queue (drop-tail, in datagrams and bytes), serve
(``ceil(8 bytes 1e9 / rate)`` ns a try, hop ARQ tries back to back), fate at the end of
serialisation (lost, else duplicated, corrupted), travel (propagation and jitter). Unlike netem,
loss comes after serialisation: a lost datagram has cost air time and energy.

Every draw is keyed by the datagram's uid on the link's own stream: word 0 loss, 1 jitter,
2 duplication, 3 corruption. So what else is sent changes no fate.
"""

from array import array
from collections import deque
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from simedge.core.records import Due, Order
from simedge.core.streams import (
    Stream,
    Streams,
    bernoulli_threshold,
    flow64,
    integer_between,
)
from simedge.world.accounts import AirTime, Count, Tally
from simedge.world.datagrams import NOTHING, Datagram, Fate, Flight, LinkError, Step
from simedge.world.jitter import open_jitter
from simedge.world.loss import ALWAYS, NEVER, Loss, open_loss
from simedge.world.profiles import LinkModel
from simedge.world.strains import Strain

__all__ = ["Link"]

_ENDS = 7
_OFFERED, _DUPLICATED, _DELIVERED, _QUEUE_DROP, _LOST, _DOWN, _MTU = range(_ENDS)
_Words = tuple[int, int, int, int]
_SCALE = 8 * 10**9  # bits a byte, nanoseconds a second
_flow = lru_cache(maxsize=2**17)(flow64)
_jitter = lru_cache(maxsize=256)(open_jitter)
# Looked up once: reading a member of an enumeration costs as much as the arithmetic of a service.
_SERVICE, _RECEIVED = Order.SERVICE, Order.RECEIVED


@lru_cache(maxsize=256)
def _thresholds(*shares: Fraction) -> tuple[int, ...] | None:
    return tuple(map(bernoulli_threshold, shares)) if any(shares) else None


class Link:
    """One direction between two neighbours.

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
    """

    __slots__ = (
        "_attempt",
        "_busy_ns",
        "_chances",
        "_counts",
        "_flights",
        "_jitter",
        "_last_ns",
        "_loss",
        "_queue",
        "_queued_bytes",
        "_random",
        "_served_ns",
        "_service",
        "_service_lost",
        "_service_words",
        "_stream",
        "_ticket",
        "airs",
        "begun",
        "dst",
        "model",
        "name",
        "number",
        "src",
        "strains",
        "tries",
        "up",
    )

    def __init__(
        self, model: LinkModel, *, name: str, number: int, src: int, dst: int, streams: Streams
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
        self.strains: tuple[Strain, ...] = ()
        self._busy_ns = 0
        self.tries = 0
        self._random = streams
        self._stream: Stream | None = None
        self._loss = open_loss(model.loss, streams=streams, link=name)
        self._jitter = _jitter(model.jitter)
        self._chances = _thresholds(model.duplicate, model.corrupt)
        self._queue: deque[Datagram] | None = None
        self._queued_bytes = 0
        self._flights: dict[int, Datagram] | None = None
        self._service: Datagram | None = None
        self._service_lost = False
        self._service_words: _Words | None = None
        self._attempt = 0
        self._served_ns = 0
        self._last_ns = 0
        self._ticket = 0
        self._counts = array("q", bytes(8 * 2 * _ENDS))  # datagrams, then bytes

    def offer(self, datagram: Datagram, now: int) -> Step:
        """Take a datagram in, or refuse it: ``sent``, perhaps followed by ``lost``."""
        sent = Fate("sent", self.number, datagram, datagram.cause)
        self._counts[_OFFERED] += 1
        self._counts[_ENDS + _OFFERED] += datagram.wire_bytes
        cause = self._refusal(datagram)
        if cause:
            return Step((), (sent, self._lose(datagram, cause)))
        if self._service is None:
            return Step((self._begin(datagram, now),), (sent,))
        if self._queue is None:
            self._queue = deque()
        self._queue.append(datagram)
        self._queued_bytes += datagram.wire_bytes
        return Step((), (sent,))

    def handle(self, kind: str, payload: object, now: int) -> Step:
        """Take a record of one's own: ``served``, the end of a serialisation."""
        if kind != "served":
            raise LinkError(f"a link knows no record {kind!r} (link {self.name})")
        datagram = self._service
        # A link that went down has already disposed of what was in service.
        if datagram is None or payload != self._ticket:
            return NOTHING
        self._service = None
        words, self._service_words = self._service_words, None
        if self._service_lost:
            step = Step((), (self._lose(datagram, "loss"),))
        elif self._chances is None and not self.strains:
            step = Step((self._fly(datagram, words, now),))
        else:
            step = self._travel(datagram, words, now)
        if self._queue is None:
            return step
        return Step((*step.dues, self._next(self._queue, now)), step.fates)

    def land(self, flight: Flight, now: int) -> Datagram | None:  # noqa: ARG002  the uniform shape
        """Return the datagram that arrives now, or None if it was lost on the way."""
        flights = self._flights
        datagram = None if flights is None else flights.pop(flight.ticket, None)
        if datagram is not None:
            if not flights:
                self._flights = None  # an empty dictionary keeps its table
            self._counts[_DELIVERED] += 1
            self._counts[_ENDS + _DELIVERED] += datagram.wire_bytes
        return datagram

    def flying(self, flight: Flight) -> Datagram | None:
        """Return a datagram that is in flight, or None if it was lost on the way."""
        return None if self._flights is None else self._flights.get(flight.ticket)

    def degrade(self, strain: Strain) -> None:
        """Let a fault have its way with what is served from now on."""
        self.strains = (*self.strains, strain)

    def restore(self, name: str) -> None:
        """End the fault of a name."""
        self.strains = tuple(strain for strain in self.strains if strain.name != name)

    def go_down(self, now: int, *, flush: bool = False) -> Step:
        """Go down: what is in service and in flight is lost.

        The queue is kept or flushed as the settings say; `flush` empties it in any case, also
        that of a link which is down already.
        """
        gone: list[Datagram] = []
        if self.up:
            self.up = False
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
        return Step((), tuple(self._lose(datagram, "down") for datagram in gone))

    def come_back(self, now: int) -> Step:
        """Come back, and serve what the queue kept."""
        if self.up:
            return NOTHING
        self.up = True
        return NOTHING if self._queue is None else Step((self._next(self._queue, now),))

    def busy_ns(self, now: int) -> int:
        """Return the time spent on serialisation, retries and their gaps included."""
        ahead = 0 if self._service is None else max(0, self._served_ns - now)
        return self._busy_ns - ahead

    def tally(self) -> Tally:
        """Return what became of everything offered so far."""
        ends = [Count(self._counts[end], self._counts[_ENDS + end]) for end in range(_ENDS)]
        service = self._service
        flying = (self._flights or {}).values()
        return Tally(
            offered=ends[_OFFERED],
            duplicated=ends[_DUPLICATED],
            delivered=ends[_DELIVERED],
            queue_drop=ends[_QUEUE_DROP],
            lost=ends[_LOST],
            down=ends[_DOWN],
            mtu=ends[_MTU],
            queued=Count(len(self._queue or ()), self._queued_bytes),
            in_service=Count() if service is None else Count(1, service.wire_bytes),
            in_flight=Count(len(flying), sum(d.wire_bytes for d in flying)),
        )

    def _refusal(self, datagram: Datagram) -> str:
        if not self.up:
            return "down"
        model = self.model
        if model.mtu is not None and datagram.wire_bytes > model.mtu:
            return "mtu"
        if self._service is None:
            return ""
        limits = model.queue
        waiting = 0 if self._queue is None else len(self._queue)
        room = limits.bytes - self._queued_bytes
        return "" if waiting < limits.datagrams and datagram.wire_bytes <= room else "queue_drop"

    def _next(self, queue: deque[Datagram], now: int) -> Due:
        datagram = queue.popleft()
        self._queued_bytes -= datagram.wire_bytes
        if not queue:
            self._queue = None  # an empty deque keeps a block of memory
        return self._begin(datagram, now)

    def _begin(self, datagram: Datagram, now: int) -> Due:
        """Start a service; its end and fate are pure functions of now, so both are known here."""
        rate_bps = self.model.rate_bps
        for strain in self.strains:
            rate_bps = strain.rate_bps(rate_bps)
        serial_ns = -(-datagram.wire_bytes * _SCALE // rate_bps)
        end = now + serial_ns
        self.begun += 1
        self.tries += 1
        self._service_words = None
        self._attempt = 0
        loss = self._loss
        lost = loss is not None and self._loses(loss, datagram, end)
        while loss is not None and lost and self._attempt < self.model.retries:
            end += self.model.gap_ns + serial_ns
            self.tries += 1
            self._attempt += 1
            self._service_words = None
            lost = self._loses(loss, datagram, end)
        self._service, self._service_lost = datagram, lost
        self._busy_ns += end - now
        self._served_ns = end
        for air in self.airs:
            air.use(now, end)
        self._ticket += 1
        return Due(end, _SERVICE, self.number, "served", self._ticket)

    def _loses(self, loss: Loss, datagram: Datagram, at: int) -> bool:
        """Return whether a try is lost; words drawn for it serve what comes after."""
        threshold = loss.threshold(datagram, self.begun, at)
        if not NEVER < threshold < ALWAYS:
            return threshold == ALWAYS
        self._service_words = words = self._words(datagram, attempt=self._attempt)
        return words[0] < threshold

    def _travel(self, datagram: Datagram, words: _Words | None, now: int) -> Step:
        for strain in self.strains:
            if strain.loses(datagram, now):
                return Step((), (self._lose(datagram, "loss"),))
        words = words or self._words(datagram, attempt=self._attempt)
        duplicate, corrupt = self._chances or (NEVER, NEVER)
        fates = []
        twice = words[2] < duplicate
        if twice:
            self._count(_DUPLICATED, datagram)
            fates.append(Fate("duplicated", self.number, datagram, copies=1))
        whole, (later_ns, free) = datagram, self._lag(datagram)
        if words[3] < corrupt and datagram.data:
            datagram = self._flip(datagram)
        for strain in self.strains:
            datagram = strain.alter(datagram)
        if datagram is not whole:
            fates.append(Fate("corrupted", self.number, datagram))
        dues = [self._fly(datagram, words, now + later_ns, free=free)]
        if twice:
            copied = self._words(datagram, attempt=self._attempt, copy=1)
            dues.append(self._fly(datagram, copied, now + later_ns, free=free))
        copies = [copy for strain in self.strains for copy in strain.copies(datagram)]
        for copied, age_ns in copies:
            self._count(_DUPLICATED, datagram)
            dues.append(self._fly(datagram, copied, now + age_ns, free=True))
        if copies:
            fates.append(Fate("duplicated", self.number, datagram, copies=len(copies)))
        return Step(tuple(dues), tuple(fates))

    def _lag(self, datagram: Datagram) -> tuple[int, bool]:
        """Return how much longer faults make a datagram travel, and whether it may be overtaken."""
        lags = [(strain.later_ns(datagram), strain.free) for strain in self.strains]
        return sum(ns for ns, _ in lags), any(ns and free for ns, free in lags)

    def _fly(
        self, datagram: Datagram, words: _Words | None, now: int, *, free: bool = False
    ) -> Due:
        model = self.model
        at = now + model.delay_ns
        if self._jitter is not None:
            word = (words or self._words(datagram, attempt=self._attempt))[1]
            at = max(now, at + self._jitter.offset_ns(word))
        if model.fifo and not free:
            at = max(at, self._last_ns)
            self._last_ns = at
        # Tickets of services and flights come from one counter: an original and its copy differ.
        self._ticket += 1
        if self._flights is None:
            self._flights = {}
        self._flights[self._ticket] = datagram
        return Due(at, _RECEIVED, self.dst, "arrive", Flight(self.number, self._ticket))

    def _flip(self, datagram: Datagram) -> Datagram:
        bit = integer_between(
            self._words(datagram, attempt=self._attempt, block=1)[0], 0, 8 * len(datagram.data) - 1
        )
        data = bytearray(datagram.data)
        data[bit // 8] ^= 1 << bit % 8
        return replace(datagram, data=bytes(data))

    def _words(
        self, datagram: Datagram, *, attempt: int = 0, copy: int = 0, block: int = 0
    ) -> _Words:
        source, destination, cls, boot, seq, fragment, resend = datagram.uid
        if (fragment | resend | attempt) >> 16 or (boot | seq) >> 32:
            raise LinkError(f"{datagram.uid} leaves the range of a draw (link {self.name})")
        if self._stream is None:
            self._stream = self._random.stream("link", self.name, "datagram")
        return self._stream.words(
            boot << 32 | seq,
            _flow(source, destination, cls),
            copy,
            w0=resend << 48 | fragment << 32 | attempt << 16 | block,
        )

    def _count(self, end: int, datagram: Datagram) -> None:
        self._counts[end] += 1
        self._counts[_ENDS + end] += datagram.wire_bytes

    def _lose(self, datagram: Datagram, cause: str) -> Fate:
        self._count(_CAUSES[cause], datagram)
        return Fate("lost", self.number, datagram, cause)


_CAUSES = {"loss": _LOST, "queue_drop": _QUEUE_DROP, "down": _DOWN, "mtu": _MTU}
