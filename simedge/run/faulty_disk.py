"""A disk that fails as a scenario says: at its k-th operation, or the next that can fail so.

What is drawn (which bit flips, where a write tears) depends on the seed and the fault's name alone.
"""

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from typing_extensions import override

from simedge.core.streams import Streams
from simedge.run.disk import TEMPORARY_SUFFIX, Data, Disk, OpenFile
from simedge.world.storage_fault_settings import StorageFault, StorageKind

__all__ = ["FaultyDisk", "open_disk"]

_STALE = b"left by an earlier run " * 4096  # longer than most parts: what it covers must go

_CAN_FAIL: Final[dict[StorageKind, frozenset[str]]] = {
    "disk-full": frozenset({"make", "create", "write"}),
    "torn-write": frozenset({"write"}),
    "fsync-error": frozenset({"sync", "sync_directory"}),
    "bit-flip": frozenset({"write"}),
    "missing-file": frozenset({"make", "create", "write", "sync", "replace", "sync_directory"}),
    "read-only": frozenset({"make", "create", "write", "replace", "remove"}),
    "stale-temp": frozenset({"create"}),
}
_REFUSALS: Final = {
    "disk-full": errno.ENOSPC,
    "read-only": errno.EROFS,
    "fsync-error": errno.EIO,
}
_LASTING: Final = frozenset({"disk-full", "read-only"})


def open_disk(faults: Iterable[object], seed: int) -> Disk:
    """Return the disk of a run: a faulty one if any of the faults is one of the disk."""
    mine = [fault for fault in faults if isinstance(fault, StorageFault)]
    return FaultyDisk(mine, Streams(seed)) if mine else Disk()


class FaultyDisk(Disk):
    """Counts its operations and fails as told.

    Parameters
    ----------
    faults
        Each strikes once, except that a full disk stays full and a read-only one read-only.
    streams
        Where the faults draw.
    """

    def __init__(self, faults: Iterable[StorageFault], streams: Streams) -> None:
        self.operations = 0
        self._waiting = sorted(faults, key=lambda fault: fault.operation)
        self._streams = streams
        self._newest: Path | None = None  # the file that got its final name last

    @override
    def make(self, path: Path) -> None:
        struck = self._strike("make", path)
        super().make(path)
        if "missing-file" in struck:
            path.rmdir()

    @override
    def create(self, path: Path, *, exclusive: bool = False) -> OpenFile:
        struck = self._strike("create", path)
        if "stale-temp" in struck:
            path.write_bytes(_STALE)
        file = super().create(path, exclusive=exclusive)
        self._lose(path, struck)
        return file

    @override
    def write(self, file: OpenFile, data: Data) -> None:
        struck = self._strike("write", file.path)
        if data and "bit-flip" in struck:
            data = _flipped(data, struck["bit-flip"])
        if "torn-write" in struck:
            super().write(file, data[: struck["torn-write"] % max(len(data), 1)])
            raise _refusal(errno.EIO, file.path)
        super().write(file, data)
        self._lose(file.path, struck)

    @override
    def sync(self, file: OpenFile) -> None:
        struck = self._strike("sync", file.path)
        super().sync(file)
        self._lose(file.path, struck)

    @override
    def replace(self, source: Path, target: Path) -> None:
        struck = self._strike("replace", target)
        super().replace(source, target)
        self._newest = target
        self._lose(target, struck)

    @override
    def sync_directory(self, path: Path) -> None:
        struck = self._strike("sync_directory", path)
        super().sync_directory(path)
        self._lose(self._newest, struck)

    @override
    def remove(self, path: Path) -> None:
        self._strike("remove", path)
        super().remove(path)

    def _strike(self, operation: str, path: Path) -> dict[str, int]:
        """Count an operation; refuse it, or return what happens to it with a word to draw by."""
        self.operations += 1
        struck = [fault for fault in self._waiting if self._hits(fault, operation, path)]
        for fault in struck:
            if fault.kind in _REFUSALS:
                if fault.kind not in _LASTING:
                    self._waiting.remove(fault)
                raise _refusal(_REFUSALS[fault.kind], path)
        self._waiting = [fault for fault in self._waiting if fault not in struck]
        return {fault.kind: self._word(fault) for fault in struck}

    def _hits(self, fault: StorageFault, operation: str, path: Path) -> bool:
        if fault.operation > self.operations or operation not in _CAN_FAIL[fault.kind]:
            return False
        return fault.kind != "stale-temp" or path.suffix == TEMPORARY_SUFFIX

    def _word(self, fault: StorageFault) -> int:
        return self._streams.stream("fault", fault.name, "storage").words()[0]

    @staticmethod
    def _lose(path: Path | None, struck: dict[str, int]) -> None:
        if path is not None and "missing-file" in struck:
            path.unlink(missing_ok=True)


def _refusal(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))


def _flipped(data: Data, word: int) -> bytes:
    raw = bytearray(data)
    place, bit = divmod(word % (8 * len(raw)), 8)
    raw[place] ^= 1 << bit
    return bytes(raw)
