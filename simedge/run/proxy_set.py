"""The proxy set as bytes: what is delivered to devices that do not come with it."""

import struct
from collections.abc import Sequence

from simedge.drivers.raw_frames import pack_frame
from simedge.sensors.frames import Frame

__all__ = ["pack_proxy"]


def pack_proxy(items: Sequence[Frame]) -> bytes:
    """Return the manifest, which is the count of items and the bytes of each, and the items.

    All numbers are u32, little-endian.
    """
    packed = [pack_frame(item) for item in items]
    sizes = [len(packed), *map(len, packed)]
    return struct.pack(f"<{len(sizes)}I", *sizes) + b"".join(packed)
