"""Faults: what goes wrong and when, as records made before the run.

Each fault has its own stream, so that leaving one out changes no draw of another.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from simedge.core.records import Due, Order
from simedge.core.streams import Streams
from simedge.world.datagrams import LinkError
from simedge.world.fault_settings import (
    CrashSettings,
    FaultSettings,
    RebootLoopFault,
    State,
)
from simedge.world.link_fault_settings import (
    BridgeFault,
    FlapFault,
    IsolateFault,
    PartitionFault,
    SplitFault,
    SwizzleClogFault,
)
from simedge.world.links import Link
from simedge.world.spells import DeviceSpell, HostSpell, LinkSpell, Spell
from simedge.world.storage_fault_settings import StorageFault
from simedge.world.topology import SERVER, Member, choose, name_word

__all__ = ["Crash", "Strike", "links_hit", "plan_faults", "targets"]


class Crash(NamedTuple):
    """Payload of ``crash`` and ``restart``: name of the fault, and what survives."""

    name: str
    state: State
    kind: str = "crash"


class Strike(NamedTuple):
    """Payload of ``strike`` and ``relief``: any other fault, and when it ends."""

    name: str
    kind: str
    fault: Spell
    until_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    """What faults can hit, and where their draws come from."""

    members: Sequence[Member]
    links: Sequence[Link]
    streams: Streams
    duration_ns: int

    def drawn(self, name: str, names: Sequence[str], wanted: int | Fraction) -> frozenset[str]:
        """Return the ceil(share n), or that many, names with the smallest words."""
        count = math.ceil(wanted * len(names)) if isinstance(wanted, Fraction) else wanted
        return frozenset(choose(names, count, self.streams.stream("fault", name, "target")))


def targets(
    fault: DeviceSpell | HostSpell, members: Sequence[Member], streams: Streams
) -> tuple[Member, ...]:
    """Return whom a fault hits, ascending by number.

    A share takes the ceil(share n) devices with the smallest words of the fault's stream, a
    number that many; names are groups or devices.
    """
    if isinstance(fault, HostSpell) and fault.server:
        return tuple(members[:1])
    world = _World(members=members, links=(), streams=streams, duration_ns=0)
    return _devices(fault, world)


def links_hit(
    fault: LinkSpell, members: Sequence[Member], links: Sequence[Link], *, streams: Streams
) -> tuple[Link, ...]:
    """Return the links that a fault hits, ascending by number."""
    world = _World(members=members, links=links, streams=streams, duration_ns=0)
    if fault.devices is not None:
        near = {member.number for member in _devices(fault, world)}
        return tuple(link for link in links if not near.isdisjoint((link.src, link.dst)))
    wanted = fault.links
    if wanted is None or wanted == "all":
        return tuple(links)
    names = [link.name for link in links]
    if isinstance(wanted, tuple):
        _all_known(fault.name, wanted, names, what="link")
        return tuple(link for link in links if link.name in wanted)
    chosen = world.drawn(fault.name, names, wanted)
    return tuple(link for link in links if link.name in chosen)


def plan_faults(
    faults: Iterable[FaultSettings],
    members: Sequence[Member],
    *,
    links: Sequence[Link] = (),
    streams: Streams,
    duration_ns: int,
) -> tuple[Due, ...]:
    """Return the records of all faults before the end of the run, in order of time.

    ``crash`` and ``restart`` go to the device or the server, with a `Crash` as payload; ``strike``
    and ``relief`` to a device, the server or a link, with a `Strike`. One that is down already,
    or up already, is the driver's to pass over.
    """
    world = _World(members=members, links=links, streams=streams, duration_ns=duration_ns)
    dues = [due for fault in faults for due in _plan(fault, world)]
    return tuple(sorted(dues, key=lambda due: due[:3]))


def _plan(fault: FaultSettings, world: _World) -> Iterator[Due]:
    match fault:
        case StorageFault():
            pass  # nothing in virtual time: it is the run's disk that fails
        case CrashSettings():
            yield from _crashes(fault, world)
        case RebootLoopFault():
            yield from _loops(fault, world)
        case FlapFault():
            yield from _flaps(fault, world)
        case SwizzleClogFault():
            yield from _swizzles(fault, world)
        case PartitionFault() | IsolateFault() | SplitFault() | BridgeFault():
            cuts = _cut(fault, world)
            yield from _strikes(fault, [k.number for k in world.links if cuts(k.src, k.dst)], world)
        case LinkSpell():
            hit = links_hit(fault, world.members, world.links, streams=world.streams)
            yield from _strikes(fault, [link.number for link in hit], world)
        case _:
            hosts = targets(fault, world.members, world.streams)
            yield from _strikes(fault, [host.number for host in hosts], world)


def _pair(
    number: int, began_ns: int, end_ns: int, *, of: NamedTuple, world: _World
) -> Iterator[Due]:
    """Yield the beginning and the end of a window, as far as they are within the run."""
    kinds = ("crash", "restart") if isinstance(of, Crash) else ("strike", "relief")
    for at, kind in zip((began_ns, end_ns), kinds, strict=True):
        if at < world.duration_ns:
            yield Due(at, Order.FAULT, number, kind, of)


def _strikes(fault: Spell, numbers: Iterable[int], world: _World) -> Iterator[Due]:
    windows = list(fault.windows(world.duration_ns))
    for number in numbers:
        for at, until in windows:
            strike = Strike(fault.name, fault.kind, fault, until)
            yield from _pair(number, at, until, of=strike, world=world)


def _crashes(fault: CrashSettings, world: _World) -> Iterator[Due]:
    payload = Crash(fault.name, fault.state)
    for member in targets(fault, world.members, world.streams):
        for at, until in fault.windows(world.duration_ns):
            yield from _pair(member.number, at, until, of=payload, world=world)


def _loops(fault: RebootLoopFault, world: _World) -> Iterator[Due]:
    payload = Crash(fault.name, fault.state, fault.kind)
    period = fault.up + fault.down
    for member in targets(fault, world.members, world.streams):
        for at, until in fault.windows(world.duration_ns):
            for died in range(at, min(until, at + fault.count * period), period):
                yield from _pair(member.number, died, died + fault.down, of=payload, world=world)


def _flaps(fault: FlapFault, world: _World) -> Iterator[Due]:
    hit = links_hit(fault, world.members, world.links, streams=world.streams)
    for link in hit:
        for at, until in fault.windows(world.duration_ns):
            for down in range(at, min(until, world.duration_ns), fault.down + fault.up):
                end = min(down + fault.down, until)
                strike = Strike(fault.name, fault.kind, fault, end)
                yield from _pair(link.number, down, end, of=strike, world=world)


def _swizzles(fault: SwizzleClogFault, world: _World) -> Iterator[Due]:
    """Clog the chosen links one after another in the first half, release them in the second."""
    hit = links_hit(fault, world.members, world.links, streams=world.streams)
    chosen = world.drawn(fault.name, [link.name for link in hit], fault.share)
    clogged = [link for link in hit if link.name in chosen]
    stream = world.streams.stream("fault", fault.name, "order")
    into = sorted(clogged, key=lambda link: stream.words(name_word(link.name))[0])
    out = {
        link.number: i
        for i, link in enumerate(
            sorted(clogged, key=lambda link: stream.words(name_word(link.name))[1])
        )
    }
    for at, until in fault.windows(world.duration_ns):
        step = (until - at) // (2 * max(1, len(clogged)))
        for i, link in enumerate(into):
            end = until - step * out[link.number]
            strike = Strike(fault.name, fault.kind, fault, end)
            yield from _pair(link.number, at + step * i, end, of=strike, world=world)


def _cut(
    fault: PartitionFault | IsolateFault | SplitFault | BridgeFault, world: _World
) -> Callable[[int, int], bool]:
    """Return whether a fault cuts the link between two numbers."""
    devices = [m.name for m in world.members[1:]]
    number = {m.name: m.number for m in world.members}
    side: dict[int, int] = {}
    match fault:
        case PartitionFault():
            _all_known(
                fault.name, [n for g in fault.groups for n in g], _names(world.members, server=True)
            )
            for i, group in enumerate(fault.groups):
                side |= {m.number: i for m in world.members if {m.name, m.group} & set(group)}
        case IsolateFault():
            _all_known(fault.name, [fault.device], devices)
            side = {number[fault.device]: 0}
        case SplitFault():
            side = {number[n]: 0 for n in world.drawn(fault.name, devices, fault.share)}
        case BridgeFault():
            _all_known(fault.name, [fault.device], devices)
            others = [name for name in devices if name != fault.device]
            side = {number[n]: 0 for n in world.drawn(fault.name, others, Fraction(1, 2))}
            side[number[fault.device]] = -1
    one_way = isinstance(fault, PartitionFault) and fault.direction == "one-way"

    def cuts(src: int, dst: int) -> bool:
        here, there = side.get(src, len(devices) + 1), side.get(dst, len(devices) + 1)
        return here != there and -1 not in {here, there} and (here == 0 or not one_way)

    return cuts


def _devices(fault: DeviceSpell | HostSpell | LinkSpell, world: _World) -> tuple[Member, ...]:
    devices, wanted = world.members[1:], fault.devices
    if isinstance(wanted, tuple):
        _all_known(fault.name, wanted, _names(world.members, server=False))
        return tuple(m for m in devices if m.name in wanted or m.group in wanted)
    chosen = world.drawn(fault.name, [m.name for m in devices], wanted or 0)
    return tuple(m for m in devices if m.name in chosen)


def _names(members: Sequence[Member], *, server: bool) -> set[str]:
    return {name for m in members if server or m.name != SERVER for name in (m.name, m.group)}


def _all_known(
    fault: str, wanted: Iterable[str], known: Iterable[str], *, what: str = "device"
) -> None:
    unknown = [name for name in wanted if name not in set(known)]
    if unknown:
        raise LinkError(f"fault {fault} names no {what}: {', '.join(unknown)}")
