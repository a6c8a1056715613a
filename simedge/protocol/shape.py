"""What all machines of a run agree on: classes, blocks, coding of rows, and hence all sizes.

Plain integers only, so that settings can be checked without loading numpy.
"""

from dataclasses import dataclass, field
from functools import cached_property

from simedge.protocol.errors import ProtocolError

__all__ = [
    "DATAGRAM_BYTES_MAX",
    "ENVELOPE_BYTES_MAX",
    "ENVELOPE_BYTES_MIN",
    "FLOAT_BITS",
    "LEVEL_MAX",
    "MESSAGE_BYTES_AROUND_MAX",
    "RELIABLE_BYTES_MAX",
    "Coding",
    "Ground",
    "Shape",
    "address_of",
    "part_of",
]

DATAGRAM_BYTES_MAX = 1_200
RELIABLE_BYTES_MAX = 64 * 2**20
ENVELOPE_BYTES_MIN = 17
ENVELOPE_BYTES_MAX = 51
"""Most bytes around the payload of a datagram."""
MESSAGE_BYTES_AROUND_MAX = 53
"""Most bytes around the payload of any message: two more with a payload of 64 KiB and above."""
FLOAT_BITS = 15
"""The number of bits that stands for float32 rows, for oracle tests."""
LEVEL_MAX = 6
_CLOCK_TOLERANCE_NS = 2_000_000_000
_PART = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """How a row of probabilities becomes bits.

    Parameters
    ----------
    bits
        Bits a count, 1 to 12; 15 stands for float32 rows.
    top
        0: every class has a count. k > 0: the k largest classes and a tail bucket.
    """

    bits: int
    top: int = 0

    def __post_init__(self) -> None:
        if not (1 <= self.bits <= 12 or (self.bits == FLOAT_BITS and self.top == 0)):
            raise ProtocolError(f"bits must be in 1..12, or 15 with top 0, got {self.bits}")
        if not 0 <= self.top <= 15:
            raise ProtocolError(f"top must be in 0..15, got {self.top}")

    @property
    def total(self) -> int:
        """M: what the counts of a row sum to."""
        return (1 << self.bits) - 1

    @property
    def enc(self) -> int:
        """The byte that names this coding on the wire."""
        return self.top << 4 | self.bits

    @property
    def is_float(self) -> bool:
        """Whether rows are sent as float32."""
        return self.bits == FLOAT_BITS

    def rows_max(self, classes: int) -> int:
        """Return the most rows of a block, up to 64: a multiple of 8 if a datagram holds 8."""
        shape = Shape(classes=classes, blocks=1, rows=1, coding=self)
        most = 64 if self.is_float else (DATAGRAM_BYTES_MAX - ENVELOPE_BYTES_MAX) * 8
        if not self.is_float:
            most = min(64, most // shape.row_bits)
        return most // 8 * 8 or max(1, most)

    @staticmethod
    def default(classes: int) -> "Coding":
        """Return the coding for a number of classes: dense up to 16, else the top 8 and a tail."""
        return Coding(bits=8, top=0 if classes <= 16 else 8)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The proxy set cut into blocks, and how its rows are coded.

    Parameters
    ----------
    classes
        C, at least 2.
    blocks, rows
        B blocks of S rows each.
    coding
        How rows become bits.
    """

    classes: int
    blocks: int
    rows: int
    coding: Coding = field(hash=False)  # shapes are hashed at every arrival

    def __post_init__(self) -> None:
        for name, value, low in (
            ("classes", self.classes, 2),
            ("blocks", self.blocks, 1),
            ("rows", self.rows, 1),
        ):
            if not low <= value < _PART:
                raise ProtocolError(f"{name} must be in {low}..65535, got {value}")
        if self.coding.top >= self.classes:
            raise ProtocolError(
                f"top must be below the number of classes ({self.classes}), got {self.coding.top}"
            )

    @cached_property
    def class_bits(self) -> int:
        """Bits of a class number in a top-k row."""
        return max(1, (self.classes - 1).bit_length())

    @cached_property
    def row_bits(self) -> int:
        """Bits of one row."""
        coding = self.coding
        if coding.is_float:
            return 32 * self.classes
        if coding.top == 0:
            return self.classes * coding.bits
        return coding.top * self.class_bits + (coding.top + 1) * coding.bits

    @cached_property
    def width(self) -> int:
        """Numbers a coded row consists of: values, counts, or classes and counts."""
        return 2 * self.coding.top + 1 if self.coding.top else self.classes

    @property
    def message_limit(self) -> int:
        """Most bytes of a message; float rows are for oracle tests and exempt."""
        return RELIABLE_BYTES_MAX if self.coding.is_float else DATAGRAM_BYTES_MAX

    def payload_bytes(self, rows: int) -> int:
        """Bytes of so many rows."""
        return (rows * self.row_bits + 7) // 8

    def message_bytes_max(self, rows: int) -> int:
        """Most bytes of a datagram with so many rows."""
        return self.payload_bytes(rows) + ENVELOPE_BYTES_MAX

    def check_level(self, level: int) -> None:
        """Refuse a part level that the blocks cannot be cut into, or whose messages are too long.

        Raises
        ------
        ProtocolError
            If 2^level does not divide the rows of a block, or a message exceeds a datagram.
        """
        if not 0 <= level <= LEVEL_MAX or self.rows % (1 << level):
            raise ProtocolError(f"blocks of {self.rows} rows cannot be cut into 2^{level} parts")
        size = self.message_bytes_max(self.rows >> level)
        if size > DATAGRAM_BYTES_MAX and not self.coding.is_float:
            raise ProtocolError(
                f"a message of {self.rows >> level} rows takes up to {size} bytes, a datagram "
                f"holds {DATAGRAM_BYTES_MAX}; choose fewer rows a block or a higher part_level"
            )

    def span(self, address: int) -> tuple[int, int, int]:
        """Return (block, first row within it, rows) of an address.

        Raises
        ------
        ProtocolError
            If there is no such block or part.
        """
        block, level, part = part_of(address)
        if block >= self.blocks or level > LEVEL_MAX or self.rows % (1 << level):
            raise ProtocolError(f"no block has the address {address}")
        rows = self.rows >> level
        return block, part * rows, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What machines of a run share besides their settings.

    Parameters
    ----------
    classes
        C, number of classes.
    blocks, rows
        The proxy set: B blocks of S items.
    pset
        SHA-256 of the proxy set's manifest and items.
    tau_ns
        Nominal duration of a token period: frames a period times the frame interval, the median
        over the devices.
    shared_clock
        Whether all machines have the same clock. If not, ages start at arrival.
    tolerance_ns
        How far a time in a message may then lie ahead of the receiver's clock.
    devices
        K, number of devices.
    params
        d, number of parameters of the models that are exchanged.
    frame_ns
        Nominal time between two frames.
    frame_bytes
        Size of a frame as the sensor gives it.
    duration_ns
        How long the run is.
    learning_rate
        Step along a gradient that learners themselves take.
    proxy_set
        Manifest and items of the proxy set, whose SHA-256 is `pset`, where they are delivered.
    """

    classes: int
    blocks: int
    rows: int
    pset: bytes
    tau_ns: int
    shared_clock: bool = True
    tolerance_ns: int = _CLOCK_TOLERANCE_NS
    devices: int = 0
    params: int = 0
    frame_ns: int = 0
    frame_bytes: int = 0
    duration_ns: int = 0
    learning_rate: float = 0.05
    proxy_set: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if len(self.pset) != 32:
            raise ProtocolError(f"pset must be 32 bytes, got {len(self.pset)}")
        if self.tau_ns <= 0:
            raise ProtocolError(f"tau_ns must be positive, got {self.tau_ns}")
        for name in ("devices", "params", "frame_ns", "frame_bytes", "duration_ns"):
            if getattr(self, name) < 0:
                raise ProtocolError(f"{name} must not be negative, got {getattr(self, name)}")

    @property
    def ahead_ns_max(self) -> int:
        """How far a time in a message may lie ahead of the receiver's clock."""
        return 0 if self.shared_clock else self.tolerance_ns


def address_of(block: int, *, level: int = 0, part: int = 0) -> int:
    """Return the address of part `part` of the 2^level parts of a block; level 0 is the whole.

    >>> address_of(3, level=1, part=1)
    131075
    """
    return block + _PART * ((1 << level) - 1 + part)


def part_of(address: int) -> tuple[int, int, int]:
    """Return (block, level, part) of an address, the inverse of ``address_of``.

    >>> part_of(131075)
    (3, 1, 1)
    """
    heap, block = divmod(address, _PART)
    level = (heap + 1).bit_length() - 1
    return block, level, heap + 1 - (1 << level)
