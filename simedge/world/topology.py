"""Topology: who has a link to whom.

`roster` names the devices, `edges` joins them; both are plain data. Numbers: server 0, devices
from 1 by their position in the file.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Final, assert_never

from simedge.core.streams import Stream, Streams, bernoulli_threshold, happens, integer_between
from simedge.world.datagrams import LinkError
from simedge.world.settings import DeviceSettings
from simedge.world.topology_settings import (
    CompleteSettings,
    FileSettings,
    GeometricSettings,
    RingSettings,
    SmallWorldSettings,
    StarSettings,
    TiersSettings,
    TopologySettings,
    UplinkedSettings,
)

__all__ = [
    "SERVER",
    "Member",
    "choose",
    "edges",
    "geometric",
    "name_word",
    "ring",
    "roster",
    "small_world",
    "tiers",
]

SERVER: Final = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A device of the roster, or the server: number, name, and the group that it belongs to."""

    number: int
    name: str
    group: str


def roster(devices: Iterable[DeviceSettings]) -> tuple[Member, ...]:
    """Return the server and every device, by number.

    Examples
    --------
    >>> [m.name for m in roster([DeviceSettings(id="cam", count=2)])]
    ['server', 'cam-1', 'cam-2']
    """
    members = [Member(number=0, name=SERVER, group=SERVER)]
    for settings in devices:
        for i in range(1, settings.count + 1):
            member = Member(number=len(members), name=f"{settings.id}-{i}", group=settings.id)
            members.append(member)
    return tuple(members)


def choose(names: Sequence[str], count: int, stream: Stream) -> tuple[str, ...]:
    """Return the `count` names with the smallest words, in the order of `names`.

    The word of a name has w1 = first 8 bytes, little-endian, of the SHA-256 of the name, so
    another device changes no other device's word.
    """
    ranked = sorted(names, key=lambda name: (stream.words(name_word(name))[0], name))
    chosen = frozenset(ranked[:count])
    return tuple(name for name in names if name in chosen)


def name_word(name: str) -> int:
    """Return the number of a name in draws: the same whoever else is there."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


def edges(
    settings: TopologySettings, members: Sequence[Member], streams: Streams
) -> tuple[tuple[int, int], ...]:
    """Return the undirected edges as pairs of numbers, lower first, ascending.

    Raises
    ------
    LinkError
        If the devices are too few for the topology.
    """
    devices = len(members) - 1
    match settings:
        case StarSettings():
            found = [(0, number) for number in range(1, devices + 1)]
        case SmallWorldSettings():
            found = _uplinks(settings, members, streams)
            found += small_world(settings, devices=devices, streams=streams)
        case RingSettings():
            found = _uplinks(settings, members, streams) + ring(devices)
        case CompleteSettings():
            pairs = list(combinations(range(1, devices + 1), 2))
            found = _uplinks(settings, members, streams) + pairs
        case GeometricSettings():
            near = geometric(settings, members, streams=streams)
            found = _uplinks(settings, members, streams) + near
        case TiersSettings():
            found = tiers(settings, members)
        case FileSettings():
            found = _listed(settings, members)
        case _:
            assert_never(settings)
    return tuple(found)


def _uplinks(
    settings: UplinkedSettings, members: Sequence[Member], streams: Streams
) -> list[tuple[int, int]]:
    """Return the edges to the server: of all devices, or of those that draws choose."""
    names = [m.name for m in members[1:]]
    count = len(names) if settings.uplinks == "all" else settings.uplinks
    if count > len(names):
        raise LinkError(f"uplinks must be at most {len(names)} devices, got {count}")
    chosen = frozenset(choose(names, count, streams.stream("topology", settings.kind, "uplinks")))
    return [(0, m.number) for m in members[1:] if m.name in chosen]


def ring(devices: int) -> list[tuple[int, int]]:
    """Return the edges of a ring of devices, ascending; two devices have one edge.

    Examples
    --------
    >>> ring(4)
    [(1, 2), (1, 4), (2, 3), (3, 4)]
    """
    pairs = {(min(i, i % devices + 1), max(i, i % devices + 1)) for i in range(1, devices + 1)}
    return sorted((i, j) for i, j in pairs if i != j)


def geometric(
    settings: GeometricSettings, members: Sequence[Member], *, streams: Streams
) -> list[tuple[int, int]]:
    """Return the edges between devices within the radius (Gilbert 1961), ascending.

    The place of a device is a draw keyed by its name, words 0 and 1 in units of 2^-64 of the side,
    so another device moves none. Distances are compared exactly. A grid of cells as wide as the
    radius leaves only neighbours to look at.
    """
    stream = streams.stream("topology", "geometric", "places")
    reach = int(settings.radius * 2**64)
    squared = (settings.radius * 2**64) ** 2
    cells: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    found = []
    for member in members[1:]:
        x, y, *_ = stream.words(name_word(member.name))
        column, row = x // max(1, reach), y // max(1, reach)
        around = product(range(column - 1, column + 2), range(row - 1, row + 2))
        for number, u, v in (other for cell in around for other in cells.get(cell, ())):
            if (x - u) ** 2 + (y - v) ** 2 <= squared:
                found.append((number, member.number))
        cells.setdefault((column, row), []).append((member.number, x, y))
    return sorted(found)


def tiers(settings: TiersSettings, members: Sequence[Member]) -> list[tuple[int, int]]:
    """Return the edges from the server to the gateways and from these to all others, ascending.

    The others take the gateways in turn, each its `homes` next ones.
    """
    gateways = [m.number for m in members if m.group in settings.gateways]
    if settings.homes > len(gateways):
        raise LinkError(f"{settings.homes} homes need as many gateways, got {len(gateways)}")
    others = [m.number for m in members[1:] if m.group not in settings.gateways]
    homes = [
        (gateways[(i + home) % len(gateways)], number)
        for i, number in enumerate(others)
        for home in range(settings.homes)
    ]
    return sorted([(0, g) for g in gateways] + [(min(pair), max(pair)) for pair in homes])


def _listed(settings: FileSettings, members: Sequence[Member]) -> list[tuple[int, int]]:
    if settings.edges is None:
        raise LinkError(f"the topology file {settings.path} has not been read")
    number = {m.name: m.number for m in members}
    unknown = sorted({name for edge in settings.edges for name in edge if name not in number})
    if unknown:
        raise LinkError(f"{settings.path} names no device: {', '.join(unknown[:5])}")
    pairs = {(number[u], number[v]) for u, v in settings.edges}
    return sorted({(min(pair), max(pair)) for pair in pairs})


def small_world(
    settings: SmallWorldSettings, *, devices: int, streams: Streams
) -> list[tuple[int, int]]:
    """Return the edges of a ring lattice with rewiring (Watts and Strogatz 1998), ascending.

    For each distance d and device i the ring edge (i, j) is visited once. With probability
    `rewire` it leaves j for another device that is no neighbour of i. Draws are keyed by
    w1 = i 2^32 + j: word 0 decides, word 1 picks among the allowed ends, ascending.
    """
    if devices <= settings.neighbours:
        least = settings.neighbours + 1
        raise LinkError(f"small-world with {settings.neighbours} neighbours needs at least "
                        f"{least} devices, got {devices}")  # fmt: skip
    stream = streams.stream("topology", "small-world", "rewire")
    threshold = bernoulli_threshold(settings.rewire)
    near: list[set[int]] = [set() for _ in range(devices + 1)]
    ring = [
        (i, (i - 1 + d) % devices + 1)
        for d in range(1, settings.neighbours // 2 + 1)
        for i in range(1, devices + 1)
    ]
    for i, j in ring:
        near[i].add(j)
        near[j].add(i)
    for i, j in ring:
        _rewire(near, (i, j), stream=stream, threshold=threshold)
    return [(i, j) for i in range(1, devices + 1) for j in sorted(near[i]) if i < j]


def _rewire(near: list[set[int]], edge: tuple[int, int], *, stream: Stream, threshold: int) -> None:
    i, j = edge
    decides, picks, *_ = stream.words(i << 32 | j)
    if not happens(decides, threshold):
        return
    allowed = [k for k in range(1, len(near)) if k != i and k not in near[i]]
    if not allowed:
        return
    k = allowed[integer_between(picks, 0, len(allowed) - 1)]
    near[i].remove(j)
    near[j].remove(i)
    near[i].add(k)
    near[k].add(i)
