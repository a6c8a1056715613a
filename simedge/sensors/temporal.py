"""Classes that differ in time alone: every pixel sends equally often, whatever is shown.

One table holds some moments for each pixel. A class is a permutation of the pixels: each sends at
the moments of the pixel that the permutation names. Which events are lost and how far they stray is
drawn without regard to the class, so no count tells one class from another; only the order does.
"""

import functools
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.core.streams import Stream, Streams, bernoulli_threshold, normals
from simedge.sensors.chance import draw, poisson_thresholds, thresholds
from simedge.sensors.events import SHOT_BITS, TIME_BITS, Tag, cut, noise
from simedge.sensors.frames import ITEM, NO_SOURCE, UNLABELLED, Frame, Lean, Rhythm, digest, leaning
from simedge.sensors.presentation import pick
from simedge.sensors.settings import TemporalSettings

__all__ = ["TemporalSensor"]

_BATCH: Final = 64
# Words of a frame: label, number of noise events, two spare; then one for each event of the
# pattern, then one for each noise event. Of a pattern's word the upper 12 bits say how far the
# event strays, the lower 32 whether it is lost.
_LABEL: Final = 0
_NOISE_COUNT: Final = 1
_EVENTS: Final = 4
_HALF: Final = 32
_ON: Final = 1


class TemporalSensor(Rhythm):
    """Moments in permuted order, jittered, with losses and noise.

    The classes are the same at every device of a seed. What devices learn from, what they are
    tested on and the proxy set are drawn from streams of their own.
    """

    frames_due = True
    shifts_ns: tuple[int, ...] = ()

    def __init__(self, settings: TemporalSettings, seed: int) -> None:
        super().__init__(settings.rate)
        self.classes = settings.classes
        self.width = self.height = settings.size
        self._items = settings.proxy.blocks * settings.proxy.rows
        self._jitter_us = settings.jitter / 1000
        self._lost_from = bernoulli_threshold(settings.keep) >> _HALF
        self._streams = Streams(seed)
        self._law = poisson_thresholds(settings.noise_per_pixel(settings.noise) * settings.size**2)
        self._stream = functools.lru_cache(maxsize=1024)(self._open_stream)
        self._moments = self._draw_moments(settings)

    def moments_us(self, label: int) -> NDArray[np.int64]:
        """Return when each pixel sends if nothing strays, int64 [pixels, events a pixel]."""
        moments: NDArray[np.int64] = self._moments[label].copy()
        return moments

    def frame(self, device: str, index: int) -> Frame:
        """Return one frame of one device."""
        return self.frames(device, index, 1)[0]

    def frames(
        self, device: str, first: int, count: int, *, leans: tuple[Lean, ...] = ()
    ) -> list[Frame]:
        """Return consecutive frames of one device."""
        indices = self.checked(first, count)
        words = self._words(self._stream("sensors", device), indices)
        labels = pick(words[:, _LABEL], np.full(count, self.classes))
        if leans:
            shares = leaning([Fraction(1, self.classes)] * self.classes, leans)
            labels = draw(words[:, _LABEL], thresholds(shares))
        tags = [
            (index, int(label), NO_SOURCE) for index, label in zip(indices, labels, strict=True)
        ]
        return self._show(tags, labels, words)

    def evaluation(self, items: int, *, shifted: bool) -> tuple[Frame, ...]:
        """Return labelled items that no device learns from, the classes in turn."""
        del shifted  # the order never changes
        tags = [(ITEM, n % self.classes, NO_SOURCE) for n in range(items)]
        return self._take("evaluation", tags)

    @functools.cached_property
    def proxy(self) -> tuple[Frame, ...]:
        """Give the unlabelled items, blocks times rows, the classes in turn."""
        return self._take("proxy", [(ITEM, UNLABELLED, NO_SOURCE)] * self._items)

    @functools.cached_property
    def pset(self) -> bytes:
        """Give the name of the proxy set: SHA-256 of its size and its events."""
        return digest(f"temporal|{self.width}|{self._items}", self.proxy)

    def _take(self, name: str, tags: list[Tag]) -> tuple[Frame, ...]:
        words = self._words(self._stream("sensors-items", name), range(len(tags)))
        return tuple(self._show(tags, np.arange(len(tags)) % self.classes, words))

    def _show(
        self, tags: list[Tag], labels: NDArray[np.int64], words: NDArray[np.uint64]
    ) -> list[Frame]:
        frames = []
        for first in range(0, len(tags), _BATCH):
            part = slice(first, first + _BATCH)
            own, counts = words[part, _EVENTS:], draw(words[part, _NOISE_COUNT], self._law)
            pattern = self._pattern(labels[part], own)
            others = noise(
                own[:, self._moments[0].size :], counts, pixels=self.width**2, span_us=self.span_us
            )
            frames += cut(np.sort(np.append(pattern, others)), tags[part], size=self.width)
        return frames

    def _pattern(self, labels: NDArray[np.int64], words: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the packed events of the classes' moments that are not lost, in any order."""
        exact = self._moments[labels]  # [shots, pixels, events a pixel]
        words = words[:, : exact[0].size].reshape(exact.shape)
        strays = np.rint(normals(words) * self._jitter_us).astype(np.int64)
        t_us = np.clip(exact + strays, 0, self.span_us - 1)
        kept = (words & np.uint64(0xFFFFFFFF)) < np.uint64(self._lost_from)
        shot, pixel, _ = np.nonzero(kept)
        keys: NDArray[np.int64] = shot << SHOT_BITS | t_us[kept] << TIME_BITS | pixel << 1 | _ON
        return keys

    def _draw_moments(self, settings: TemporalSettings) -> NDArray[np.int64]:
        """Draw the table and the permutations, int64 [classes, pixels, events a pixel]."""
        pixels, events = settings.size**2, settings.events
        table = self._streams.stream("sensors", "temporal", "moments")
        words = table.block(-(-pixels * events // 4))[: pixels * events]
        moments = pick(words, np.full(len(words), self.span_us)).reshape(pixels, events)
        order = self._streams.stream("sensors", "temporal", "order")
        lots = order.rows(-(-pixels // 4), range(settings.classes))[:, :pixels]
        sources = np.argsort(lots, axis=1, kind="stable")
        return np.stack([moments[row] for row in sources])

    def _open_stream(self, kind: str, name: str) -> Stream:
        return self._streams.stream(kind, name, "frames")

    def _words(self, stream: Stream, indices: range) -> NDArray[np.uint64]:
        count = _EVENTS + self._moments[0].size + len(self._law)
        return stream.rows(-(-count // 4), indices)
