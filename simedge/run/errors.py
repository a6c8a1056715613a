"""Errors of a run that has not begun, and of one whose directory failed."""

import errno
from pathlib import Path

from simedge.core.errors import SimedgeError

__all__ = ["BuildError", "RunDirectoryError", "StorageError", "storage_error"]


class BuildError(SimedgeError):
    """A scenario that is well written but cannot stand, such as a model too large for a device."""


class RunDirectoryError(SimedgeError):
    """A run directory cannot be made, written or read."""


class StorageError(RunDirectoryError):
    """The disk failed under a run: what was written before is kept, the run ends as failed."""


_ROOM = "make room there or write elsewhere (-o DIR)"
_RIGHTS = "write where that is allowed (-o DIR)"
_MENDING = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "a limit on the size of files is in the way (ulimit -f)",
    errno.EROFS: _RIGHTS,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EIO: "the disk may be failing: look at the system's log, run again elsewhere (-o DIR)",
    errno.ENOENT: "it was removed while the run went on: run again, and leave its directory alone",
    errno.EMFILE: "too many files are open (ulimit -n)",
}


def storage_error(path: Path, error: OSError) -> StorageError:
    """Return what the disk refused, where, and what can be done about it."""
    mending = _MENDING.get(error.errno or 0)
    text = f"{path}: {error.strerror or error}"
    return StorageError(text if mending is None else f"{text}; {mending}")
