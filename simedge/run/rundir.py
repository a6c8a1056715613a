"""The run directory: made at the start, readable at every moment, never reused.

``scenario.yaml`` and ``status.json`` are there from the first moment; the event log grows in
place; every other part is written under a temporary name, flushed to disk and moved in, so that
no final name ever stands for half a file.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from simedge.core.errors import SimedgeError

try:
    import fcntl
except ImportError:  # no advisory locks on this platform: directories are still made exclusively
    fcntl = None  # type: ignore[assignment]

__all__ = ["RunDirectory", "RunDirectoryError", "Status", "read_learner", "read_status"]

Status = Literal["running", "done", "failed", "interrupted"]
_SUFFIX_MAX = 10_000


class RunDirectoryError(SimedgeError):
    """A run directory cannot be made or written."""


class RunDirectory:
    """One directory, one run, one writer.

    Parameters
    ----------
    path
        An absent or empty directory.
    scenario
        The resolved scenario as YAML: running it again gives the same run.
    learner
        Name of a learner that was given in Python, which the scenario cannot name.

    Raises
    ------
    RunDirectoryError
        If the directory holds anything, is in use by another run, or cannot be made.
    """

    def __init__(self, path: Path, *, scenario: str, learner: str | None = None) -> None:
        self.path = path
        self._learner = {} if learner is None else {"learner": learner}
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(path)
            if any(path.iterdir()):
                os.close(self._lock)
                raise RunDirectoryError(f"{path}: the run directory must be absent or empty")
        except OSError as error:
            raise RunDirectoryError(f"{path}: {error.strerror or error}") from error
        self.write("scenario.yaml", scenario)
        self.set_status("running")

    @classmethod
    def create(cls, name: str, *, scenario: str, root: Path, learner: str | None = None) -> Self:
        """Make ``root/name``, or ``name-2``, ``name-3``, ... if that was there before."""
        for number in range(1, _SUFFIX_MAX):
            path = root / (name if number == 1 else f"{name}-{number}")
            try:
                root.mkdir(parents=True, exist_ok=True)
                path.mkdir()
            except FileExistsError:
                if not root.is_dir():
                    raise RunDirectoryError(f"{root}: not a directory") from None
                continue
            except OSError as error:
                raise RunDirectoryError(f"{path}: {error.strerror or error}") from error
            return cls(path, scenario=scenario, learner=learner)
        raise RunDirectoryError(f"{root}: more than {_SUFFIX_MAX} runs of {name}")

    @property
    def log_path(self) -> Path:
        """Where the event log goes."""
        return self.path / "events.msgpack"

    def write(self, name: str, data: str | bytes) -> None:
        """Write one part: temporary name, flush to disk, move in, flush the directory."""
        raw = data.encode() if isinstance(data, str) else data
        temporary = self.path / f".{name}.part"
        try:
            with temporary.open("wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path / name)
            _sync_directory(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise RunDirectoryError(f"{self.path / name}: {error.strerror or error}") from error

    def write_json(self, name: str, data: Mapping[str, object]) -> None:
        """Write one part as JSON; numbers that are not finite are refused."""
        text = json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False)
        self.write(name, text + "\n")

    def set_status(self, status: Status, **details: int | str) -> None:
        """Say how the run stands: no times, so that equal runs have equal files."""
        self.write_json("status.json", {"schema": 1, "status": status, **self._learner, **details})

    def close(self) -> None:
        """Let go of the directory; it is complete as it stands."""
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
        """Mark the run as failed if an error ended it, and let go."""
        if kind is not None and read_status(self.path) == "running":
            self.set_status("failed", reason=f"{kind.__name__}: {error}")
        self.close()


def read_status(path: Path) -> str:
    """Return the status of a run directory: running, done, failed or interrupted.

    Raises
    ------
    RunDirectoryError
        If there is no readable status.
    """
    return str(_status(path)["status"])


def read_learner(path: Path) -> str | None:
    """Return the name of the learner that a run was given in Python, if it was."""
    name = _status(path).get("learner")
    return None if name is None else str(name)


def _status(path: Path) -> dict[str, object]:
    try:
        said: dict[str, object] = json.loads((path / "status.json").read_bytes())
        _ = said["status"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunDirectoryError(f"{path}: no run directory (no readable status.json)") from error
    return said


def _lock(path: Path) -> int:
    """Return a descriptor of the directory that holds an exclusive lock on it."""
    descriptor = os.open(path, os.O_RDONLY)
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise RunDirectoryError(f"{path}: another run writes here") from error
    return descriptor


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
