"""Pixel events without cause: a homogeneous Poisson process, labels by lot. Nothing to learn."""

import functools
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.core.streams import Stream, Streams
from simedge.sensors.chance import draw, poisson_thresholds, thresholds
from simedge.sensors.events import Tag, cut, noise
from simedge.sensors.frames import ITEM, NO_SOURCE, UNLABELLED, Frame, Lean, Rhythm, digest, leaning
from simedge.sensors.presentation import pick
from simedge.sensors.settings import PoissonSettings

__all__ = ["PoissonSensor"]

_CLASSES: Final = 10
_BATCH: Final = 64
# Words of a frame: label, number of events, two spare; then one for each event.
_LABEL: Final = 0
_COUNT: Final = 1
_EVENTS: Final = 4


class PoissonSensor(Rhythm):
    """Frames of one law at every device, for studies of what a frame costs."""

    classes = _CLASSES
    frames_due = True
    shifts_ns: tuple[int, ...] = ()

    def __init__(self, settings: PoissonSettings, seed: int) -> None:
        super().__init__(settings.rate)
        self.width = self.height = settings.size
        self._items = settings.proxy.blocks * settings.proxy.rows
        self._streams = Streams(seed)
        mean = settings.noise_per_pixel(settings.pixel_rate) * settings.size**2
        self._law = poisson_thresholds(mean)
        self._stream = functools.lru_cache(maxsize=1024)(self._open_stream)

    def frame(self, device: str, index: int) -> Frame:
        """Return one frame of one device."""
        return self.frames(device, index, 1)[0]

    def frames(
        self, device: str, first: int, count: int, *, leans: tuple[Lean, ...] = ()
    ) -> list[Frame]:
        """Return consecutive frames of one device."""
        indices = self.checked(first, count)
        words = self._words(self._stream("sensors", device), indices)
        labels = pick(words[:, _LABEL], np.full(count, _CLASSES))
        if leans:
            shares = leaning([Fraction(1, _CLASSES)] * _CLASSES, leans)
            labels = draw(words[:, _LABEL], thresholds(shares))
        tags = zip(indices, labels.tolist(), [NO_SOURCE] * count, strict=True)
        return self._show(list(tags), words)

    def evaluation(self, items: int, *, shifted: bool) -> tuple[Frame, ...]:
        """Return items whose labels come in turn and mean nothing."""
        del shifted  # nothing to see either way
        return self._take("evaluation", [(ITEM, n % _CLASSES, NO_SOURCE) for n in range(items)])

    @functools.cached_property
    def proxy(self) -> tuple[Frame, ...]:
        """Give the unlabelled items, blocks times rows."""
        return self._take("proxy", [(ITEM, UNLABELLED, NO_SOURCE)] * self._items)

    @functools.cached_property
    def pset(self) -> bytes:
        """Give the name of the proxy set: SHA-256 of its size and its events."""
        return digest(f"poisson|{self.width}|{self._items}", self.proxy)

    def _take(self, name: str, tags: list[Tag]) -> tuple[Frame, ...]:
        words = self._words(self._stream("sensors-items", name), range(len(tags)))
        return tuple(self._show(tags, words))

    def _show(self, tags: list[Tag], words: NDArray[np.uint64]) -> list[Frame]:
        frames = []
        for first in range(0, len(tags), _BATCH):
            part = words[first : first + _BATCH]
            counts = draw(part[:, _COUNT], self._law)
            keys = noise(part[:, _EVENTS:], counts, pixels=self.width**2, span_us=self.span_us)
            keys.sort()
            frames += cut(keys, tags[first : first + _BATCH], size=self.width)
        return frames

    def _open_stream(self, kind: str, name: str) -> Stream:
        return self._streams.stream(kind, name, "frames")

    def _words(self, stream: Stream, indices: range) -> NDArray[np.uint64]:
        blocks = -(-(_EVENTS + len(self._law)) // 4)
        return stream.rows(blocks, indices)
