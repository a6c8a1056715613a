"""Digits in front of an event camera: bundled, real handwriting; the movement is simulated."""

import functools
import hashlib
import json
import threading
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.core.streams import Stream, Streams, normals
from simedge.sensors.chance import dirichlet, draw, thresholds
from simedge.sensors.encoder import Camera, unpack_pictures
from simedge.sensors.frames import ITEM, UNLABELLED, Frame, Lean, Rhythm, leaning
from simedge.sensors.presentation import gains, pick
from simedge.sensors.projector import CLASS_WORD, GAIN_WORD, IMAGE_WORD, Projector, Shots
from simedge.sensors.settings import DigitsSettings, DirichletSplit
from simedge.sensors.table import CLASSES, cast_roles, digits

__all__ = ["DigitsSensor"]

_NEVER: Final = 2**63 - 1
_SIDE: Final = 8  # pixels of an image
"""A number that no presentation reaches."""


class _Eye(NamedTuple):
    """What is a device's own: its draws, class proportions, gain and camera."""

    stream: Stream
    law: NDArray[np.uint64]
    gain: int
    camera: Camera


class DigitsSensor(Rhythm):
    """Moving digits as pixel events; every frame is a pure function of (seed, device, index).

    Images that devices learn from, images that they are tested on and images of the proxy set are
    three disjoint sets. Items of the last two are seen by cameras of their own with even pixels,
    the same for every device. May be used from several threads.
    """

    classes = CLASSES
    frames_due = True

    def __init__(self, settings: DigitsSettings, seed: int) -> None:
        super().__init__(settings.rate)
        self._settings = settings
        self._streams = Streams(seed)
        self._drawing = threading.Lock()  # streams share one generator
        self.width = self.height = settings.size
        self.shifts_ns = (settings.shift.at,) if settings.shift else ()
        self._shifted_from = self.first_from(settings.shift.at) if settings.shift else _NEVER
        self._roles = cast_roles(self._streams, digits().labels)
        self._images: NDArray[np.int64] = np.concatenate(self._roles.train)
        self._sizes = np.array([len(images) for images in self._roles.train])
        self._firsts = np.cumsum(self._sizes) - self._sizes
        self._projector = Projector(settings, digits(), span_us=self.span_us)
        self._item_camera = self._projector.camera(np.zeros(settings.size**2))
        self._eye = functools.lru_cache(maxsize=1024)(self._open_eye)

    def proportions(self, device: str) -> list[Fraction]:
        """Return the class proportions of a device's stream; they sum to 1 but for rounding."""
        split = self._settings.split
        if not isinstance(split, DirichletSplit):
            return [Fraction(1, CLASSES)] * CLASSES
        with self._drawing:
            return dirichlet(self._streams.stream("sensors", device, "split"), split.alpha, CLASSES)

    def frame(self, device: str, index: int) -> Frame:
        """Return one frame of one device."""
        return self.frames(device, index, 1)[0]

    def frames(
        self, device: str, first: int, count: int, *, leans: tuple[Lean, ...] = ()
    ) -> list[Frame]:
        """Return consecutive frames of one device; the lock of the interpreter is released."""
        indices = self.checked(first, count)
        eye = self._eye(device)
        words = self._projector.words(eye.stream, indices)
        law = thresholds(leaning(self.proportions(device), leans)) if leans else eye.law
        labels = draw(words[:, CLASS_WORD], law)
        sources = self._learnt_from(labels, words[:, IMAGE_WORD])
        shots = Shots(
            list(zip(indices, labels.tolist(), sources.tolist(), strict=True)),
            words,
            np.full(count, eye.gain),
            np.arange(first, first + count) >= self._shifted_from,
        )
        return self._projector.show(shots, eye.camera)

    def evaluation(self, items: int, *, shifted: bool) -> tuple[Frame, ...]:
        """Return test items, the classes in turn; the same images and motion in both views."""
        shots = self._items("evaluation", items, self._roles.test)
        labels = digits().labels
        tags = [(index, int(labels[source]), source) for index, _, source in shots.tags]
        shots = shots._replace(tags=tags, shifted=np.full(items, shifted))
        return tuple(self._projector.show(shots, self._item_camera))

    @functools.cached_property
    def proxy(self) -> tuple[Frame, ...]:
        """Give the unlabelled items, blocks times rows, the classes in turn; never shifted."""
        return tuple(self._projector.show(self._proxy_shots, self._item_camera))

    @functools.cached_property
    def pset(self) -> bytes:
        """Give the name of the proxy set: SHA-256 of its manifest, images, motion and noise."""
        shots = self._proxy_shots
        said = self._settings.model_dump(
            mode="json", include={"kind", "size", "rate", "proxy", "camera"}
        )
        sha = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
        scene = self._projector.scene(shots, self._item_camera)
        images = unpack_pictures(scene.pictures[scene.plans[:, 0]])
        for part in (images, scene.plans, scene.paths, self._projector.noise(shots)):
            sha.update(part.astype("<i8").tobytes())
        return sha.digest()

    @functools.cached_property
    def proxy_set(self) -> bytes:
        """Give the proxy set as devices get it: images, and all draws that rendering reads.

        A device renders the items itself, so they need not come as events. A byte a pixel, then
        the draws as u64, little-endian.
        """
        shots = self._proxy_shots
        scene = self._projector.scene(shots, self._item_camera)
        side = _SIDE + 2  # pictures have a rim of nothing
        framed = unpack_pictures(scene.pictures[scene.plans[:, 0]]).reshape(-1, side, side)
        images = framed[:, 1:-1, 1:-1].astype(np.uint8)
        return images.tobytes() + shots.words.astype("<u8").tobytes()

    @functools.cached_property
    def _proxy_shots(self) -> Shots:
        proxy = self._settings.proxy
        return self._items("proxy", proxy.blocks * proxy.rows, self._roles.proxy)

    def _items(self, name: str, count: int, pool: tuple[NDArray[np.int64], ...]) -> Shots:
        """Take `count` unlabelled items, the classes in turn and the images of a class in turn."""
        stream = self._streams.stream("sensors-items", name, "frames")
        words = self._projector.words(stream, range(count))
        sources = [_in_turn(pool[n % CLASSES], n // CLASSES) for n in range(count)]
        return Shots(
            [(ITEM, UNLABELLED, source) for source in sources],
            words,
            gains(normals(words[:, GAIN_WORD]), self._settings.camera.gain_spread),
            np.zeros(count, np.bool_),
        )

    def _learnt_from(
        self, labels: NDArray[np.int64], words: NDArray[np.uint64]
    ) -> NDArray[np.int64]:
        """Draw a training image of each label."""
        sizes = self._sizes[labels]
        chosen: NDArray[np.int64] = self._images[self._firsts[labels] + pick(words, sizes)]
        return chosen

    def _open_eye(self, device: str) -> _Eye:
        law = thresholds(self.proportions(device))
        pixels = self.width**2
        with self._drawing:
            frames = self._streams.stream("sensors", device, "frames")
            own = self._streams.stream("sensors", device, "camera").block(pixels // 4 + 2)
        unlike = normals(own[: pixels + 1])
        gain = gains(unlike[:1], self._settings.camera.gain_spread)
        return _Eye(frames, law, int(gain[0]), self._projector.camera(unlike[1:]))


def _in_turn(images: NDArray[np.int64], turn: int) -> int:
    return int(images[turn % len(images)])
