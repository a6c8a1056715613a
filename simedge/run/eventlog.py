"""The event log: one msgpack array a record, framed, checked and chained into one hash.

A record ``[at_ns, class, target, kind, subject, detail]`` holds integers, text and bytes (several
values as one flat array), never a float, a map or nothing. On disk each is preceded by its length
and CRC-32, both u32 little-endian, so that a log cut anywhere is readable up to its last whole
record. The hash chains blocks of up to 1,024 records: h0 = SHA-256("simedge-log-1"), then
h <- SHA-256(h || r1 || ... || rk). It does not depend on when the log is flushed.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from io import BytesIO
from itertools import chain
from pathlib import Path
from struct import Struct
from typing import BinaryIO, NamedTuple
from zlib import crc32

import msgpack

from simedge.core.errors import SimedgeError
from simedge.run.files import Files, GrowingFile

__all__ = [
    "BLOCK_RECORDS",
    "Atom",
    "EventLog",
    "LogError",
    "LogReader",
    "LogRecord",
    "LogState",
    "Value",
    "framed_plainly",
    "pack",
]

BLOCK_RECORDS = 1024
RECORD_MAX_BYTES = 1 << 20
_SEED = sha256(b"simedge-log-1").digest()
_HEAD = Struct("<II")
_FIELDS = 6
_SHORT_ARRAY = 15  # so many have a head of one byte in msgpack, more of them
_LONG_HEAD = 3
_UNPACKABLE = (OverflowError, TypeError, UnicodeEncodeError)
_ATOMS = frozenset({int, str, bytes})

Atom = int | str | bytes
Value = Atom | tuple[Atom, ...]
_Row = tuple[int, int, str, str, Atom, Value]


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


class LogState(NamedTuple):
    """Where a log stands: enough to go on with it, and to see that a file is what it was.

    Parameters
    ----------
    chain
        The hash up to the open block.
    block
        What is packed of the open block.
    records, room
        How many were appended; how many more the open block takes.
    size
        Bytes of the file.
    """

    records: int
    room: int
    chain: bytes
    block: bytes
    size: int

    @classmethod
    def begin(cls) -> "LogState":
        """Return the state of a log that holds nothing."""
        return cls(0, BLOCK_RECORDS, _SEED, b"", 0)

    @property
    def sha256(self) -> str:
        """Return the hash over all records so far."""
        whole = self.room == BLOCK_RECORDS
        return self.chain.hex() if whole else sha256(self.chain + self.block).hexdigest()


def pack(record: LogRecord) -> bytes:
    r"""Pack one record as it is hashed and stored.

    >>> pack(LogRecord(20_000_000, 5, "dev03", "received", 5, b"\x01\x02")).hex()
    '96ce01312d0005a56465763033a8726563656976656405c4020102'
    """
    return bytes(msgpack.packb(tuple(record)))


class EventLog:
    """Appends records; hashes all of them and, with ``events``, stores them.

    Without a path the stored records stay in memory; with a `state` it goes on from there, and its
    file is cut to what it was then. Packing, framing, checksums and hashing are
    done a block at a time, so an append is little more than the check of its values.

    Raises
    ------
    FileExistsError
        If there is such a file already.
    StorageError
        From any method, if the disk takes no more of it.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        events: bool = True,
        files: Files | None = None,
        state: LogState | None = None,
    ) -> None:
        self._file: BytesIO | GrowingFile | None = None
        if events and state is not None and path is not None:
            self._file = (files or Files()).regrow(path, state.size)
        elif events:
            self._file = BytesIO() if path is None else (files or Files()).grow(path)
        self._pack = msgpack.Packer().pack
        self._rows: list[_Row] = []  # appended and not yet packed
        self._packed = 0
        self._room = BLOCK_RECORDS  # left in the open block
        self._chain = _SEED  # the hash up to the open block
        self._open = sha256(_SEED)  # and over what is packed of it
        self._block: list[bytes] = []  # which is this
        self._closed = False
        if state is not None:
            self._packed, self._room, self._chain = state.records, state.room, state.chain
            self._open = sha256(state.chain + state.block)
            self._block = [state.block]

    def settle(self) -> LogState:
        """Have all records so far outlast a loss of power; return where the log stands."""
        self._take_rows()
        size = 0
        if isinstance(self._file, GrowingFile):
            self._file.sync()
            size = self._file.size
        block = b"".join(self._block)
        return LogState(self._packed, self._room, self._chain, block, size)

    @property
    def records(self) -> int:
        """How many records were appended."""
        return self._packed + len(self._rows)

    def append(  # noqa: PLR0917 -- the shape of a LogSink, called for every record
        self, at: int, order: int, target: str, kind: str, subject: Atom, detail: Value
    ) -> None:
        """Append one record; a detail of a single value is stored bare, several as an array.

        Raises
        ------
        LogError
            If a value is neither int, text, bytes nor a flat tuple of those: a float or a bool
            in the log would tie its hash to a platform or hide a count. What msgpack cannot hold
            (an integer beyond 64 bits) is refused when its block is packed.
        """
        value: Value = detail[0] if type(detail) is tuple and len(detail) == 1 else detail
        if type(value) is tuple:
            for atom in value:
                kept = type(atom)
                if kept is not int and kept is not str and kept is not bytes:
                    raise _no_atom(kind, subject, detail)
        elif type(value) not in _ATOMS:
            raise _no_atom(kind, subject, detail)
        if type(subject) not in _ATOMS:
            raise _no_atom(kind, subject, detail)
        rows = self._rows
        rows.append((at, order, target, kind, subject, value))
        if len(rows) >= self._room:
            self._take_rows()

    def flush(self) -> None:
        """Hand all records so far to the operating system."""
        self._take_rows()

    def sha256(self) -> str:
        """Return the hash over all records so far, the open block taken as the last one."""
        self._take_rows()
        return (self._chain if self._room == BLOCK_RECORDS else self._open.digest()).hex()

    def close(self) -> str:
        """Flush the file to disk and close it; return the hash."""
        if not self._closed and isinstance(self._file, GrowingFile):
            self._closed = True
            try:
                self._take_rows()
                self._file.finish()
            finally:
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
            self._take_rows()
            return LogReader(self._file.getvalue())
        if not self._closed:
            self.flush()
        return LogReader(self._file.path)

    def _take_rows(self) -> None:
        """Pack, hash and store what was appended since; end the block if it is full."""
        rows = self._rows
        if not rows:
            return
        try:
            packed = self._pack(rows)
        except _UNPACKABLE as error:
            raise self._without_culprit(error) from error
        self._rows = []
        self._packed += len(rows)
        self._room -= len(rows)
        head = _LONG_HEAD if len(rows) > _SHORT_ARRAY else 1
        self._open.update(memoryview(packed)[head:])
        if self._room:
            self._block.append(packed[head:])
        if self._room == 0:
            self._chain = self._open.digest()
            self._open = sha256(self._chain)
            self._block = []
            self._room = BLOCK_RECORDS
        if self._file is not None:
            self._file.write(self._framed(rows, packed, head))

    def _framed(self, rows: list[_Row], packed: bytes, head: int) -> bytes | memoryview:
        if len(rows) == BLOCK_RECORDS:
            # Short logs neither load nor compile native code.
            from simedge.run.logblock import frame_block  # noqa: PLC0415

            framed = frame_block(packed, skip=head, records=len(rows))
            if framed is not None:
                return framed
        return framed_plainly(map(self._pack, rows))

    def _without_culprit(self, error: Exception) -> LogError:
        """Drop the first record that cannot be packed and name it."""
        for index, row in enumerate(self._rows):
            try:
                self._pack(row)
            except _UNPACKABLE:
                del self._rows[index]
                return LogError(f"the log cannot hold {row!r}: {error}")
        raise error


def framed_plainly(bodies: Iterable[bytes]) -> bytes:
    """Return packed records, each behind its length and checksum."""
    kept = list(bodies)
    heads = map(_HEAD.pack, map(len, kept), map(crc32, kept))
    return b"".join(chain.from_iterable(zip(heads, kept, strict=True)))


def _no_atom(kind: str, subject: object, detail: object) -> LogError:
    return LogError(f"a record holds ints, text and bytes, got {kind} {subject!r}, {detail!r}")


class LogReader:
    """Iterates over the records of a log, up to the first bad one.

    After the iteration ``damage`` says what stopped it (nothing: the log is whole), ``records``
    how many were read and ``sha256()`` their hash. With `stop` it reads no further than so many
    bytes.
    """

    def __init__(self, source: Path | bytes, *, stop: int | None = None) -> None:
        self._source = source
        self._stop = stop
        self.damage: str | None = None
        self.records = 0
        self._hash = _SEED
        self._block: list[bytes] = []

    def __iter__(self) -> Iterator[LogRecord]:
        """Read from the start."""
        self.damage, self.records, self._hash, self._block = None, 0, _SEED, []
        source, stop = self._source, self._stop
        with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            try:
                while (stop is None or file.tell() < stop) and (head := file.read(_HEAD.size)):
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
