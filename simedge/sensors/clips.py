"""Recordings as presentations: dealt to devices, tests and proxies, decoded when they are needed.

A damaged recording is passed over for the next of its class and role, and counted.
"""

import functools
import hashlib
import json
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from simedge.core.streams import Stream, Streams
from simedge.sensors.chance import dirichlet, draw, thresholds
from simedge.sensors.frames import (
    ITEM,
    UNLABELLED,
    Events,
    Frame,
    RecordingError,
    Rhythm,
    SensorError,
)
from simedge.sensors.presentation import pick
from simedge.sensors.settings import DirichletSplit, NmnistSettings, SeriesSettings
from simedge.sensors.table import Roles

__all__ = ["ClipSensor", "Kept", "Shelves", "deal", "present", "written"]

_KEPT_EVENTS: Final = 4 * 2**20  # 13 bytes each
_TOLD: Final = 10
_FIFTH: Final = Fraction(1, 5)

Settings = NmnistSettings | SeriesSettings


class Shelves(NamedTuple):
    """Numbers of the recordings of each class, in its training and its test part if it has one."""

    names: tuple[str, ...]
    train: tuple[Sequence[int], ...]
    test: tuple[Sequence[int], ...] | None


def deal(
    streams: Streams,
    shelves: Shelves,
    settings: Settings,
    *,
    sound: Callable[[int], bool] = lambda _: True,
) -> Roles:
    """Give each recording one role; which one is drawn, by the seed alone.

    Proxy items are taken from the training part: as many as the proxy set has of a class, at most
    a fifth of it. What is held out for tests is the test part, or a share of the training part.

    Parameters
    ----------
    sound
        Whether a recording can be read; only such become proxy items, of which a class has few.

    Raises
    ------
    SensorError
        If a class has too few recordings.
    """
    share = settings.held_out or (_FIFTH if shelves.test is None else None)
    wanted = -(-settings.proxy.blocks * settings.proxy.rows // len(shelves.names))
    parts = [*shelves.train, *(shelves.test or ())]
    highest = max((number for part in parts for number in part), default=0)
    words = streams.stream("sensors", "clips", "roles").block(highest // 4 + 1)
    train, test, proxy = [], [], []
    for label, name in enumerate(shelves.names):
        clips = _shuffled(shelves.train[label], words)
        if share is None:
            assert shelves.test is not None
            test.append(_shuffled(shelves.test[label], words))
        else:
            held = max(1, int(share * len(clips)))
            test.append(clips[:held])
            clips = clips[held:]
        common = min(wanted, max(1, len(clips) // 5))
        chosen = list(islice(filter(sound, clips.tolist()), common))
        proxy.append(np.array(chosen, np.int64))
        train.append(clips[~np.isin(clips, chosen)])
        if not min(len(train[label]), len(test[label]), len(chosen)):
            few, apart = len(shelves.train[label]), "" if share is None else " and one for tests"
            raise SensorError(
                f"class {name} has {few} recordings to learn from, too few sound ones: one goes "
                f"to the proxy set{apart}"
            )
    return Roles(tuple(train), tuple(test), tuple(proxy))


def _shuffled(clips: Sequence[int], words: NDArray[np.uint64]) -> NDArray[np.int64]:
    numbers = np.asarray(clips, np.int64)
    ordered: NDArray[np.int64] = numbers[np.argsort(words[numbers], kind="stable")]
    return ordered


def present(events: Events, *, window_us: int, span_us: int, shape: tuple[int, int]) -> Events:
    """Return the events before `window_us`, their times brought to the length of a presentation.

    They are ordered by time, pixel and polarity; what a pixel says twice in a microsecond counts
    once.

    Parameters
    ----------
    shape
        Width and height.
    """
    width, height = shape
    stop = int(np.searchsorted(events.t_us, window_us))
    t_us = events.t_us[:stop] * span_us // window_us
    pixel = events.y[:stop].astype(np.int64) * width + events.x[:stop]
    keys = np.unique((t_us * (width * height) + pixel) * 2 + events.p[:stop])
    rest = keys >> 1
    t_us, pixel = np.divmod(rest, width * height)
    shown = Events(
        (pixel % width).astype(np.uint16),
        (pixel // width).astype(np.uint16),
        t_us,
        (keys & 1).astype(np.uint8),
    )
    for column in shown:
        column.setflags(write=False)
    return shown


def written(text: str) -> str:
    """Return text that any file can hold; names of files may be no text."""
    return text.encode("utf-8", "backslashreplace").decode()


class Kept:
    """The presentations used last, as many as bounded memory holds; may be used from threads."""

    def __init__(self) -> None:
        self._shown: OrderedDict[tuple[int, bool], Events] = OrderedDict()
        self.events = 0
        """How many events are held."""
        self._lock = threading.Lock()

    def get(self, key: tuple[int, bool], make: Callable[[], Events]) -> Events:
        """Return what is held under a key, or what is made anew and then held."""
        with self._lock:
            if key in self._shown:
                self._shown.move_to_end(key)
                return self._shown[key]
        made = make()
        with self._lock:
            if key not in self._shown:
                self._shown[key] = made
                self.events += len(made.x)
            while self.events > _KEPT_EVENTS and len(self._shown) > 1:
                _, gone = self._shown.popitem(last=False)
                self.events -= len(gone.x)
        return made


class _Eye(NamedTuple):
    """What is a device's own: its draws and its class proportions."""

    stream: Stream
    law: NDArray[np.uint64]


class ClipSensor(Rhythm, ABC):
    """Frames of recordings; each is a pure function of (seed, device, index) and of the files.

    Recordings that devices learn from, are tested on and compare themselves on are three disjoint
    sets. May be used from several threads.
    """

    frames_due = True

    def __init__(
        self,
        settings: Settings,
        streams: Streams,
        *,
        names: tuple[str, ...],
        roles: Roles,
        shape: tuple[int, int],
        damaged: dict[int, str],
    ) -> None:
        super().__init__(settings.rate)
        self.classes = len(names)
        self.width, self.height = shape
        self.shifts_ns: tuple[int, ...] = ()
        self._settings = settings
        self._names = names
        self._roles = roles
        self._streams = streams
        self._drawing = threading.Lock()  # streams share one generator
        self._clips: NDArray[np.int64] = np.concatenate(roles.train)
        self._sizes = np.array([len(clips) for clips in roles.train])
        self._firsts = np.cumsum(self._sizes) - self._sizes
        self._kept = Kept()
        self._damaged = damaged
        self._eye = functools.lru_cache(maxsize=1024)(self._open_eye)

    @abstractmethod
    def _show(self, clip: int, *, shifted: bool) -> Events:
        """Decode and present a recording; raises `RecordingError` if it is damaged."""

    def _shifted(self, index: int) -> bool:
        return bool(self.shifts_ns) and index >= self.first_from(self.shifts_ns[0])

    @override
    def origin(self) -> dict[str, object]:
        """Return where recordings come from, how many serve for what, which were skipped."""
        reasons = [reason for _, reason in sorted(dict(self._damaged).items())]
        counts = {role: sum(map(len, clips)) for role, clips in self._roles._asdict().items()}
        return {
            "kind": self._settings.kind,
            "classes": list(map(written, self._names)),
            "recordings": counts,
            "skipped": {"count": len(reasons), "first": list(map(written, reasons[:_TOLD]))},
        }

    def proportions(self, device: str) -> list[Fraction]:
        """Return the class proportions of a device's stream; they sum to 1 but for rounding."""
        split = self._settings.split
        if not isinstance(split, DirichletSplit):
            return [Fraction(1, self.classes)] * self.classes
        with self._drawing:
            stream = self._streams.stream("sensors", device, "split")
            return dirichlet(stream, split.alpha, self.classes)

    def frame(self, device: str, index: int) -> Frame:
        """Return one frame of one device."""
        return self.frames(device, index, 1)[0]

    def frames(self, device: str, first: int, count: int) -> list[Frame]:
        """Return consecutive frames of one device."""
        indices = self.checked(first, count)
        eye = self._eye(device)
        words = eye.stream.rows(1, indices)
        labels = draw(words[:, 0], eye.law)
        places = pick(words[:, 1], self._sizes[labels])
        return [
            self._one(self._roles.train[label], place, index=index, label=label)
            for index, label, place in zip(indices, labels.tolist(), places.tolist(), strict=True)
        ]

    def evaluation(self, items: int, *, shifted: bool) -> tuple[Frame, ...]:
        """Return test items, the classes in turn and the recordings of a class in turn."""
        return tuple(
            self._one(self._roles.test[label], n // self.classes, label=label, shifted=shifted)
            for n in range(items)
            for label in [n % self.classes]
        )

    @functools.cached_property
    def proxy(self) -> tuple[Frame, ...]:
        """Give the unlabelled items, blocks times rows, the classes in turn; never shifted."""
        asked = self._settings.proxy
        return tuple(
            self._one(self._roles.proxy[n % self.classes], n // self.classes)
            for n in range(asked.blocks * asked.rows)
        )

    @functools.cached_property
    def pset(self) -> bytes:
        """Give the name of the proxy set: SHA-256 of its settings and its events."""
        said = self._settings.model_dump(mode="json", include={"kind", "rate", "proxy"})
        sha = hashlib.sha256(json.dumps([said, self.width, self.height]).encode())
        for item in self.proxy:
            for column in (item.x, item.y, item.t_us, item.p):
                sha.update(len(column).to_bytes(8, "little") + column.astype("<i8").tobytes())
        return sha.digest()

    def probe(self) -> None:
        """See that every class has a sound recording for every use.

        Raises
        ------
        SensorError
            If one has none, with the reason for the first.
        """
        for clips in self._roles:
            for pool in clips:
                self._one(pool, 0)

    def _one(
        self,
        pool: NDArray[np.int64],
        place: int,
        *,
        index: int = ITEM,
        label: int = UNLABELLED,
        shifted: bool | None = None,
    ) -> Frame:
        """Return the frame of the recording at a place of its pool, or of the next sound one."""
        late = self._shifted(index) if shifted is None else shifted
        for step in range(len(pool)):
            clip = int(pool[(place + step) % len(pool)])
            if clip in self._damaged:
                continue
            try:
                shown = self._kept.get(
                    (clip, late), functools.partial(self._show, clip, shifted=late)
                )
            except RecordingError as error:
                self._damaged[clip] = str(error)
            else:
                return Frame(index=index, label=label, source=clip, **shown._asdict())
        raise SensorError(f"no recording of its class is sound; {self._damaged[int(pool[0])]}")

    def _open_eye(self, device: str) -> _Eye:
        law = thresholds(self.proportions(device))
        with self._drawing:
            return _Eye(self._streams.stream("sensors", device, "frames"), law)
