"""The run directory: made at the start, readable at every moment, never reused.

``scenario.yaml`` and ``status.json`` are there from the first moment; the event log grows in
place; every other part is moved in whole. A word of failure is written beforehand and lies ready
under a hidden name, so that a run can say that it failed where there is no room to say anything.
"""

import errno
import os
import shlex
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, cast

from simedge.run.errors import RunDirectoryError, StorageError, storage_error
from simedge.run.files import Files, check_stands
from simedge.run.parts import (
    LOG,
    RASTER,
    SealError,
    json_text,
    listing,
    log_listing,
    sealed,
    unsealed,
)

try:
    import fcntl
except ImportError:  # no advisory locks on this platform: directories are still made exclusively
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "RunDirectory",
    "RunDirectoryError",
    "Status",
    "lock",
    "read_learner",
    "read_status",
    "standing",
]

Status = Literal["running", "done", "failed", "interrupted"]
_STATUSES: Final = frozenset({"running", "done", "failed", "interrupted"})
_STATUS_KEYS: Final = frozenset({"schema", "status", "learner", "reason"})
_SUFFIX_MAX = 10_000
_STATUS = "status.json"
_ENDINGS: Final = ("metrics.csv", "summary.json", "provenance.json", RASTER)
_SPARE = ".status.json.failed"
_DISK_TROUBLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


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
    files
        What writes; a disk that fails is tried by giving another.

    Raises
    ------
    RunDirectoryError
        If the directory holds anything, is in use by another run, or cannot be made.
    StorageError
        If the disk fails while it is made; it says ``failed`` then, or is as it was before.
    """

    def __init__(
        self,
        path: Path,
        *,
        scenario: str,
        learner: str | None = None,
        files: Files | None = None,
    ) -> None:
        self.path = path
        self.files = files or Files()
        self._learner = {} if learner is None else {"learner": learner}
        self._status: Status | None = None
        self._sizes: dict[str, int] = {}
        self.parts: dict[str, object] = {}
        fresh = not path.exists()
        self._lock = self._taken()
        try:
            self._put(_SPARE, self._status_text("failed", reason="the disk took nothing more"))
            self.write("scenario.yaml", scenario)
            self.set_status("running")
        except StorageError as error:
            self.fail(error)
            if fresh:
                with suppress(OSError):  # it stays if it holds anything
                    path.rmdir()
            raise
        except BaseException:  # an interrupt: another run may take the directory
            self.close()
            raise

    @classmethod
    def create(
        cls,
        name: str,
        *,
        scenario: str,
        root: Path,
        learner: str | None = None,
        files: Files | None = None,
    ) -> Self:
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
                raise _not_made(path, error) from error
            return cls(path, scenario=scenario, learner=learner, files=files)
        raise RunDirectoryError(f"{root}: more than {_SUFFIX_MAX} runs of {name}")

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Take the directory of a run that did not get to its end, to go on with it.

        What an interrupted run wrote at its end is removed: it will be written again.

        Raises
        ------
        RunDirectoryError
            If it is no run directory, or in use by another run.
        """
        if not (path / _STATUS).is_file():
            raise RunDirectoryError(f"{path}: no run directory (no readable status.json)")
        self = cls.__new__(cls)
        self.path, self.files = path, Files()
        self._lock = lock(path)
        try:
            learner = read_learner(path)
            self._learner = {} if learner is None else {"learner": learner}
            self._status = cast("Status", read_status(path))
            self._sizes, self.parts = {}, {}
        except RunDirectoryError:
            self.close()
            raise
        return self

    @property
    def status(self) -> Status | None:
        """What was said last of how the run stands."""
        return self._status

    def go_on(self) -> None:
        """Say that a run goes on that had stopped, and remove what it wrote at its end."""
        raw = (self.path / "scenario.yaml").read_bytes()
        self.parts["scenario.yaml"], self._sizes["scenario.yaml"] = listing(raw), len(raw)
        self._put(_SPARE, self._status_text("failed", reason="the disk took nothing more"))
        self.set_status("running")
        for name in _ENDINGS:
            self.files.remove(self.path / name)

    @property
    def scenario_sha256(self) -> str:
        """SHA-256 of the scenario as it was written."""
        return cast("dict[str, str]", self.parts["scenario.yaml"])["sha256"]

    @property
    def log_path(self) -> Path:
        """Where the event log goes."""
        return self.path / LOG

    def write(self, name: str, data: str | bytes) -> None:
        """Write one part, whole or not at all."""
        raw = data.encode() if isinstance(data, str) else data
        self._put(name, raw)
        self.parts[name] = listing(raw)

    def write_json(self, name: str, data: Mapping[str, object]) -> None:
        """Write one part as JSON; numbers that are not finite are refused."""
        self.write(name, json_text(data))

    def write_provenance(self, data: Mapping[str, object]) -> None:
        """Write where the run came from, and list the parts written so far: the last part."""
        said = {**data, **log_listing(self.path), "parts": self.parts}
        self._put("provenance.json", sealed(said).encode())

    def set_status(self, status: Status, **details: int | str) -> None:
        """Say how the run stands: no times, so that equal runs have equal files.

        Raises
        ------
        StorageError
            If a part is gone of a run that is said to have ended well.
        """
        if status in {"done", "interrupted"}:
            for name, size in self._sizes.items():
                check_stands(self.path / name, size)
        self._put(_STATUS, self._status_text(status, **details))
        self._status = status
        if status != "running":
            with suppress(StorageError):  # all has been said; readers pass over hidden files
                self.files.remove(self.path / _SPARE)

    def fail(self, error: BaseException) -> None:
        """Say that the run failed, as well as the disk allows, and let go."""
        try:
            self.set_status("failed", reason=f"{type(error).__name__}: {error}")
        except StorageError:
            with suppress(StorageError):
                self.files.move(self.path / _SPARE, self.path / _STATUS)
        finally:
            self.close()

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
        if error is not None and self._status == "running":
            self.fail(error)
        self.close()

    def _taken(self) -> int:
        """Make or take the directory; return what holds its lock."""
        try:
            self.files.make(self.path)
        except OSError as error:
            raise _not_made(self.path, error) from error
        try:
            held = lock(self.path)
            if any(self.path.iterdir()):
                os.close(held)
                raise RunDirectoryError(f"{self.path}: the run directory must be absent or empty")
        except OSError as error:
            raise storage_error(self.path, error) from error
        return held

    def _put(self, name: str, raw: bytes) -> None:
        self.files.put(self.path / name, raw)
        if not name.startswith(".") and name != _STATUS:
            self._sizes[name] = len(raw)

    def _status_text(self, status: Status, **details: int | str) -> bytes:
        return sealed({"schema": 1, "status": status, **self._learner, **details}).encode()


def read_status(path: Path) -> str:
    """Return the status of a run directory: running, done, failed or interrupted.

    Raises
    ------
    RunDirectoryError
        If there is no readable status.
    """
    return str(_status(path)["status"])


def standing(path: Path, status: str) -> str:
    """Say how a run stands that did not get to its end, and what goes on with it."""
    again = f"simedge run --resume {shlex.quote(str(path))} goes on with it"
    if status == "done":
        return "the run is done"
    if status != "running":
        return f"the run is {status}; {again}"
    try:
        os.close(lock(path))
    except RunDirectoryError:
        return "the run has not ended"
    return f"its process is gone, the run stopped before its end; {again}"


def read_learner(path: Path) -> str | None:
    """Return the name of the learner that a run was given in Python, if it was."""
    name = _status(path).get("learner")
    return None if name is None else str(name)


def _status(path: Path) -> dict[str, Any]:
    file = path / _STATUS
    try:
        said = unsealed(file.read_bytes())
        known = said["status"] in _STATUSES and said.keys() <= _STATUS_KEYS
    except SealError as error:
        raise RunDirectoryError(f"{file}: {error}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunDirectoryError(f"{path}: no run directory (no readable status.json)") from error
    if not known:
        raise RunDirectoryError(f"{file}: is not what was written: unknown words in it")
    return said


def _not_made(path: Path, error: OSError) -> RunDirectoryError:
    """Return whose fault it is: the disk's, or that of who asked for the directory there."""
    if error.errno in _DISK_TROUBLE:
        return storage_error(path, error)
    return RunDirectoryError(f"{path}: {error.strerror or error}")


def lock(path: Path) -> int:
    """Return a descriptor of a directory that holds an exclusive lock on it until it is closed.

    Raises
    ------
    RunDirectoryError
        If another process holds it.
    """
    descriptor = os.open(path, os.O_RDONLY)
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise RunDirectoryError(f"{path}: another run writes here") from error
    return descriptor
