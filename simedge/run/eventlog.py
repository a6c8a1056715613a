"""The event log: one msgpack array a record, framed, checked and chained into one hash.

A record ``[at_ns, class, target, kind, subject, detail]`` holds integers, text and bytes (several
values as one flat array), never a float, a map or nothing. On disk each is preceded by its length
and CRC-32, both u32 little-endian, so that a log cut anywhere is readable up to its last whole
record. The hash chains blocks of up to 1,024 records: h0 = SHA-256("simedge-log-1"), then
h <- SHA-256(h || r1 || ... || rk). It does not depend on when the log is flushed.
"""

from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from struct import Struct
from typing import BinaryIO, NamedTuple
from zlib import crc32

import msgpack

from simedge.core.errors import SimedgeError

__all__ = [
    "BLOCK_RECORDS",
    "Atom",
    "EventLog",
    "LogError",
    "LogReader",
    "LogRecord",
    "Value",
    "pack",
]

BLOCK_RECORDS = 1024
RECORD_MAX_BYTES = 1 << 20
_SEED = sha256(b"simedge-log-1").digest()
_HEAD = Struct("<II")
_FIELDS = 6
_ATOMS = frozenset({int, str, bytes})

Atom = int | str | bytes
Value = Atom | tuple[Atom, ...]


class LogError(SimedgeError):
    """A record that the log does not take."""


class LogRecord(NamedTuple):
    """One line of the event log."""

    at: int
    order: int
    target: str
    kind: str
    subject: Atom
    detail: Value


def pack(record: LogRecord) -> bytes:
    r"""Pack one record as it is hashed and stored.

    >>> pack(LogRecord(20_000_000, 5, "dev03", "received", 5, b"\x01\x02")).hex()
    '96ce01312d0005a56465763033a8726563656976656405c4020102'
    """
    return bytes(msgpack.packb(tuple(record)))


class EventLog:
    """Appends records; hashes all of them and, with ``events``, stores them.

    Without a path the stored records stay in memory. Framing, checksums and hashing are done a
    block at a time, so an append is little more than the packing.
    """

    def __init__(self, path: Path | None = None, *, events: bool = True) -> None:
        self._file: BinaryIO | None = None
        if events:
            self._file = BytesIO() if path is None else path.open("xb")
        self._pack = msgpack.Packer().pack
        self._hash = _SEED
        self._block: list[bytes] = []
        self._stored = 0
        self._blocks = 0
        self._closed = False

    @property
    def records(self) -> int:
        """How many records were appended."""
        return self._blocks * BLOCK_RECORDS + len(self._block)

    def append(  # noqa: PLR0917 -- the shape of a LogSink, called for every record
        self, at: int, order: int, target: str, kind: str, subject: Atom, detail: Value
    ) -> None:
        """Append one record; a detail of a single value is stored bare, several as an array.

        Raises
        ------
        LogError
            If a value is neither int, text, bytes nor a flat tuple of those: a float or a bool
            in the log would tie its hash to a platform or hide a count.
        """
        flat = detail if type(detail) is tuple else (detail,)
        if type(subject) not in _ATOMS or not _ATOMS.issuperset(map(type, flat)):
            raise LogError(
                f"a record holds ints, text and bytes, got {kind} {subject!r}, {detail!r}"
            )
        value = flat[0] if len(flat) == 1 else flat
        block = self._block
        block.append(self._pack((at, order, target, kind, subject, value)))
        if len(block) == BLOCK_RECORDS:
            self._end_block()

    def flush(self) -> None:
        """Hand all records so far to the operating system."""
        self._store()
        if self._file is not None:
            self._file.flush()

    def sha256(self) -> str:
        """Return the hash over all records so far, the open block taken as the last one."""
        return self._chained().hex()

    def close(self) -> str:
        """Flush and close the file; return the hash."""
        if not self._closed and self._file is not None and not isinstance(self._file, BytesIO):
            self.flush()
            self._file.close()
        self._closed = True
        return self.sha256()

    def reader(self) -> "LogReader":
        """Read what was stored so far, from the file or from memory.

        Raises
        ------
        LogError
            If the log keeps its hash alone.
        """
        if self._file is None:
            raise LogError("this log keeps its hash alone, no records")
        if isinstance(self._file, BytesIO):
            self._store()
            return LogReader(self._file.getvalue())
        if not self._closed:
            self.flush()
        return LogReader(Path(self._file.name))

    def _end_block(self) -> None:
        self._store()
        self._hash = self._chained()
        self._block = []
        self._stored = 0
        self._blocks += 1

    def _chained(self) -> bytes:
        if not self._block:
            return self._hash
        return sha256(b"".join([self._hash, *self._block])).digest()

    def _store(self) -> None:
        fresh = self._block[self._stored :]
        self._stored = len(self._block)
        if self._file is not None and fresh:
            head = _HEAD.pack
            self._file.write(
                b"".join([part for body in fresh for part in (head(len(body), crc32(body)), body)])
            )


class LogReader:
    """Iterates over the records of a log, up to the first bad one.

    After the iteration ``damage`` says what stopped it (nothing: the log is whole), ``records``
    how many were read and ``sha256()`` their hash.
    """

    def __init__(self, source: Path | bytes) -> None:
        self._source = source
        self.damage: str | None = None
        self.records = 0
        self._hash = _SEED
        self._block: list[bytes] = []

    def __iter__(self) -> Iterator[LogRecord]:
        """Read from the start."""
        self.damage, self.records, self._hash, self._block = None, 0, _SEED, []
        source = self._source
        with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            try:
                while head := file.read(_HEAD.size):
                    body = _body(head, file)
                    record = _unpack(body)
                    self._count(body)
                    yield record
            except _BadRecordError as bad:
                self.damage = f"the log {bad} after {self.records} whole records"

    def sha256(self) -> str:
        """Return the hash over the records read so far."""
        if not self._block:
            return self._hash.hex()
        return sha256(b"".join([self._hash, *self._block])).hexdigest()

    def _count(self, body: bytes) -> None:
        self.records += 1
        self._block.append(body)
        if len(self._block) == BLOCK_RECORDS:
            self._hash = bytes.fromhex(self.sha256())
            self._block = []


class _BadRecordError(Exception):
    """What is wrong with the bytes at hand."""


def _body(head: bytes, file: BinaryIO) -> bytes:
    if len(head) < _HEAD.size:
        raise _BadRecordError("ends within the head of a record")
    length, check = _HEAD.unpack(head)
    if length > RECORD_MAX_BYTES:
        raise _BadRecordError(f"has a record of {length} bytes")
    body = file.read(length)
    if len(body) < length:
        raise _BadRecordError("ends within a record")
    if crc32(body) != check:
        raise _BadRecordError("has a record with a wrong checksum")
    return body


def _unpack(body: bytes) -> LogRecord:
    try:
        fields = msgpack.unpackb(body, use_list=False, max_map_len=0, max_ext_len=0)
    except (ValueError, msgpack.UnpackException) as error:
        raise _BadRecordError("has a record that is no msgpack") from error
    if not isinstance(fields, tuple) or len(fields) != _FIELDS:
        raise _BadRecordError("has a record of another shape")
    return LogRecord(*fields)
