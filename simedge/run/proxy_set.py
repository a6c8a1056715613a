"""The proxy set as bytes: what devices come with, or are sent."""

import struct
from collections.abc import Sequence

from simedge.drivers.raw_frames import pack_frame
from simedge.protocol.settings import ElalSettings
from simedge.run.settings import ScenarioSettings
from simedge.sensors.frames import Frame, Sensor

__all__ = ["pack_proxy", "preinstalled_bits", "proxy_set_of"]


def proxy_set_of(sensor: Sensor) -> bytes:
    """Return what a device is given, whether it comes with it or is sent it.

    Sensors whose items are rendered on the device say what that takes; others' are packed.
    """
    own = getattr(sensor, "proxy_set", None)
    return pack_proxy(sensor.proxy) if own is None else bytes(own)


def pack_proxy(items: Sequence[Frame]) -> bytes:
    """Return the manifest, which is the count of items and the bytes of each, and the items.

    All numbers are u32, little-endian.
    """
    packed = [pack_frame(item) for item in items]
    sizes = [len(packed), *map(len, packed)]
    return struct.pack(f"<{len(sizes)}I", *sizes) + b"".join(packed)


def preinstalled_bits(scenario: ScenarioSettings, sensor: Sensor) -> int:
    """Return the bits of proxy sets that devices come with, each its own.

    They take no link and no time, but somebody sent them: they count as traffic from the start, by
    the bytes that would be delivered, without headers.
    """
    protocol = scenario.protocol
    if not isinstance(protocol, ElalSettings) or protocol.x_mode != "proxy":
        return 0
    if protocol.delivery != "preinstalled":
        return 0
    return 8 * len(proxy_set_of(sensor)) * sum(device.count for device in scenario.devices)
