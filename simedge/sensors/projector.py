"""Puts pictures before cameras: plans each shot from its words, and has it filmed."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.core.streams import Stream
from simedge.sensors.camera import build_camera, take
from simedge.sensors.chance import draw, poisson_thresholds
from simedge.sensors.encoder import Camera, Scene, pack_pictures
from simedge.sensors.events import Tag, cut, noise
from simedge.sensors.frames import Frame
from simedge.sensors.presentation import View, paths
from simedge.sensors.settings import DigitsSettings
from simedge.sensors.table import INK, SIDE, Digits

__all__ = ["CLASS_WORD", "GAIN_WORD", "IMAGE_WORD", "Projector", "Shots"]

# Words of a shot: class, image, start, corners, number of noise events, gain of an item's camera,
# two spare; then one for each noise event.
CLASS_WORD: Final = 0
IMAGE_WORD: Final = 1
GAIN_WORD: Final = 5
_MOTION = slice(2, 4)
_NOISE_COUNT: Final = 4
_NOISE: Final = 8
_BATCH: Final = 64


class Shots(NamedTuple):
    """Presentations in a row.

    Attributes
    ----------
    tags
        What each is.
    words
        What each draws from, uint64 [shots, n].
    gain
        Gain of its camera (4096 = 1), int64 [shots].
    shifted
        Whether it looks as after the shift, bool [shots].
    """

    tags: list[Tag]
    words: NDArray[np.uint64]
    gain: NDArray[np.int64]
    shifted: NDArray[np.bool_]

    def part(self, first: int) -> "Shots":
        """Return a batch of shots, so many that the memory of a long request is bounded."""
        end = first + _BATCH
        return Shots(
            self.tags[first:end],
            self.words[first:end],
            self.gain[first:end],
            self.shifted[first:end],
        )


class Projector:
    """Shows bundled digits in the two views that a run has: before and after its shift."""

    def __init__(self, settings: DigitsSettings, table: Digits, *, span_us: int) -> None:
        self._camera_settings = settings.camera
        self._size = settings.size
        self._span_us = span_us
        self._width = settings.camera.amplitude * settings.size
        view = View.straight(size=settings.size, side=SIDE)
        views = (view, view.shifted(settings.shift) if settings.shift else view)
        said = [(*one.matrix, one.invert, *one.light.as_integer_ratio()) for one in views]
        self._views = np.array(said, np.int64)
        ink = np.pad(table.pictures, ((0, 0), (1, 1), (1, 1))).reshape(len(table.labels), -1)
        # behind each picture's number plus theirs: the same with ink and ground exchanged
        self._pictures = pack_pictures(np.concatenate((ink, INK - ink)))
        self._count = len(table.labels)
        mean = settings.noise_per_pixel(settings.camera.noise) * settings.size**2
        self._noise_law = poisson_thresholds(mean)

    def camera(self, normals: NDArray[np.float64]) -> Camera:
        """Return a camera whose pixels differ by these standard normal numbers."""
        return build_camera(self._camera_settings, normals, size=self._size, span_us=self._span_us)

    def words(self, stream: Stream, indices: range) -> NDArray[np.uint64]:
        """Return the words of shots, uint64 [shots, n]; w1 of their counters is the index."""
        blocks = -(-(_NOISE + len(self._noise_law)) // 4)
        return stream.rows(blocks, indices)

    def show(self, shots: Shots, camera: Camera) -> list[Frame]:
        """Return the frames of shots."""
        frames = []
        for first in range(0, len(shots.tags), _BATCH):
            part = shots.part(first)
            keys = take(self.scene(part, camera), camera, self.noise(part))
            frames += cut(keys, part.tags, size=self._size)
        return frames

    def scene(self, shots: Shots, camera: Camera) -> Scene:
        """Return what the camera is shown: view, image and movement of each shot."""
        views = self._views[shots.shifted.astype(np.intp)]
        plans = np.empty((len(views), 6), np.int64)
        plans[:, 0] = [source for _, _, source in shots.tags] + views[:, 4] * self._count
        plans[:, 1:5] = views[:, :4]
        plans[:, 5] = shots.gain * views[:, 5] // views[:, 6]
        motion = paths(shots.words[:, _MOTION], self._width, instants=len(camera.instants_us))
        return Scene(self._pictures, plans, motion)

    def noise(self, shots: Shots) -> NDArray[np.int64]:
        """Return the packed noise events of shots."""
        counts = draw(shots.words[:, _NOISE_COUNT], self._noise_law)
        return noise(shots.words[:, _NOISE:], counts, pixels=self._size**2, span_us=self._span_us)
