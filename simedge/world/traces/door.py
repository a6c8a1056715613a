"""What a link follows: the door from settings that name a trace file to its recorded figures."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Literal, get_args

from simedge.core.streams import Streams, bernoulli_threshold, integer_between
from simedge.world.capacity import Levels, Repeat
from simedge.world.datagrams import Datagram
from simedge.world.link_settings import TraceSettings
from simedge.world.rates import Recorded
from simedge.world.traces.rows import LOSS_ONE, Direction, TraceError
from simedge.world.traces.source import open_trace
from simedge.world.traces.tracks import Track, load_track

__all__ = ["TraceDoor", "TraceLoss"]


@lru_cache(maxsize=4096)
def _threshold(loss: int) -> int:
    return bernoulli_threshold(Fraction(loss, LOSS_ONE))


class TraceLoss:
    """The recorded loss in force at the end of a serialisation."""

    __slots__ = ("_levels", "_phase_ns", "_repeat")

    def __init__(self, levels: Levels, *, repeat: Repeat, phase_ns: int) -> None:
        self._levels, self._repeat, self._phase_ns = levels, repeat, phase_ns

    def threshold(self, datagram: Datagram, ordinal: int, at_ns: int) -> int:  # noqa: ARG002  one port for all laws
        """Return the threshold of a try that ends at `at_ns`."""
        return _threshold(self._levels.at(at_ns + self._phase_ns, self._repeat))


class TraceDoor:
    """Opens traces for links; each file and direction is read once, and its links share it.

    A random phase is a draw of stream ``trace|<device>|phase``: both directions of a device are
    shifted by the same share of their periods.
    """

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._tracks: dict[tuple[str, Direction], Track] = {}
        self._messages: dict[str, dict[tuple[str, str], int | None]] = {}

    def __call__(self, settings: TraceSettings, device: str) -> Recorded:
        """Return what links of a device follow in the direction that settings name.

        Raises
        ------
        TraceError
            If the file cannot be read or says nothing of this direction.
        """
        if settings.mode == "uid":
            return Recorded(fates=self._fates(settings.file))
        direction = _direction(settings.direction)
        key = (settings.file, direction)
        if key not in self._tracks:
            self._tracks[key] = load_track(open_trace(settings.file), direction)
        track = self._tracks[key]
        phase_ns = self._phase_ns(settings, device, track.period_ns)
        repeat = settings.repeat
        loss, delay = track.loss, track.delay
        return Recorded(
            capacity=track.capacity(repeat=repeat, phase_ns=phase_ns),
            loss=None if loss is None else TraceLoss(loss, repeat=repeat, phase_ns=phase_ns),
            delay_ns=None if delay is None else _delay(delay, repeat, phase_ns),
        )

    def _fates(self, file: str) -> Mapping[tuple[str, str], int | None]:
        if file not in self._messages:
            source = open_trace(file)
            if source.kind != "messages":
                raise TraceError(f"{source.path}: mode uid needs recorded messages")
            self._messages[file] = {
                (m.uid, m.link): None if m.recv_ns is None else m.recv_ns - m.send_ns
                for m in source.messages()
            }
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


def _delay(levels: Levels, repeat: Repeat, phase_ns: int) -> Callable[[int], int]:
    return lambda now: levels.at(now + phase_ns, repeat)
