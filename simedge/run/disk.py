"""The disk as a run sees it: the few operations by which its directory is ever changed.

Everything that a run keeps goes through one `Disk`, so that a disk that fails, or a process that
dies, can be put in its place and tried at every single operation. Writes are handed to the
operating system at once: there is no buffer, hence nothing to flush and nothing to lose in one.
"""

import os
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["TEMPORARY_SUFFIX", "Data", "Disk", "OpenFile"]

TEMPORARY_SUFFIX: Final = ".part"
"""Ends the name of a file that is not yet what it is to be."""

Data = bytes | memoryview
"""What can be written."""


class OpenFile(NamedTuple):
    """A file that is being written."""

    path: Path
    descriptor: int


class Disk:
    """Changes files; every method is one operation and raises `OSError` if it cannot be done."""

    def make(self, path: Path) -> None:
        """Make a directory and those above it; one that is there is taken."""
        path.mkdir(parents=True, exist_ok=True)

    def create(self, path: Path, *, exclusive: bool = False) -> OpenFile:
        """Open a file to be written from its start; with `exclusive` it must not be there."""
        flags = os.O_WRONLY | os.O_CREAT | (os.O_EXCL if exclusive else os.O_TRUNC)
        return OpenFile(path, os.open(path, flags, 0o666))

    def reopen(self, path: Path, size: int) -> OpenFile:
        """Cut a file to its first bytes, and go on behind them."""
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.ftruncate(descriptor, size)
            os.lseek(descriptor, size, os.SEEK_SET)
        except OSError:
            os.close(descriptor)
            raise
        return OpenFile(path, descriptor)

    def write(self, file: OpenFile, data: Data) -> None:
        """Append all of the data."""
        left = memoryview(data)
        while left:
            left = left[os.write(file.descriptor, left) :]

    def sync(self, file: OpenFile) -> None:
        """Have what was written outlast a loss of power."""
        os.fsync(file.descriptor)

    def replace(self, source: Path, target: Path) -> None:
        """Give a file its final name, at once and in place of what has it."""
        source.replace(target)

    def sync_directory(self, path: Path) -> None:
        """Have the names in a directory outlast a loss of power."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)
