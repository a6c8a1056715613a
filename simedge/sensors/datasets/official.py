"""Data sets by the names of their formats, from folders in the official layouts.

- nmnist: ``{Train,Test}/{0,...,9}/*.bin``
- dvs-gesture: ``trials_to_{train,test}.txt``, ``NAME.aedat`` (3.1) and ``NAME_labels.csv``
- cifar10-dvs: ``{airplane,...,truck}/*.aedat`` (2.0); no official test part
- shd: ``shd_{train,test}.h5``, needs h5py
- cifar10: ``data_batch_{1,...,5}.bin``, ``test_batch.bin``; cifar100: ``train.bin``, ``test.bin``

Of CIFAR only the binary version is read: the other one is pickled, and can run anything.
"""

import csv
import importlib
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from simedge.sensors.datasets.aedat import SIDE, read_aedat2, read_aedat31
from simedge.sensors.datasets.binning import Bins, counted
from simedge.sensors.frames import RecordingError, SensorError
from simedge.sensors.nmnist import list_files
from simedge.sensors.nmnist_file import SIDE as NMNIST_SIDE
from simedge.sensors.nmnist_file import read_nmnist

__all__ = ["FORMATS", "Official", "Part", "load_official"]

_Sample = TypeVar("_Sample")
_CIFAR_SIDE: Final = 32
_SHD_UNITS: Final = 700
_SHD_TICK_US: Final = 10_000
_OBJECTS: Final = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


class Part(NamedTuple):
    """Frames float32 (samples, ticks, channels, height, width), or without ticks; labels int64."""

    frames: NDArray[np.float32]
    labels: NDArray[np.int64]


class Official(NamedTuple):
    """A data set; `test` is None if it comes without a test part."""

    train: Part
    test: Part | None


class _Format(NamedTuple):
    load: Callable[[Path, Bins, int | None], Official]
    ticks: int
    side: int


def load_official(
    root: str | Path,
    form: str,
    *,
    ticks: int | None = None,
    side: int | None = None,
    tick_us: int | None = None,
    samples_max: int | None = None,
) -> Official:
    """Load a data set whole.

    Parameters
    ----------
    root
        Folder.
    form
        One of `FORMATS`.
    ticks, side
        Frames of a recording, and rows and columns of a frame; None: as published.
    tick_us
        Length of a frame; None: the recording divided evenly (shd: 10 ms).
    samples_max
        Of each part take only so many samples, the classes in turn as far as they go.

    Raises
    ------
    SensorError
        If the format is unknown, or its files are not there.
    RecordingError
        If a file is damaged.
    """
    if form not in FORMATS:
        raise SensorError(f"the format must be one of {', '.join(FORMATS)}, got {form!r}")
    known, folder = FORMATS[form], Path(root)
    if not folder.is_dir():
        raise SensorError(f"{folder}: no such folder")
    bins = Bins(ticks or known.ticks, side or known.side, tick_us)
    bins.check()
    return known.load(folder, bins, samples_max)


def _nmnist(root: Path, bins: Bins, most: int | None) -> Official:
    listing = list_files(root)
    parts = []
    for shelves in (listing.shelves.train, listing.shelves.test or ()):
        samples = [(number, label) for label, shelf in enumerate(shelves) for number in shelf]
        frames, labels = [], []
        for number, label in _few(samples, most):
            events = read_nmnist(root / listing.files[number])
            stop = int(events.t_us[-1]) + 1
            frames.append(counted(events, bins, sensor=NMNIST_SIDE, first_us=0, stop_us=stop))
            labels.append(label)
        parts.append(_part(frames, labels))
    return Official(*parts)


def _gesture(root: Path, bins: Bins, most: int | None) -> Official:
    parts = []
    for name in ("train", "test"):
        trials = root / f"trials_to_{name}.txt"
        lines = _text(trials).split()
        gestures = [one for line in lines for one in _gestures(root, line)]
        chosen = _few(gestures, most)
        frames: list[NDArray[np.float32]] = []
        for trial, clips in groupby(chosen, key=lambda one: one[0][0]):
            events = read_aedat31(root / trial)
            frames += [
                counted(events, bins, sensor=SIDE, first_us=first, stop_us=stop)
                for (_, first, stop), _ in clips
            ]
        labels = [label for _, label in chosen]
        parts.append(_part(frames, labels))
    return Official(*parts)


def _gestures(root: Path, trial: str) -> Iterator[tuple[tuple[str, int, int], int]]:
    path = root / trial.replace(".aedat", "_labels.csv")
    head, *rows = csv.reader(_text(path).splitlines())
    if [cell.strip() for cell in head] != ["class", "startTime_usec", "endTime_usec"]:
        raise RecordingError(f"{path}: line 1: expected class,startTime_usec,endTime_usec")
    for n, row in enumerate(rows, 2):
        try:
            label, first, stop = (int(cell) for cell in row)
        except ValueError:
            raise RecordingError(f"{path}: line {n}: expected three whole numbers") from None
        if not (1 <= label <= 11 and first < stop):
            raise RecordingError(f"{path}: line {n}: no gesture 1 .. 11 with a length")
        yield (trial, first, stop), label - 1


def _cifar10_dvs(root: Path, bins: Bins, most: int | None) -> Official:
    samples: list[tuple[Path, int]] = []
    for label, name in enumerate(_OBJECTS):
        files = sorted((root / name).glob("*.aedat"), key=lambda path: (len(path.name), path.name))
        if not files:
            raise SensorError(f"{root / name}: no .aedat file there")
        samples.extend((path, label) for path in files)
    frames, labels = [], []
    for path, label in _few(samples, most):
        events = read_aedat2(path)
        first, stop = int(events.t_us[0]), int(events.t_us[-1]) + 1
        frames.append(counted(events, bins, sensor=SIDE, first_us=first, stop_us=stop))
        labels.append(label)
    return Official(_part(frames, labels), None)


def _shd(root: Path, bins: Bins, most: int | None) -> Official:
    try:
        h5py: Any = importlib.import_module("h5py")
    except ImportError:
        raise SensorError("shd files need h5py: pip install 'simedge[shd]'") from None
    parts = []
    for name in ("train", "test"):
        path = root / f"shd_{name}.h5"
        try:
            with h5py.File(path, "r") as file:
                labels = [int(label) for label in file["labels"][:]]
                chosen = _few(list(enumerate(labels)), most)
                times, units = file["spikes"]["times"], file["spikes"]["units"]
                frames = [_sounded(path, times[n], units[n], bins=bins) for n, _ in chosen]
        except (OSError, KeyError) as error:
            raise RecordingError(f"{path}: cannot be read: {error}") from error
        parts.append(_part(frames, [label for _, label in chosen]))
    return Official(*parts)


def _sounded(
    path: Path, times: NDArray[np.floating[Any]], units: NDArray[np.integer[Any]], *, bins: Bins
) -> NDArray[np.float32]:
    """Count the spikes of a spoken digit, (ticks, 1, 1, channels)."""
    tick = (times.astype(np.float64) * 1e6 // (bins.tick_us or _SHD_TICK_US)).astype(np.int64)
    unit = units.astype(np.int64)
    if len(unit) and not (unit.min() >= 0 and unit.max() < _SHD_UNITS):
        raise RecordingError(f"{path}: a unit outside of 0 .. {_SHD_UNITS - 1}")
    keep = (tick >= 0) & (tick < bins.ticks)
    place = tick[keep] * bins.side + unit[keep] * bins.side // _SHD_UNITS
    counts = np.bincount(place, minlength=bins.ticks * bins.side).astype(np.float32)
    return counts.reshape(bins.ticks, 1, 1, bins.side)


def _cifar10(root: Path, bins: Bins, most: int | None) -> Official:
    names = [f"data_batch_{n}.bin" for n in range(1, 6)]
    return _pictures([root / n for n in names], root / "test_batch.bin", (bins, most), marks=1)


def _cifar100(root: Path, bins: Bins, most: int | None) -> Official:
    return _pictures([root / "train.bin"], root / "test.bin", (bins, most), marks=2)


def _pictures(
    paths: list[Path], test: Path, wish: tuple[Bins, int | None], *, marks: int
) -> Official:
    """Read both parts; colours get mean 0 and variance 1 over the training part."""
    bins, most = wish
    if _CIFAR_SIDE % bins.side:
        raise SensorError(f"side must divide {_CIFAR_SIDE}, got {bins.side}")
    train = [_records(path, marks) for path in paths]
    both = np.concatenate([p for p, _ in train]), np.concatenate([la for _, la in train])
    parts = [
        _shrunk(*both, bins=bins, most=most),
        _shrunk(*_records(test, marks), bins=bins, most=most),
    ]
    frames = parts[0].frames
    mean, deviation = (
        getattr(frames, what)((0, 2, 3), keepdims=True, dtype=np.float64)
        for what in ("mean", "std")
    )
    even = [
        ((frames - mean) / np.maximum(deviation, 1e-6)).astype(np.float32) for frames, _ in parts
    ]
    return Official(*(Part(f, labels) for f, (_, labels) in zip(even, parts, strict=True)))


def _records(path: Path, marks: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return pictures (samples, 3, 32, 32) and the finest labels."""
    size = marks + 3 * _CIFAR_SIDE**2
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise SensorError(f"{path}: cannot be read: {error.strerror}") from error
    if not len(data) or len(data) % size:
        raise RecordingError(f"{path}: {len(data)} bytes are not whole records of {size}")
    rows = data.reshape(-1, size)
    return rows[:, marks:].reshape(-1, 3, _CIFAR_SIDE, _CIFAR_SIDE), rows[:, marks - 1].astype(
        np.int64
    )


def _shrunk(
    pictures: NDArray[np.uint8], labels: NDArray[np.int64], *, bins: Bins, most: int | None
) -> Part:
    chosen = [n for n, _ in _few(list(enumerate(labels.tolist())), most)]
    ratio = _CIFAR_SIDE // bins.side
    blocks = pictures[chosen].reshape(-1, 3, bins.side, ratio, bins.side, ratio)
    return Part((blocks.mean((3, 5)) / 255).astype(np.float32), labels[chosen])


def _few(samples: list[tuple[_Sample, int]], most: int | None) -> list[tuple[_Sample, int]]:
    """Return the first samples of each class, as many as all have, at most so many in all."""
    if most is None or most >= len(samples):
        return samples
    turns: dict[int, int] = {}
    ranked = []
    for n, (_, label) in enumerate(samples):
        turns[label] = turns.get(label, 0) + 1
        ranked.append((turns[label], label, n))
    return [samples[n] for n in sorted(n for _, _, n in sorted(ranked)[:most])]


def _part(frames: list[NDArray[np.float32]], labels: list[int]) -> Part:
    if not frames:
        raise SensorError("the data set has an empty part")
    return Part(np.stack(frames), np.array(labels, np.int64))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise SensorError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path}: byte {error.start}: not plain text") from error


FORMATS: Final = {
    "nmnist": _Format(_nmnist, 10, 34),
    "dvs-gesture": _Format(_gesture, 20, 32),
    "cifar10-dvs": _Format(_cifar10_dvs, 10, 48),
    "shd": _Format(_shd, 100, _SHD_UNITS),
    "cifar10": _Format(_cifar10, 1, _CIFAR_SIDE),
    "cifar100": _Format(_cifar100, 1, _CIFAR_SIDE),
}
"""How each is loaded, with the ticks and the side that were published."""
