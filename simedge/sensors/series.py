"""Series of several channels as events: biosignals and whatever else is sampled over time."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from simedge.core.streams import Streams
from simedge.sensors.clips import ClipSensor, Shelves, deal, present, written
from simedge.sensors.frames import Events, RecordingError, SensorError
from simedge.sensors.series_encoder import fit
from simedge.sensors.series_rows import Recording
from simedge.sensors.series_source import SeriesData, read_series
from simedge.sensors.settings import SeriesSettings

__all__ = ["SeriesSensor"]

_ANY_HZ: Final = 100
"""A rate for samples that nobody timed: all that counts is their share of a presentation."""
_SECONDS_MAX: Final = 1e5


class SeriesSensor(ClipSensor):
    """Recordings of series as events: the column is the channel, the row the level crossed."""

    def __init__(self, settings: SeriesSettings, seed: int) -> None:
        streams = Streams(seed)
        self._data = data = read_series(settings.root, settings.file)
        self._sampling = _sampling(settings, data)
        shelves = _shelves(data)
        roles = deal(streams, shelves, settings)
        learnt = [data.recordings[n] for part in (roles.train, roles.proxy) for n in _all(part)]
        self._encoder = fit(settings.encoder, learnt)
        longest = max(float(self._seconds(recording)[-1]) for recording in learnt)
        window_us = int(longest * 1e6) + 1 if settings.window is None else settings.window // 1000
        self._window_us = window_us
        super().__init__(
            settings,
            streams,
            names=shelves.names,
            roles=roles,
            shape=(len(data.channels), self._encoder.height),
            # files that could not be read at all have no number of their own
            damaged={-1 - n: reason for n, reason in enumerate(data.skipped)},
        )
        self.probe()

    @override
    def origin(self) -> dict[str, object]:
        """Return files, how many recordings serve for what, what was skipped or missing."""
        data, known = self._data, super().origin()
        assert isinstance(self._settings, SeriesSettings)
        place = self._settings.file if self._settings.root is None else self._settings.root
        return {
            **known,
            "root": written(str(Path(place or ""))),
            "files": data.files,
            "files_sha256": data.sha256,
            "channels": list(data.channels),
            "values_bridged": data.missing,
        }

    @override
    def _show(self, clip: int, *, shifted: bool) -> Events:
        del shifted  # a series looks the same for ever
        recording = self._data.recordings[clip]
        try:
            events = self._encoder.encode(self._seconds(recording), recording.values)
        except RecordingError as error:
            raise RecordingError(f"{recording.place}: {error}") from error
        return present(
            events,
            window_us=self._window_us,
            span_us=self.span_us,
            shape=(self.width, self.height),
        )

    def _seconds(self, recording: Recording) -> NDArray[np.float64]:
        if recording.seconds is not None:
            return recording.seconds
        return np.arange(recording.values.shape[1]) / self._sampling


def _sampling(settings: SeriesSettings, data: SeriesData) -> float:
    """Return the samples a second of recordings without times, as far as it matters."""
    timed = next((r for r in data.recordings if r.seconds is not None), None)
    bare = next((r for r in data.recordings if r.seconds is None), None)
    if settings.sampling is not None:
        if timed is not None:
            raise SensorError(f"{timed.place}: the file gives times: leave sampling out")
    elif bare is not None and (settings.window is not None or timed is not None):
        raise SensorError(f"{bare.place}: the file gives no times: say the sampling")
    sampling = float(settings.sampling or _ANY_HZ)
    for recording in data.recordings:
        if recording.seconds is None and recording.values.shape[1] / sampling > _SECONDS_MAX:
            raise SensorError(f"{recording.place}: a recording of more than {_SECONDS_MAX:g} s")
    return sampling


def _shelves(data: SeriesData) -> Shelves:
    """Return the numbers of recordings by part and class.

    Raises
    ------
    SensorError
        If there are fewer than two classes, or one is empty.
    """
    if len(data.classes) < 2:
        raise SensorError(f"only one class, {data.classes[0]!a}: nothing to tell apart")
    number_of = {name: label for label, name in enumerate(data.classes)}
    parts = []
    for first, stop in ((0, data.train), (data.train, len(data.recordings))):
        shelves: list[list[int]] = [[] for _ in data.classes]
        for number in range(first, stop):
            shelves[number_of[data.recordings[number].label]].append(number)
        parts.append(shelves)
    train, test = parts
    for part, shelves in (("training", train), *([("test", test)] if any(test) else [])):
        empty = [n for n, shelf in zip(data.classes, shelves, strict=True) if not shelf]
        if empty:
            damaged = f"; {data.skipped[0]}" if data.skipped else ""
            raise SensorError(f"class {empty[0]!a} has no {part} recording{damaged}")
    return Shelves(data.classes, tuple(train), tuple(test) if any(test) else None)


def _all(part: tuple[NDArray[np.int64], ...]) -> list[int]:
    return [int(number) for clips in part for number in clips]
