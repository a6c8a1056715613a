"""Strains: what faults do to the datagrams of one link while they last.

A strain comes after the link's own loss, jitter and so on. Its draws are keyed by the datagram on
the stream ``fault|<name of the fault>|<name of the link>``: what one fault decides does not
depend on any other, nor on what else is sent.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import prod
from types import MappingProxyType
from typing import ClassVar, Final

from typing_extensions import override

from simedge.core.streams import Stream, Streams, bernoulli_threshold, flow64, integer_between
from simedge.world.datagrams import Datagram
from simedge.world.draws import Words
from simedge.world.link_fault_settings import (
    AckLossFault,
    BandwidthFault,
    BlackHoleFault,
    CorruptFault,
    DelayFault,
    DuplicateFault,
    LossFault,
    ReorderFault,
    ReplayFault,
    StrainFault,
    TruncateFault,
)
from simedge.world.loss import ALWAYS, NEVER, open_loss
from simedge.world.loss_settings import BernoulliLoss, GilbertElliottLoss, LossSettings
from simedge.world.rates import Capacity, fixed, narrowed
from simedge.world.spells import LinkSpell

__all__ = ["PROMPT", "Copy", "Lag", "Silence", "Strain", "Strains", "open_strain"]

_ANSWERS: Final = frozenset({"report", "reply"})
Lag = tuple[int, bool]
"""How much longer a datagram travels, and whether it may be overtaken on a fifo link."""
PROMPT: Final[Lag] = (0, False)
Copy = tuple[Words, int]
"""Words for the travel of a copy, and how much later it comes; free of the order of the link."""


class Strain:
    """One fault on one link; this one changes nothing.

    Parameters
    ----------
    name
        Of the fault.
    link
        Name of the link.
    """

    __slots__ = ("_stream", "name")
    free: ClassVar[bool] = False
    """Whether what is held up may be overtaken on a fifo link."""

    @property
    def loss_mean(self) -> Fraction:
        """Share of all that it loses in the long run."""
        return Fraction(0)

    def __init__(self, name: str, link: str, streams: Streams) -> None:
        self.name = name
        self._stream = streams.stream("fault", name, link)

    def narrow(self, capacity: Capacity) -> Capacity:
        """Return the capacity of the link in place of this one."""
        return capacity

    def loses(self, datagram: Datagram, now: int) -> bool:  # noqa: ARG002  one port for all strains
        """Return whether a datagram that the link itself let through at `now` is lost."""
        return False

    def alter(self, datagram: Datagram) -> Datagram:
        """Return what is left of a datagram."""
        return datagram

    def later_ns(self, datagram: Datagram) -> int:  # noqa: ARG002  one port for all strains
        """Return how much longer it travels."""
        return 0

    def copies(self, datagram: Datagram) -> tuple[Copy, ...]:  # noqa: ARG002  one port for all strains
        """Return the copies that arrive beside it."""
        return ()

    def _words(self, datagram: Datagram, *, copy: int = 0, block: int = 0) -> Words:
        source, destination, cls, boot, seq, fragment, resend = datagram.uid
        return self._stream.words(
            boot << 32 | seq,
            flow64(source, destination, cls),
            copy,
            w0=resend << 48 | fragment << 32 | block,
        )

    def _hits(self, datagram: Datagram, threshold: int) -> bool:
        return threshold == ALWAYS or (threshold != NEVER and self._words(datagram)[0] < threshold)


class Silence(Strain):
    """Nothing gets through, and nobody is told."""

    __slots__ = ()

    def __init__(self, name: str) -> None:
        self.name = name  # it draws nothing

    @property
    @override
    def loss_mean(self) -> Fraction:
        return Fraction(1)

    @override
    def loses(self, datagram: Datagram, now: int) -> bool:
        return True


class _Losing(Strain):
    __slots__ = ("_law", "_mean")

    def __init__(self, fault: LossFault, link: str, streams: Streams) -> None:
        super().__init__(fault.name, link, streams)
        self._mean = fault.mean
        settings: LossSettings = BernoulliLoss(kind="bernoulli", mean=fault.mean)
        if fault.burst is not None:
            settings = GilbertElliottLoss.model_construct(
                kind="gilbert-elliott", mean=fault.mean, burst=fault.burst
            )
        self._law = open_loss(settings, streams=_Own(streams.seed, fault.name), link=link)

    @property
    @override
    def loss_mean(self) -> Fraction:
        return self._mean

    @override
    def loses(self, datagram: Datagram, now: int) -> bool:
        return self._law is not None and self._hits(datagram, self._law.threshold(datagram, 0, now))


class _Own(Streams):
    """Streams of a fault in place of those of a link."""

    __slots__ = ("_fault",)

    def __init__(self, seed: int, fault: str) -> None:
        super().__init__(seed)
        self._fault = fault

    @override
    def stream(self, kind: str, name: str, purpose: str) -> Stream:
        return super().stream("fault", self._fault, name)


class _LosingAnswers(Strain):
    __slots__ = ("_below",)

    def __init__(self, fault: AckLossFault, link: str, streams: Streams) -> None:
        super().__init__(fault.name, link, streams)
        self._below = bernoulli_threshold(fault.share)

    @override
    def loses(self, datagram: Datagram, now: int) -> bool:
        return datagram.uid.cls in _ANSWERS and self._hits(datagram, self._below)


class _Swallowing(Strain):
    __slots__ = ("_above",)

    def __init__(self, fault: BlackHoleFault, link: str, streams: Streams) -> None:
        super().__init__(fault.name, link, streams)
        self._above = fault.above

    @override
    def loses(self, datagram: Datagram, now: int) -> bool:
        return datagram.wire_bytes > self._above


class _Copying(Strain):
    __slots__ = ("_age_ns", "_below", "_copies")

    def __init__(self, fault: DuplicateFault | ReplayFault, link: str, streams: Streams) -> None:
        super().__init__(fault.name, link, streams)
        self._below = bernoulli_threshold(fault.share)
        self._copies = fault.copies if isinstance(fault, DuplicateFault) else 1
        self._age_ns = fault.age if isinstance(fault, ReplayFault) else 0

    @override
    def copies(self, datagram: Datagram) -> tuple[Copy, ...]:
        if not self._hits(datagram, self._below):
            return ()
        copies = range(1, self._copies + 1)
        return tuple((self._words(datagram, copy=copy), self._age_ns) for copy in copies)


class _HoldingBack(Strain):
    __slots__ = ("_below", "_extra_ns")
    free = True

    def __init__(self, fault: ReorderFault, link: str, streams: Streams) -> None:
        super().__init__(fault.name, link, streams)
        self._below = bernoulli_threshold(fault.share)
        self._extra_ns = fault.extra

    @override
    def later_ns(self, datagram: Datagram) -> int:
        return self._extra_ns if self._hits(datagram, self._below) else 0


class _Delaying(Strain):
    __slots__ = ("_extra_ns", "_jitter_ns")

    def __init__(self, fault: DelayFault, link: str, streams: Streams) -> None:
        super().__init__(fault.name, link, streams)
        self._extra_ns, self._jitter_ns = fault.extra, fault.jitter

    @override
    def later_ns(self, datagram: Datagram) -> int:
        if not self._jitter_ns:
            return self._extra_ns
        return self._extra_ns + integer_between(self._words(datagram)[1], 0, self._jitter_ns)


class _Corrupting(Strain):
    __slots__ = ("_below", "_bits")

    def __init__(self, fault: CorruptFault, link: str, streams: Streams) -> None:
        super().__init__(fault.name, link, streams)
        self._below = bernoulli_threshold(fault.share)
        self._bits = fault.bits

    @override
    def alter(self, datagram: Datagram) -> Datagram:
        if not datagram.data or not self._hits(datagram, self._below):
            return datagram
        data = bytearray(datagram.data)
        for block in range(1, self._bits + 1):
            word = self._words(datagram, block=block)[0]
            bit = integer_between(word, 0, 8 * len(data) - 1)
            data[bit // 8] ^= 1 << bit % 8
        return datagram._replace(data=bytes(data))


class _Truncating(Strain):
    __slots__ = ("_below", "_keep")

    def __init__(self, fault: TruncateFault, link: str, streams: Streams) -> None:
        super().__init__(fault.name, link, streams)
        self._below = bernoulli_threshold(fault.share)
        self._keep = fault.keep

    @override
    def alter(self, datagram: Datagram) -> Datagram:
        if not self._hits(datagram, self._below):
            return datagram
        return datagram._replace(data=datagram.data[: int(self._keep * len(datagram.data))])


class _Narrowing(Strain):
    __slots__ = ("_factor", "_rate_bps")

    def __init__(self, fault: BandwidthFault, link: str, streams: Streams) -> None:
        super().__init__(fault.name, link, streams)
        self._factor, self._rate_bps = fault.factor or Fraction(1), fault.rate

    @override
    def narrow(self, capacity: Capacity) -> Capacity:
        if self._rate_bps is not None:
            return fixed(self._rate_bps)
        return narrowed(capacity, self._factor)


_KINDS: Final[Mapping[type[LinkSpell], Callable[..., Strain]]] = MappingProxyType(
    {
        LossFault: _Losing,
        AckLossFault: _LosingAnswers,
        BlackHoleFault: _Swallowing,
        DuplicateFault: _Copying,
        ReplayFault: _Copying,
        ReorderFault: _HoldingBack,
        DelayFault: _Delaying,
        CorruptFault: _Corrupting,
        TruncateFault: _Truncating,
        BandwidthFault: _Narrowing,
    }
)


def open_strain(fault: StrainFault, *, link: str, streams: Streams) -> Strain:
    """Return what a fault does to the link of a name."""
    return _KINDS[type(fault)](fault, link, streams)


class Strains:
    """All that faults do to one link now, in the order in which they began.

    Parameters
    ----------
    capacity
        The link's own.
    """

    __slots__ = ("_own", "_strains", "capacity")

    def __init__(self, capacity: Capacity, strains: tuple[Strain, ...] = ()) -> None:
        self._own = self.capacity = capacity
        self._strains = strains
        for strain in strains:
            self.capacity = strain.narrow(self.capacity)

    def __bool__(self) -> bool:
        return bool(self._strains)

    def plus(self, strain: Strain) -> "Strains":
        """Return them with one more."""
        return Strains(self._own, (*self._strains, strain))

    def without(self, name: str) -> "Strains":
        """Return them without the fault of a name."""
        return Strains(self._own, tuple(each for each in self._strains if each.name != name))

    @property
    def loss_mean(self) -> Fraction:
        """Share that all of them lose in the long run."""
        return 1 - prod((1 - each.loss_mean for each in self._strains), start=Fraction(1))

    def lose(self, datagram: Datagram, now: int) -> bool:
        """Return whether a datagram that the link itself let through is lost."""
        return any(strain.loses(datagram, now) for strain in self._strains)

    def alter(self, datagram: Datagram) -> Datagram:
        """Return what is left of a datagram."""
        for strain in self._strains:
            datagram = strain.alter(datagram)
        return datagram

    def lag(self, datagram: Datagram) -> Lag:
        """Return what all of them add to its travel."""
        lags = [(strain.later_ns(datagram), strain.free) for strain in self._strains]
        return sum(ns for ns, _ in lags), any(ns and free for ns, free in lags)

    def copies(self, datagram: Datagram) -> tuple[Copy, ...]:
        """Return the copies that arrive beside it."""
        return tuple(copy for strain in self._strains for copy in strain.copies(datagram))
