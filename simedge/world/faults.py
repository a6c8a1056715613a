"""Faults: what goes wrong and when, as records made before the run.

Each fault has its own stream, so that leaving one out changes no draw of another.
"""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

from simedge.core.records import Due, Order
from simedge.core.streams import Streams
from simedge.world.datagrams import LinkError
from simedge.world.settings import CrashSettings, FaultSettings
from simedge.world.topology import Member, choose

__all__ = ["Crash", "plan_faults", "targets"]


class Crash(NamedTuple):
    """Payload of ``crash`` and ``restart``: name of the fault, and what survives."""

    name: str
    state: Literal["kept", "checkpoint", "wiped"]


def targets(
    fault: CrashSettings, members: Sequence[Member], streams: Streams
) -> tuple[Member, ...]:
    """Return whom a fault hits, ascending by number.

    A share takes the ceil(share n) devices with the smallest words of the fault's stream, a
    number that many; names are groups or devices.
    """
    if fault.server:
        return tuple(members[:1])
    devices = members[1:]
    wanted = fault.devices
    if isinstance(wanted, tuple):
        known = {name for m in devices for name in (m.name, m.group)}
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise LinkError(f"fault {fault.name} names no device: {', '.join(unknown)}")
        return tuple(m for m in devices if m.name in wanted or m.group in wanted)
    count = math.ceil(wanted * len(devices)) if isinstance(wanted, Fraction) else wanted or 0
    stream = streams.stream("fault", fault.name, "target")
    chosen = frozenset(choose([m.name for m in devices], count, stream))
    return tuple(m for m in devices if m.name in chosen)


def plan_faults(
    faults: Iterable[FaultSettings],
    members: Sequence[Member],
    *,
    streams: Streams,
    duration_ns: int,
) -> tuple[Due, ...]:
    """Return the records of all faults before the end of the run, in order of time.

    ``crash`` and ``restart`` go to the device or the server, with a `Crash` as payload. One that
    is down already, or up already, is the driver's to pass over.
    """
    dues = [
        due
        for fault in faults
        for member in targets(fault, members, streams)
        for due in _crashes(fault, member.number, duration_ns)
    ]
    return tuple(sorted(dues, key=lambda due: due[:3]))


def _crashes(fault: CrashSettings, number: int, duration_ns: int) -> Iterable[Due]:
    payload = Crash(fault.name, fault.state)
    at = fault.at
    while at < duration_ns:
        yield Due(at, Order.FAULT, number, "crash", payload)
        if fault.for_ is not None and at + fault.for_ < duration_ns:
            yield Due(at + fault.for_, Order.FAULT, number, "restart", payload)
        if fault.every is None:
            return
        at += fault.every
