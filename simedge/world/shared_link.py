"""A link as transfers see it: what it gives to flows, and a service that they make longer.

A link that transfers share gives its rate to flows, and the datagram in service counts as one of
them: its work is all that the link would give until the end that the service has alone. With no
other flow it thus ends in the very nanosecond of the exact law. What flows get of the rate r(t):

- the share of the air that a duty cycle allows; in the pause after a datagram nothing;
- with hop ARQ, one part in (1 - p^(R+1)) / (1 - p), the mean number of tries;
- nothing while the link is down, or a fault silences it.
"""

from fractions import Fraction

from typing_extensions import override

from simedge.core.streams import Streams
from simedge.world.datagrams import Fate, LinkError, Step
from simedge.world.jitter import open_jitter
from simedge.world.links import Link
from simedge.world.loss import ALWAYS, mean_loss
from simedge.world.loss_settings import TraceLoss
from simedge.world.profiles import LinkModel
from simedge.world.rates import Capacity, stepping

__all__ = ["SharedLink", "loss_left", "tries_of"]

_MEDIAN_WORD = 2**63
_BITS_NS = 8 * 10**9
_NONE = Fraction(0)


def tries_of(loss: Fraction, retries: int) -> Fraction:
    """Return the mean number of tries of hop ARQ, (1 - p^(R+1)) / (1 - p), R + 1 where p is 1.

    Examples
    --------
    >>> tries_of(Fraction(1, 5), 1), tries_of(Fraction(1), 7)
    (Fraction(6, 5), Fraction(8, 1))
    """
    return (1 - loss ** (retries + 1)) / (1 - loss) if loss < 1 else Fraction(retries + 1)


def loss_left(loss: Fraction, retries: int) -> Fraction:
    """Return what hop ARQ leaves of a loss, p^(R+1)."""
    return loss ** (retries + 1)


class SharedLink(Link):
    """One direction between two neighbours that transfers may share with datagrams."""

    __slots__ = ("_flow_share", "_loss_left", "bulk_bytes", "tries_mean")

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
        super().__init__(
            model, name=name, number=number, src=src, dst=dst, streams=streams, capacity=capacity
        )
        self.bulk_bytes = 0
        """What transfers have sent over it: again, by hop ARQ, and acknowledgements included."""
        loss = mean_loss(model.loss)
        self._loss_left = loss_left(loss, model.retries)
        self.tries_mean = tries_of(loss, model.retries)
        self._flow_share = model.duty / self.tries_mean

    @property
    def serves_until(self) -> int | None:
        """When the service that runs ends by the law for a link alone; None: none runs."""
        return None if self._service is None else self._served_ns

    def flow_bps(self, now: int) -> tuple[int, int | None]:
        """Return what it gives to flows in bit/s, and until when; None: until it goes down."""
        if not self.up or self._strained() == 1:
            return 0, None
        if now < self._free_ns and self._service is None:
            return 0, self._free_ns
        return self._rate(now)

    def flow_work(self, begin: int, end: int) -> int:
        """Return what it gives to flows in a stretch of time, in bits times ns a second."""
        work = 0
        while begin < end:
            rate, until = self._rate(begin)
            stop = end if until is None else min(until, end)
            work += rate * (stop - begin)
            begin = stop
        return work

    def take_over(self) -> int:
        """Make the record of the service's end void, and return the ticket of another."""
        self._ticket += 1
        return self._ticket

    def serve_late(self, now: int) -> Step:
        """End the service that runs, as sharing has it.

        Its fate is by the state of the link now. Tries of hop ARQ stay as they were settled at its
        begin; the pause of a duty cycle begins now.
        """
        datagram = self._service
        late = now - self._served_ns
        if datagram is not None and late > 0:
            self._served_ns = now
            self._free_ns += late if self.model.duty != 1 else 0
            if self._loss is not None and not self.model.retries:
                self._service_lost = self._loses(self._loss, datagram, now)
            for air in self.airs:
                air.use(now, now)
        return self.handle("served", self._ticket, now)

    def give_up(self, now: int) -> Step:
        """Lose what is in service: the recording has ended, and sharing kept it until then."""
        datagram, self._service, self._service_words = self._service, None, None
        assert datagram is not None
        fates: list[Fate] = []
        self._books.lost(datagram, "trace_end", fates)
        step = Step((), tuple(fates))
        return step if self._queue is None else self._and_next(self._queue, step, now)

    def carry(self, octets: int) -> None:
        """Count bytes that transfers have sent over it."""
        self.bulk_bytes += octets

    def touch(self, now: int) -> None:
        """Tell radios with a tail that a transfer uses them now."""
        for air in self.airs:
            air.use(now, now)

    def delay_at(self, now: int) -> int:
        """Return the one-way delay of what leaves now, with the median of the jitter."""
        known_ns = None if self._weather is None else self._weather.delay_ns(now)
        jitter = open_jitter(self.model.jitter)
        extra = 0 if jitter is None else jitter.offset_ns(_MEDIAN_WORD)
        return max(0, (self.model.delay_ns if known_ns is None else known_ns) + extra)

    def loss_at(self, now: int) -> Fraction:
        """Return the mean loss of what passes, after hop ARQ; of a recording, the one in force."""
        left = self._loss_left
        if self._weather is not None and isinstance(self.model.loss, TraceLoss):
            left = loss_left(Fraction(self._weather.loss_below(now), ALWAYS), self.model.retries)
        strained = self._strained()
        return 1 - (1 - left) * (1 - strained) if strained else left

    @override
    def busy_ns(self, now: int) -> int:
        """Return the time on the air: of datagrams, and of a transfer's bytes at the link's rate.

        Sharing makes a service longer, but not its time on the air.
        """
        return super().busy_ns(now) + self.bulk_bytes * _BITS_NS // self.model.rate_bps

    @override
    def go_down(self, now: int, *, flush: bool = False) -> Step:
        """Go down: what is in service and in flight is lost."""
        if self._service is not None:
            # A service that sharing has made longer has had all of its time on the air.
            self._served_ns = max(self._served_ns, now)
        return super().go_down(now, flush=flush)

    def _strained(self) -> Fraction:
        """Return the mean loss that faults add."""
        return _NONE if self._strains is None else self._strains.loss_mean

    def _rate(self, now: int) -> tuple[int, int | None]:
        steps = stepping(self.capacity)
        rate, until = (self.model.rate_bps, None) if steps is None else steps.step(now)
        if until is not None and until <= now:
            raise LinkError(
                f"a step of capacity must last, got one until {until} (link {self.name})"
            )
        share = self._flow_share
        return max(1, rate * share.numerator // share.denominator) if rate else 0, until
