"""What a link follows: the door from settings that name a trace file to its recorded figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final, Literal, get_args

from simedge.core.streams import Streams, bernoulli_threshold, integer_between
from simedge.world.capacity import Repeat
from simedge.world.link_settings import TraceSettings
from simedge.world.rates import Capacity, Constant, Stepping
from simedge.world.recorded import Fates
from simedge.world.traces.rows import LOSS_ONE, Direction, Format, Message, TraceError
from simedge.world.traces.source import open_trace
from simedge.world.traces.tracks import Track, digest, load_track

__all__ = ["Followed", "Opened", "TraceDoor"]

_FOR_EVER_NS: Final = 2**61


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file that links follow: what it is told by."""

    file: str
    sha256: str
    bytes: int
    format: Format
    rows: int


class Followed:
    """One direction of a trace as a link follows it: capacity, and what is known beside it."""

    __slots__ = ("_capacity", "_delay", "_loss", "_phase_ns", "_rate_bps", "_repeat", "finish_ns")

    def __init__(self, track: Track, *, repeat: Repeat, phase_ns: int, rate_bps: int) -> None:
        known = track.capacity(repeat=repeat, phase_ns=phase_ns)
        self._capacity = known or Constant(rate_bps)
        self.finish_ns = self._capacity.finish_ns
        self._rate_bps = rate_bps
        self._delay, self._loss = track.delay, track.loss
        self._repeat, self._phase_ns = repeat, phase_ns

    @property
    def tells_loss(self) -> bool:
        """Whether the trace says anything of losses."""
        return self._loss is not None

    def step(self, at_ns: int) -> tuple[int, int | None]:
        """Return the rate in bit/s at a time, and until when it holds; None: for ever."""
        capacity = self._capacity
        return capacity.step(at_ns) if isinstance(capacity, Stepping) else (self._rate_bps, None)

    def loss_below(self, at_ns: int) -> int:
        """Return the threshold of loss at a time; of a trace without losses 0."""
        if self._loss is None:
            return 0
        return _threshold(self._loss.at(at_ns + self._phase_ns, self._repeat))

    def delay_ns(self, at_ns: int) -> int | None:
        """Return the one-way delay at a time; None: the link has its own."""
        delay = self._delay
        return None if delay is None else delay.at(at_ns + self._phase_ns, self._repeat)


def _delay_ns(message: Message) -> int | None:
    """Return how long a message took; None: it was lost. What was under way stays so."""
    if message.under_way:
        return _FOR_EVER_NS
    return None if message.recv_ns is None else message.recv_ns - message.send_ns


@lru_cache(maxsize=4096)
def _threshold(loss: int) -> int:
    return bernoulli_threshold(Fraction(loss, LOSS_ONE))


class TraceDoor:
    """Opens traces for links; each file and direction is read once, and its links share it.

    A random phase is a draw of stream ``trace|<device>|phase``: both directions of a device are
    shifted by the same share of their periods.
    """

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._tracks: dict[tuple[str, Direction], Track] = {}
        self._digests: dict[str, str] = {}
        self._messages: dict[str, dict[tuple[str, str], int | None]] = {}

    def __call__(self, settings: TraceSettings, device: str, rate_bps: int) -> Capacity:
        """Return what links of a device follow in the direction that settings name.

        Raises
        ------
        TraceError
            If the file cannot be read, is another one than it was, or says nothing of this
            direction.
        """
        self._check(settings)
        if settings.mode == "uid":
            return Fates(self._fates(settings.file), rate_bps)
        direction = _direction(settings.direction)
        key = (settings.file, direction)
        if key not in self._tracks:
            self._tracks[key] = load_track(open_trace(settings.file), direction)
        track = self._tracks[key]
        phase_ns = self._phase_ns(settings, device, track.period_ns)
        return Followed(track, repeat=settings.repeat, phase_ns=phase_ns, rate_bps=rate_bps)

    @property
    def opened(self) -> tuple[Opened, ...]:
        """Return the files that links follow, by name."""
        rows = {file: len(messages) for file, messages in self._messages.items()}
        rows |= {file: track.rows for (file, _), track in self._tracks.items()}
        return tuple(self._opened(file, count) for file, count in sorted(rows.items()))

    def digest(self, file: str) -> str:
        """Return the SHA-256 of a trace (raises `TraceError`)."""
        if file not in self._digests:
            self._digests[file] = digest(open_trace(file).path)
        return self._digests[file]

    def _opened(self, file: str, rows: int) -> Opened:
        source = open_trace(file)
        size = source.path.stat().st_size
        found = self.digest(file)
        return Opened(file=file, sha256=found, bytes=size, format=source.format, rows=rows)

    def _check(self, settings: TraceSettings) -> None:
        found = self.digest(settings.file)
        if settings.sha256 not in {None, found}:
            raise TraceError(
                f"{settings.file}: the trace has changed: its SHA-256 is {found}, "
                f"the scenario was written with {settings.sha256}"
            )

    def _fates(self, file: str) -> Mapping[tuple[str, str], int | None]:
        if file not in self._messages:
            source = open_trace(file)
            if source.kind != "messages":
                raise TraceError(f"{source.path}: mode uid needs recorded messages")
            self._messages[file] = {(m.uid, m.link): _delay_ns(m) for m in source.messages()}
        return self._messages[file]

    def _phase_ns(self, settings: TraceSettings, device: str, period_ns: int) -> int:
        if settings.phase != "random":
            return settings.phase
        word = self._streams.stream("trace", device, "phase").words()[0]
        return integer_between(word, 0, period_ns - 1)


def _direction(direction: Literal["both", "up", "down"]) -> Direction:
    if direction == "both":
        raise TraceError(f"a link has one direction of {', '.join(get_args(Direction))}")
    return direction
