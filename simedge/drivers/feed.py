"""The camera of one device, rendered a batch at a time and one batch ahead."""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from itertools import groupby
from typing import Any

from simedge.drivers.lookahead import Shown
from simedge.sensors.frames import Frame, Lean, Sensor

__all__ = ["Feed", "Leaning"]

Leaning = tuple[int, int, Lean]
"""From when on, until when, and what."""

_BATCH = 48
_LEAST = 2
_AHEAD_MAX = 8192
"""Frames of all devices that are rendered before any has arrived."""


class Feed:
    """Frames of one device in order; the next batch is rendered while the present one is used.

    How long batches are never shows: they are short where there are many devices and where the run
    ends, and none is rendered ahead before a frame of the present one has arrived.

    Parameters
    ----------
    prepare
        Brings frames into the learner's own form.
    executor
        Renders ahead; frames are pure functions of (seed, device, index), so nothing else changes.
    devices
        How many there are.
    leanings
        From when to when a class is seen more often or less than it is by the sensor.
    until_ns
        When the run ends: little is rendered of what starts later.
    """

    def __init__(  # noqa: PLR0913 -- all but the two that it is of go by name
        self,
        sensor: Sensor,
        device: str,
        *,
        prepare: Callable[[Sequence[Frame]], Any],
        executor: Executor,
        devices: int = 1,
        leanings: Sequence[Leaning] = (),
        until_ns: int | None = None,
    ) -> None:
        self.sensor = sensor
        self._prepare = prepare
        self._device = device
        self._executor = executor
        self._batch_count = max(_LEAST, min(_BATCH, _AHEAD_MAX // devices))
        self._until_ns = until_ns
        self._leanings = tuple(leanings)
        self._frames: deque[tuple[Frame, Shown]] = deque()
        self._first = self._next = 0
        self._coming: Future[list[tuple[Frame, Shown]]] | None = None

    @property
    def flows(self) -> bool:
        """Whether the sensor delivers frames at all."""
        return self.sensor.frames_due

    def peek(self) -> tuple[Frame, Shown]:
        """Return the frame that arrives next, plain and as learners see it."""
        if not self._frames:
            self._frames.extend(self._batch() if self._coming is None else self._coming.result())
            self._coming = None
            self._first = self._frames[0][0].index
        return self._frames[0]

    def pop(self) -> Frame:
        """Return the frame that arrives now."""
        frame, _ = self.peek()
        self._frames.popleft()
        if self._coming is None:
            self._coming = self._executor.submit(self._batch)
        return frame

    def arrival_ns(self, *, whole: bool = False) -> int:
        """Return when the next frame arrives: at the end of its presentation, or before."""
        frame, sensor = self.peek()[0], self.sensor
        return sensor.start_ns(frame.index) + sensor.span_ns if whole else sensor.arrival_ns(frame)

    def start_ns(self, frame: Frame) -> int:
        """Return when the presentation of a frame starts."""
        return self.sensor.start_ns(frame.index)

    def rest(self) -> tuple[int, int]:
        """Wait for what is being rendered; return where the present batch began, and what is left.

        Both lead back to here: frames need not be kept to be had again.
        """
        coming = 0 if self._coming is None else len(self._coming.result())
        return (self._first if self._frames else self._next - coming), len(self._frames)

    def go_back(self, first: int, left: int) -> None:
        """Be where `rest` was asked, in a feed that gave no frame yet.

        Raises
        ------
        ValueError
            If there is no such place.
        """
        if first < 0 or not 0 <= left <= self._count(first):
            raise ValueError(f"no batch: {left} frames of that from {first}")
        self._frames.clear()
        self._first, self._next, self._coming = first, first, None
        if left:
            self._frames.extend(self._batch()[-left:])
            self._coming = self._executor.submit(self._batch)

    def at_hand(self) -> list[object]:
        """Return the frames of the present batch that are to come, and their prepared form."""
        things: list[object] = [frame for frame, _ in self._frames]
        return things + [shown[0] for _, shown in list(self._frames)[:1]]

    def _batch(self) -> list[tuple[Frame, Shown]]:
        first = self._next
        count = self._count(first)
        self._next += count
        frames = self._frames_of(first, count)
        prepared = self._prepare(frames)
        return [(frame, (prepared, i)) for i, frame in enumerate(frames)]

    def _count(self, first: int) -> int:
        """Return how many frames the batch has that begins with one: not many after the end."""
        if self._until_ns is None:
            return self._batch_count
        starts = range(first, first + self._batch_count)
        before = bisect_left(starts, self._until_ns, key=self.sensor.start_ns)
        return min(self._batch_count, max(_LEAST, before + 1))

    def _frames_of(self, first: int, count: int) -> list[Frame]:
        """Return the frames of a batch, as many at a time as are seen alike."""
        indices = range(first, first + count)
        if not self._leanings:
            return self.sensor.frames(self._device, first, count)
        frames: list[Frame] = []
        for leans, group in groupby(indices, self._leans):
            count = sum(1 for _ in group)
            frames += self.sensor.frames(self._device, first + len(frames), count, leans=leans)
        return frames

    def _leans(self, index: int) -> tuple[Lean, ...]:
        at = self.sensor.start_ns(index)
        return tuple(lean for begins, ends, lean in self._leanings if begins <= at < ends)
