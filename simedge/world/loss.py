"""Loss: which datagrams, or with hop ARQ which tries, a link loses.

A law answers with a threshold: the try is lost iff its keyed word is below it. So a law that is
certain, or that follows the clock alone, costs no draw, and no law shifts another's draws.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final, Protocol

from simedge.core.streams import Stream, Streams, bernoulli_threshold, exponential_ns, happens
from simedge.world.datagrams import Datagram
from simedge.world.loss_settings import (
    BernoulliLoss,
    GilbertElliottLoss,
    ListLoss,
    LossSettings,
    NoLoss,
)

__all__ = ["ALWAYS", "NEVER", "Loss", "mean_loss", "open_loss"]

NEVER: Final = 0
ALWAYS: Final = 2**64


class Loss(Protocol):
    """Law of losses of one link direction."""

    def threshold(self, datagram: Datagram, ordinal: int, at_ns: int) -> int:
        """Return the threshold of a try that ends at `at_ns`.

        Parameters
        ----------
        datagram
            What is sent.
        ordinal
            Its place in the order of service on this link, from 1.
        at_ns
            End of its serialisation.
        """
        ...


class _Bernoulli:
    __slots__ = ("_threshold",)

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold

    def threshold(self, datagram: Datagram, ordinal: int, at_ns: int) -> int:  # noqa: ARG002  one port for all laws
        return self._threshold


@dataclass(frozen=True, slots=True)
class _Chain:
    """Constants of a two-state chain: (good, bad) thresholds and mean stays, and the start."""

    lost_below: tuple[int, int]
    stays_ns: tuple[int, int]
    first_bad_below: int


@lru_cache(maxsize=256)
def _chain(settings: GilbertElliottLoss) -> _Chain:
    share = (settings.mean - settings.good) / (settings.bad - settings.good)
    return _Chain(
        (bernoulli_threshold(settings.good), bernoulli_threshold(settings.bad)),
        (round(settings.burst * (1 - share) / share), settings.burst),
        bernoulli_threshold(share),
    )


class _GilbertElliott:
    """A two-state chain in continuous time (Gilbert 1960, Elliott 1963).

    With the share of bad time pi = (mean - good) / (bad - good) the mean stays are `burst` and
    ``burst (1 - pi) / pi``. Stay n is a keyed draw at w1 = n, the first state one at w1 = 0:
    the state is a function of time alone, whatever is sent.
    """

    __slots__ = ("_bad", "_chain", "_end_ns", "_link", "_n", "_random", "_start_ns", "_stream")

    def __init__(self, chain: _Chain, streams: Streams, link: str) -> None:
        self._chain = chain
        self._random = streams
        self._link = link
        self._stream: Stream | None = None
        self._n = 0
        self._start_ns = self._end_ns = 0
        self._bad = False

    def threshold(self, datagram: Datagram, ordinal: int, at_ns: int) -> int:  # noqa: ARG002  one port for all laws
        if not self._start_ns <= at_ns < self._end_ns:
            self._seek(at_ns)
        return self._chain.lost_below[self._bad]

    def _seek(self, at_ns: int) -> None:
        if self._stream is None:
            self._stream = self._random.stream("link", self._link, "loss-state")
        stream, chain = self._stream, self._chain
        if at_ns < self._start_ns or self._n == 0:
            self._n = self._start_ns = self._end_ns = 0
            # The first step turns this into the first state.
            self._bad = not happens(stream.words()[0], chain.first_bad_below)
        while at_ns >= self._end_ns:
            self._n += 1
            self._bad = not self._bad
            self._start_ns = self._end_ns
            stay_ns = exponential_ns(stream.words(self._n)[0], chain.stays_ns[self._bad])
            self._end_ns += max(1, stay_ns)


class _List:
    __slots__ = ("_messages", "_ordinals")

    def __init__(self, settings: ListLoss) -> None:
        self._ordinals = frozenset(settings.ordinals)
        self._messages = frozenset(
            (m.source, m.destination, m.cls, m.boot, m.seq) for m in settings.messages
        )

    def threshold(self, datagram: Datagram, ordinal: int, at_ns: int) -> int:  # noqa: ARG002  one port for all laws
        lost = ordinal in self._ordinals or datagram.uid[:5] in self._messages
        return ALWAYS if lost else NEVER


def open_loss(settings: LossSettings, *, streams: Streams, link: str) -> Loss | None:
    """Return the law that settings name for one link, or None where nothing is lost."""
    match settings:
        case NoLoss():
            return None
        case GilbertElliottLoss(good=good, bad=bad, mean=mean) if good < mean < bad:
            return _GilbertElliott(_chain(settings), streams, link)
        case _:
            return _stateless(settings)


@lru_cache(maxsize=256)
def _stateless(settings: BernoulliLoss | GilbertElliottLoss | ListLoss) -> Loss:
    """Return a law without a state, one object for all links."""
    if isinstance(settings, ListLoss):
        return _List(settings)
    # A chain that is all the time in one state is one, too.
    return _Bernoulli(bernoulli_threshold(settings.mean))


def mean_loss(settings: LossSettings) -> Fraction:
    """Return the share of tries lost in the long run; a list counts as none.

    Examples
    --------
    >>> mean_loss(BernoulliLoss(kind="bernoulli", mean="10%"))
    Fraction(1, 10)
    """
    match settings:
        case BernoulliLoss() | GilbertElliottLoss():
            return settings.mean
        case _:
            return Fraction(0)
