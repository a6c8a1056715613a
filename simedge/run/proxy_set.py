"""The proxy set as bytes: what is delivered to devices that do not come with it."""

import struct
from collections.abc import Sequence

from simedge.drivers.raw_frames import pack_frame
from simedge.protocol.settings import ElalSettings
from simedge.run.settings import ScenarioSettings
from simedge.sensors.frames import Frame, Sensor

__all__ = ["pack_proxy", "preinstalled_bits"]


def pack_proxy(items: Sequence[Frame]) -> bytes:
    """Return the manifest, which is the count of items and the bytes of each, and the items.

    All numbers are u32, little-endian.
    """
    packed = [pack_frame(item) for item in items]
    sizes = [len(packed), *map(len, packed)]
    return struct.pack(f"<{len(sizes)}I", *sizes) + b"".join(packed)


def preinstalled_bits(scenario: ScenarioSettings, sensor: Sensor) -> int:
    """Return the bits of proxy sets that devices come with, each its own.

    They take no link and no time, but somebody sent them: they count as traffic from the start.
    Sensors that render their items say how large they are; others' are packed as for delivery.
    """
    protocol = scenario.protocol
    if not isinstance(protocol, ElalSettings) or protocol.x_mode != "proxy":
        return 0
    if protocol.delivery != "preinstalled":
        return 0
    size = getattr(sensor, "proxy_bytes", None)
    each = len(pack_proxy(sensor.proxy)) if size is None else int(size)
    return 8 * each * sum(device.count for device in scenario.devices)
