"""The whole world from its settings: what a driver wires.

::

    world = plan_world(devices, topology, links, streams=streams)
    world.members  # server and devices, by number
    world.network  # links and routes behind one door
    world.transfers  # reliable sends over them
    world.devices[number]  # settings; board(settings.compute) times it, Meter reads its energy
    world.names  # number -> name, links included
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simedge.core.streams import Streams
from simedge.world.datagrams import LinkError
from simedge.world.link_settings import LinkSettings, LinksSettings
from simedge.world.network import Network
from simedge.world.profiles import LinkModel, merge, resolve
from simedge.world.rates import Capacity, OpenTrace
from simedge.world.recorded import open_link
from simedge.world.routing import Routes, edge_costs
from simedge.world.settings import DeviceSettings, TopologySettings
from simedge.world.topology import Member, edges, roster
from simedge.world.transfers import Transfers

__all__ = ["World", "link_models", "plan_world"]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that stands before the first event."""

    members: tuple[Member, ...]
    edges: tuple[tuple[int, int], ...]
    network: Network
    transfers: Transfers
    devices: Mapping[int, DeviceSettings]
    names: Mapping[int, str]


def plan_world(
    devices: Sequence[DeviceSettings],
    topology: TopologySettings,
    links: LinksSettings,
    *,
    streams: Streams,
    open_trace: OpenTrace | None = None,
) -> World:
    """Build members, links and routes.

    A link with a recording asks `open_trace` for what it says, once for each direction, with the
    name of the device whose phase it has: its own end, or the source between devices.

    Links are numbered after the devices, by the numbers of their ends, and named
    ``<source>.<destination>``.
    """
    members = roster(devices)
    pairs = edges(topology, members, streams)
    models = link_models(links, members, pairs)
    built = [
        open_link(
            model,
            name=f"{members[u].name}.{members[v].name}",
            number=len(members) + place,
            src=u,
            dst=v,
            streams=streams,
            capacity=_capacity(model, members[u or v].name, open_trace),
        )
        for place, ((u, v), model) in enumerate(sorted(models.items(), key=lambda item: item[0]))
    ]
    detect_ns = topology.hello * topology.misses
    network = Network(
        built,
        routes=Routes(edge_costs(models, topology.route)),
        detect_ns=detect_ns,
        hello_ns=topology.hello,
        hold_datagrams=topology.hold_datagrams,
    )
    groups = {settings.id: settings for settings in devices}
    return World(
        members=members,
        edges=pairs,
        network=network,
        transfers=Transfers(network, settings=links, detect_ns=detect_ns),
        devices={m.number: groups[m.group] for m in members[1:]},
        names={m.number: m.name for m in members} | {link.number: link.name for link in built},
    )


def _capacity(model: LinkModel, device: str, open_trace: OpenTrace | None) -> Capacity | None:
    if model.trace is None:
        return None
    if open_trace is None:
        raise LinkError(f"nothing here reads recordings, such as {model.trace.file!r}")
    return open_trace(model.trace, device, model.rate_bps)


def link_models(
    links: LinksSettings, members: Sequence[Member], pairs: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], LinkModel]:
    """Return the figures of each direction of each edge; equal ones are one object."""
    merged: dict[tuple[int, ...], LinkSettings] = {}
    models: dict[tuple[tuple[int, ...], bool], LinkModel] = {}
    result = {}
    for u, v in (ends for i, j in pairs for ends in ((i, j), (j, i))):
        matching = _matching(links, members[u], members[v])
        if matching not in merged:
            merged[matching] = _layer(links, matching)
        key = (matching, u != 0)
        if key not in models:
            models[key] = resolve(merged[matching], upwards=u != 0)
        result[u, v] = models[key]
    return result


def _matching(links: LinksSettings, *ends: Member) -> tuple[int, ...]:
    names = {name for end in ends for name in (end.name, end.group)}
    return tuple(
        i for i, override in enumerate(links.overrides) if not names.isdisjoint(override.devices)
    )


def _layer(links: LinksSettings, matching: tuple[int, ...]) -> LinkSettings:
    settings = links.default
    for i in matching:
        settings = merge(settings, links.overrides[i])
    return settings
