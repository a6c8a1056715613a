"""Sense: what no single setting can see, such as a name that no device has.

All findings at once, each with the place in the scenario that it is about.
"""

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from simedge.world.compute import ComputeError, board
from simedge.world.fault_sense import fault_problems
from simedge.world.settings import (
    DeviceSettings,
    FaultSettings,
    LinksSettings,
    ServerSettings,
    SmallWorldSettings,
    TopologySettings,
)
from simedge.world.topology_settings import UplinkedSettings

__all__ = ["Problem", "problems"]


class Problem(NamedTuple):
    """What is wrong, and the path to it: keys and positions in lists."""

    where: tuple[str | int, ...]
    what: str


def problems(
    devices: Sequence[DeviceSettings],
    topology: TopologySettings,
    links: LinksSettings,
    *,
    faults: Sequence[FaultSettings] = (),
    server: ServerSettings | None = None,
) -> tuple[Problem, ...]:
    """Return everything that makes no sense in the world of a scenario, in its order."""
    return (
        *_of_devices(devices),
        *_of_server(server),
        *_of_topology(topology, sum(d.count for d in devices)),
        *_of_links(links, devices),
        *(Problem(*found) for found in fault_problems(faults, devices)),
    )


def _of_devices(devices: Sequence[DeviceSettings]) -> Iterator[Problem]:
    if not devices:
        yield Problem(("devices",), "a scenario needs at least one device")
    seen = Counter[str]()
    for i, settings in enumerate(devices):
        seen[settings.id] += 1
        if settings.id == "server":
            yield Problem(("devices", i, "id"), "the id 'server' is taken by the server")
        if seen[settings.id] > 1:
            yield Problem(("devices", i, "id"), f"the id {settings.id!r} is given twice")
        try:
            board(settings.compute)
        except ComputeError as error:
            yield Problem(("devices", i, "compute"), str(error))


def _of_server(server: ServerSettings | None) -> Iterator[Problem]:
    if server is None or server.compute == "free":
        return
    try:
        board(server.compute)
    except ComputeError as error:
        yield Problem(("server", "compute"), str(error))


def _of_topology(topology: TopologySettings, count: int) -> Iterator[Problem]:
    if isinstance(topology, SmallWorldSettings) and topology.neighbours >= count:
        what = f"{topology.neighbours} neighbours need more devices than {count}"
        yield Problem(("topology", "neighbours"), what)
    if not isinstance(topology, UplinkedSettings) or topology.uplinks == "all":
        return
    if topology.uplinks > count:
        what = f"{topology.uplinks} uplinks need as many devices, there are {count}"
        yield Problem(("topology", "uplinks"), what)


def _of_links(links: LinksSettings, devices: Sequence[DeviceSettings]) -> Iterator[Problem]:
    counts = {d.id: d.count for d in devices}
    for i, override in enumerate(links.overrides):
        for j, name in enumerate(override.devices):
            if not _known(name, counts):
                yield Problem(("links", "overrides", i, "devices", j), _unknown(name, counts))


def _known(name: str, counts: Mapping[str, int]) -> bool:
    group, _, number = name.rpartition("-")
    plain = number.isascii() and number.isdigit() and not number.startswith("0")
    return name in counts or (plain and int(number) <= counts.get(group, 0))


def _unknown(name: str, counts: Mapping[str, int]) -> str:
    named = [*counts, *(f"{group}-{n}" for group, n in counts.items())]
    close = difflib.get_close_matches(name, named, n=1, cutoff=0.5)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"there is no device or group {name!r}{hint}"
