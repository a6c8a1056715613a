"""Which files a series data set consists of: the layouts, and what they have together."""

import functools
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import Final, NamedTuple

from simedge.sensors.frames import RecordingError, SensorError
from simedge.sensors.series_csv import read_csv
from simedge.sensors.series_rows import Recording, SeriesFile, quoted
from simedge.sensors.series_ts import read_ts

__all__ = ["LAYOUTS", "SeriesData", "read_series"]

LAYOUTS: Final = (
    "expected NAME_TRAIN.ts and NAME_TEST.ts, or train.csv and test.csv, "
    "or {train,test}/CLASS/*.csv, or CLASS/*.csv"
)
_TRAIN: Final = "train"
_TEST: Final = "test"
_SHOWN_MAX: Final = 8
_VALUES_MAX: Final = 10**8


class SeriesData(NamedTuple):
    """All recordings of a data set, the training part first.

    Attributes
    ----------
    classes, channels
        Names.
    recordings
        Those that could be read.
    train
        How many of them are the training part; all if there is no other.
    skipped
        Why files of class folders were left out.
    missing
        Values that were missing and have been bridged.
    files, sha256
        How many files, and the hash of the list: a line of path and SHA-256 each.
    """

    classes: tuple[str, ...]
    channels: tuple[str, ...]
    recordings: tuple[Recording, ...]
    train: int
    skipped: tuple[str, ...]
    missing: int
    files: int
    sha256: str


class _Source(NamedTuple):
    """A file: its part, the class that its folder names, and what changes if it is written anew."""

    path: Path
    part: str
    label: str | None
    stamp: tuple[int, int]


def read_series(root: str | None, file: str | None) -> SeriesData:
    """Read the data set in a folder, or in one file.

    Raises
    ------
    SensorError
        If the layout is none that is known or a file is wrong; with the file and the line.
    """
    if file is not None:
        path = Path(file)
        if path.suffix.lower() not in {".ts", ".csv"}:
            raise SensorError(f"{path}: expected a .ts or a .csv file")
        return _read(path.parent, (_source(path, _TRAIN),))
    folder = Path(root or "")
    if not folder.is_dir():
        raise SensorError(f"{folder}: no such folder; {LAYOUTS}")
    try:
        return _read(folder, tuple(_probe(folder)))
    except OSError as error:
        raise SensorError(f"{folder}: cannot be read: {error.strerror}") from error


def _source(path: Path, part: str, label: str | None = None) -> _Source:
    try:
        stat = path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RecordingError(f"{path}: cannot be read: {reason}") from error
    if not S_ISREG(stat.st_mode):  # reading a pipe could wait for ever
        raise RecordingError(f"{path}: cannot be read: not a plain file")
    return _Source(path, part, label, (stat.st_mtime_ns, stat.st_size))


def _probe(folder: Path) -> list[_Source]:
    """Return the files of the first layout that fits."""
    inside = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    named = {path.name.lower(): path for path in inside}
    training = [name for name in named if name.endswith("_train.ts")]
    if len(training) > 1:
        raise SensorError(f"{folder}: several data sets: {', '.join(training[:_SHOWN_MAX])}")
    pairs = [(name, name.removesuffix("_train.ts") + "_test.ts") for name in training]
    for train, test in [*pairs, ("train.csv", "test.csv")]:
        if train in named and test in named:
            return [_source(named[train], _TRAIN), _source(named[test], _TEST)]
    if {_TRAIN, _TEST} <= {name for name, path in named.items() if path.is_dir()}:
        parts = [(part, _folders(named[part])) for part in (_TRAIN, _TEST)]
    else:
        parts = [(_TRAIN, [path for path in inside if path.is_dir()])]
    sources = [source for part, folders in parts for source in _class_files(part, folders)]
    if not sources:
        found = ", ".join(path.name for path in inside[:_SHOWN_MAX]) or "nothing"
        raise SensorError(f"{folder}: no recordings, found {found}; {LAYOUTS}")
    return sources


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _class_files(part: str, folders: Sequence[Path]) -> Iterator[_Source]:
    """Yield the recordings in class folders, one of which at least has some."""
    listed = [(folder, sorted(folder.glob("*.csv"))) for folder in folders]
    if any(paths for _, paths in listed):
        for folder, paths in listed:
            if not paths:
                raise SensorError(f"{folder}: no .csv file there; {LAYOUTS}")
            yield from (_source(path, part, folder.name) for path in paths)


@functools.lru_cache(maxsize=2)
def _read(folder: Path, sources: tuple[_Source, ...]) -> SeriesData:
    """Read files; the same ones are read once for all checks and the run itself."""
    files: list[tuple[_Source, SeriesFile]] = []
    skipped = []
    values = 0
    for source in sources:
        try:
            file = _read_file(source)
        except RecordingError as error:
            if source.label is None:
                raise
            skipped.append(str(error))
            continue
        values += sum(recording.values.size for recording in file.recordings)
        if values > _VALUES_MAX:
            raise SensorError(f"{source.path}: more than {_VALUES_MAX:,} values in all files")
        files.append((source, file))
    if not files:
        raise SensorError(f"every recording is damaged; {skipped[0]}")
    return _together(folder, files, skipped)


def _read_file(source: _Source) -> SeriesFile:
    if source.path.suffix.lower() == ".ts":
        return read_ts(source.path)
    return read_csv(source.path, label=source.label)


def _together(
    folder: Path, files: Sequence[tuple[_Source, SeriesFile]], skipped: list[str]
) -> SeriesData:
    (first, top), *_ = files
    for source, file in files:
        if file.channels != top.channels:
            raise SensorError(
                f"{source.path}:1: channels {_named(file.channels)}, "
                f"but {_named(top.channels)} in {first.path}"
            )
    by_part = {
        part: [r for source, file in files if source.part == part for r in file.recordings]
        for part in (_TRAIN, _TEST)
    }
    classes = top.classes or tuple(sorted({r.label for r in by_part[_TRAIN]}))
    known = frozenset(classes)
    for recording in by_part[_TRAIN] + by_part[_TEST]:
        if recording.label not in known:
            raise SensorError(
                f"{recording.place}: class {quoted(recording.label)} is not in the training part"
            )
    sha = hashlib.sha256()
    for source, file in files:
        name = source.path.relative_to(folder).as_posix()
        sha.update(f"{name} {file.sha256}\n".encode("utf-8", "surrogateescape"))
    return SeriesData(
        classes=classes,
        channels=top.channels,
        recordings=(*by_part[_TRAIN], *by_part[_TEST]),
        train=len(by_part[_TRAIN]),
        skipped=tuple(skipped),
        missing=sum(file.missing for _, file in files),
        files=len(files) + len(skipped),
        sha256=sha.hexdigest(),
    )


def _named(channels: Sequence[str]) -> str:
    shown = ", ".join(quoted(name) for name in channels[:_SHOWN_MAX])
    return f"{len(channels)} ({shown}{', ...' * (len(channels) > _SHOWN_MAX)})"
