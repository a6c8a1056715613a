"""Loss: which datagrams, or with hop ARQ which tries, a link loses.

A law answers with a threshold: the try is lost iff its keyed word is below it. So a law that is
certain, or that follows the clock alone, costs no draw, and no law shifts another's draws.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from simedge.core.streams import Stream, Streams, bernoulli_threshold, exponential_ns, happens
from simedge.core.tables import exponential_table
from simedge.world.datagrams import Datagram, LinkError
from simedge.world.loss_settings import (
    BernoulliLoss,
    FourStateLoss,
    GilbertElliottLoss,
    ListLoss,
    LossSettings,
    NoLoss,
    PacketChainLoss,
    TraceLoss,
)
from simedge.world.rates import Weather

if TYPE_CHECKING:
    from simedge.core.philox import Follower

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


_NATIVE_BELOW: Final = 2**58
"""Times and mean stays below which native code has room for products and sums."""


@dataclass(frozen=True, slots=True)
class _Chain:
    """Constants of a two-state chain: (good, bad) thresholds and mean stays, and the start."""

    lost_below: tuple[int, int]
    stays_ns: tuple[int, int]
    first_bad_below: int
    native: bool
    """Whether native code has room for the products."""


@cache
def _stays() -> "Follower | None":
    # Who loses nothing in bursts needs no compiler.
    from simedge.core.philox import follower  # noqa: PLC0415

    return follower(exponential_table())


@lru_cache(maxsize=256)
def _chain(settings: GilbertElliottLoss) -> _Chain:
    share = (settings.mean - settings.good) / (settings.bad - settings.good)
    stays_ns = (round(settings.burst * (1 - share) / share), settings.burst)
    return _Chain(
        (bernoulli_threshold(settings.good), bernoulli_threshold(settings.bad)),
        stays_ns,
        bernoulli_threshold(share),
        max(stays_ns) < _NATIVE_BELOW,
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
        stream, chain = self._stream, self._chain
        if stream is None or at_ns < self._start_ns:
            stream = self._begin()
        stays = _stays() if chain.native and at_ns < _NATIVE_BELOW else None
        if stays is None:
            self._walk(at_ns)
            return
        one, other = chain.stays_ns
        state = (*stream.key, self._n, self._bad, self._start_ns, self._end_ns, at_ns, one, other)
        self._n, bad, self._start_ns, self._end_ns = stays(state)
        self._bad = bad == 1

    def _begin(self) -> Stream:
        """Start at time 0, or start anew for what is past."""
        if self._stream is None:
            self._stream = self._random.stream("link", self._link, "loss-state")
        self._n = self._start_ns = self._end_ns = 0
        # The first step turns this into the first state.
        self._bad = not happens(self._stream.words()[0], self._chain.first_bad_below)
        return self._stream

    def _walk(self, at_ns: int) -> None:
        """Do the same stay by stay."""
        stream, chain = self._stream, self._chain
        assert stream is not None
        while at_ns >= self._end_ns:
            self._stay(stream.words(self._n + 1)[0], chain)

    def _stay(self, word: int, chain: _Chain) -> None:
        self._n += 1
        self._bad = not self._bad
        self._start_ns = self._end_ns
        self._end_ns += max(1, exponential_ns(word, chain.stays_ns[self._bad]))


@dataclass(frozen=True, slots=True)
class _Moves:
    """Constants of a chain that moves once a datagram: where a word leads from each state.

    ``ways[state]`` are pairs (threshold, next state), thresholds rising, the last one ALWAYS.
    """

    lost_below: tuple[int, ...]
    ways: tuple[tuple[tuple[int, int], ...], ...]


class _Steps:
    """A chain that moves once a served datagram; a fate is by the state before the move.

    Move n is drawn at w1 = n, so that it depends on how many datagrams came before, and on
    nothing else of them.
    """

    __slots__ = ("_link", "_moves", "_n", "_random", "_state", "_stream")

    def __init__(self, moves: _Moves, streams: Streams, link: str) -> None:
        self._moves = moves
        self._random = streams
        self._link = link
        self._stream: Stream | None = None
        self._n = 1
        self._state = 0

    def threshold(self, datagram: Datagram, ordinal: int, at_ns: int) -> int:  # noqa: ARG002  one port for all laws
        if self._stream is None:
            self._stream = self._random.stream("link", self._link, "loss-state")
        while self._n < ordinal:
            word = self._stream.words(self._n)[0]
            ways = self._moves.ways[self._state]
            self._state = next(state for below, state in ways if word < below)
            self._n += 1
        return self._moves.lost_below[self._state]


@lru_cache(maxsize=256)
def _packet_chain(settings: PacketChainLoss) -> _Moves:
    p, r = bernoulli_threshold(settings.p), bernoulli_threshold(settings.r)
    below = (bernoulli_threshold(settings.good), bernoulli_threshold(settings.bad))
    return _Moves(below, (((p, 1), (ALWAYS, 0)), ((r, 0), (ALWAYS, 1))))


@lru_cache(maxsize=256)
def _four_states(settings: FourStateLoss) -> _Moves:
    """Return the moves of states 1 to 4, here 0 to 3."""
    t = bernoulli_threshold
    ways = (
        ((t(settings.p13), 2), (t(settings.p13 + settings.p14), 3), (ALWAYS, 0)),
        ((t(settings.p23), 2), (ALWAYS, 1)),
        ((t(settings.p31), 0), (t(settings.p31 + settings.p32), 1), (ALWAYS, 2)),
        ((ALWAYS, 0),),
    )
    return _Moves((NEVER, NEVER, ALWAYS, ALWAYS), ways)


class _Weather:
    """The loss column of a recording."""

    __slots__ = ("_weather",)

    def __init__(self, weather: Weather) -> None:
        self._weather = weather

    def threshold(self, datagram: Datagram, ordinal: int, at_ns: int) -> int:  # noqa: ARG002  one port for all laws
        return self._weather.loss_below(at_ns)


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


def open_loss(
    settings: LossSettings, *, streams: Streams, link: str, weather: Weather | None = None
) -> Loss | None:
    """Return the law that settings name for one link, or None where nothing is lost.

    `weather` is what a recording knows of losses.
    """
    match settings:
        case NoLoss():
            return None
        case TraceLoss():
            if weather is None:
                raise LinkError(f"loss: trace needs a recording with losses (link {link})")
            return _Weather(weather)
        case PacketChainLoss():
            return _Steps(_packet_chain(settings), streams, link)
        case FourStateLoss():
            return _Steps(_four_states(settings), streams, link)
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
    """Return the share of tries lost in the long run; a list or a recording counts as none.

    Examples
    --------
    >>> mean_loss(BernoulliLoss(kind="bernoulli", mean="10%"))
    Fraction(1, 10)
    """
    match settings:
        case BernoulliLoss() | GilbertElliottLoss():
            return settings.mean
        case PacketChainLoss(p=p, r=r, good=good, bad=bad):
            return (p * bad + r * good) / (p + r)
        case FourStateLoss(p13=p13, p31=p31, p32=p32, p23=p23, p14=p14):
            a = p13 / p31
            return (a + p14) / (1 + p14 + a * (1 + (p32 / p23 if p32 else 0)))
        case _:
            return Fraction(0)
