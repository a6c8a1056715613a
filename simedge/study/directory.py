"""The study directory: begun once, gone on with until nothing is missing.

``study.yaml`` says what is run, ``runs/`` has the run directories, ``index.csv`` a row for each,
``summary.json`` the figures. Only whole directories under ``runs/`` count as done, so the index
may be behind when a study is killed, and nothing is lost: whoever goes on looks for himself.
"""

import os
import shutil
import time
from collections.abc import Iterable, Mapping
from glob import escape
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from simedge.run.disk import TEMPORARY_SUFFIX
from simedge.run.errors import StorageError, storage_error
from simedge.run.files import Files
from simedge.run.parts import json_text
from simedge.run.problems import ScenarioError
from simedge.run.rundir import lock
from simedge.run.yaml_reader import parse
from simedge.run.yaml_writer import dump
from simedge.study.errors import StudyDirectoryError, StudyError
from simedge.study.plan import Plan
from simedge.study.same import differences
from simedge.study.seeds import seed_list
from simedge.study.table import Table
from simedge.study.worker import has_checkpoint

__all__ = [
    "StudyDirectory",
    "check_same",
    "plan_text",
    "recorded_seeds",
]

_PLAN: Final = "study.yaml"
_HALT: Final = ".halt"
_INDEX_EVERY_S: Final = 1.0
_DIFFERENCES_MAX: Final = 5
_SAME: Final = ("scenario", "factors", "design")


class StudyDirectory:
    """One directory, one study, one writer at a time.

    Raises
    ------
    StudyDirectoryError
        If it holds something else, or a study that differs; the text says in what.
    """

    def __init__(self, path: Path, plan: Plan, *, files: Files | None = None) -> None:
        self.path = path
        self._files = files or Files()
        self._indexed_s = -_INDEX_EVERY_S
        self._index = ""
        check_same(path, plan)
        try:
            self._files.make(path)
        except FileNotFoundError as error:
            text = f"{path}: a directory cannot be made here: {error.strerror}"
            raise StorageError(text) from error
        except OSError as error:
            raise storage_error(path, error) from error
        self._lock = lock(path)
        try:
            self._clear()
            self._files.put(path / _PLAN, plan_text(plan).encode())
            (path / "runs").mkdir(exist_ok=True)
        except BaseException:
            self.close()
            raise

    def place(self, name: str) -> Path:
        """Return where a run goes."""
        return self.path / "runs" / name

    @property
    def halt(self) -> Path:
        """Return the file that ends all runs as soon as it is there."""
        return self.path / _HALT

    def take_up(self, names: Iterable[str]) -> None:
        """Give runs their names that a killed study was at and that have a checkpoint."""
        for name in names:
            left = sorted(
                (self.path / "runs").glob(f".{escape(name)}.*{TEMPORARY_SUFFIX}"),
                key=_checkpointed_ns,
            )
            left = [place for place in left if place.is_dir()]
            if left and not self.place(name).exists():
                self._files.move(left[-1], self.place(name))
        self._remove_hidden()

    def clear(self, names: Iterable[str]) -> None:
        """Make room for runs that are to be run again."""
        for name in names:
            shutil.rmtree(self.place(name), ignore_errors=True)

    def write_index(self, table: Table, *, at_last: bool = False) -> None:
        """Write ``index.csv``, at most once a second until the last time."""
        now_s = time.monotonic()
        if not at_last and now_s - self._indexed_s < _INDEX_EVERY_S:
            return
        self._indexed_s = now_s
        text = table.csv()
        if text != self._index:
            self._files.put(self.path / "index.csv", text.encode())
            self._index = text

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write ``summary.json``."""
        self._files.put(self.path / "summary.json", json_text(summary).encode())

    def close(self) -> None:
        """Let go of the directory."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        """Return the directory itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of it."""
        self.halt.unlink(missing_ok=True)
        self.close()

    def _clear(self) -> None:
        """Remove what a study that was killed was about to write."""
        self.halt.unlink(missing_ok=True)
        self._remove_hidden(without_checkpoint=True)

    def _remove_hidden(self, *, without_checkpoint: bool = False) -> None:
        for part in (self.path / "runs").glob(f".*{TEMPORARY_SUFFIX}"):
            if not (without_checkpoint and has_checkpoint(part)):
                shutil.rmtree(part, ignore_errors=True)
                if part.is_file():
                    part.unlink()


def plan_text(plan: Plan) -> str:
    """Return a study with everything that makes it, as it could have been written by hand."""
    whole = {
        "simedge-study": 1,
        "name": plan.name,
        "about": plan.about,
        "seeds": list(plan.seeds),
        "metrics": list(plan.metrics),
        **plan.identity(),
    }
    return dump(whole)


def check_same(path: Path, plan: Plan) -> None:
    """See that a directory is absent, empty, or this study's.

    Raises
    ------
    StudyDirectoryError
        If not.
    """
    if path.exists() and not path.is_dir():
        raise StudyDirectoryError(f"{path}: not a directory")
    there = _recorded(path)
    if there is None:
        there_is = path.iterdir() if path.is_dir() else ()
        if any(file.suffix != TEMPORARY_SUFFIX for file in there_is):
            text = "neither empty nor a study (no study.yaml in it): name another with -o DIR"
            raise StudyDirectoryError(f"{path}: {text}")
        return
    asked = parse(dump(plan.identity()), source=str(path)).data
    assert isinstance(asked, dict), "an identity is a mapping"
    found = [line for key in _SAME for line in differences(key, there.get(key), asked[key])]
    if found:
        more = len(found) - _DIFFERENCES_MAX
        shown = [*found[:_DIFFERENCES_MAX], *([f"and {more} more"] if more > 0 else [])]
        text = "another study is in it; name another directory with -o DIR, or mend what differs:"
        raise StudyDirectoryError("\n  ".join([f"{path}: {text}", *shown]))


def recorded_seeds(path: Path) -> tuple[int, ...]:
    """Return the seeds that a study directory was begun with; none if there is no study.

    Raises
    ------
    StudyDirectoryError
        If they are no seeds.
    """
    seeds = (_recorded(path) or {}).get("seeds", [])
    whole = isinstance(seeds, int) and not isinstance(seeds, bool)
    if not whole and not isinstance(seeds, list):
        raise StudyDirectoryError(f"{path / _PLAN}: seeds: must be a count or a list of seeds")
    try:
        return seed_list(seeds) if whole or seeds else ()
    except StudyError as error:
        raise StudyDirectoryError(f"{path / _PLAN}: seeds: {error}") from error


def _checkpointed_ns(place: Path) -> int:
    """Return when a run last wrote a checkpoint; 0: it has none, or is no directory."""
    try:
        return (place / "checkpoint").stat().st_mtime_ns
    except OSError:
        return 0


def _recorded(path: Path) -> dict[str, Any] | None:
    file = path / _PLAN
    if not file.is_file():
        return None
    try:
        data = parse(file.read_bytes(), source=str(file)).data
    except (OSError, ScenarioError) as error:
        raise StudyDirectoryError(f"{file}: cannot be read: {error}") from error
    if not isinstance(data, dict) or "simedge-study" not in data:
        raise StudyDirectoryError(f"{file}: not a study")
    version = data["simedge-study"]
    if version != 1 or not isinstance(version, int) or isinstance(version, bool):
        raise StudyDirectoryError(f"{file}: only version 1 of this format is known")
    return data
