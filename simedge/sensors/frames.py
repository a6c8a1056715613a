"""What a sensor delivers, and the port that every sensor fits."""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from simedge.core.errors import SimedgeError

__all__ = [
    "ITEM",
    "NO_SOURCE",
    "UNLABELLED",
    "Events",
    "Frame",
    "Lean",
    "RecordingError",
    "Rhythm",
    "Sensor",
    "SensorError",
    "digest",
    "leaning",
]

ITEM: Final = -1
"""Index of a frame that no device's stream delivered: a proxy or evaluation item."""
UNLABELLED: Final = -1
"""Label of a proxy item: nothing may learn from it by label."""
NO_SOURCE: Final = -1
"""Source of a frame that shows no image."""


class SensorError(SimedgeError):
    """A sensor was asked for what it cannot give, or its data are damaged."""


class RecordingError(SensorError):
    """A recording cannot be read: which file, where in it, and why."""


class Events(NamedTuple):
    """Events of one recording, ordered by time.

    Attributes
    ----------
    x, y, t_us, p
        Column, row (from the top), microseconds since the recording's start, 1 ON / 0 OFF.
    """

    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    t_us: NDArray[np.int64]
    p: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One presentation as pixel events, ordered by time (then pixel, then polarity).

    Attributes
    ----------
    index
        Number of the presentation at its device, from 0; `ITEM` for a proxy or evaluation item.
    label, source
        Class; number of the source image (-1: none).
    x, y, t_us, p
        Column, row (from the top), microseconds since the presentation's start, 1 ON / 0 OFF.
    """

    index: int
    label: int
    source: int
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    t_us: NDArray[np.int64]
    p: NDArray[np.uint8]


class Lean(NamedTuple):
    """One class has so many times its chances."""

    label: int
    """Modulo the number of classes."""
    factor: Fraction

    def of(self, shares: Sequence[Fraction]) -> list[Fraction]:
        """Return shares that lean this way and have the same sum.

        >>> Lean(1, Fraction(3)).of([Fraction(1, 2), Fraction(1, 2)])
        [Fraction(1, 4), Fraction(3, 4)]
        """
        label = self.label % len(shares)
        heavy = [s * self.factor if i == label else s for i, s in enumerate(shares)]
        whole = sum(heavy)
        return [s * sum(shares) / whole for s in heavy] if whole else list(shares)


def digest(head: str, items: Iterable[Frame]) -> bytes:
    """Return the SHA-256 of some words and of the events of frames, column by column."""
    sha = hashlib.sha256(head.encode())
    for item in items:
        for column in (item.x, item.y, item.t_us, item.p):
            sha.update(column.astype("<i8").tobytes())
    return sha.digest()


def leaning(shares: Sequence[Fraction], leans: tuple[Lean, ...]) -> list[Fraction]:
    """Return class proportions after all leans, in their order."""
    leant = list(shares)
    for lean in leans:
        leant = lean.of(leant)
    return leant


class Sensor(Protocol):
    """The port: frames as pure functions of (seed, device, index), whatever the order of calls."""

    @property
    def classes(self) -> int:
        """Give the number of classes."""
        ...

    @property
    def width(self) -> int:
        """Give the pixels of a row."""
        ...

    @property
    def height(self) -> int:
        """Give the pixels of a column."""
        ...

    @property
    def frames_due(self) -> bool:
        """Tell whether frames are delivered at all."""
        ...

    @property
    def shifts_ns(self) -> tuple[int, ...]:
        """Give the times from which on frames look different."""
        ...

    @property
    def span_ns(self) -> int:
        """Give the duration of a presentation."""
        ...

    @property
    def proxy(self) -> tuple[Frame, ...]:
        """Give the unlabelled items, blocks times rows in the order of the blocks."""
        ...

    @property
    def pset(self) -> bytes:
        """Give the name of the proxy set, SHA-256."""
        ...

    def origin(self) -> dict[str, object]:
        """Return what is to be known of the data: where from, which, what was skipped so far."""
        ...

    def start_ns(self, index: int) -> int:
        """Return when a presentation starts."""
        ...

    def arrival_ns(self, frame: Frame) -> int:
        """Return when a frame is complete: with its last pixel event, else at its end."""
        ...

    def frame(self, device: str, index: int) -> Frame:
        """Return one frame of one device."""
        ...

    def frames(
        self, device: str, first: int, count: int, *, leans: tuple[Lean, ...] = ()
    ) -> list[Frame]:
        """Return consecutive frames of one device; much cheaper than one by one."""
        ...

    def evaluation(self, items: int, *, shifted: bool) -> tuple[Frame, ...]:
        """Return held-out labelled items, the classes in turn, as seen before or after a shift."""
        ...


class Rhythm:
    """When presentations start and how long they last, at an exact rate.

    Presentation i starts at floor(i * 10^9 / rate) nanoseconds and lasts 80 % of the period.
    """

    __slots__ = ("_period_ns", "span_ns")

    def __init__(self, rate: Fraction) -> None:
        self._period_ns = 10**9 / rate
        self.span_ns = int(self._period_ns * 4 / 5)

    def origin(self) -> dict[str, object]:
        """Return nothing: data that come with the package or are drawn need no provenance."""
        return {}

    def checked(self, first: int, count: int) -> range:
        """Return the indices of `count` presentations from `first`, if there are such."""
        if first < 0 or count < 0:
            raise SensorError(f"frames are numbered from 0, got {count} from {first}")
        return range(first, first + count)

    @property
    def span_us(self) -> int:
        """Give the duration of a presentation in whole microseconds."""
        return self.span_ns // 1000

    def start_ns(self, index: int) -> int:
        """Return when a presentation starts."""
        if index < 0:
            raise SensorError(f"presentations are numbered from 0, got {index}")
        period = self._period_ns
        return index * period.numerator // period.denominator

    def first_from(self, at_ns: int) -> int:
        """Return which presentation is the first to start at a time or later."""
        return math.ceil(at_ns / self._period_ns)

    def arrival_ns(self, frame: Frame) -> int:
        """Return when a frame is complete: with its last pixel event, else at its end."""
        last = int(frame.t_us[-1]) * 1000 if len(frame.t_us) else self.span_ns
        return self.start_ns(frame.index) + last
