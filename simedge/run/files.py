"""Files of a run: parts that are whole or not there, and one that grows.

A part is written under a temporary name in the same directory, flushed to disk and moved in, and
then its directory is flushed: no final name ever stands for half a file. What the disk refuses
becomes a `StorageError` that says what, where and how to mend it.
"""

import os
from contextlib import suppress
from pathlib import Path

from simedge.run.disk import TEMPORARY_SUFFIX, Data, Disk, OpenFile
from simedge.run.errors import StorageError, storage_error

__all__ = ["Files", "GrowingFile", "check_stands"]


class Files:
    """Puts files on a disk; raises `StorageError` where the disk does not take them."""

    def __init__(self, disk: Disk | None = None) -> None:
        self._disk = disk or Disk()

    def make(self, path: Path) -> None:
        """Make a directory, or take the one that is there (raises `OSError` as it comes)."""
        self._disk.make(path)

    def put(self, path: Path, data: bytes) -> None:
        """Write a part whole, in place of the one that was there; if that fails, that one stays."""
        temporary = path.with_name(f".{path.name.lstrip('.')}{TEMPORARY_SUFFIX}")
        try:
            self._write(temporary, data)
            self._settle(temporary, path)
        except OSError as error:
            with suppress(OSError):
                self._disk.remove(temporary)
            raise storage_error(path, error) from error

    def move(self, source: Path, target: Path) -> None:
        """Let a part that is there take the name of another."""
        try:
            self._settle(source, target)
        except OSError as error:
            raise storage_error(target, error) from error

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        try:
            self._disk.remove(path)
        except OSError as error:
            raise storage_error(path, error) from error

    def grow(self, path: Path) -> "GrowingFile":
        """Begin a file that grows in place (`FileExistsError` if it is there)."""
        return GrowingFile(path, self._disk)

    def regrow(self, path: Path, size: int) -> "GrowingFile":
        """Cut a file to its first `size` bytes, from where it grows on."""
        return GrowingFile(path, self._disk, size=size)

    def _write(self, path: Path, data: bytes) -> None:
        file = self._disk.create(path)
        try:
            self._disk.write(file, data)
            self._disk.sync(file)
        finally:
            os.close(file.descriptor)

    def _settle(self, source: Path, target: Path) -> None:
        self._disk.replace(source, target)
        self._disk.sync_directory(target.parent)


class GrowingFile:
    """A file that only grows, readable at every moment up to its last whole write.

    The first thing that the disk refuses ends it: nothing is ever written behind a gap.
    """

    def __init__(self, path: Path, disk: Disk, *, size: int | None = None) -> None:
        self.path = path
        self.size = size or 0
        self._disk = disk
        self._refused: StorageError | None = None
        self._file: OpenFile | None = None
        try:
            if size is None:
                self._file = disk.create(path, exclusive=True)
            else:
                self._file = disk.reopen(path, size)
        except FileExistsError:  # not the disk's doing, but that of who asked for it
            raise
        except OSError as error:
            raise storage_error(path, error) from error

    def write(self, data: Data) -> None:
        """Append data; it is with the operating system then."""
        file = self._opened()
        try:
            self._disk.write(file, data)
        except OSError as error:
            raise self._refuse(error) from error
        self.size += len(data)

    def sync(self) -> None:
        """Flush it to disk."""
        file = self._opened()
        try:
            self._disk.sync(file)
        except OSError as error:
            raise self._refuse(error) from error

    def finish(self) -> None:
        """Flush it to disk and close it; see that it stands under its name with all its bytes."""
        self.sync()
        self.close()
        check_stands(self.path, self.size)

    def close(self) -> None:
        """Let go of it as it is."""
        if self._file is not None:
            os.close(self._file.descriptor)
            self._file = None

    def _opened(self) -> OpenFile:
        if self._refused is not None:
            raise self._refused
        assert self._file is not None, "a file that is closed takes nothing more"
        return self._file

    def _refuse(self, error: OSError) -> StorageError:
        self.close()
        self._refused = storage_error(self.path, error)
        return self._refused


def check_stands(path: Path, size: int) -> None:
    """See that a file is there with all its bytes.

    Raises
    ------
    StorageError
        If it is gone, or another size.
    """
    try:
        found = path.stat().st_size
    except OSError as error:
        raise storage_error(path, error) from error
    if found != size:
        raise StorageError(f"{path}: has {found} bytes of the {size} that were written")
