"""Topology: who has a link to whom.

`roster` names the devices, `edges` joins them; both are plain data. Numbers: server 0, devices
from 1 by their position in the file.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from simedge.core.streams import Stream, Streams, bernoulli_threshold, happens, integer_between
from simedge.world.datagrams import LinkError
from simedge.world.settings import (
    DeviceSettings,
    SmallWorldSettings,
    StarSettings,
    TopologySettings,
)

__all__ = ["SERVER", "Member", "choose", "edges", "name_word", "roster", "small_world"]

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
    names = [m.name for m in members[1:]]
    numbers = {m.name: m.number for m in members}
    match settings:
        case StarSettings():
            return tuple((0, number) for number in range(1, len(members)))
        case SmallWorldSettings():
            count = len(names) if settings.uplinks == "all" else settings.uplinks
            if count > len(names):
                raise LinkError(f"uplinks must be at most {len(names)} devices, got {count}")
            uplinks = choose(names, count, streams.stream("topology", "small-world", "uplinks"))
            ups = [(0, numbers[name]) for name in uplinks]
            return tuple(ups + small_world(settings, devices=len(names), streams=streams))
        case _:
            assert_never(settings)


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
